"""caption-fusion: formulas worked out by hand, and one ranking in the engine, exact search and evaluations."""

from __future__ import annotations

import numpy as np
import pytest
from colour_folder import CAPTIONER, ENCODER, caption_of, draw

from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.composers import Parts, composer_named
from ipcir_tools.composers.caption_fusion import fused_ranks, fused_scores, in_front, ranks
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import EmptyGalleryError
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.runs.catalog_run import catalog_run
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings

X, Y, Z, W = np.eye(4, dtype=np.float32)
PICTURES = np.array([0.9, 0.7, 0.5, 0.3], np.float32)
"""Four candidates, best first."""


def test_weighted_scores_are_in_units_of_their_spread():
    # Scores 1, 0, -1 and 0.2, 0.2, 0.8 have the means 0 and 0.4, and the deviations sqrt(2/3) and sqrt(0.08).
    pictures, captions = np.array([1.0, 0.0, -1.0]), np.array([0.2, 0.2, 0.8])
    z = 1.2247449
    expected = [0.75 * z - 0.25 * 0.7071068, -0.25 * 0.7071068, -0.75 * z + 0.25 * 1.4142136]
    assert fused_scores(pictures, [0, 1, 2], captions, 0.25) == pytest.approx(expected, rel=1e-5)


def test_scores_on_another_scale_change_nothing():
    captions = np.array([0.1, 0.9, 0.4, 0.3])
    once = fused_scores(PICTURES, [0, 1, 2, 3], captions, 0.4)
    assert fused_scores(0.1 * PICTURES + 0.6, [0, 1, 2, 3], 5 * captions - 2, 0.4) == pytest.approx(once, abs=1e-5)


def test_reciprocal_ranks():
    captions = np.array([0.1, 0.9, 0.4, 0.4])
    expected = [0.85 / 61 + 0.15 / 64, 0.85 / 62 + 0.15 / 61, 0.85 / 63 + 0.15 / 62, 0.85 / 64 + 0.15 / 62]
    assert fused_ranks(PICTURES, [0, 1, 2, 3], captions, 0.15) == pytest.approx(expected)


def test_equal_captions_share_a_rank():
    assert ranks(np.array([0.5, 0.9, 0.5, 0.1])).tolist() == [2, 1, 2, 4]


def test_without_a_caption_the_pictures_score_stands_for_both():
    # The first and third are compared by their captions; the others keep their picture's score, and rank.
    alone = fused_scores(PICTURES, [0, 2], np.array([0.2, 0.8]), 0.5)
    z = (PICTURES - PICTURES.mean()) / PICTURES.std()
    assert alone == pytest.approx([(z[0] - 1) / 2, z[1], (z[2] + 1) / 2, z[3]], abs=1e-6)
    assert fused_ranks(PICTURES, [0, 2], np.array([0.2, 0.8]), 1.0) == pytest.approx([1 / 62, 1 / 62, 1 / 61, 1 / 64])


def test_what_is_outside_of_the_pool_comes_behind_it_in_its_order():
    scores = np.array([0.1, 0.9, 0.4, -np.inf, 0.8], np.float32)
    moved = in_front(scores, [1, 4], np.array([-3.0, 2.0], np.float32))
    assert np.argsort(-moved).tolist() == [4, 1, 2, 0, 3]
    assert moved[3] == -np.inf


def probe(spec: str, captions: dict[str, np.ndarray]):
    parts = Parts(
        weight=0.5, reference=X, imagined=Y, before=X, modification=Z,
        gallery_captions=lambda ids: {id_: captions[id_] for id_ in ids if id_ in captions},
    )  # fmt: skip
    return composer_named(spec).compose(parts)


@pytest.mark.parametrize("rule", ["weighted", "ranks"])
def test_a_caption_that_says_what_is_imagined_puts_its_picture_first(rule):
    features, ids = np.stack([Y, Y, Y, W]), ["a", "b", "c", "d"]
    found = probe(f"caption-fusion:rule={rule}", {"a": X, "b": Y, "c": Z, "d": Y}).score(features, ids)
    assert np.argsort(-found).tolist()[0] == 1
    assert found.dtype == np.float32


def test_without_ids_or_captions_it_is_the_edit_alone():
    features = np.stack([X, Y, Z, W])
    plain = composer_named("edit").compose(Parts(weight=0.5, reference=X, imagined=Y, before=X, modification=Z))
    fused = probe("caption-fusion", {})
    assert fused.score(features) == pytest.approx(plain.score(features))
    order = np.argsort(-fused.score(features, ["a", "b", "c", "d"]), kind="stable")
    assert order.tolist() == np.argsort(-plain.score(features), kind="stable").tolist()


# --- over a gallery


@pytest.fixture
def engine(tmp_path):
    """30 pictures in plain colours, and no captions yet."""
    draw(tmp_path / "shirts", ("red", "blue", "green", "yellow", "orange", "pink", "black", "grey", "purple", "brown"))
    with Engine.open(Settings(home=tmp_path / "home", encoder=ENCODER, captioner=CAPTIONER)) as engine:
        engine.components.encoder = FakeEncoder(encoder_id(ENCODER))
        engine.components.captioner_id = CAPTIONER
        engine.components.captioner = ScriptedCaptioner(caption_of, id=CAPTIONER)
        engine.index([tmp_path / "shirts"])
        yield engine


def test_a_gallery_without_captions_is_told_how_to_get_them(engine, tmp_path):
    with pytest.raises(EmptyGalleryError, match="0 of the gallery's 30 pictures have one: run `ipcir index"):
        engine.search(tmp_path / "shirts" / "red-0.png", "make it blue", composer="caption-fusion")


@pytest.mark.parametrize("spec", ["caption-fusion", "caption-fusion:rule=ranks", "caption-fusion:pool=5"])
def test_the_engine_exact_search_and_an_evaluation_rank_alike(engine, tmp_path, spec):
    engine.index([tmp_path / "shirts"], captions=True)
    reference = engine.search(tmp_path / "shirts" / "red-0.png", "make it blue", composer=spec, k=29).turn
    made = engine.components.compose.invoke(ComposeRequest(reference.query.reference, "make it blue", spec))
    exact = engine.gallery.exact(made.probe, 29, exclude={reference.query.reference})
    assert [hit.id for hit in reference.hits] == [id_ for id_, _ in exact]
    assert {hit.caption for hit in reference.hits[:3]} == {"a blue shirt"}

    query = Query("1", reference.query.reference, "make it blue", (reference.hits[0].id,))
    run = catalog_run(engine.components, [query], [spec])
    (outcome,) = run.measure().outcomes
    assert outcome.scored["1"].main <= 3, outcome.failed  # three pictures say the same
    assert set(outcome.top["1"][:3]) == {hit.id for hit in reference.hits[:3]}


def test_captions_are_encoded_when_they_are_made_and_not_by_a_search(engine, tmp_path):
    engine.index([tmp_path / "shirts"], captions=True)
    engine.search(tmp_path / "shirts" / "red-0.png", "make it blue")
    before = engine.components.features.made["texts"]
    engine.search(tmp_path / "shirts" / "red-0.png", "make it blue", composer="caption-fusion")
    assert engine.components.features.made["texts"] == before


def test_an_evaluation_without_captions_says_why_it_was_not_run(engine):
    query = Query("1", engine.catalog.gallery_ids()[0], "make it blue", (engine.catalog.gallery_ids()[1],))
    (outcome,) = catalog_run(engine.components, [query], ["caption-fusion"]).measure().outcomes
    assert "scores pictures by their captions" in outcome.not_run
