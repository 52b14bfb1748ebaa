"""A modality gap changes no order: weights are in units of spread, which are measured again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.composers import COMPOSERS, Parts
from ipcir_tools.composers.calibration import Calibration
from ipcir_tools.composers.feedback import with_feedback
from ipcir_tools.composers.fusion import normalise
from ipcir_tools.fakes import FakeEncoder, ModalityGapEncoder

LINEAR = ("sum", "imagined+reference", "edit", "discount", "signed")
"""The linear composers that mix pictures and texts; ``ensemble`` mixes texts alone, by its paper's own cosines."""
TEXTS = ("imagined", "modification", "before", "add", "keep", "remove")


def scores(name: str, images: np.ndarray, texts: np.ndarray, heard: float, feedback: bool) -> np.ndarray:
    """Of all pictures but the first, which is the reference; the next two are liked and disliked."""
    calibration = Calibration(
        float((images @ images.T).std(axis=1).mean()), float((texts @ images.T).std(axis=1).mean()), heard, images
    )
    parts = Parts(0.4, calibration, reference=images[0], kept=0.3, **dict(zip(TEXTS, texts, strict=True)))
    probe = COMPOSERS[name].compose(parts)
    assert probe.linear
    if feedback:
        probe = with_feedback(probe, [(images[1], 1.0)], [(images[2], 0.5)], calibration)
    return (images @ probe.vector)[1:]


@pytest.mark.parametrize("feedback", [False, True])
@pytest.mark.parametrize("name", LINEAR)
@given(
    a=st.floats(0, 0.9), b=st.floats(0.1, 0.7), c=st.floats(0, 0.7), heard=st.floats(0, 0.6), seed=st.integers(0, 9999)
)
def test_scores_are_the_same_but_for_their_origin_and_unit(name, feedback, a, b, c, heard, seed):
    gap = ModalityGapEncoder(FakeEncoder(), image_common=a, text_common=c, text_own=b)
    rng = np.random.default_rng(seed)
    images, texts = (normalise(rng.standard_normal((n, gap.dim - 2)).astype(np.float32)) for n in (30, len(TEXTS)))
    plain = scores(name, images, texts, heard, feedback)
    shifted = scores(name, gap.shift_images(images), gap.shift_texts(texts), heard, feedback)
    plain, shifted = ((each - each.mean()) / each.std() for each in (plain, shifted))
    assert shifted == pytest.approx(plain, abs=2e-3)
