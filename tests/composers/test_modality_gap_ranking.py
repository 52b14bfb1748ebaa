"""Weights in units of spread: an encoder with a modality gap ranks as the one without it, for any features and gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcir_tools.composers import COMPOSERS, Parts
from ipcir_tools.composers.calibration import Calibration
from ipcir_tools.composers.feedback import with_feedback
from ipcir_tools.fakes import FakeEncoder, ModalityGapEncoder

PICTURES, REFERENCE, LIKED, DISLIKED = 30, 0, 1, 2
TEXTS = ("modification", "imagined", "caption", "before", "add", "keep", "remove")
LINEAR = [
    name
    for name, each in COMPOSERS.items()
    if each.mixes and each.needs <= {"reference", *TEXTS} and name not in {"ast", "caption-fusion"}
]


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def measured(pictures: np.ndarray, texts: np.ndarray) -> Calibration:
    """As the calibrator measures the spreads; how well a modification is heard does not depend on the gap."""
    among = (pictures @ pictures.T).astype(np.float64)
    np.fill_diagonal(among, np.nan)
    return Calibration(
        image_spread=float(np.nanstd(among, axis=1).mean()),
        text_spread=float((texts @ pictures.T).std(axis=1).mean()),
        heard=0.5,
        sample=pictures,
    )


def scores(name: str, pictures: np.ndarray, texts: np.ndarray, feedback: bool) -> np.ndarray:
    """The scores of the pictures, standardised: what the ranking depends on."""
    calibration = measured(pictures, texts)
    composer = COMPOSERS[name]
    features = {part: texts[i] for i, part in enumerate(TEXTS) if part in composer.needs}
    parts = Parts(composer.parameters.get("weight", 0.5), calibration, reference=pictures[REFERENCE], **features)
    probe = composer.compose(parts)
    assert probe.rescore is None
    if feedback:
        probe = with_feedback(probe, [(pictures[LIKED], 1.0)], [(pictures[DISLIKED], 0.5)], calibration)
    found = probe.score(pictures).astype(np.float64)
    return (found - found.mean()) / found.std()


@pytest.mark.parametrize("feedback", [False, True])
@pytest.mark.parametrize("name", LINEAR)
@settings(max_examples=25)
@given(a=st.floats(0, 0.9), b=st.floats(0.15, 0.6), c=st.floats(-0.6, 0.6), seed=st.integers(0, 2**32 - 1))
def test_the_ranking_is_that_without_the_gap(name, feedback, a, b, c, seed):
    """Scores differ by their mean and scale alone, so that pictures change places only where they tie."""
    gap = ModalityGapEncoder(FakeEncoder(), image_common=a, text_common=c, text_own=b)
    random = np.random.default_rng(seed)
    pictures = unit(random.standard_normal((PICTURES, gap.dim - 2)))
    texts = unit(random.standard_normal((len(TEXTS), gap.dim - 2)))
    plain = scores(name, pictures, texts, feedback)
    shifted = scores(name, gap.shift_images(pictures), gap.shift_texts(texts), feedback)
    assert np.abs(plain - shifted).max() < 2e-3


def test_the_composers_that_mix_are_all_here():
    assert {"edit", "imagined+reference", "sum", "discount", "signed"} <= set(LINEAR)
