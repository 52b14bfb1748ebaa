"""Two drawn garments and the demo models: the hits are like the first, with what is meant of the second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from ipcir_tools.agents.dialogue.graph import build_dialogue
from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.world.references import wardrobe_references
from ipcir_tools.engine.engine import Engine
from ipcir_tools.settings import Settings

WARDROBE = wardrobe_references("val", families=1)
GARMENTS = {drawn.name: drawn.garment for drawn in WARDROBE.pictures}
FIRST, SECOND = list(GARMENTS)[:2]


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("garments")
    for drawn in WARDROBE.pictures:
        render(drawn.garment, drawn.scene).save(folder / drawn.name)
    with Engine.open(Settings(home=folder / "home", models="demo")) as engine:
        engine.index([folder])
        yield engine


@pytest.fixture(scope="module")
def ids(engine) -> dict[str, str]:
    return {Path(path).name: stamp.image_id for path, stamp in engine.catalog.stamps().items()}


def test_the_garments_differ_in_what_is_asked_for():
    first, second = GARMENTS[FIRST], GARMENTS[SECOND]
    assert first.pattern != second.pattern
    assert first.colour != second.colour
    assert first.kind != second.kind


@pytest.mark.parametrize(
    "ask",
    [
        lambda engine, first, second: engine.search([first, (second, "its pattern")]),
        lambda engine, first, second: engine.search([(first, "the cut"), (second, "the pattern")]),
        lambda engine, first, second: engine.search([first, second], "with the pattern of the second"),
        lambda engine, first, second: engine.search([second, first], "the pattern of the first on the second"),
    ],
    ids=["a note", "two notes", "words", "words in another order"],
)
def test_the_first_hit_has_the_pattern_of_the_other_garment_and_is_otherwise_the_first(engine, ids, ask):
    result = ask(engine, ids[FIRST], ids[SECOND])
    best = GARMENTS[Path(result.hits[0].source).name]
    assert best == GARMENTS[FIRST].changed(pattern=GARMENTS[SECOND].pattern)


def test_a_line_of_a_dialogue_combines_two_hits(engine, ids):
    dialogue = build_dialogue(engine, ask=False, k=len(ids))
    found = dialogue.invoke({"messages": [HumanMessage("a picture of a garment")]})["result"]
    rank = {Path(hit["source"]).name: hit["rank"] for hit in found["hits"]}
    line = f"{rank[FIRST]} with the pattern of {rank[SECOND]}"
    state = dialogue.invoke({"messages": [HumanMessage(line)], "turn": found["turn"], "k": 3})
    best = GARMENTS[Path(state["result"]["hits"][0]["source"]).name]
    assert best == GARMENTS[FIRST].changed(pattern=GARMENTS[SECOND].pattern)
