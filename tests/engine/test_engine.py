"""The engine: searches are immutable turns, nothing expensive is done twice, every score can be recomputed.

The models are fakes with real geometry: a blue shirt lies near the word "blue".
"""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from langchain_core.callbacks import BaseCallbackHandler
from PIL import Image
from stand_ins import equipped

from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.composers import COMPOSERS
from ipcir_tools.engine.components import Components
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.validation import MAX_HITS, MAX_TEXT
from ipcir_tools.errors import (
    EmptyGalleryError,
    InvalidRequestError,
    NotAllowedError,
    NotFoundError,
    SpaceMismatchError,
)
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.images.reading import image_id
from ipcir_tools.models import loading
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.models.presets import SETS
from ipcir_tools.settings import Settings
from ipcir_tools.store.index import CANDIDATES
from ipcir_tools.types import Turn

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
EACH = 10
"""Pictures of each colour: enough in all that the index answers, and not the exact search of a small gallery."""
FUSED = ("sum", "imagined+reference")


def shirt(colour: str, seed: int) -> Image.Image:
    """A picture in one colour with faint blocks of its own."""
    blocks = np.random.default_rng([seed, *COLOURS[colour]]).integers(-22, 22, (4, 4, 3))
    pixels = np.clip(np.array(COLOURS[colour]) + blocks, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST)


def png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def shirt_id(colour: str, seed: int = 0) -> str:
    return image_id(png(shirt(colour, seed)))


def opened(home: Path, **chosen: object) -> Engine:
    """An engine with fakes in the place of the models."""
    engine = Engine.open(Settings(**{"home": home, "encoder": ENCODER, "captioner": CAPTIONER, **chosen}))
    return with_fakes(engine)


def with_fakes(engine: Engine) -> Engine:
    engine.components.encoder = FakeEncoder(encoder_id(engine.components.models.encoder))
    engine.components.captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} shirt", id=CAPTIONER)
    engine.components.captioner_id = CAPTIONER
    return equipped(engine)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for colour in COLOURS:
        (folder / colour).mkdir()
        for seed in range(EACH):
            (folder / colour / f"{colour}-{seed}.png").write_bytes(png(shirt(colour, seed)))
    return folder


@pytest.fixture(scope="module")
def indexed(pictures, tmp_path_factory) -> Path:
    """A home that tests copy and never change."""
    home = tmp_path_factory.mktemp("indexed") / "home"
    with opened(home) as engine:
        report = engine.index([pictures])
        assert report.added == engine.catalog.size() == EACH * len(COLOURS) > CANDIDATES + 1
        assert engine.components.calibration.sample.shape[0], "measured once, and kept in the home"
    return home


@pytest.fixture
def home(indexed, tmp_path) -> Path:
    return Path(shutil.copytree(indexed, tmp_path / "home"))


def caption_if_needed(engine: Engine, pictures: Path, composer: str) -> None:
    if "gallery_captions" in COMPOSERS[composer].needs:
        engine.index([pictures], captions=True)


@pytest.fixture
def engine(home) -> Iterator[Engine]:
    with opened(home) as engine:
        yield engine


def colours_of(turn: Turn) -> Counter[str]:
    return Counter(Path(hit.source).parent.name for hit in turn.hits)


def made_by(engine: Engine, call) -> tuple[object, Counter[str]]:
    """What a call gave, and what it had the models make."""
    before = Counter(engine.components.features.made)
    result = call()
    return result, Counter(engine.components.features.made) - before


# --- turns


def test_a_search_finds_what_the_text_asks_for_and_keeps_a_turn(engine):
    result = engine.search(shirt_id("red"), "  in\nblue ", k=EACH)
    turn = result.turn
    assert colours_of(turn) == {"blue": EACH}
    assert [hit.rank for hit in turn.hits] == list(range(1, EACH + 1))
    assert [hit.score for hit in turn.hits] == sorted((hit.score for hit in turn.hits), reverse=True)
    assert (turn.parent, turn.caption, turn.query.modification) == (None, "a red shirt", "in blue")
    assert turn.imagined is not None
    assert (turn.imagined.description, turn.imagined.origin, turn.prompt) == ("a blue shirt", "rules", None)
    assert turn.models == {"encoder": engine.components.encoder.space, "captioner": CAPTIONER, "imaginer": "rules"}
    assert engine.catalog.turn(turn.id) == turn
    assert result.warnings == ()
    composed = {"encode_image", "caption", "imagine", "calibrate", "encode_text"}
    assert set(result.timings) == {*composed, "candidates", "rescoring", "search", "total"}
    parts = result.timings["candidates"] + result.timings["rescoring"]
    assert 0 < result.timings["candidates"] <= parts <= result.timings["search"] <= result.timings["total"]


def test_refining_carries_the_edits_so_far(engine):
    first = engine.search(shirt_id("red"), "with white dots").turn
    second = engine.refine(first.id, "in blue").turn
    assert (second.parent, second.query.reference) == (first.id, first.query.reference)
    assert (second.reference_source, second.caption) == (first.reference_source, first.caption)
    assert second.imagined is not None
    assert second.imagined.description == "a blue shirt with white dots"
    assert engine.catalog.path(second.id) == [first, second]


def test_undo_is_refining_an_earlier_turn_and_a_branch_is_refining_it_twice(engine):
    root = engine.search(shirt_id("red"), "in blue").turn
    regretted = engine.refine(root.id, "in green").turn
    other = engine.refine(root.id, "with white dots").turn
    assert regretted.parent == other.parent == root.id
    assert other.imagined is not None
    assert other.imagined.description == "a blue shirt with white dots", "nothing of the other branch"
    assert engine.catalog.turn(root.id) == root
    assert engine.catalog.path(regretted.id) == [root, regretted]


def test_a_turn_may_be_named_by_its_beginning(engine):
    root = engine.search(shirt_id("red"), "in blue").turn
    assert engine.refine(root.id[:8], "in green").turn.parent == root.id


def test_refining_goes_on_in_another_engine(engine, home):
    root = engine.search(shirt_id("red"), "with white dots").turn
    engine.close()
    with opened(home) as later:
        turn = later.refine(root.id, "in blue").turn
        assert turn.imagined is not None
        assert turn.imagined.description == "a blue shirt with white dots"


def test_refining_inherits_what_is_not_named(engine):
    where = {"folder": str(Path(engine.catalog.records([shirt_id("blue")])[shirt_id("blue")].source).parent)}
    chosen = {"k": 3, "weight": 0.65, "where": where, "composer": "sum"}
    root = engine.search(shirt_id("red"), "in blue", **chosen).turn
    same = engine.refine(root.id, "darker").turn.query
    assert same.model_dump(include=set(chosen)) == chosen
    named = {"k": 4, "weight": 0.2, "where": {"format": "png"}, "composer": "imagined+reference"}
    assert engine.refine(root.id, "darker", **named).turn.query.model_dump(include=set(named)) == named


def test_settings_are_the_defaults_of_a_search(home):
    with opened(home, k=2, weight=0.3, composer="sum") as engine:
        query = engine.search(shirt_id("red"), "in blue").turn.query
        assert (query.k, query.weight, query.composer) == (2, 0.3, "sum")


def test_words_that_one_composer_took_reach_the_next_that_imagines(engine):
    root = engine.search(shirt_id("red"), "in blue", composer="modification").turn
    assert root.imagined is None
    turn = engine.refine(root.id, "with white dots", composer="imagined").turn
    assert turn.imagined is not None
    assert {"blue", "dots"} <= set(turn.imagined.description.split())


# --- nothing expensive twice


def test_from_the_second_turn_on_only_one_text_is_encoded(engine, tmp_path):
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(png(shirt("red", 77)))
    first, made = made_by(engine, lambda: engine.search(stranger, "in blue", composer="imagined+reference"))
    assert made == {"images": 1, "captions": 1, "texts": 1}
    second, made = made_by(engine, lambda: engine.refine(first.turn.id, "with white dots"))
    assert made == {"texts": 1}
    _, made = made_by(engine, lambda: engine.refine(second.turn.id, "in green"))
    assert made == {"texts": 1}
    _, made = made_by(engine, lambda: engine.refine(first.turn.id, "with white dots"))
    assert not made, "the same turn again costs nothing"
    assert (engine.components.encoder.images_encoded, engine.components.captioner.images_captioned) == (1, 1)


def test_the_edit_composer_encodes_the_caption_once_and_two_texts_a_turn(engine):
    first, made = made_by(engine, lambda: engine.search(shirt_id("red"), "in blue"))
    assert made["texts"] <= 3, "the caption, the description and the modification, where they are new"
    _, made = made_by(engine, lambda: engine.refine(first.turn.id, "with white dots"))
    assert made == {"texts": 2}


def test_a_gallery_picture_is_never_encoded_again_not_even_by_another_engine(engine, home):
    engine.search(shirt_id("red"), "in blue")
    engine.close()
    with opened(home) as later:
        _, made = made_by(later, lambda: later.search(shirt_id("red"), "in blue"))
        assert not made


@pytest.mark.parametrize(
    ("composer", "made"),
    [
        ("modification", {"texts": 1}),
        ("reference", {"images": 1}),
        ("sum", {"images": 1, "texts": 1}),
        ("imagined", {"captions": 1, "texts": 1}),
        ("imagined+reference", {"images": 1, "captions": 1, "texts": 1}),
    ],
)
def test_a_composer_costs_only_what_it_needs(engine, tmp_path, composer, made):
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(png(shirt("red", 77)))
    _, cost = made_by(engine, lambda: engine.search(stranger, "in very deep navy", composer=composer))
    assert cost == made


# --- the reference


@pytest.mark.parametrize("composer", COMPOSERS)
def test_the_reference_is_never_a_hit(engine, pictures, composer):
    caption_if_needed(engine, pictures, composer)
    turn = engine.search(shirt_id("red"), "in red", composer=composer, k=MAX_HITS).turn
    everything = set(engine.catalog.gallery_ids())
    assert sorted(hit.id for hit in turn.hits) == sorted(everything - {shirt_id("red")})
    assert shirt_id("red") not in {hit.id for hit in engine.refine(turn.id, "in red", k=3).turn.hits}


def test_a_reference_from_outside_is_known_but_not_in_the_gallery(engine, tmp_path):
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(png(shirt("red", 77)))
    turn = engine.search(stranger, "in blue").turn
    assert (turn.query.reference, turn.reference_source) == (shirt_id("red", 77), str(stranger))
    assert engine.catalog.records([turn.query.reference])
    assert turn.query.reference not in engine.catalog.gallery_ids()
    assert engine.catalog.size() == EACH * len(COLOURS)
    stranger.unlink()
    assert colours_of(engine.refine(turn.id, "with white dots", k=3).turn) == {"blue": 3}, "the file is not needed"
    assert colours_of(engine.search(turn.query.reference, "in green", k=3).turn) == {"green": 3}


def test_a_string_may_not_name_any_file(engine, tmp_path):
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(png(shirt("red", 77)))
    with pytest.raises(NotAllowedError, match="IPCIR_ALLOW_FOLDERS"):
        engine.search(str(stranger), "in blue")


def test_an_image_in_memory_is_a_reference_like_its_file(engine, tmp_path):
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(png(shirt("red", 77)))
    with Image.open(stranger) as image:
        image.load()
    from_file, from_memory = engine.search(stranger, "in blue").turn, engine.search(image, "in blue").turn
    assert [(hit.id, hit.score) for hit in from_memory.hits] == [(hit.id, hit.score) for hit in from_file.hits]
    assert from_memory.caption == from_file.caption
    assert from_memory.reference_source == f"image:{from_memory.query.reference}"
    assert engine.search(image.copy(), "in blue").turn.query.reference == from_memory.query.reference
    assert colours_of(engine.search(from_memory.query.reference, "in green", k=3).turn) == {"green": 3}
    liked = engine.refine(from_memory.id, reference=image, liked=[Image.new("RGB", (8, 8), "blue")])
    assert colours_of(engine.refine(liked.turn.id, "with white dots", k=3).turn)


def test_a_file_of_the_gallery_is_the_picture_itself(engine, pictures):
    turn = engine.search(str(pictures / "red" / "red-0.png"), "in blue").turn
    assert turn.query.reference == shirt_id("red")


# --- scores


@pytest.mark.parametrize("composer", COMPOSERS)
def test_the_hits_are_the_best_of_the_whole_gallery_under_every_composer(engine, pictures, composer):
    """Rules that are not linear score the index's candidates again: the best must be among them."""
    caption_if_needed(engine, pictures, composer)
    turn = engine.search(shirt_id("red"), "in blue", composer=composer, k=10).turn
    probe = engine.components.compose.invoke(ComposeRequest(shirt_id("red"), "in blue", composer)).probe
    exact = engine.gallery.exact(probe, 10, exclude={shirt_id("red")})
    assert [hit.id for hit in turn.hits] == [id_ for id_, _ in exact]
    assert [hit.score for hit in turn.hits] == pytest.approx([score for _, score in exact])
    if composer != "reference":
        assert "blue" in colours_of(turn)


def test_a_turn_keeps_the_composer_as_it_was_spelled(engine):
    first = engine.search(shirt_id("red"), "in blue", composer="discount:b=0:weight=0.8", k=3).turn
    plain = engine.search(shirt_id("red"), "in blue", composer="imagined+reference", k=3).turn
    assert [hit.id for hit in first.hits] == [hit.id for hit in plain.hits]
    assert engine.refine(first.id, "in green").turn.query.composer == "discount:b=0:weight=0.8"
    with pytest.raises(InvalidRequestError, match="parameters are weight"):
        engine.search(shirt_id("red"), "in blue", composer="discount:c=1")


@profile(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    weight=st.none() | st.floats(0, 1),
    colours=st.tuples(st.sampled_from(list(COLOURS)), st.sampled_from(list(COLOURS))),
    composer=st.sampled_from(FUSED),
)
def test_every_score_can_be_recomputed_from_the_catalog(engine, weight, colours, composer):
    reference = shirt_id(colours[0])
    text = f"in {colours[1]}"
    turn = engine.search(reference, text, composer=composer, weight=weight, k=7).turn
    words = text if composer == "sum" else turn.imagined.description

    vectors = engine.catalog.features([reference, *(hit.id for hit in turn.hits)], engine.components.features.space)
    v, t = vectors[reference].astype(float), FakeEncoder().embed_texts([words])[0].astype(float)
    w = COMPOSERS[composer].weight if weight is None else weight
    q = w * t + (1 - w) * engine.components.calibration.image_scale * v
    q /= np.linalg.norm(q)
    assert turn.query.weight == weight, "a turn keeps what was asked, so that refining by another composer uses its own"
    for hit in turn.hits:
        assert hit.score == pytest.approx(vectors[hit.id] @ q, abs=1e-5)
        assert hit.image_score == pytest.approx(vectors[hit.id] @ v, abs=1e-5)
        assert hit.text_score == pytest.approx(vectors[hit.id] @ t, abs=1e-5)

    ids, matrix = engine.catalog.matrix(engine.components.features.space)
    best = np.sort(np.delete(matrix @ q, ids.index(reference)))[::-1][:7]
    np.testing.assert_allclose([hit.score for hit in turn.hits], best, atol=1e-5)


@pytest.mark.parametrize(
    ("composer", "image", "text"),
    [("modification", False, True), ("reference", True, False), ("imagined", False, True), ("sum", True, True)],
)
def test_a_half_that_the_composer_does_not_use_has_no_score(engine, composer, image, text):
    for hit in engine.search(shirt_id("red"), "in blue", composer=composer, k=3).turn.hits:
        assert (hit.image_score is not None, hit.text_score is not None) == (image, text)
        if image != text:
            assert hit.score == pytest.approx(hit.image_score if image else hit.text_score, abs=1e-5)


def test_hits_show_captions_that_are_there_and_make_none(engine):
    engine.search(shirt_id("blue", 3), "in green")
    turn = engine.search(shirt_id("red"), "in blue", k=EACH).turn
    assert {hit.id: hit.caption for hit in turn.hits if hit.caption} == {shirt_id("blue", 3): "a blue shirt"}


# --- filters and bounds


def test_a_filter_restricts_the_hits(engine, pictures):
    where = {"folder": str(pictures / "green")}
    turn = engine.search(shirt_id("red"), "in blue", where=where, k=MAX_HITS).turn
    assert colours_of(turn) == {"green": EACH}
    assert engine.search(shirt_id("red"), "in blue", where={"width": {"$gt": 5_000}}).turn.hits == ()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"where": {"colour": "blue"}}, "fields: name, folder, format"),
        ({"composer": "magic"}, "imagined+reference"),
        ({"k": 0}, "ask for 1 to"),
        ({"k": -3}, "ask for 1 to"),
        ({"k": MAX_HITS + 1}, "ask for 1 to"),
        ({"weight": -0.1}, "0 (only the reference)"),
        ({"weight": 1.1}, "1 (only the text)"),
        ({"weight": float("nan")}, "The weight is nan"),
        ({"modification": ""}, "The modification is empty"),
        ({"modification": " \n\t "}, "The modification is empty"),
        ({"modification": "blue " * MAX_TEXT}, f"{MAX_TEXT} at most"),
    ],
)
def test_what_can_never_work_is_refused_before_a_model_is_asked_or_a_turn_kept(engine, wrong, says):
    asked = {"modification": "in blue", **wrong}
    root = engine.search(shirt_id("red"), "in green").turn
    turns = engine.catalog.turns()
    made = Counter(engine.components.features.made)
    for ask in (lambda: engine.search(shirt_id("red"), **asked), lambda: engine.refine(root.id, **asked)):
        with pytest.raises(InvalidRequestError) as caught:
            ask()
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
    assert (engine.catalog.turns(), engine.components.features.made) == (turns, made)


def test_the_bounds_themselves_are_fine(engine):
    for k, weight in ((1, 0.0), (MAX_HITS, 1.0)):
        turn = engine.search(shirt_id("red"), "b" * MAX_TEXT, k=k, weight=weight).turn
        assert len(turn.hits) == min(k, engine.catalog.size() - 1)


def test_unknown_pictures_and_turns_are_not_found(engine):
    with pytest.raises(NotFoundError, match="id from earlier hits"):
        engine.search("0123456789abcdef", "in blue")
    with pytest.raises(NotFoundError, match="name one that a search printed"):
        engine.refine("t00000000000", "in blue")


def test_an_empty_gallery_is_said_to_be_empty(tmp_path):
    with opened(tmp_path / "home") as engine:
        for ask in (lambda: engine.search(shirt_id("red"), "in blue"), lambda: engine.refine("t0000", "in blue")):
            with pytest.raises(EmptyGalleryError, match="ipcir index FOLDER"):
                ask()


def test_another_encoder_is_refused_without_loading_any_model(home, pictures, monkeypatch):
    monkeypatch.setattr(loading, "load_encoder", lambda *_, **__: pytest.fail("a model was loaded"))
    with Engine.open(Settings(home=home, encoder="open_clip:another/one")) as engine:
        asks = (
            lambda: engine.search(shirt_id("red"), "in blue"),
            lambda: engine.refine("t0000", "in blue"),
            lambda: engine.index([pictures]),
            lambda: engine.components.encoder,
        )
        for ask in asks:
            with pytest.raises(SpaceMismatchError, match="open_clip:fake/colours"):
                ask()


# --- the home folder


def damage_nothing(index: Path) -> None:
    pass


def delete(index: Path) -> None:
    shutil.rmtree(index)


def empty(index: Path) -> None:
    for file in files_of(index):
        file.unlink()


def garble(index: Path) -> None:
    for file in files_of(index):
        file.write_bytes(b"\x7f" * max(64, file.stat().st_size))


def cut(index: Path) -> None:
    for file in files_of(index):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def replace_by_a_file(index: Path) -> None:
    shutil.rmtree(index)
    index.write_text("not a folder")


def files_of(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


@pytest.mark.parametrize("damage", [damage_nothing, delete, empty, garble, cut, replace_by_a_file])
def test_a_damaged_index_answers_the_same_and_nothing_is_encoded(engine, home, damage):
    before = engine.search(shirt_id("red"), "in blue", k=15).turn
    engine.close()
    damage(home / "index")
    with opened(home) as repaired:
        turn, made = made_by(repaired, lambda: repaired.search(shirt_id("red"), "in blue", k=15).turn)
        assert turn.hits == before.hits
        assert not made
        assert (repaired.components.encoder.images_encoded, repaired.components.encoder.texts_encoded) == (0, 0)


def test_a_home_remembers_the_models_that_made_it(tmp_path, pictures):
    home = tmp_path / "home"
    with with_fakes(Engine.open(Settings(home=home, models="demo"))) as engine:
        engine.index([pictures / "red"])
    with with_fakes(Engine.open(Settings(home=home))) as engine:
        assert engine.components.models == SETS["demo"]
        assert engine.search(shirt_id("red"), "in red").turn.hits
    with (
        Engine.open(Settings(home=home, models="default")) as engine,
        pytest.raises(SpaceMismatchError, match="leave --encoder and --models out"),
    ):
        engine.search(shirt_id("red"), "in red")


def test_what_is_indexed_later_is_found(engine, tmp_path):
    engine.search(shirt_id("red"), "in blue")
    (tmp_path / "new.png").write_bytes(png(shirt("blue", 99)))
    assert engine.index([tmp_path / "new.png"]).added == 1
    hits = engine.search(shirt_id("red"), "in blue", k=EACH + 1).turn.hits
    assert shirt_id("blue", 99) in {hit.id for hit in hits}


# --- many at a time


def test_searches_from_many_threads_do_not_mix(engine):
    wanted = [(a, b) for a in COLOURS for b in ("blue", "green", "red", "pink") if a != b]

    def dialogue(pair: tuple[str, str]) -> tuple[Turn, Turn]:
        first = engine.search(shirt_id(pair[0]), f"in {pair[1]}", k=3).turn
        return first, engine.refine(first.id, "with white dots", k=2).turn

    with ThreadPoolExecutor(8) as pool:
        played = list(pool.map(dialogue, wanted))
    for (a, b), (first, second) in zip(wanted, played, strict=True):
        assert (first.query.reference, second.query.reference) == (shirt_id(a), shirt_id(a))
        assert colours_of(first) == {b: 3}
        assert second.parent == first.id
        assert second.imagined is not None
        assert second.imagined.description == f"a {b} shirt with white dots"
    assert len({turn.id for pair in played for turn in pair}) == 2 * len(wanted)
    assert engine.catalog.path(played[0][1].id) == list(played[0])


def test_a_callers_callbacks_see_the_chains(engine):
    class Names(BaseCallbackHandler):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def on_chain_start(self, serialized, inputs, *, name="", **kwargs) -> None:
            self.seen.append(name)

    names = Names()
    engine.search(shirt_id("red"), "in blue", config={"callbacks": [names]})
    steps = ["encode_image", "caption", "imagine", "imagine.rules", "calibrate", "encode_text", "compose.edit"]
    assert names.seen == ["compose", *steps]


# --- a picture's file may change behind the gallery's back


@pytest.fixture
def gallery_of_one(tmp_path):
    """An engine over one red picture, and the picture's file."""
    file = tmp_path / "pictures" / "one.png"
    file.parent.mkdir()
    file.write_bytes(png(shirt("red", 0)))
    with opened(tmp_path / "home") as engine:
        engine.index([file.parent])
        yield engine, file


def test_a_file_with_other_content_never_speaks_for_the_old_id(gallery_of_one):
    engine, file = gallery_of_one
    file.write_bytes(png(shirt("blue", 0)))
    with pytest.raises(NotFoundError, match=r"one\.png\) cannot be opened again \(the file has changed\)"):
        engine.search(shirt_id("red"), "in green")
    file.write_bytes(png(shirt("red", 0)))
    assert engine.search(shirt_id("red"), "in green").turn.caption == "a red shirt"


def test_an_id_never_opens_what_a_link_was_put_in_its_place_for(gallery_of_one, tmp_path):
    engine, file = gallery_of_one
    (tmp_path / "secret.png").write_bytes(png(shirt("blue", 0)))
    file.unlink()
    file.symlink_to(tmp_path / "secret.png")
    with pytest.raises(NotFoundError, match="cannot be opened again"):
        engine.search(shirt_id("red"), "in green")


def test_a_picture_that_is_gone_is_named_with_the_way_out(gallery_of_one):
    engine, file = gallery_of_one
    file.unlink()
    with pytest.raises(NotFoundError, match=rf"{shirt_id('red')}.*one\.png.*ipcir index"):
        engine.search(shirt_id("red"), "in green")


def test_a_run_that_is_cut_off_has_already_noted_its_models(pictures, tmp_path):
    def cut_off(what: str, done: int, total: int) -> None:
        if what == "indexing":
            raise KeyboardInterrupt

    with opened(tmp_path, batch_size=8) as engine, pytest.raises(KeyboardInterrupt):
        engine.index([pictures], cut_off)
    with Engine.open(Settings(home=tmp_path)) as engine:
        assert (engine.components.models.encoder, engine.components.models.captioner) == (ENCODER, CAPTIONER)


def test_naming_a_set_again_takes_back_a_captioner_that_was_noted(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(Components, "check_space", lambda self: None)
    with opened(tmp_path, captioner="transformers:typo/x") as engine:
        engine.index([pictures])
    with opened(tmp_path, captioner=None, models="demo") as engine:
        engine.index([pictures])
    with Engine.open(Settings(home=tmp_path)) as engine:
        assert engine.components.models.captioner == SETS["demo"].captioner
