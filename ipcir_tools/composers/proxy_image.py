"""IP-CIR as it was published: the imagined target is drawn, and its picture searches beside its text."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.composers.fusion import combine, normalise, pool
from ipcir_tools.types import FloatArray, Probe


class ProxyImage(Composer):
    """Imagine and Seek (IP-CIR, CVPR 2025, arXiv 2411.16752), with its robust proxy feature and balanced similarity.

    ``f = s * (max f_aug / max f_src) * f_src + t * (max f_aug / max D) * D + a * f_aug``: f_src the reference, f_aug
    the mean of the drawn pictures, D the mean over captions of (edited caption - caption), and ``max`` the largest
    number of a vector, by which all three come to one scale.

    Alternatives of an imagined target are edits too, each with its caption once more, so that a caption with more of
    them weighs more in D and in the mean; in the paper each caption has one edit.

    ``S = lam * S_text + (1 - lam) * S_proxy * S_text``, with the mean edited caption for the text.

    The rule is not linear, so candidates are scored again. They are the pictures along the slope of the score at f
    itself, ``text + (1 - lam) * cos(text, f) * f``: what the rule prefers near the picture that it imagines.
    """

    name = "proxy-image"
    needs = frozenset({"reference", "imagined", "captions", "edits", "drawn"})
    captions: int = Field(default=15, ge=1, le=50)
    """How many captions of the reference (15 with LDRE's texts, as published; 1 with CIReVL's)."""
    drawings: int = Field(default=4, ge=1, le=16)
    """How many pictures are drawn of the description, so that their mean shows what they have in common."""
    s: float = Field(default=1.0, ge=0.0)
    t: float = Field(default=1.0, ge=0.0)
    a: float = Field(default=1.0, ge=0.0)
    """Weights of the reference, of the change in words and of the drawn pictures; 1 in the published code."""
    lam: float = Field(default=0.65, ge=0.0, le=1.0)
    """Published: 0.65 for ViT-L and 0.3 for larger backbones; the smaller ones here are nearer to the first."""

    def compose(self, parts: Parts) -> Probe:
        """``lam * S_text + (1 - lam) * S_proxy * S_text``."""
        text, proxy = pool(parts.need("edits")), self.proxy(parts)

        def rescore(features: FloatArray) -> FloatArray:
            s_text = features @ text
            return np.asarray(self.lam * s_text + (1.0 - self.lam) * (features @ proxy) * s_text, np.float32)

        along = max(float(text @ proxy), 0.0)
        return Probe(combine(text, (1.0, text), ((1.0 - self.lam) * along, proxy)), rescore)

    def proxy(self, parts: Parts) -> FloatArray:
        """The robust proxy feature ``f`` ``[d]``, normalised."""
        source, drawn = parts.need("reference"), parts.need("drawn")
        changed = _mean(parts.need("edits") - parts.need("captions"))
        drawing = _mean(drawn)
        peak = _peak(drawing) or 1.0
        return combine(
            normalise(source),
            (self.s * peak, _to_peak(source)),
            (self.t * peak, _to_peak(changed)),
            (self.a, drawing),
        )


def _mean(features: FloatArray) -> FloatArray:
    return np.asarray(features.sum(axis=0) / max(len(features), 1), np.float32)


def _peak(vector: FloatArray) -> float:
    """The largest number of a vector; of one without any above zero the largest distance from it."""
    highest = float(vector.max())
    return highest if highest > 0.0 else float(np.abs(vector).max())


def _to_peak(vector: FloatArray) -> FloatArray:
    """The vector with a peak of 1; zeros stay, and so do differences that are rounding alone."""
    peak = _peak(vector)
    return np.asarray(vector / peak if peak > 1e-6 else np.zeros_like(vector), np.float32)
