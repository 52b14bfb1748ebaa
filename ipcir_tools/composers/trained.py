"""Composers that need a trained network, which is found by the composer's name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ipcir_tools.composers.composer import Composer, Part, Parts
from ipcir_tools.types import FloatArray, Probe

if TYPE_CHECKING:
    from ipcir_tools.models.trained_networks import TrainedNetwork


class TrainedComposer(Composer):
    """A method with a network of its own, trained for one encoder's feature space.

    A subclass names the training that makes its network and defines how it is applied; ``ipcir train NAME``, the
    engine and the evaluation find both here. Its ``needs`` include ``network`` and the parts that :meth:`apply` reads.
    """

    training: ClassVar[str]
    """``module:Class`` of the :class:`ipcir_tools.training.training.Training`; imported when a network is trained."""
    sources: ClassVar[str] = "FOLDER"
    """What the training learns from, as in the usage line of ``ipcir train NAME``."""
    stored: ClassVar[bool] = False
    """Whether the network's feature depends on the reference, the modification and the composer's own parameters
    alone, so that the catalog may keep it."""

    @abstractmethod
    def apply(self, network: TrainedNetwork, parts: Sequence[Parts], modifications: Sequence[str]) -> FloatArray:
        """Features ``[n, d]``, unit norm, one for each request; each becomes the part ``network`` of its request."""

    def compose(self, parts: Parts) -> Probe:
        """``q``: the network's feature."""
        return Probe(parts.need("network"))

    @classmethod
    def train_command(cls) -> str:
        """The command that trains the network."""
        return f"ipcir train {cls.name} {cls.sources}"


class PseudoWordComposer(TrainedComposer):
    """The reference as one word of a sentence: ``q = text(template)`` with ``*`` embedded as ``network(v)``.

    ``v`` is the reference's feature. Abstract: a subclass gives the name, the template and the training.
    """

    needs: ClassVar[frozenset[Part]] = frozenset({"reference", "network"})
    stored = True
    template: ClassVar[str]
    """The sentence, with ``*`` for the pseudo word and ``{modification}``; a network keeps the one it was trained
    for."""

    def apply(self, network: TrainedNetwork, parts: Sequence[Parts], modifications: Sequence[str]) -> FloatArray:
        """The features of the sentences."""
        return network.queries(np.stack([each.need("reference") for each in parts]), modifications)
