"""Several references and what is meant of each: how they are named, resolved, kept and refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.runnables import RunnableLambda
from PIL import Image

from ipcir_tools import Engine, InvalidRequestError, NotAllowedError, NotFoundError, Settings, Turn
from ipcir_tools.bounds import MAX_NOTE, MAX_REFERENCES
from ipcir_tools.chains.composition.requests import request_of
from ipcir_tools.chains.reranking.results import RerankRequest, RerankResult
from ipcir_tools.engine.reference_list import named_references, words_of_notes
from ipcir_tools.engine.replay import replay
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.models import loading
from ipcir_tools.types import NotedReference

ENCODER, CAPTIONER = "open_clip:fake/several", "transformers:fake/several"
NAMES = ("red", "blue", "green", "yellow", "orange", "pink")


@pytest.fixture
def engine(tmp_path, monkeypatch):
    captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} flag", id=CAPTIONER)
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: FakeEncoder(name))
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: captioner)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in NAMES:
        Image.new("RGB", (24, 24), COLOURS[name]).save(pictures / f"{name}.png")
    with Engine.open(Settings(home=tmp_path / "home", encoder=ENCODER, captioner=CAPTIONER)) as opened:
        opened.index([pictures])
        yield opened


@pytest.fixture
def ids(engine) -> dict[str, str]:
    return {Path(path).stem: stamp.image_id for path, stamp in engine.catalog.stamps().items()}


def references(turn: Turn) -> list[tuple[str, str]]:
    return [(each.id, each.note) for each in turn.query.references]


# --- how they are named


def test_one_reference_needs_no_list(engine, ids):
    plain = engine.search(ids["red"], "in green").turn
    listed = engine.search([ids["red"]], "in green").turn
    assert plain.query == listed.query
    assert (plain.query.reference, plain.query.note, plain.query.others) == (ids["red"], "", ())


def test_pairs_and_json_objects_mean_the_same(engine, ids, tmp_path):
    first, other = tmp_path / "pictures" / "red.png", ids["blue"]
    turn = engine.search([first, (other, " its\ncollar ")], "in green").turn
    assert references(turn) == [(ids["red"], ""), (other, "its collar")]
    assert engine.search([first, {"reference": other, "note": "its collar"}], "in green").turn.query == turn.query
    assert engine.search((ids["red"], (other, "its collar")), "in green").turn.query == turn.query


def test_each_reference_is_resolved_by_its_own_type(engine, ids, tmp_path):
    outside = tmp_path / "mine.png"
    Image.new("RGB", (9, 9), "black").save(outside)
    turn = engine.search([ids["red"], (Image.new("RGB", (8, 8), "white"), "its size"), outside], "in green").turn
    assert turn.reference_source == str(tmp_path / "pictures" / "red.png")
    assert turn.other_sources == (f"image:{turn.query.others[0].id}", str(outside))
    with pytest.raises(NotAllowedError, match="neither in the gallery nor in an allowed folder"):
        engine.search([ids["red"], (str(outside), "its size")], "in green")
    with pytest.raises(NotFoundError):
        engine.search([ids["red"], "0123456789ab"], "in green")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], r"The list of references is empty: name 1 to 4 pictures"),
        (["a", "b", "c", "d", "e"], "A search starts from 4 references at most, not 5: name fewer"),
        ([("a", "x" * 201)], "The note on a reference has 201 characters: say it in 200 at most"),
        ([("a", 3)], "The note on a reference must be a text, not int"),
        ([("a", "b", "c")], r"A reference with a note is a pair \(reference, note\), not a tuple of 3"),
        ([{"picture": "a"}], "not an object with other fields"),
        ([{"reference": "a", "notes": "b"}], "not an object with other fields"),
        ([3], "A reference is a string, a Path or a PIL image, not int"),
    ],
)
def test_what_is_refused(engine, wrong, message):
    with pytest.raises(InvalidRequestError, match=message) as error:
        engine.search(wrong, "in green")
    assert "\n" not in str(error.value)
    assert engine.catalog.turns() == []


def test_one_picture_is_one_reference(engine, ids, tmp_path):
    message = f"{ids['red']} is named twice among the references: name it once, with one note"
    with pytest.raises(InvalidRequestError, match=message):
        engine.search([ids["red"], (tmp_path / "pictures" / "red.png", "its collar")], "in green")


def test_limits_are_reached_exactly(engine, ids):
    four = [(ids[name], "n" * MAX_NOTE) for name in NAMES[:MAX_REFERENCES]]
    assert len(engine.search(four, "in pink").turn.query.others) == MAX_REFERENCES - 1


def test_names_are_read_without_an_engine():
    assert [each.picture for each in named_references("a")] == ["a"]
    assert [(each.picture, each.note) for each in named_references({"reference": "a", "note": None})] == [("a", "")]
    assert [each.note for each in named_references(["a", ("b", "")])] == ["", ""]


# --- what a search makes of them


def test_no_reference_is_a_hit(engine, ids):
    hits = {hit.id for hit in engine.search([ids["red"], (ids["blue"], "its collar")], "in green").hits}
    assert hits == {ids[name] for name in NAMES} - {ids["red"], ids["blue"]}


def test_near_copies_of_every_reference_are_left_out(engine, ids, tmp_path):
    for name in ("red", "blue"):
        Image.new("RGB", (30, 30), COLOURS[name]).save(tmp_path / "pictures" / f"{name}-again.png")
    engine.index([tmp_path / "pictures"])
    copies = {Path(path).stem: s.image_id for path, s in engine.catalog.stamps().items() if "again" in path}
    assert set(copies.values()) <= {hit.id for hit in engine.search([ids["red"], ids["blue"]], "in green").hits}
    with Engine.open(engine.settings.model_copy(update={"duplicates": 0.998})) as strict:
        result = strict.search([ids["red"], ids["blue"]], "in green")
    assert not set(copies.values()) & {hit.id for hit in result.hits}
    assert result.near_copies == 2


def test_notes_that_say_it_all_are_the_modification(engine, ids):
    turn = engine.search([ids["red"], (ids["blue"], "its collar")]).turn
    assert turn.query.modification == "with the collar of the second picture"
    with pytest.raises(InvalidRequestError, match="The modification is empty"):
        engine.search([ids["red"], ids["blue"]], "  ")


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        (("the pattern", "the cut"), "with the pattern of the first picture and the cut of the second picture"),
        (("", "Its collar"), "with the collar of the second picture"),
        (("sleeves",), "with sleeves of the picture"),
        (("", ""), ""),
    ],
)
def test_words_of_notes(notes, words):
    assert words_of_notes([NotedReference(id=str(i), note=note) for i, note in enumerate(notes)]) == words


def test_the_query_line_names_them_all(engine, ids):
    turn = engine.search([ids["red"], (ids["blue"], "its collar")], "in green").turn
    assert turn.query_line == f'reference {ids["red"]}, reference {ids["blue"]} (its collar), "in green"'
    assert turn.sourced_references[1] == (
        NotedReference(id=ids["blue"], note="its collar"),
        engine.catalog.records([ids["blue"]])[ids["blue"]].source,
    )


def test_a_vision_model_sees_them_all_and_reads_their_notes(engine, ids):
    asked: list[RerankRequest] = []

    def judge(request: RerankRequest) -> RerankResult:
        asked.append(request)
        return RerankResult(request.hits)

    engine.components.rerank = RunnableLambda(judge)
    engine.search([ids["red"], (ids["blue"], "its collar")], "in green", rerank=2)
    assert (asked[0].reference, asked[0].others) == (ids["red"], (ids["blue"],))
    assert asked[0].modification == "in green (of reference 2: its collar)"
    engine.search(ids["red"], "in green", rerank=2)
    assert (asked[1].others, asked[1].modification) == ((), "in green")


# --- further turns


def test_a_refinement_keeps_them_all(engine, ids):
    root = engine.search([ids["red"], (ids["blue"], "its collar")], "in green").turn
    further = engine.refine(root.id, "and larger").turn
    assert further.query.references == root.query.references
    assert further.other_sources == root.other_sources
    assert not {ids["red"], ids["blue"]} & {hit.id for hit in further.hits}
    liked = engine.refine(root.id, liked=["1"]).turn
    assert liked.query.references == root.query.references


def test_a_given_reference_replaces_them_all(engine, ids):
    root = engine.search([ids["red"], (ids["blue"], "its collar")], "in green").turn
    assert references(engine.refine(root.id, reference="2").turn) == [(root.hits[1].id, "")]


def test_ranks_name_hits_of_the_turn_before(engine, ids):
    root = engine.find("a red flag", k=5).turn
    turn = engine.refine(root.id, reference=["3", ("1", "its colour")]).turn
    assert references(turn) == [(root.hits[2].id, ""), (root.hits[0].id, "its colour")]
    assert turn.query.modification == "with the colour of the second picture"
    with pytest.raises(NotFoundError, match="has no hit 9"):
        engine.refine(root.id, reference=["3", ("9", "its colour")])


def test_several_pictures_may_be_picked_without_words(engine, ids):
    root = engine.find("a red flag", k=5).turn
    assert engine.refine(root.id, reference=["3", "1"]).turn.query.modification == ""
    same = engine.search([ids["red"], ids["blue"]], "in green").turn
    with pytest.raises(InvalidRequestError, match=f"starts from {ids['red']}, {ids['blue']} already"):
        engine.refine(same.id, reference=[ids["red"], ids["blue"]])


@pytest.mark.parametrize("later", [["red", "green"], ["red"], ["red", ("blue", "its size")]])
def test_a_change_of_any_reference_makes_what_was_said_history(engine, ids, later):
    root = engine.search([ids["red"], (ids["blue"], "its collar")], "in green").turn
    named = [(ids[each[0]], each[1]) if isinstance(each, tuple) else ids[each] for each in later]
    changed = engine.refine(root.id, "and larger", reference=named).turn
    assert request_of(changed.query, [root]).words == ("and larger",)
    kept = engine.refine(root.id, "and larger").turn
    assert request_of(kept.query, [root]).words == ("in green", "and larger")


def test_a_further_reference_adds_to_what_was_said(engine, ids):
    root = engine.search([ids["red"], (ids["blue"], "its collar")], "in pink").turn
    more = engine.refine(root.id, reference=[*root.query.references, (ids["green"], "its sleeves")]).turn
    assert more.query.modification == "with the sleeves of the third picture"
    assert request_of(more.query, [root]).words == ("in pink", "with the sleeves of the third picture")


def test_a_replay_searches_with_all_of_them(engine, ids):
    root = engine.search([ids["red"], (ids["blue"], "its collar")], "in green").turn
    last = engine.refine(root.id, "and larger").turn
    replayed = replay(engine, last.id)
    assert replayed.same
    assert [result.turn.other_sources for result in replayed.results] == [root.other_sources] * 2
