"""Many edits, and what they changed: a picture nearer to the captions than to the edits is held back."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.composers.fusion import combine, pool
from ipcir_tools.types import FloatArray, Probe


class SemanticDelta(Composer):
    """SEIZE (Yang et al., ACM Multimedia 2024).

    ``S = S_after + neg * min(D, 0) + pos * max(D, 0)`` with ``D = S_after - S_before``, where ``S_after`` is the cosine
    with the mean edit and ``S_before`` that with the mean caption. ``D`` is above zero for a picture with the edit.
    Alternatives of an imagined target are edits too, each with its caption once more, so that a caption with more of
    them weighs more in both means; in the paper each caption has one edit.

    The rule has a kink, so candidates are scored again. With ``neg >= pos`` it is the lower of two lines; candidates
    are those of the upper one, ``(1 + pos) * S_after - pos * S_before``, which no score exceeds and which every picture
    with ``D >= 0`` reaches.
    """

    name = "semantic-delta"
    needs = frozenset({"captions", "edits"})
    captions: int = Field(default=15, ge=1, le=50)
    """How many captions of the reference (SEIZE: 15)."""
    neg: float = Field(default=2.1, ge=0.0)
    """SEIZE's default; for CIRR with ViT-G it takes 1.0."""
    pos: float = Field(default=0.13, ge=0.0)
    """SEIZE's default; for CIRR with ViT-G it takes 0.22."""

    def compose(self, parts: Parts) -> Probe:
        """``S_after + neg * min(D, 0) + pos * max(D, 0)``."""
        after, before = pool(parts.need("edits")), pool(parts.need("captions"))

        def rescore(features: FloatArray) -> FloatArray:
            s_after = features @ after
            delta = s_after - features @ before
            return np.asarray(s_after + self.neg * np.minimum(delta, 0) + self.pos * np.maximum(delta, 0), np.float32)

        return Probe(combine(after, (1.0 + self.pos, after), (-self.pos, before)), rescore)
