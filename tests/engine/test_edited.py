"""A turn searched again with words that a person struck out or added."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stand_ins import equipped

from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"


@pytest.fixture
def engine(tmp_path) -> Iterator[Engine]:
    """A gallery of plain colours, named by them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in ("red", "blue", "green", "pink"):
        pixels = np.full((8, 8, 3), COLOURS[colour], np.uint8)
        Image.fromarray(pixels).save(folder / f"{colour}.png")
    with Engine.open(Settings(home=tmp_path / "home", encoder=ENCODER, captioner=CAPTIONER)) as engine:
        engine.components.encoder, engine.components.captioner_id = FakeEncoder(encoder_id(ENCODER)), CAPTIONER
        engine.components.captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} shirt")
        equipped(engine).index([folder])
        yield engine


@pytest.fixture
def red(engine) -> str:
    return next(stamp.image_id for path, stamp in engine.catalog.stamps().items() if Path(path).stem == "red")


def best(turn) -> str:
    return Path(turn.hits[0].source).stem


def test_the_next_turn_has_the_edited_target_and_no_words_of_its_own(engine, red):
    first = engine.search(red, "in blue").turn
    assert (best(first), first.imagined.add) == ("blue", ("blue",))
    edited = engine.search_imagined(first.id, add=["green"]).turn
    assert best(edited) == "green"
    assert edited.parent == first.id
    assert edited.query.modification == ""
    assert edited.models["imaginer"] == "person"
    assert engine.turn(edited.id) == edited


def test_what_comes_next_goes_on_from_the_edited_target(engine, red):
    first = engine.search(red, "in blue").turn
    edited = engine.search_imagined(first.id, add=["green"]).turn
    after = engine.refine(edited.id, "with a collar").turn
    assert "green" in after.imagined.description
    assert "blue" not in after.imagined.description
    liked = engine.refine(edited.id, liked=["1"]).turn
    assert liked.imagined == edited.imagined


def test_a_branch_from_before_knows_nothing_of_it(engine, red):
    first = engine.search(red, "in blue").turn
    engine.search_imagined(first.id, add=["green"])
    assert "green" not in engine.refine(first.id, "with a collar").turn.imagined.description


def test_what_cannot_be_edited_is_refused(engine, red):
    found = engine.find("a red shirt").turn
    with pytest.raises(InvalidRequestError, match="imagined nothing"):
        engine.search_imagined(found.id, add=["blue"])
    first = engine.search(red, "in blue").turn
    with pytest.raises(InvalidRequestError, match="No word was"):
        engine.search_imagined(first.id)
    with pytest.raises(NotFoundError):
        engine.search_imagined("t00000000000", add=["blue"])
    assert len(engine.turns()) == 2


def test_all_turns_of_a_dialogue_are_found_from_any_of_them(engine, red):
    first = engine.search(red, "in blue").turn
    second = engine.refine(first.id, "in green").turn
    third = engine.refine(first.id, "in pink").turn
    engine.search(red, "in pink")
    assert [turn.id for turn in engine.catalog.dialogue(third.id)] == [first.id, second.id, third.id]
    assert engine.catalog.dialogue(second.id[:6]) == engine.catalog.dialogue(first.id)


def test_words_are_struck_out_and_added_on_the_command_line(ipcir, engine, red):
    turn = engine.search(red, "in blue").turn
    status, out, _ = ipcir("refine", turn.id, "--strike", "blue", "--word", "pink", "--json")
    imagined = json.loads(out)["imagined"]
    assert (status, imagined["origin"], imagined["add"]) == (0, "person", ["pink"])
    assert "by a person" in ipcir("show", json.loads(out)["turn"])[1]
    status, _, said = ipcir("refine", turn.id, "--strike", "green")
    assert (status, said.count("\n")) == (2, 1)
    assert "green is no word" in said
    assert "stand alone" in ipcir("refine", turn.id, "in pink", "--word", "collar")[2]
