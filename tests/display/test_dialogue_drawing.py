"""The turns of a dialogue as a tree, and how a notebook shows it."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from ipcir_tools.display import draw_dialogue
from ipcir_tools.display.dialogue_tree import dialogue_tree
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import ComposedQuery, Hit, Turn


def turn(id_, parent=None, **more):
    query = ComposedQuery(modification=f"words of {id_}", reference="f" * 16 if more else None)
    return Turn(id=id_, parent=parent, query=query, created="2026-01-01", **more)


FIVE = [turn("a"), turn("b", "a"), turn("c", "b"), turn("d", "b"), turn("e", "d")]


def shape(run):
    return [[node.id for node in run.nodes], [shape(branch) for branch in run.branches]]


def test_the_tree_nests_only_where_a_turn_was_refined_twice():
    tree = dialogue_tree(FIVE, FIVE[-1])
    assert shape(tree) == [["a", "b"], [[["c"], []], [["d", "e"], []]]]
    assert [node.is_on_path for node in tree.nodes] == [True, True]
    assert [node.is_on_path for node in tree.branches[0].nodes] == [False]
    assert tree.branches[1].nodes[-1].is_current


def test_a_dialogue_of_thousands_of_turns_is_one_run():
    turns = [turn("0"), *(turn(str(n), str(n - 1)) for n in range(1, 3_000))]
    assert len(dialogue_tree(turns, turns[-1]).nodes) == 3_000
    assert len(repr(draw_dialogue(turns)).splitlines()) == 3_000


def test_a_terminal_shows_the_tree_in_words():
    assert repr(draw_dialogue(FIVE, FIVE[2])).splitlines() == [
        "- words of a  (turn a)",
        "- words of b  (turn b)",
        "    * words of c  (turn c)",
        "    - words of d  (turn d)",
        "    - words of e  (turn e)",
    ]


def test_a_notebook_shows_the_reference_and_the_best_hit_of_each_turn(tmp_path):
    for colour in ("red", "blue", "green"):
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{colour}.png")
    hits = [
        Hit(id=f"{n:016x}", rank=n, score=1, source=str(tmp_path / f"{colour}.png"))
        for n, colour in enumerate(("blue", "green"), 1)
    ]
    first = turn("a", reference_source=str(tmp_path / "red.png"), hits=tuple(hits))
    html = draw_dialogue([first, turn("b</div><script>", "a")])._repr_html_()
    assert re.findall(r"alt='([^']*)'", html) == ["red.png", "blue.png"]
    assert html.count("class='node current'") == 1
    assert "<script" not in html


def test_no_turn_is_an_error_that_says_what_to_name():
    with pytest.raises(InvalidRequestError, match="as engine"):
        draw_dialogue([])
