"""Replay: a path answered again is as it was, and where it is not, the difference is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipcir_tools.chains.imagination.chain import build_imagine_chain
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.replay import TOLERANCE, TurnDifference, differing, replay, replay_json
from ipcir_tools.errors import EmptyGalleryError, NotFoundError, SpaceMismatchError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, ScriptedChatModel, colour_name
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings
from ipcir_tools.types import Hit, Turn

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
SHOWN = ("red", "blue", "green", "pink")


def draw(folder: Path, colour: str, seed: int) -> Path:
    blocks = np.random.default_rng([seed, *COLOURS[colour]]).integers(-22, 22, (4, 4, 3))
    pixels = np.clip(np.array(COLOURS[colour]) + blocks, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(folder / f"{colour}-{seed}.png")
    return folder / f"{colour}-{seed}.png"


def opened(home: Path, llm: str | None = None) -> Engine:
    engine = Engine.open(Settings(home=home, encoder=ENCODER, captioner=CAPTIONER, llm=llm))
    engine.components.encoder, engine.components.captioner_id = FakeEncoder(encoder_id(ENCODER)), CAPTIONER
    engine.components.captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} shirt", id=CAPTIONER)
    return engine


@pytest.fixture
def pictures(tmp_path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in SHOWN:
        for seed in range(3):
            draw(folder, colour, seed)
    return folder


@pytest.fixture
def engine(pictures, tmp_path) -> Iterator[Engine]:
    with opened(tmp_path / "home") as engine:
        engine.index([pictures])
        yield engine


def dialogue(engine: Engine, pictures: Path) -> list[str]:
    """Turn ids of a path with everything in it."""
    turns = [engine.search(pictures / "red-0.png", "in blue", k=4).turn.id]
    for asked in (
        {"modification": "with dots"},
        {"liked": ["2"], "disliked": ["1"]},
        {"reference": "1", "modification": "in green", "k": 6},
        {"modification": "not so long", "weight": 0.3, "where": {"format": "png"}},
    ):
        turns.append(engine.refine(turns[-1], **asked).turn.id)
    return turns


def test_a_path_comes_out_as_it_was_and_leaves_nothing_behind(engine, pictures):
    turns = dialogue(engine, pictures)
    stored = engine.catalog.turns()
    replayed = replay(engine, turns[-1])
    assert replayed.same, replayed.differences
    assert [turn.id for turn in replayed.path] == turns
    assert [(each.turn.id, each.turn.parent) for each in replayed.results] == [
        *zip(turns, [None, *turns], strict=False)
    ]
    assert engine.catalog.turns() == stored


def test_a_dialogue_by_words_is_replayed_too(engine):
    root = engine.find("red shirt", k=3).turn.id
    assert replay(engine, engine.refine(root, "in blue", reference="2").turn.id).same


def test_words_that_a_person_edited_are_replayed_as_they_were(engine, pictures):
    first = engine.search(pictures / "red-0.png", "in blue").turn
    edited = engine.search_imagined(first.id, add=["pink"]).turn
    last = engine.refine(edited.id, "for a wedding").turn
    assert replay(engine, last.id).same
    assert edited.imagined.origin == "person"


def test_another_process_gives_the_same(engine, pictures, tmp_path):
    turns = dialogue(engine, pictures)
    with opened(tmp_path / "home") as again:
        assert replay(again, turns[-1]).same
        assert again.components.encoder.images_encoded == again.components.encoder.texts_encoded == 0, "all is known"


def test_each_turn_builds_on_the_new_answers(engine, pictures):
    """A stored imagination that nobody would imagine does not leak into the turns after it."""
    turns = dialogue(engine, pictures)
    odd = engine.catalog.turn(turns[0]).model_copy(update={"id": "todd", "imagined": None})
    engine.catalog.put_turn(odd)
    later = engine.catalog.turn(turns[1]).model_copy(update={"id": "tlater", "parent": "todd"})
    engine.catalog.put_turn(later)
    replayed = replay(engine, "tlater")
    assert [(each.turn, each.what, each.stored) for each in replayed.differences] == [("todd", "imagined", "(nothing)")]


def test_a_reference_whose_file_is_gone_makes_no_difference(engine, pictures):
    outside = draw(pictures.parent, "red", 77)
    turn = engine.search(outside, "in blue", k=2).turn.id
    outside.unlink()
    assert replay(engine, turn).same


# --- honest differences


def test_pictures_that_came_are_named(engine, pictures):
    turn = engine.search(pictures / "red-0.png", "in blue", k=5, composer="imagined").turn.id
    for seed in range(10, 14):
        draw(pictures, "blue", seed)
    engine.index([pictures])
    (difference,) = replay(engine, turn).differences
    assert (difference.turn, difference.what, difference.stored) == (turn, "gallery", "5 hits")
    now = engine.search(pictures / "red-0.png", "in blue", k=5, composer="imagined").turn
    before = {hit.id for hit in engine.catalog.turn(turn).hits}
    new = [hit.id for hit in now.hits if hit.id not in before]
    assert new
    assert difference.now.startswith(f"5 hits, for the gallery changed: {new[0]}")
    assert "new among them" in difference.now
    assert "any more" not in difference.now


def test_pictures_that_left_are_named(engine, pictures):
    turn = engine.search(pictures / "red-0.png", "in blue", k=3, composer="imagined").turn
    Path(turn.hits[0].source).unlink()
    engine.index([pictures])
    (difference,) = replay(engine, turn.id).differences
    assert difference.what == "gallery"
    assert f"{turn.hits[0].id} not in the gallery any more" in difference.now


def test_another_captioner_is_a_difference(engine, pictures):
    turn = engine.search(pictures / "red-0.png", "in blue").turn.id
    engine.components.captioner_id = "transformers:fake/other"
    engine.components.captioner = ScriptedCaptioner(lambda picture: "a red coat", id="transformers:fake/other")
    engine.components.__dict__.pop("compose", None)
    found = {each.what: (each.stored, each.now) for each in replay(engine, turn).differences}
    assert found["caption"] == ("a red shirt", "a red coat")
    assert found["imagined"] == ("a blue shirt", "a blue coat")
    assert found["models"] == ("captioner: transformers:fake/colours", "captioner: transformers:fake/other")


def by_llm(engine: Engine, *replies: str) -> ScriptedChatModel:
    model = ScriptedChatModel(replies=replies)
    engine.components.imagine = build_imagine_chain(model, replies=engine.catalog)
    engine.components.__dict__.pop("compose", None)
    return model


def test_a_reply_that_is_known_is_not_asked_for_again(engine, pictures):
    model = by_llm(engine, json.dumps({"description": "a blue shirt, as a model sees it"}))
    turn = engine.search(pictures / "red-0.png", "in blue").turn
    assert turn.imagined.origin == "llm"
    replayed = replay(engine, turn.id)
    assert (replayed.same, replayed.llm_calls, model.calls) == (True, 0, 1)


def test_rules_in_the_place_of_a_model_are_a_difference(engine, pictures, tmp_path):
    by_llm(engine, json.dumps({"description": "a green shirt, as a model sees it"}))
    turn = engine.search(pictures / "red-0.png", "in blue").turn
    with opened(tmp_path / "home") as by_rules:
        found = {each.what: (each.stored, each.now) for each in replay(by_rules, turn.id).differences}
    assert found["imagined"] == ("a green shirt, as a model sees it", "a blue shirt")
    assert found["prompt"][1] == "(none)"
    assert "hits" in found or "scores" in found


def test_what_cannot_be_replayed_is_refused(engine, pictures, tmp_path):
    turn = engine.find("red").turn.id
    with pytest.raises(NotFoundError, match="no turn"):
        replay(engine, "t000000")
    other = Settings(home=tmp_path / "home", encoder="open_clip:other/model", captioner=CAPTIONER)
    with Engine.open(other) as another, pytest.raises(SpaceMismatchError):
        replay(another, turn)
    for file in pictures.iterdir():
        file.unlink()
    engine.remove([pictures])
    with pytest.raises(EmptyGalleryError):
        replay(engine, turn)


# --- rankings, by hand


def turn_with(*scores: tuple[str, float]) -> Turn:
    hits = [Hit(id=id_, rank=rank, score=score, source=id_) for rank, (id_, score) in enumerate(scores, 1)]
    return Turn(id="t1", query={"modification": "x"}, hits=hits, created="now")


@pytest.mark.parametrize(
    ("now", "what"),
    [
        ([("a", 0.9), ("b", 0.5), ("c", 0.5)], []),
        ([("a", 0.9), ("c", 0.5), ("b", 0.5)], []),  # a tie that fell the other way
        ([("a", 0.9 + TOLERANCE / 2), ("b", 0.5), ("c", 0.5)], []),
        ([("a", 0.9 + TOLERANCE * 2), ("b", 0.5), ("c", 0.5)], ["scores"]),
        ([("a", 0.9002), ("b", 0.5), ("c", 0.5)], ["scores"]),  # more than rounding does
        ([("b", 0.9), ("a", 0.5), ("c", 0.5)], ["scores", "hits"]),
        ([("a", 0.9), ("b", 0.5), ("d", 0.5)], ["gallery"]),
        ([("a", 0.9), ("b", 0.5)], ["hits"]),
        ([("d", 0.9), ("e", 0.5), ("f", 0.5)], ["hits"]),  # not one score to tell whether the question was the same
        ([], ["hits"]),
    ],
)
def test_rankings_are_compared_by_ids_order_and_scores(now, what):
    before = turn_with(("a", 0.9), ("b", 0.5), ("c", 0.5))
    assert [each.what for each in differing(before, turn_with(*now), set("abcdef"))] == what


def test_a_score_that_is_gone_is_a_difference():
    before, now = turn_with(("a", 0.9)), turn_with(("a", 0.9))
    now = now.model_copy(update={"hits": (now.hits[0].model_copy(update={"text_score": 0.9}),)})
    assert [each.what for each in differing(before, now, {"a"})] == ["scores"]


def test_differences_are_frozen():
    with pytest.raises(FrozenInstanceError):
        TurnDifference("t1", "hits", "a", "b").turn = "t2"


# --- on the command line


def test_the_exit_status_tells_whether_anything_differs(ipcir, engine, pictures, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    turn = dialogue(engine, pictures)[1]
    assert ipcir("replay", turn) == (0, "no difference: 2 turns replayed\n", "")
    engine.catalog.put_turn(engine.catalog.turn(turn).model_copy(update={"id": "todd", "caption": "a \x1b[31mtrick"}))
    status, shown, said = ipcir("replay", "todd")
    assert (status, said) == (1, "")
    assert "1 difference: 2 turns replayed" in shown
    assert any(line.split()[:3] == ["todd", "caption", "a"] for line in shown.splitlines())
    assert "\x1b" not in shown
    assert ipcir("replay", "t000000")[0] == 2


def test_json_is_one_document(ipcir, engine, pictures):
    turns = dialogue(engine, pictures)
    status, shown, _ = ipcir("replay", turns[2], "--json")
    assert status == 0
    assert json.loads(shown) == replay_json(replay(engine, turns[2]))
    assert json.loads(shown) == {
        "turn": turns[2], "path": turns[:3], "same": True, "differences": [], "tolerance": TOLERANCE, "llm_calls": 0,
    }  # fmt: skip
