"""Turns in words and as a tree, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ipcir_tools.agents.dialogue.commands import Refine, format_refinement
from ipcir_tools.types import Turn

SHORT_ID = 8
"""Digits that a picture is called by where it has no rank."""


@dataclass(frozen=True)
class Branch:
    """One line of a tree: the turn behind the strokes that lead to it."""

    strokes: str
    turn: Turn
    parent: Turn | None


def asked(turn: Turn, parent: Turn | None = None) -> str:
    """What a turn asked for, as a line that could have been typed after ``parent``: *take 3, in green, less like 1*."""
    query = turn.query
    if parent is None and turn.parent is None:
        return query.modification
    ranks = {hit.id: str(hit.rank) for hit in parent.hits} if parent else {}

    def named(id_: str) -> str:
        return ranks.get(id_, id_[:SHORT_ID])

    base = query.reference if parent and query.reference != parent.query.reference else None
    liked, disliked = tuple(map(named, query.liked)), tuple(map(named, query.disliked))
    return (
        format_refinement(Refine(query.modification, named(base) if base else None, liked, disliked))
        or "another reference"
    )


def begun(turn: Turn) -> tuple[str, str]:
    """How a dialogue began: its words, and the name of the picture that it began with, empty for words alone."""
    if turn.query.reference is None:
        return f"find {turn.query.modification}", ""
    return turn.query.modification, PurePath(turn.reference_source or turn.query.reference).name


def branches(turns: Sequence[Turn]) -> Iterator[Branch]:
    """The turns as trees, in the order in which they were made, each under its parent.

    A turn that alone goes on from another stands right below it, without an indent; only branches are drawn. One whose
    parent is not among ``turns`` stands at the left edge, behind an ellipsis.
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
