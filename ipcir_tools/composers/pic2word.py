"""The reference as one word of a sentence, by a network that learnt it from pictures alone."""

from __future__ import annotations

from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.types import Probe


class Pic2Word(Composer):
    """Pic2Word (CVPR 2023, arXiv 2302.03084).

    ``q = text("a photo of *, {modification}")``, where the ``*`` is embedded as ``MLP(v)`` of the reference picture v.
    """

    name = "pic2word"
    needs = frozenset({"reference", "pic2word"})

    def compose(self, parts: Parts) -> Probe:
        """``q``: the engine had the network make it."""
        return Probe(parts.need("pic2word"))
