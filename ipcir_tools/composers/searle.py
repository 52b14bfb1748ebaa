"""The reference as one word of a sentence, by a network that was distilled from an optimisation of each picture."""

from __future__ import annotations

from ipcir_tools.composers.trained import PseudoWordComposer


class Searle(PseudoWordComposer):
    """SEARLE (Baldrati et al., ICCV 2023, arXiv 2303.15247).

    ``q = text("a photo of * that {modification}")``, where the ``*`` (``$`` in the paper) is embedded as ``MLP(v)`` of
    the reference's feature v. The network is distilled from pseudo words that were optimised picture by picture by
    optimisation-based textual inversion (OTI).
    """

    name = "searle"
    template = "a photo of * that {modification}"
    training = "ipcir_tools.training.searle:SearleTraining"
