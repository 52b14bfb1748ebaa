"""The calibration of a gallery: what is measured, with which texts, and how long it is kept."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
from colour_folder import CAPTIONER, ENCODER, caption_of, draw
from sqlalchemy import event

from ipcir_tools.chains.composition.calibrator import STOCK_TEXTS, Calibrator, measure, parts_of
from ipcir_tools.composers.calibration import UNCALIBRATED, Calibration
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings
from ipcir_tools.types import Probe

COLOURS = ("red", "blue", "green", "yellow", "orange", "pink", "black")


# --- what is measured


def unit(*rows):
    """Rows of unit norm."""
    rows = np.array(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_spreads_are_those_of_cosines_with_the_other_pictures():
    """Each picture has cosines 0 and 0.6 or 0.8 with the others; the text 1, 0 and 0.6."""
    pictures = unit([1, 0], [0, 1], [0.6, 0.8])
    found = measure(pictures, ["east"], lambda texts: unit([1, 0]))
    assert found["image_spread"] == pytest.approx((0.3 + 0.4 + 0.1) / 3)
    assert found["text_spread"] == pytest.approx(np.std([1, 0, 0.6]))
    assert found["heard"] == 0, "a text of one part has no modification in it"


@pytest.mark.parametrize("heard", [2, -2])
def test_a_part_is_understood_where_it_orders_pictures_as_its_own_text_does(heard):
    """Two texts that order pictures the opposite way: a part correlates by 1 with one and by -1 with the other."""
    dog, cat = [1, 0], [-1, 0]
    features = {"a dog with a ball": dog, "a cat with a bowl": cat}
    features |= {"with a ball": dog, "with a bowl": cat} if heard > 0 else {"with a ball": cat, "with a bowl": dog}
    pictures = unit([1, 0], [0, 1], [0.6, 0.8])
    texts = ["a dog with a ball", "a cat with a bowl"]
    found = measure(pictures, texts, lambda texts: unit(*[features[text] for text in texts]))
    assert found["heard"] == pytest.approx(heard, abs=1e-5)


@pytest.mark.parametrize(
    ("caption", "parts"),
    [
        ("A red dress with long sleeves and a belt.", ["with long sleeves", "a belt"]),
        ("a dog running on the grass near a lake", ["on the grass", "near a lake"]),
        ("a blue shirt, plain", []),
        ("a red dress", []),
        ("", []),
    ],
)
def test_the_parts_of_a_caption_are_what_a_modification_could_add(caption, parts):
    assert parts_of(caption) == parts


def test_the_spread_of_a_probe_is_that_of_its_scores_over_the_sample():
    calibration = Calibration(sample=unit([1, 0], [0, 1]))
    assert calibration.spread(Probe(np.array([1, 0], np.float32))) == pytest.approx(0.5)
    assert calibration.spread(Probe(np.array([0.6, 0.6], np.float32))) == 1, "all scores are equal"
    assert UNCALIBRATED.spread(Probe(np.array([1, 0], np.float32))) == 1
    assert Calibration(image_spread=0.0).image_scale == 1


# --- on a gallery


@pytest.fixture
def folder(tmp_path):
    draw(tmp_path / "shirts", COLOURS)
    return tmp_path / "shirts"


@pytest.fixture
def open_engine(tmp_path):
    """Opens the home anew, with models that count; the captioner may be one that fails."""
    engines: list[Engine] = []

    def open_again(caption=caption_of, *, captions_are_cheap=True) -> Engine:
        engine = Engine.open(Settings(home=tmp_path / "home", encoder=ENCODER, captioner=CAPTIONER))
        components = engine.components
        components.encoder = FakeEncoder(encoder_id(ENCODER))
        components.captioner_id = CAPTIONER
        components.captioner = ScriptedCaptioner(caption, id=CAPTIONER)
        components.calibrator = Calibrator(engine.catalog, lambda: components.features, lambda: captions_are_cheap)
        engines.append(engine)
        return engine

    yield open_again
    for engine in engines:
        engine.close()


def made(engine) -> Counter:
    return engine.components.features.made


def test_captions_of_the_sample_are_made_where_that_is_cheap(folder, open_engine):
    engine = open_engine()
    engine.index([folder])
    calibration = engine.components.calibration
    assert calibration.source == f"{len(COLOURS)} captions and 21 pictures of the gallery"
    assert calibration.sample.shape == (21, 64)
    assert calibration.image_spread > 0
    assert calibration.text_spread > 0


def test_stock_texts_stand_for_captions_that_are_not_known(folder, open_engine):
    engine = open_engine(captions_are_cheap=False)
    engine.index([folder])
    assert engine.components.calibration.source == f"{len(STOCK_TEXTS)} stock texts and 21 pictures of the gallery"
    assert made(engine)["captions"] == 0


@pytest.mark.parametrize(("captions_are_cheap", "references"), [(True, 8), (True, 18), (False, 8)])
def test_it_does_not_depend_on_what_was_searched_for_before(folder, open_engine, captions_are_cheap, references):
    engine = open_engine(captions_are_cheap=captions_are_cheap)
    engine.index([folder])
    fresh = engine.components.calibration
    engine.components.calibrator.forget()
    engine.components.features.captions(engine.catalog.gallery_ids()[3:references])
    later = engine.components.calibration
    assert (later.source, later.text_spread, later.heard) == (fresh.source, fresh.text_spread, fresh.heard)


def test_stock_texts_stand_for_captions_that_are_all_alike(folder, open_engine):
    engine = open_engine(lambda picture: "a shirt")
    engine.index([folder])
    assert "stock texts" in engine.components.calibration.source


def test_a_captioner_that_is_not_available_does_not_stop_a_search_that_needs_none(folder, open_engine):
    def fail(picture):
        raise ModelUnavailableError("no captioner")

    engine = open_engine(fail)
    engine.index([folder])
    assert engine.search(folder / "red-0.png", "blue", composer="sum").hits
    assert "stock texts" in engine.components.calibration.source


def test_pictures_whose_files_are_gone_are_left_out_of_the_captions(folder, open_engine):
    engine = open_engine()
    engine.index([folder])
    for path in sorted(folder.glob("*.png")):
        if not path.name.startswith(("red", "blue", "green", "pink")):
            path.unlink()
    assert engine.search(folder / "red-0.png", "make it blue", composer="sum").hits
    assert engine.components.calibration.source == "4 captions and 21 pictures of the gallery"


def test_it_is_kept_until_the_gallery_changes(folder, open_engine, tmp_path):
    first = open_engine()
    first.index([folder])
    measured = first.components.calibration

    second = open_engine()
    kept = second.components.calibration
    assert made(second) == {}, "nothing is encoded and captioned again"
    assert (kept.image_spread, kept.text_spread, kept.heard, kept.source) == (
        measured.image_spread,
        measured.text_spread,
        measured.heard,
        measured.source,
    )
    assert np.array_equal(kept.sample, measured.sample)

    draw(tmp_path / "more", ("grey", "purple"))
    second.index([tmp_path / "more"])
    assert second.components.calibration.sample.shape == (27, 64)
    assert second.components.calibration.image_spread != measured.image_spread


def test_what_is_forgotten_is_measured_again(folder, open_engine):
    engine = open_engine(captions_are_cheap=False)
    engine.index([folder])
    before = engine.components.calibration
    engine.components.features.captions(engine.catalog.gallery_ids())
    assert engine.components.calibration is before
    engine.components.calibrator.forget()
    assert engine.components.calibration.source == f"{len(COLOURS)} captions and 21 pictures of the gallery"


def test_a_note_of_another_version_is_measured_again(folder, open_engine):
    engine = open_engine()
    engine.index([folder])
    note = f"calibration:{engine.components.features.space}"
    for other in ("[]", "not JSON", f'{{"revision": "{engine.components.features.revision()}", "unknown": 1}}'):
        engine.catalog.set_note(note, other)
        assert (
            "captions" in Calibrator(engine.catalog, lambda: engine.components.features, lambda: True).current().source
        )


@pytest.mark.parametrize("pictures", range(4))
def test_a_gallery_of_a_few_pictures_is_not_measured(pictures, folder, open_engine):
    for path in sorted(folder.glob("*.png"))[pictures:]:
        path.unlink()
    engine = open_engine()
    engine.index([folder])
    assert engine.components.calibration is UNCALIBRATED
    assert made(engine) == {}, "no text is encoded, no picture captioned"


def test_a_gallery_without_a_space_needs_no_encoder(open_engine):
    engine = open_engine()
    del engine.components.encoder  # it would be loaded, and there is none of that name
    assert engine.components.calibration is UNCALIBRATED


def test_threads_measure_once_and_get_the_same(folder, open_engine):
    engine, found = open_engine(), []
    engine.index([folder])
    threads = [threading.Thread(target=lambda: found.append(engine.components.calibration)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(calibration) for calibration in found}) == 1
    assert made(engine)["captions"] == 21


def test_nothing_changed_costs_one_statement(folder, open_engine):
    engine, statements = open_engine(), []
    engine.index([folder])
    _ = engine.components.calibration
    event.listen(engine.catalog._engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    _ = engine.components.calibration
    assert len([each for each in statements if each.startswith("SELECT")]) == 1
