"""The reference as one word of a sentence, by a network that was trained on pictures alone."""

from __future__ import annotations

from ipcir_tools.composers.trained import PseudoWordComposer


class Pic2Word(PseudoWordComposer):
    """Pic2Word (Saito et al., CVPR 2023, arXiv 2302.03084).

    ``q = text("a photo of *, {modification}")``, where the ``*`` is embedded as ``MLP(v)`` of the reference's feature
    v.
    """

    name = "pic2word"
    template = "a photo of *, {modification}"
    training = "ipcir_tools.training.pic2word:Pic2WordTraining"
