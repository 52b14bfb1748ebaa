"""The supervised option: the proxy feature, moved towards where targets were in one's own triplets."""

from __future__ import annotations

from pydantic import Field

from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.types import Probe


class Aligned(Composer):
    """IP-CIR's optional alignment (arXiv 2411.16752): a small network trained with a contrastive loss.

    ``q = normalise(p + MLP(p))`` with the proxy ``p = w * t + (1 - w) * v``, which is the probe of
    ``imagined+reference``. The network knows proxies of the weight that it was trained with.
    """

    name = "aligned"
    needs = frozenset({"imagined", "reference", "aligned"})
    weight: float = Field(default=0.8, ge=0.0, le=1.0)
    """That of ``imagined+reference``."""

    def compose(self, parts: Parts) -> Probe:
        """``q``: the engine had the network make it."""
        return Probe(parts.need("aligned"))
