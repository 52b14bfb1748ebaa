"""Pic2Word (Saito et al., CVPR 2023, arXiv 2302.03084): a picture as one word of a sentence, learnt without labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.batches import Progress
from ipcir_tools.models.network import NetworkConfig
from ipcir_tools.training.loop import Picked, Recipe, StepLoss, TrainingReport, check_examples, contrast, finish, fit
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch

    from ipcir_tools.models.encoder import Encoder


SENTENCE = "a photo of *"
"""What is trained on."""
TEMPLATE = "a photo of *, {modification}"
"""What is searched with."""


def train_pic2word(
    encoder: Encoder,
    features: FloatArray,
    folder: Path,
    *,
    steps: int = 2000,
    batch: int = 128,
    rate: float = 1e-3,
    decay: float = 0.1,
    dropout: float = 0.1,
    hidden: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TrainingReport:
    """Train on the features ``[n, d]`` (unit norm, the encoder's own) of any pictures; write the network to ``folder``.

    ``w = MLP(v)``, ``t = text("a photo of *" with w for *)``, and the loss is CLIP's own between t and v, in both
    directions, at CLIP's own temperature; only the MLP learns. ``hidden`` is as wide as a feature by default.

    It differs from the published training in what it is fed: unit features in the place of raw ones, some thousand
    steps in the place of 30 passes over three million pictures, and so a higher rate (published: 1e-4) that falls.

    Raises InvalidRequestError for an encoder that takes no pseudo words, features of another width, or a checkpoint in
    ``folder`` that belongs to another training.
    """
    check_examples(features, encoder.dim)
    pseudo = encoder.pseudo_words
    config = NetworkConfig(
        method="pic2word",
        space=encoder.space,
        template=TEMPLATE,
        wide_in=encoder.dim,
        hidden=hidden or encoder.dim,
        wide_out=pseudo.dim,
        dropout=dropout,
        activation="relu",
        scale_out=pseudo.std,
    )

    def loss_of(layers: torch.nn.Sequential) -> StepLoss:
        import torch

        pictures = torch.from_numpy(np.ascontiguousarray(features)).to(encoder.device)

        def loss(picked: Picked, step: int) -> torch.Tensor:
            batch = pictures[torch.from_numpy(picked).to(encoder.device)]
            said = pseudo.features([SENTENCE] * len(picked), config.mapped(layers, batch))
            return contrast(said, batch, pseudo.scale)

        return loss

    recipe = Recipe(steps, batch, rate, decay, seed)
    fitted = fit(config, recipe, features, loss_of, folder, progress, device=encoder.device)
    return finish(config, fitted, folder)
