"""Turns as one-line requests and as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ipcir_tools.agents.dialogue.commands import Refine, format_refinement
from ipcir_tools.types import Turn

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

    changed = query.reference if parent and query.reference != parent.query.reference else None
    liked, disliked = tuple(map(name_of, query.liked)), tuple(map(name_of, query.disliked))
    return (
        format_refinement(Refine(query.modification, name_of(changed) if changed else None, liked, disliked))
        or "another reference"
    )


def root_line(turn: Turn) -> tuple[str, str]:
    """The first request of a dialogue, and the name of its reference; empty for a search by words alone."""
    if turn.query.reference is None:
        return f"find {turn.query.modification}", ""
    return turn.query.modification, PurePath(turn.reference_source or turn.query.reference).name


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
