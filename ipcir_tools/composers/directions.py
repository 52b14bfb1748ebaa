"""Sums of features that always leave a direction."""

from __future__ import annotations

import numpy as np

from ipcir_tools import fusion
from ipcir_tools.types import FloatArray


def combined(otherwise: FloatArray, *terms: tuple[float, FloatArray]) -> FloatArray:
    """The weighted sum ``[d]`` of (weight, feature ``[d]``), normalised; ``otherwise`` where nothing is left of it."""
    total = fusion.summed(np.stack([feature for _, feature in terms]), _array([weight for weight, _ in terms]))
    return total if total.any() else fusion.normalised(otherwise)


def pooled(features: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """The weighted mean ``[d]`` of ``features`` ``[n, d]``, each normalised first, and the mean again.

    The first feature where they cancel each other out, zeros where there are none.
    """
    if not len(features):
        return np.zeros(features.shape[-1], np.float32)
    rows = fusion.normalised(features)
    return combined(rows[0], *zip(np.ones(len(rows)) if weights is None else weights, rows, strict=True))


def softmax(values: FloatArray) -> FloatArray:
    """``exp(x) / sum(exp(x))`` of ``values`` ``[n]``; ``[0]`` stays ``[0]``."""
    raised = np.exp(np.asarray(values, np.float64) - np.max(values, initial=-np.inf))
    return _array(raised / np.maximum(raised.sum(), 1e-300))


def _array(values: object) -> FloatArray:
    return np.asarray(values, dtype=np.float32)
