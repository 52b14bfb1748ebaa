"""Relevance feedback on any probe: more like these, less like those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ipcir_tools.composers import fusion
from ipcir_tools.composers.calibration import UNCALIBRATED, Calibration
from ipcir_tools.types import FloatArray, Probe

GAIN = 0.5
LOSS = 0.25
"""Weights of the mean liked and the mean disliked feature beside the probe's own vector."""


def with_feedback(
    probe: Probe,
    liked: Sequence[tuple[FloatArray, float]],
    disliked: Sequence[tuple[FloatArray, float]],
    calibration: Calibration = UNCALIBRATED,
) -> Probe:
    """The probe moved towards the liked and away from the disliked features, each ``[d]`` with its weight.

    ``q' = q + GAIN * mean(liked) - LOSS * mean(disliked)`` (Rocchio, in Salton's SMART, 1971), the means weighted; for
    a rule that is not linear the same is added to its scores. Both means are in units of the probe's own spread.
    Without feedback the probe is as it was.
    """
    if not liked and not disliked:
        return probe
    more, less = _mean(liked, len(probe.vector)), _mean(disliked, len(probe.vector))
    unit = calibration.spread(probe) / calibration.image_spread
    vector = fusion.rocchio(probe.vector, more, less, unit * GAIN, unit * LOSS)
    rescore = probe.rescore
    if rescore is None:
        return replace(probe, vector=vector)
    return replace(
        probe,
        vector=vector,
        rescore=lambda features: np.asarray(rescore(features) + unit * features @ (GAIN * more - LOSS * less)),
    )


def _mean(judged: Sequence[tuple[FloatArray, float]], d: int) -> FloatArray:
    """``[d]``: the mean by weight; where all have faded below one whole judgement, as much less. Zero for none."""
    total = sum((weight * feature for feature, weight in judged), np.zeros(d, np.float32))
    return np.asarray(total / max(1.0, sum(weight for _, weight in judged)), dtype=np.float32)
