"""The paper's ablation: the modification, the reference and the imagined text, each alone and fused.

In a fusion ``r`` brings the reference to the spread of a text's cosines (:mod:`ipcir_tools.composers.calibration`).
"""

from __future__ import annotations

from pydantic import Field

from ipcir_tools.composers import fusion
from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.types import Probe


class ModificationOnly(Composer):
    """Searches with the text of the modification."""

    name = "modification"
    needs = frozenset({"modification"})

    def compose(self, parts: Parts) -> Probe:
        """``q = m``."""
        return Probe(parts.need("modification"))


class ReferenceOnly(Composer):
    """Searches with the reference; the modification is ignored."""

    name = "reference"
    needs = frozenset({"reference"})

    def compose(self, parts: Parts) -> Probe:
        """``q = v``."""
        return Probe(parts.need("reference"))


class Imagined(Composer):
    """Searches with the imagined target's description alone, as CIReVL does (arXiv 2310.09291)."""

    name = "imagined"
    needs = frozenset({"imagined"})

    def compose(self, parts: Parts) -> Probe:
        """``q = t``."""
        return Probe(parts.need("imagined"))


class Sum(Composer):
    """The baseline of fusion: the raw modification and the reference picture."""

    name = "sum"
    needs = frozenset({"modification", "reference"})
    weight: float = Field(default=0.5, ge=0.0, le=1.0)

    def compose(self, parts: Parts) -> Probe:
        """``q = w * m + (1 - w) * v / r``."""
        scale = parts.calibration.image_scale
        return Probe(fusion.fuse(parts.need("modification"), parts.need("reference"), parts.weight, scale))


class ImaginedReference(Composer):
    """IP-CIR's text proxy (arXiv 2411.16752): the imagined target's text and the reference picture."""

    name = "imagined+reference"
    needs = frozenset({"imagined", "reference"})
    weight: float = Field(default=0.8, ge=0.0, le=1.0)
    """Published fusions of a description with the picture give the text 0.8 to 0.95 (SDR-CIR: 0.95 CIRR, 0.85
    CIRCO, 0.8 FashionIQ)."""

    def compose(self, parts: Parts) -> Probe:
        """``q = w * t + (1 - w) * v / r``."""
        scale = parts.calibration.image_scale
        return Probe(fusion.fuse(parts.need("imagined"), parts.need("reference"), parts.weight, scale))
