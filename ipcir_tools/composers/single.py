"""The baselines of one feature: the modification alone, the reference alone, the imagined text alone."""

from __future__ import annotations

from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.types import Probe


class ModificationOnly(Composer):
    """Searches with the modification text as it was typed."""

    name = "modification"
    needs = frozenset({"modification"})

    def compose(self, parts: Parts) -> Probe:
        """``q = m``."""
        return Probe(parts.need("modification"))


class ReferenceOnly(Composer):
    """Searches with the reference picture, whatever the text says."""

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
