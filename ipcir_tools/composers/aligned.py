"""The supervised option: the proxy feature, moved towards the targets of one's own triplets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ipcir_tools.composers import fusion
from ipcir_tools.composers.composer import Parts
from ipcir_tools.composers.trained import TrainedComposer
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from ipcir_tools.models.network import Network
    from ipcir_tools.models.trained_networks import TrainedNetwork


class Aligned(TrainedComposer):
    """IP-CIR's optional alignment (arXiv 2411.16752): a small network trained with a contrastive loss.

    ``q = normalise(p + MLP(p))`` with the proxy ``p = w * t + (1 - w) * v / r``, which is the probe of
    ``imagined+reference``: t the imagined description, v the reference. A network fits proxies of the weight that it
    was trained with.
    """

    name = "aligned"
    needs = frozenset({"imagined", "reference", "network"})
    training = "ipcir_tools.training.aligned:AlignedTraining"
    sources = "TRIPLETS.jsonl"
    weight: float = Field(default=0.8, ge=0.0, le=1.0)
    """That of ``imagined+reference``."""

    def apply(self, network: TrainedNetwork, parts: Sequence[Parts], modifications: Sequence[str]) -> FloatArray:
        """The proxies, moved."""
        proxies = [
            fusion.fuse(each.need("imagined"), each.need("reference"), each.weight, each.calibration.image_scale)
            for each in parts
        ]
        return move_proxies(network, np.stack(proxies))


def move_proxies(network: Network | TrainedNetwork, proxies: FloatArray) -> FloatArray:
    """``normalise(p + MLP(p))`` ``[n, d]`` of proxy features ``p`` ``[n, d]``, unit norm."""
    return fusion.normalise(proxies + network.apply(proxies))
