"""The reference as one word of a sentence, by a network that was distilled from an optimisation of each picture."""

from __future__ import annotations

from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.types import Probe


class Searle(Composer):
    """SEARLE (ICCV 2023, arXiv 2303.15247).

    ``q = text("a photo of $ that {modification}")``, where the ``$`` is embedded as ``MLP(v)`` of the reference picture
    v. The network is taught by pseudo words that were optimised picture by picture (OTI).
    """

    name = "searle"
    needs = frozenset({"reference", "searle"})

    def compose(self, parts: Parts) -> Probe:
        """``q``: the engine had the network make it."""
        return Probe(parts.need("searle"))
