"""Weighted fusion of one text with the reference picture."""

from __future__ import annotations

from pydantic import Field

from ipcir_tools import fusion
from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.types import Probe


class Sum(Composer):
    """The baseline of fusion: the raw modification and the reference picture."""

    name = "sum"
    needs = frozenset({"modification", "reference"})
    weight: float = Field(default=0.5, ge=0.0, le=1.0)

    def compose(self, parts: Parts) -> Probe:
        """``q = w * m + (1 - w) * v``."""
        return Probe(fusion.weighted(parts.need("modification"), parts.need("reference"), parts.weight))


class ImaginedReference(Composer):
    """IP-CIR's text proxy (arXiv 2411.16752): the imagined target's text and the reference picture."""

    name = "imagined+reference"
    needs = frozenset({"imagined", "reference"})
    weight: float = Field(default=0.8, ge=0.0, le=1.0)
    """Published fusions of a description with the picture give the text 0.8 to 0.95 (SDR-CIR: 0.95 CIRR, 0.85
    CIRCO, 0.8 FashionIQ)."""

    def compose(self, parts: Parts) -> Probe:
        """``q = w * t + (1 - w) * v``."""
        return Probe(fusion.weighted(parts.need("imagined"), parts.need("reference"), parts.weight))
