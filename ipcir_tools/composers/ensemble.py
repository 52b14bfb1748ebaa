"""Many captions of the reference, an edit of each, and their mean."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.composers.fusion import normalise, pool, softmax
from ipcir_tools.types import FloatArray, Probe


class Ensemble(Composer):
    """LDRE's ensemble (Yang et al., SIGIR 2024) with weights of our own, which look at one query alone.

    ``q = sum w_i * e_i`` over edits ``e_i``, each imagined from a caption ``c_i`` of the reference v.

    Alternatives of an imagined target are edits too, each with its caption once more, so that a caption with more of
    them weighs more; in the paper each caption has one edit.

    LDRE weighs an edit by how far the gallery's likeness to its caption falls, per place in the list of captions and
    over all queries of the test, so that one query's answer depends on the others. Here an edit counts by how well its
    caption describes the reference: ``w = softmax(u / max u / T)`` with ``u_i = max(cos(c_i, v), 0)``. That needs
    neither other queries nor the gallery. (How far an edit leaves its own caption, the nearest thing to LDRE's measure
    within one query, was tried on the wardrobe's validation part and is worse than no weights: it trusts captions that
    are wrong.) LDRE's mean is over features as the model gives them; here each is normalised first.
    """

    name = "ensemble"
    needs = frozenset({"captions", "edits", "reference"})
    captions: int = Field(default=15, ge=1, le=50)
    """How many captions of the reference (LDRE: 15)."""
    temperature: float = Field(default=0.04, gt=0.0)
    """T: the smaller, the more the best captions decide (LDRE: 0.04, on its own measure)."""

    def compose(self, parts: Parts) -> Probe:
        """``q = sum w_i * e_i``."""
        weights = self.weights(parts.need("captions"), parts.need("reference"))
        return Probe(pool(parts.need("edits"), weights))

    def weights(self, captions: FloatArray, reference: FloatArray) -> FloatArray:
        """``w`` ``[m]``, sum 1; all the same where no caption fits the picture at all."""
        fit = np.maximum(normalise(captions) @ reference, 0.0)
        return softmax(fit / max(float(fit.max(initial=0.0)), 1e-6) / self.temperature)
