"""The turns of a dialogue as a small tree: runs of turns, and where a turn was refined twice, branches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ipcir_tools.display.results import request_text
from ipcir_tools.text import printable_line, shorten
from ipcir_tools.types import Turn

_LABEL = 60


@dataclass(frozen=True)
class Node:
    """One turn in the tree."""

    id: str
    label: str
    picture: str | None
    """Id of the picture that stands for it: its best hit."""
    hits: int
    is_current: bool
    is_on_path: bool


@dataclass
class Run:
    """Turns that follow each other, then the runs that branch off behind the last of them."""

    nodes: list[Node] = field(default_factory=list)
    branches: list[Run] = field(default_factory=list)


def dialogue_tree(turns: Sequence[Turn], current: Turn) -> Run:
    """The tree of all turns of a dialogue, root first; branches only nest where a turn was refined twice."""
    children: dict[str, list[Turn]] = defaultdict(list)
    by_id = {turn.id: turn for turn in turns}
    for turn in turns:
        if turn.parent:
            children[turn.parent].append(turn)
    path, at = set[str](), current.id
    while at in by_id:
        path.add(at)
        at = by_id[at].parent or ""
    first = Run()
    waiting = [(first, turns[0])]
    while waiting:
        run, turn = waiting.pop()
        while True:
            run.nodes.append(_node(turn, current, path))
            following = children[turn.id]
            if len(following) != 1:
                break
            turn = following[0]
        for child in following:
            branch = Run()
            run.branches.append(branch)
            waiting.append((branch, child))
    return first


def _node(turn: Turn, current: Turn, path: set[str]) -> Node:
    return Node(
        turn.id,
        shorten(printable_line(request_text(turn)), _LABEL),
        turn.hits[0].id if turn.hits else turn.query.reference,
        len(turn.hits),
        turn.id == current.id,
        turn.id in path,
    )
