"""paracosm: the query and its counterparts, worked out by hand, and over a gallery with an image generator."""

from __future__ import annotations

import numpy as np
import pytest
from colour_folder import CAPTIONER, ENCODER, caption_of, draw
from stand_ins import FlatImageGenerator

from ipcir_tools.composers import Parts, composer_named, fusion
from ipcir_tools.composers.calibration import Calibration
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import EmptyGalleryError, InvalidRequestError
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings

X, Y, Z, W = np.eye(4, dtype=np.float32)


def parts(**more):
    return Parts(weight=0.5, modification=X, imagined=Y, drawn=np.stack([Z]), **more)


def test_the_query_is_that_of_the_public_code():
    # 0.3 * unit(d + t) + 0.7 * m, normalised
    half = np.sqrt(0.5)
    expected = fusion.normalise(np.array([0.7, 0.3 * half, 0.3 * half, 0], np.float32))
    assert composer_named("paracosm").compose(parts()).vector == pytest.approx(expected, abs=1e-6)


def test_drawn_pictures_count_in_units_of_their_spread():
    # Pictures spread four times as wide as texts, so that d counts a quarter beside t.
    wide = Calibration(image_spread=0.4, text_spread=0.1)
    vector = composer_named("paracosm:target=1").compose(parts(calibration=wide)).vector
    assert vector == pytest.approx(fusion.normalise(np.array([0, 1, 0.25, 0], np.float32)), abs=1e-6)


def test_candidates_with_a_counterpart_are_scored_with_it_and_stay_before_the_others():
    counterparts = {"b": fusion.normalise(W + X)}
    probe = composer_named("paracosm:target=0:counterparts=2").compose(
        parts(counterparts=lambda ids: {id_: counterparts[id_] for id_ in ids if id_ in counterparts})
    )
    features = np.stack([0.6 * X + 0.8 * W, 0.28 * X + 0.96 * W, W])
    assert probe.score(features) == pytest.approx([0.6, 0.28, 0])
    found = probe.score(features, ["a", "b", "c"])
    assert found[:2] == pytest.approx([0.6, np.sqrt(0.5)])
    assert np.argsort(-found).tolist() == [1, 0, 2]


# --- over a gallery


@pytest.fixture
def engine(tmp_path):
    draw(tmp_path / "shirts", ("red", "blue", "green", "yellow"))
    with Engine.open(Settings(home=tmp_path / "home", encoder=ENCODER, captioner=CAPTIONER)) as engine:
        engine.components.encoder = FakeEncoder(encoder_id(ENCODER))
        engine.components.captioner_id = CAPTIONER
        engine.components.captioner = ScriptedCaptioner(caption_of, id=CAPTIONER)
        engine.components.image_generator = FlatImageGenerator()
        engine.index([tmp_path / "shirts"])
        yield engine


def test_it_finds_what_is_drawn_and_described(engine, tmp_path):
    found = engine.search(tmp_path / "shirts" / "red-0.png", "make it blue", composer="paracosm", k=3)
    assert {hit.source.rpartition("/")[2][:4] for hit in found.hits} == {"blue"}
    assert engine.components.image_generator.drawn == 1


def test_counterparts_need_captions_and_are_drawn_for_the_candidates_alone(engine, tmp_path):
    reference, spec = tmp_path / "shirts" / "red-0.png", "paracosm:counterparts=3"
    with pytest.raises(EmptyGalleryError, match="paracosm scores pictures by their captions"):
        engine.search(reference, "make it blue", composer=spec)
    engine.index([tmp_path / "shirts"], captions=True)
    found = engine.search(reference, "make it blue", composer=spec, k=3)
    assert {hit.caption for hit in found.hits} == {"a blue shirt"}
    assert engine.components.image_generator.drawn <= 2  # the target, and one that three equal captions share
    engine.search(reference, "make it blue", composer=spec, k=3)
    assert engine.components.image_generator.drawn <= 2


class Choosy(FlatImageGenerator):
    """Draws everything but blue shirts."""

    def _draw(self, description, seeds, reference):
        if "blue shirt" in description:
            raise InvalidRequestError("A blue shirt cannot be drawn.")
        return super()._draw(description, seeds, reference)


def test_a_caption_that_cannot_be_drawn_leaves_its_picture_as_it_is(engine, tmp_path):
    engine.index([tmp_path / "shirts"], captions=True)
    engine.components.image_generator = Choosy()
    found = engine.search(tmp_path / "shirts" / "blue-0.png", "make it red", composer="paracosm:counterparts=12", k=11)
    assert len(found.hits) == 11
    assert found.hits[0].caption == "a red shirt"
