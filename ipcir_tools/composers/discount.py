"""The fusion of text and picture, less what the text repeats of the reference."""

from __future__ import annotations

from pydantic import Field

from ipcir_tools.composers import fusion
from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.composers.fusion import combine
from ipcir_tools.types import Probe


class Discount(Composer):
    """SDR-CIR's rule (its ``a`` is ``1 - weight``).

    ``S = (1 + b) * S_q - b * (S_t - S_m)`` with ``q = weight * t + (1 - weight) * v / r``: the description t says again
    what the modification m does not ask for, and the picture v represents that better.

    The rule is linear, so it is one vector, ``(1 + b) * q - b * t + b * m``, and normalised it ranks the same; the
    scores of q are given the spread of a text's, whatever the encoder. SDR-CIR has a model read the modification for m;
    here it is the text as it was typed.
    """

    name = "discount"
    needs = frozenset({"imagined", "modification", "reference"})
    weight: float = Field(default=0.85, ge=0.0, le=1.0)
    """Published ``a`` and ``b``: 0.15 and 0.35 for CIRCO (the default), 0.05 and 0.5 for CIRR, 0.2 and 0.4 for
    FashionIQ."""
    b: float = Field(default=0.35, ge=0.0)

    def compose(self, parts: Parts) -> Probe:
        """``(1 + b) * q - b * t + b * m``."""
        t, m, v = parts.need("imagined"), parts.need("modification"), parts.need("reference")
        q = fusion.fuse(t, v, parts.weight, parts.calibration.image_scale)
        unit = parts.calibration.text_spread / parts.calibration.spread(Probe(q))
        return Probe(combine(q, ((1.0 + self.b) * unit, q), (-self.b, t), (self.b, m)))
