"""Additions, kept attributes and removals, each with its sign."""

from __future__ import annotations

from pydantic import Field

from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.composers.fusion import combine
from ipcir_tools.types import FloatArray, Probe


class Signed(Composer):
    """Signed roles, after MulVec, with one vector a role.

    ``S = whole * S_t + desired * S_add + preserve * (S_keep + S_v / r) / 2 - forbidden * S_remove``: t the imagined
    description, v the reference picture, and the roles from the imagination's lists. A role whose list is empty drops
    out, that of the picture with ``keep``; without any the description decides alone.

    The rule is linear, so it is one vector, and normalised it ranks the same; MulVec's temperature orders nothing where
    a role has one vector, and is left out. The weights are our own: every other role counts half of the whole.
    """

    name = "signed"
    needs = frozenset({"imagined", "add", "keep", "remove", "reference"})
    whole: float = Field(default=1.0, ge=0.0)
    desired: float = Field(default=0.5, ge=0.0)
    preserve: float = Field(default=0.5, ge=0.0)
    forbidden: float = Field(default=0.5, ge=0.0)

    def compose(self, parts: Parts) -> Probe:
        """``whole * t + desired * add + preserve * (keep + v / r) / 2 - forbidden * remove``."""
        t, keep = parts.need("imagined"), parts.need("keep")
        terms: list[tuple[float, FloatArray]] = [
            (self.whole, t),
            (self.desired, parts.need("add")),
            (self.preserve / 2, keep),
            (self.preserve / 2 * parts.calibration.image_scale if keep.any() else 0.0, parts.need("reference")),
            (-self.forbidden, parts.need("remove")),
        ]
        return Probe(combine(t, *terms))
