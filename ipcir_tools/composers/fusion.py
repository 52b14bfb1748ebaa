"""Fusion of features: pure array functions. Every vector that goes in and comes out has unit norm."""

from __future__ import annotations

import numpy as np

from ipcir_tools.types import FloatArray


def normalise(vectors: FloatArray) -> FloatArray:
    """Vectors ``[..., d]`` divided by their norms; a zero vector stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def fuse(text: FloatArray, image: FloatArray, weight: float, image_scale: float = 1.0) -> FloatArray:
    """``weight * text + (1 - weight) * image_scale * image``, normalised: IP-CIR's weighted fusion (arXiv 2411.16752).

    ``text`` and ``image`` are ``[..., d]`` of unit norm. They are normalised before the sum, and ``image_scale`` (of
    the calibration) gives both cosines one spread, so that ``weight`` means the same for every encoder. The sum is
    normalised afterwards, so that scores are cosines. At 1 the result is the text, at 0 the image. Opposite vectors of
    equal weight leave no direction: the text decides then.
    """
    fused = weight * normalise(text) + (1.0 - weight) * image_scale * normalise(image)
    left = np.linalg.norm(fused, axis=-1, keepdims=True) >= 1e-6
    return normalise(np.where(left, fused, text))


def rocchio(query: FloatArray, liked: FloatArray, disliked: FloatArray, gain: float, loss: float) -> FloatArray:
    """``query + gain * liked - loss * disliked``, normalised: Rocchio's relevance feedback (SMART, 1971).

    All three are ``[d]``: the query of unit norm, ``liked`` and ``disliked`` means of unit-norm features, zero where
    there are none.
    """
    return normalise(query + gain * liked - loss * disliked)


def weighted_sum(features: FloatArray, weights: FloatArray) -> FloatArray:
    """The weighted sum ``[d]`` of unit-norm ``features`` ``[n, d]``, normalised; ``weights`` ``[n]`` may be negative.

    Zero where the features cancel each other out.
    """
    wide = np.asarray(weights, np.float64)
    total = np.asarray(wide / max(float(np.abs(wide).max(initial=0.0)), 5e-324) @ features, np.float32)
    return normalise(total) if float(np.linalg.norm(total)) > 1e-6 else np.zeros_like(total)


def combine(otherwise: FloatArray, *terms: tuple[float, FloatArray]) -> FloatArray:
    """The weighted sum ``[d]`` of (weight, feature ``[d]``), normalised; ``otherwise`` where nothing is left of it."""
    total = weighted_sum(np.stack([feature for _, feature in terms]), _array([weight for weight, _ in terms]))
    return total if total.any() else normalise(otherwise)


def pool(features: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """The weighted mean ``[d]`` of ``features`` ``[n, d]``, each normalised first, and the mean again.

    The first feature where they cancel each other out, zeros where there are none.
    """
    if not len(features):
        return np.zeros(features.shape[-1], np.float32)
    rows = normalise(features)
    if len(rows) == 1:
        return np.asarray(rows[0], np.float32)
    return combine(rows[0], *zip(np.ones(len(rows)) if weights is None else weights, rows, strict=True))


def softmax(values: FloatArray) -> FloatArray:
    """``exp(x) / sum(exp(x))`` of ``values`` ``[n]``; ``[0]`` stays ``[0]``."""
    raised = np.exp(np.asarray(values, np.float64) - np.max(values, initial=-np.inf))
    return _array(raised / np.maximum(raised.sum(), 1e-300))


def _array(values: object) -> FloatArray:
    return np.asarray(values, dtype=np.float32)
