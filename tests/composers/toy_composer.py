"""A trained composer as another package would write it: the method and its training in one file."""

from __future__ import annotations

import numpy as np

from ipcir_tools.composers import TrainedComposer, fusion
from ipcir_tools.models.network import NetworkConfig
from ipcir_tools.training.data import read_pictures
from ipcir_tools.training.loop import as_tensor, finish, fit
from ipcir_tools.training.training import Training


class Toy(TrainedComposer):
    """``q = normalise(MLP(normalise(v + m)))``: the reference and the modification, as the network sees both."""

    name = "toy"
    needs = frozenset({"reference", "modification", "network"})
    training = "toy_composer:ToyTraining"

    def apply(self, network, parts, modifications):
        """The sums, mapped."""
        sums = np.stack([each.need("reference") + each.need("modification") for each in parts])
        return fusion.normalise(network.apply(fusion.normalise(sums)))


class ToyTraining(Training):
    """The network learns to leave a feature as it is."""

    learns = "Leave features as they are."
    steps: int = 60

    def run(self, components, sources, folder, progress):
        """Train on folders of pictures."""
        features, d = read_pictures(components, sources, progress).matrix, components.encoder.dim
        config = NetworkConfig(
            method="toy",
            space=components.encoder.space,
            wide_in=d,
            hidden=64,
            wide_out=d,
            dropout=0.0,
            activation="relu",
        )
        images = as_tensor(features, "cpu")

        def loss_of(layers):
            return lambda rows, step: (config.apply(layers, images[rows]) - images[rows]).square().sum()

        return finish(config, fit(config, self.recipe, features, loss_of, folder, progress), folder)
