"""Turns as one-line requests and as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ipcir_tools.agents.dialogue.commands import Combination, Refine, format_refinement
from ipcir_tools.display.results import request_text
from ipcir_tools.engine.reference_list import plain_note, words_of_notes
from ipcir_tools.types import NotedReference, Turn

SHORT_ID = 8
"""Digits of a picture's id that are shown if it has no rank."""


@dataclass(frozen=True)
class Branch:
    """One line of a tree: strokes, then a turn."""

    strokes: str
    turn: Turn
    parent: Turn | None


def request_line(turn: Turn, parent: Turn | None = None) -> str:
    """The request of a turn, as a line that could have been typed after ``parent``: *take 3, in green, less like 1*."""
    query = turn.query
    if parent is None and turn.parent is None:
        return query.modification
    ranks = {hit.id: str(hit.rank) for hit in parent.hits} if parent else {}

    def name_of(id_: str) -> str:
        return ranks.get(id_, id_[:SHORT_ID])

    changed, added = _new_references(turn, parent) if parent else ((), False)
    said = words_of_notes(query.references, before=parent.query.references if parent and added else ())
    words = query.modification.removeprefix(said).removeprefix(", ") if changed else query.modification
    pictures = tuple((name_of(each.id), plain_note(each.note)) for each in changed)
    is_single = len(pictures) == 1 and not pictures[0][1]
    refinement = Refine(
        words,
        pictures[0][0] if is_single else None,
        tuple(map(name_of, query.liked)),
        tuple(map(name_of, query.disliked)),
        Combination(pictures, added) if pictures and not is_single else None,
    )
    return format_refinement(refinement) or request_text(turn)


def _new_references(turn: Turn, parent: Turn) -> tuple[tuple[NotedReference, ...], bool]:
    """The references that a turn chose, and whether they came beside those of its parent."""
    now, before = turn.query.references, parent.query.references
    if now == before:
        return (), False
    added = bool(before) and now[: len(before)] == before
    return now[len(before) :] if added else now, added


def root_line(turn: Turn) -> tuple[str, str]:
    """The first request of a dialogue, and the names of its references; empty for a search by words alone."""
    if turn.query.reference is None:
        return f"find {turn.query.modification}", ""
    names = [
        PurePath(source or reference.id).name + (f" ({reference.note})" if reference.note else "")
        for reference, source in turn.sourced_references
    ]
    return turn.query.modification, ", ".join(names)


def branches(turns: Sequence[Turn]) -> Iterator[Branch]:
    """The turns as trees, oldest first, each under its parent.

    An only child is drawn below its parent without an indent; only branches are indented. A turn whose parent is not
    among ``turns`` is at the left edge, after an ellipsis.
    """
    known = {turn.id: turn for turn in turns}
    below: dict[str | None, list[Turn]] = {}
    for turn in sorted(known.values(), key=lambda turn: turn.created):
        below.setdefault(turn.parent if turn.parent in known else None, []).append(turn)
    waiting = [(turn, "… " if turn.parent else "", "") for turn in reversed(below.get(None, []))]
    while waiting:
        turn, strokes, later = waiting.pop()
        yield Branch(strokes, turn, known.get(turn.parent or ""))
        after = below.get(turn.id, [])
        drawn = [("├─ ", "│  ")] * (len(after) - 1) + [("└─ ", "   ")] if after[1:] else [("", "")] * len(after)
        waiting += [(each, later + near, later + far) for each, (near, far) in zip(after, drawn, strict=True)][::-1]
