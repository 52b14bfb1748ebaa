"""A dialogue for a notebook: its turns as thumbnails in a row, and a row for each branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from ipcir_tools.display.dialogue_tree import Node, Run, dialogue_tree
from ipcir_tools.display.drawing import Drawing, faint, styled
from ipcir_tools.display.notebook import picture_box
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import printable_line
from ipcir_tools.types import Turn

_ARROW = Markup("<div class='arrow' aria-hidden='true'>&rarr;</div>")
_ARROW_ROW = Markup("<div class='run'>{}{}</div>")


def draw_dialogue(turns: Sequence[Turn], current: Turn | None = None) -> Drawing:
    """All turns of a dialogue, ``engine.catalog.dialogue(id)``, as a tree; each shows its best hit.

    ``current`` is framed: the last turn where it is None. Raises InvalidRequestError without turns.
    """
    if not turns:
        raise InvalidRequestError("There is no turn to draw: name a dialogue's, as engine.catalog.dialogue(id) gives.")
    root, by_id = turns[0], {turn.id: turn for turn in turns}
    tree = dialogue_tree(turns, current or turns[-1])
    start = _reference(root) if root.query.reference else Markup()
    return Drawing(
        styled(Markup("<div class='tree'>{}</div>").format(_run(tree, by_id, start))), "\n".join(_lines(tree, ""))
    )


def _run(run: Run, by_id: Mapping[str, Turn], before: Markup) -> Markup:
    """A row: what stands before the run, its turns, and at its end its branches one below the other."""
    parts = [each for each in (before, *(_node(node, by_id[node.id]) for node in run.nodes)) if each]
    branches = Markup().join(_ARROW_ROW.format(_ARROW, _run(branch, by_id, Markup())) for branch in run.branches)
    end = Markup("<div class='branches'>{}</div>").format(branches) if branches else Markup()
    return Markup("<div class='run'>{}{}</div>").format(_ARROW.join(parts), end)


def _reference(root: Turn) -> Markup:
    name = Markup("<b>reference</b>")
    return Markup("<div class='node'>{}{}</div>").format(picture_box(root.reference_source or ""), name)


def _node(node: Node, turn: Turn) -> Markup:
    source = turn.hits[0].source if turn.hits else turn.reference_source or ""
    kind = "node current" if node.is_current else "node"
    lines = Markup("<b>{}</b><br>{}").format(node.label, faint(turn.id))
    return Markup("<div class='{}'>{}{}</div>").format(kind, picture_box(source), lines)


def _lines(run: Run, indent: str) -> list[str]:
    """The tree in words, a turn a line."""
    lines = [
        f"{indent}{'* ' if node.is_current else '- '}{printable_line(node.label)}  (turn {node.id})"
        for node in run.nodes
    ]
    return lines + [line for branch in run.branches for line in _lines(branch, indent + "    ")]
