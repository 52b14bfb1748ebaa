"""Dialogues on the engine: words, picks and feedback, among two-coloured flags where every answer is known."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stand_ins import equipped

from ipcir_tools.bounds import MAX_JUDGED, MAX_TEXT
from ipcir_tools.composers import COMPOSERS
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.validation import MAX_HITS
from ipcir_tools.errors import BadImageError, EmptyGalleryError, InvalidRequestError, NotAllowedError, NotFoundError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.images.reading import load
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings
from ipcir_tools.types import Hit, Turn

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
FLAGS = ("red-red", "red-blue", "red-green", "blue-blue", "green-green")
EACH = 3


def flag(file: Path, colours: str, seed: int = 0) -> Path:
    """A picture of two halves with faint blocks of its own."""
    left, right = (np.array(COLOURS[colour]) for colour in colours.split("-"))
    pixels = np.concatenate([np.tile(left, (4, 2, 1)), np.tile(right, (4, 2, 1))], axis=1)
    blocks = np.random.default_rng([seed, FLAGS.index(colours)]).integers(-9, 9, pixels.shape)
    picture = Image.fromarray(np.clip(pixels + blocks, 0, 255).astype(np.uint8))
    picture.resize((32, 32), Image.Resampling.NEAREST).save(file)
    return file


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for colours, seed in product(FLAGS, range(EACH)):
        flag(folder / f"{colours}-{seed}.png", colours, seed)
    return folder


def opened(home: Path, **chosen: object) -> Engine:
    engine = Engine.open(Settings(home=home, encoder=ENCODER, captioner=CAPTIONER, **chosen))
    engine.components.encoder, engine.components.captioner_id = FakeEncoder(encoder_id(ENCODER)), CAPTIONER
    engine.components.captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} flag")
    return equipped(engine)


@pytest.fixture
def engine(pictures, tmp_path) -> Iterator[Engine]:
    with opened(tmp_path / "home") as engine:
        engine.index([pictures])
        yield engine


@pytest.fixture
def ids(engine) -> dict[str, str]:
    """Ids by the name of the flag."""
    return {Path(path).stem: stamp.image_id for path, stamp in engine.catalog.stamps().items()}


def names(hits: Turn | tuple[Hit, ...]) -> list[str]:
    return [Path(hit.source).stem for hit in (hits.hits if isinstance(hits, Turn) else hits)]


def looks(hits: Turn | tuple[Hit, ...]) -> list[str]:
    """Which flags, without the number."""
    return [name.rpartition("-")[0] for name in names(hits)]


def all_of(look: str) -> list[str]:
    return [look] * EACH


# --- by words


def test_words_find_what_they_name_without_any_reference(engine):
    result = engine.find("  a blue\nflag ", k=EACH)
    turn = result.turn
    assert looks(turn) == all_of("blue-blue")
    assert (turn.parent, turn.query.reference, turn.reference_source) == (None, None, None)
    assert (turn.query.modification, turn.caption, turn.imagined) == ("a blue flag", None, None)
    assert all(hit.image_score is None and hit.text_score == pytest.approx(hit.score) for hit in turn.hits)
    assert engine.catalog.turn(turn.id) == turn
    assert result.counts == {"image_encodes": 0, "captions_made": 0, "text_encodes": 1, "llm_calls": 0}


def test_words_are_edited_by_words(engine):
    turn = engine.find("a red flag", k=EACH).turn
    edited = engine.refine(turn.id, "in green").turn
    assert edited.imagined.description == "a green flag"
    assert looks(edited) == all_of("green-green")


def test_a_hit_becomes_the_reference(engine):
    found = engine.find("a red flag", k=EACH).turn
    picked = engine.refine(found.id, reference="2").turn
    assert picked.query.reference == found.hits[1].id
    assert picked.reference_source == found.hits[1].source
    assert sorted(names(picked)) != sorted(names(found))
    assert found.hits[1].id not in {hit.id for hit in picked.hits}
    assert all(hit.text_score is None for hit in picked.hits)


# --- more like these, less like those


@pytest.fixture
def reds(engine) -> Turn:
    """All flags by redness: plain ones, then halves, then none; the halves tie but for their faint blocks."""
    turn = engine.find("red", k=EACH * len(FLAGS)).turn
    assert looks(turn)[:EACH] == all_of("red-red")
    assert set(looks(turn)[EACH : 3 * EACH]) == {"red-blue", "red-green"}
    return turn


@pytest.mark.parametrize(("liked", "other"), [("red-blue", "red-green"), ("red-green", "red-blue")])
def test_more_like_this_brings_its_kind_forward(engine, reds, ids, liked, other):
    halves = [look for look in looks(engine.refine(reds.id, liked=[ids[f"{liked}-0"]]).turn) if look in (liked, other)]
    assert halves == [liked] * (EACH - 1) + [other] * EACH


@pytest.mark.parametrize(("disliked", "other"), [("red-blue", "red-green"), ("red-green", "red-blue")])
def test_less_like_that_sends_its_kind_back(engine, reds, ids, disliked, other):
    turn = engine.refine(reds.id, disliked=[ids[f"{disliked}-0"]]).turn
    assert [look for look in looks(turn) if look in (disliked, other)] == [other] * EACH + [disliked] * (EACH - 1)


def test_feedback_goes_on_beside_an_edit(engine, reds, ids):
    """It is a green flag with red in it that is wanted, not just any."""
    edited = engine.refine(reds.id, "in green", liked=[ids["red-green-0"]]).turn
    plain = engine.refine(reds.id, "in green").turn

    def margin(turn: Turn) -> float:
        scores = {Path(hit.source).stem: hit.score for hit in turn.hits}
        return scores["red-green-1"] - scores["blue-blue-1"]

    assert margin(edited) > margin(plain)


def test_feedback_is_remembered_in_the_turns_after(engine, reds, ids):
    first = engine.refine(reds.id, liked=[ids["red-blue-0"]]).turn
    second = engine.refine(first.id, disliked=[ids["red-red-0"]]).turn
    halves = [look for look in looks(second) if look in ("red-blue", "red-green")]
    assert halves == all_of("red-blue")[1:] + all_of("red-green")


def test_what_was_judged_is_no_hit_until_the_next_edit(engine, reds):
    first = engine.refine(reds.id, liked=["1"], disliked=["2"]).turn
    judged = {reds.hits[0].id, reds.hits[1].id}
    assert not judged & {hit.id for hit in first.hits}
    assert len(first.hits) == len(reds.hits) - 2
    second = engine.refine(first.id, disliked=["1"]).turn
    assert not (judged | {first.hits[0].id}) & {hit.id for hit in second.hits}
    later = engine.refine(second.id, "in green").turn
    assert {hit.id for hit in later.hits} == {hit.id for hit in reds.hits}


@pytest.mark.parametrize("composer", COMPOSERS)
def test_feedback_moves_every_composer_towards_what_is_liked(engine, pictures, ids, composer):
    if "gallery_captions" in COMPOSERS[composer].needs:
        engine.index([pictures], captions=True)
    turn = engine.search(ids["red-red-0"], "in green", composer=composer, k=EACH * len(FLAGS)).turn
    fed = engine.refine(turn.id, liked=[ids["blue-blue-0"]]).turn

    def score(turn: Turn) -> float:
        return next(hit.score for hit in turn.hits if Path(hit.source).stem == "blue-blue-1")

    assert score(fed) > score(turn)
    assert fed.imagined == turn.imagined


def test_feedback_alone_asks_no_model_anything(engine, ids):
    turn = engine.search(ids["red-red-0"], "in green").turn
    assert set(engine.refine(turn.id, liked=["1"], disliked=["2"]).counts.values()) == {0}


# --- how pictures are named


def test_ranks_and_ids_name_the_same_pictures(engine, reds):
    third, fifth = reds.hits[2].id, reds.hits[4].id
    for liked, disliked in ((["3"], ["5"]), ([" #3 "], ["05"]), ([third], [fifth[:8]]), (["3", third], ["5", "#5"])):
        query = engine.refine(reds.id, liked=liked, disliked=disliked).turn.query
        assert (query.liked, query.disliked) == ((third,), (fifth,))


def test_ranks_are_those_of_the_turn_that_is_refined(engine, ids):
    first = engine.search(ids["red-red-0"], "in blue").turn
    second = engine.search(ids["red-red-0"], "in green").turn
    assert engine.refine(first.id, reference="1").turn.query.reference == first.hits[0].id
    assert engine.refine(second.id, reference="1").turn.query.reference == second.hits[0].id


def test_a_picture_that_is_no_hit_can_be_judged(engine, ids):
    turn = engine.find("red", k=1).turn
    assert engine.refine(turn.id, liked=[ids["blue-blue-0"]]).turn.query.liked == (ids["blue-blue-0"],)


def test_pictures_from_outside_can_be_reference_and_judged(engine, reds, tmp_path):
    mine, yours = (flag(tmp_path / f"{seed}.png", "red-blue", seed) for seed in (50, 51))
    with pytest.raises(NotAllowedError):
        engine.refine(reds.id, reference=str(mine))
    result = engine.refine(reds.id, reference=mine, liked=[yours])
    known = [load(path, engine.settings).record.id for path in (mine, yours)]
    assert [result.turn.query.reference, *result.turn.query.liked] == known
    assert result.counts["image_encodes"] == 2
    assert looks(result.turn)[:EACH] == all_of("red-blue")
    yours.unlink()  # what was judged once is known
    assert looks(engine.refine(result.turn.id, "in blue").turn)


# --- picks


def test_a_pick_begins_anew_from_the_look_of_the_picture(engine, ids):
    turn = engine.search(ids["red-red-0"], "in green").turn
    picked = engine.refine(turn.id, "with dots", reference=ids["blue-blue-0"]).turn
    assert picked.query.reference == ids["blue-blue-0"]
    assert picked.caption == "a blue flag"
    assert picked.imagined.description == "a blue flag with dots"
    later = engine.refine(picked.id, "in green").turn
    assert (later.query.reference, later.imagined.description) == (ids["blue-blue-0"], "a green flag with dots")


def test_a_pick_without_words_shows_what_looks_like_it(engine, ids):
    turn = engine.search(ids["red-red-0"], "in green").turn
    picked = engine.refine(turn.id, reference=ids["blue-blue-0"], k=EACH - 1)
    assert looks(picked.turn) == ["blue-blue"] * (EACH - 1)
    assert set(picked.counts.values()) == {0}


def test_a_pick_forgets_the_feedback_before_it(engine, ids):
    reference = ids["blue-blue-0"]
    turn = engine.search(ids["red-red-0"], "in green").turn
    fed = engine.refine(turn.id, liked=[ids["green-green-0"]]).turn

    def scores(parent: Turn) -> dict[str, float]:
        return {hit.id: hit.score for hit in engine.refine(parent.id, reference=reference).turn.hits}

    assert scores(fed) == scores(turn)


def test_everything_at_once(engine, reds, ids):
    turn = engine.refine(
        reds.id, "in green", reference=ids["red-blue-0"], liked=["1"], disliked=["2"], k=4, composer="sum", weight=0.4
    ).turn
    query = turn.query
    assert (query.reference, query.liked, query.disliked) == (
        ids["red-blue-0"],
        (reds.hits[0].id,),
        (reds.hits[1].id,),
    )
    assert (query.k, query.composer, query.weight, len(turn.hits)) == (4, "sum", 0.4, 4)
    assert not {query.reference, *query.liked, *query.disliked} & {hit.id for hit in turn.hits}


def test_one_turn_refined_from_many_threads_gives_as_many_equal_branches(engine, reds):
    with ThreadPoolExecutor(4) as pool:
        branches = list(pool.map(lambda _: engine.refine(reds.id, "in green", liked=["4"]).turn, range(8)))
    assert len({turn.id for turn in branches}) == 8
    assert {turn.parent for turn in branches} == {reds.id}
    assert len({turn.hits for turn in branches}) == 1


# --- what is refused


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({}, InvalidRequestError, "nothing else is given"),
        ({"modification": " \n"}, InvalidRequestError, "nothing else is given"),
        ({"modification": "x" * (MAX_TEXT + 1)}, InvalidRequestError, str(MAX_TEXT)),
        ({"liked": ["0"]}, NotFoundError, "has no hit 0"),
        ({"reference": "16"}, NotFoundError, "has no hit 16: it has 15"),
        ({"disliked": ["-1"]}, NotFoundError, "-1"),
        ({"liked": [""]}, InvalidRequestError, "empty"),
        ({"reference": "0123456789abcdef"}, NotFoundError, "0123456789abcdef"),
        ({"liked": ["1", "2"], "disliked": ["3", "#2"]}, InvalidRequestError, "both liked and disliked"),
        ({"modification": "x", "k": 0}, InvalidRequestError, "k is 0"),
        ({"modification": "x", "weight": 1.5}, InvalidRequestError, "1.5"),
        ({"modification": "x", "composer": "magic"}, InvalidRequestError, "magic"),
        ({"modification": "x", "where": {"colour": "red"}}, InvalidRequestError, "colour"),
    ],
)
def test_a_refinement_that_makes_no_sense_is_refused_and_nothing_is_kept(engine, reds, asked, error, says):
    with pytest.raises(error, match=says):
        engine.refine(reds.id, **asked)
    assert engine.catalog.turns() == [reds]


def test_an_unknown_turn_is_named(engine):
    with pytest.raises(NotFoundError, match="t-nowhere"):
        engine.refine("t-nowhere", "in blue")


def test_too_many_judgements_are_refused(tmp_path):
    for seed in range(MAX_JUDGED + 2):
        flag(tmp_path / f"{seed}.png", "red-red", seed)
    with opened(tmp_path / "home") as engine:
        engine.index([tmp_path])
        turn = engine.find("red", k=MAX_JUDGED + 2).turn
        liked = [hit.id for hit in turn.hits]
        assert len(engine.refine(turn.id, liked=liked[:MAX_JUDGED]).turn.hits) == 2
        with pytest.raises(InvalidRequestError, match=str(MAX_JUDGED)):
            engine.refine(turn.id, liked=liked[: MAX_JUDGED + 1])


@pytest.mark.parametrize(
    ("text", "asked", "says"),
    [
        (" ", {}, "text is empty"),
        ("x" * (MAX_TEXT + 1), {}, str(MAX_TEXT)),
        ("red", {"k": MAX_HITS + 1}, "k is"),
        ("red", {"composer": "magic"}, "magic"),
        ("red", {"where": {"colour": "red"}}, "colour"),
    ],
)
def test_words_that_make_no_sense_are_refused(engine, text, asked, says):
    with pytest.raises(InvalidRequestError, match=says):
        engine.find(text, **asked)
    assert engine.catalog.turns() == []


def test_in_an_empty_gallery_nothing_is_found(tmp_path):
    with opened(tmp_path / "home") as engine:
        for call in (lambda: engine.find("red"), lambda: engine.fused_search({"text:0": 1.0})):
            with pytest.raises(EmptyGalleryError):
                call()


# --- the parts, one by one


def test_a_caption_is_made_once_and_then_known(engine, ids):
    caption = engine.caption(ids["blue-blue-1"])
    assert (caption.id, caption.text) == (ids["blue-blue-1"], "a blue flag")
    assert engine.caption(ids["blue-blue-1"][:8]) == caption
    assert engine.components.captioner.images_captioned == 1
    hits = engine.find("blue", k=EACH).turn.hits
    assert {Path(hit.source).stem: hit.caption for hit in hits}["blue-blue-1"] == "a blue flag"


def test_a_target_is_imagined_from_any_words(engine):
    assert engine.imagine_target("a red flag", "in blue").target.description == "a blue flag"
    for caption, modification, says in ((" ", "in blue", "caption is empty"), ("a flag", "", "modification is empty")):
        with pytest.raises(InvalidRequestError, match=says):
            engine.imagine_target(caption, modification)


def test_a_handle_is_always_the_same_and_encoded_once(engine, ids, tmp_path):
    assert engine.encode_text("  a blue\tflag") == engine.encode_text("a blue flag") != engine.encode_text("a red flag")
    assert engine.components.encoder.texts_encoded == 2
    encoded = engine.components.encoder.images_encoded
    assert engine.encode_image(ids["red-red-0"]) == ids["red-red-0"]
    assert engine.components.encoder.images_encoded == encoded
    mine = engine.encode_image(flag(tmp_path / "mine.png", "red-blue", 50))
    assert (engine.components.encoder.images_encoded, len(mine)) == (encoded + 1, 16)


def test_what_cannot_be_encoded_is_refused(engine, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(BadImageError):
        engine.encode_image(tmp_path / "broken.png")
    with pytest.raises(NotAllowedError):
        engine.encode_image(str(tmp_path / "broken.png"))
    with pytest.raises(InvalidRequestError, match="text is empty"):
        engine.encode_text(" ")


def test_vectors_are_added_by_weight(engine, ids):
    red, blue = engine.encode_text("red"), engine.encode_text("blue")
    assert looks(engine.fused_search({red: 1.0, blue: 1.0}, k=EACH)) == all_of("red-blue")
    assert looks(engine.fused_search({blue: 2.0}, k=EACH)) == all_of("blue-blue")
    half = engine.fused_search({ids["red-blue-0"]: 1.0, blue: -0.6}, k=EACH)
    assert looks(half) == all_of("red-red")
    assert engine.catalog.turns() == []


def test_a_fused_hit_is_ranked_by_its_cosine_with_the_sum(engine, ids):
    text = engine.encode_text("a blue flag")
    weights = {text: 0.7, ids["red-red-0"]: 0.5, ids["green-green-0"]: -0.2}
    hits = engine.fused_search(weights, k=20)
    vectors = engine.catalog.features([*weights, *ids.values()], engine.components.features.space)
    total = sum(weight * vectors[handle] for handle, weight in weights.items())
    expected = {id_: float(vectors[id_] @ total / np.linalg.norm(total)) for id_ in set(ids.values()) - set(weights)}
    assert {hit.id: hit.score for hit in hits} == pytest.approx(expected, abs=1e-5)
    assert [hit.rank for hit in hits] == list(range(1, len(expected) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.image_score is hit.text_score is None for hit in hits)


def test_a_fused_search_takes_a_filter_and_the_default_number(pictures, tmp_path):
    with opened(tmp_path / "home", k=2) as engine:
        engine.index([pictures])
        red = engine.encode_text("red")
        assert len(engine.fused_search({red: 1.0})) == 2
        assert engine.fused_search({red: 1.0}, where={"width": {"$gt": 5_000}}) == ()
        with pytest.raises(InvalidRequestError, match="there is png"):
            engine.fused_search({red: 1.0}, where={"format": "jpg"})


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({}, "nothing to search by"),
        ({"red": float("nan")}, "finite"),
        ({"red": float("inf")}, "finite"),
        ({"red": 0.0}, "cancel"),
    ],
)
def test_weights_that_leave_no_direction_are_refused(engine, weights, says):
    weights = {engine.encode_text(word): weight for word, weight in weights.items()}
    with pytest.raises(InvalidRequestError, match=says):
        engine.fused_search(weights)


def test_vectors_that_cancel_each_other_out_are_refused(engine):
    upper, lower = engine.encode_text("red"), engine.encode_text("Red")
    with pytest.raises(InvalidRequestError, match="cancel"):
        engine.fused_search({upper: 1.0, lower: -1.0})


def test_a_handle_that_nobody_gave_is_named(engine):
    with pytest.raises(NotFoundError, match="text:0123456789abcdef"):
        engine.fused_search({"text:0123456789abcdef": 1.0})


@pytest.mark.parametrize("weight", [1e-9, 1e39, 1e308])
def test_only_the_proportion_of_weights_counts(engine, weight):
    red, blue = engine.encode_text("red"), engine.encode_text("blue")
    plain = engine.fused_search({red: 1.0, blue: 0.5})
    assert names(engine.fused_search({red: weight, blue: weight / 2})) == names(plain)
