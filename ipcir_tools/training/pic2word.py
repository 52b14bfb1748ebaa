"""Pic2Word (Saito et al., CVPR 2023, arXiv 2302.03084): an image as one word of a sentence, learnt without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.batches import Progress
from ipcir_tools.composers.pic2word import Pic2Word
from ipcir_tools.models.network import NetworkConfig
from ipcir_tools.training.data import read_pictures
from ipcir_tools.training.loop import (
    Rows,
    StepLoss,
    TrainingReport,
    as_tensor,
    check_examples,
    finish,
    fit,
    symmetric_contrast,
)
from ipcir_tools.training.training import Dropout, Training, make_folder
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch

    from ipcir_tools.engine.components import Components
    from ipcir_tools.models.encoder import Encoder


SENTENCE = "a photo of *"
"""The sentence of the training; queries use the composer's template."""


class Pic2WordTraining(Training):
    """Pic2Word's training, on any images.

    ``w = MLP(v)``, ``t = text("a photo of *" with w for *)``, and the loss is CLIP's own between t and v, in both
    directions, at CLIP's own temperature; only the MLP learns. ``hidden`` is as wide as a feature by default.

    It differs from the published training in its input: unit features in the place of raw ones, some thousand steps in
    the place of 30 passes over three million images, and so a higher rate (published: 1e-4) that falls.
    """

    learns = "Map an image to one word (Pic2Word), from any images."
    dropout: Dropout = 0.1

    def run(self, components: Components, sources: Sequence[Path], folder: Path, progress: Progress) -> TrainingReport:
        """Train on the images in folders and files."""
        pictures = read_pictures(components, sources, progress)
        features = pictures.matrix
        make_folder(folder)
        report = self.fit(components.encoder, features, folder, progress)
        return report.model_copy(update={"left_out": pictures.left_out})

    def fit(
        self, encoder: Encoder, features: FloatArray, folder: Path, progress: Progress | None = None
    ) -> TrainingReport:
        """Train on the encoder's features ``[n, d]``, unit norm, of any images; write the network into ``folder``.

        Raises InvalidRequestError for an encoder that takes no pseudo words, features of another width, or a checkpoint
        in ``folder`` that belongs to another training.
        """
        check_examples(features, encoder.dim)
        pseudo = encoder.pseudo_words
        config = NetworkConfig(
            method=Pic2Word.name,
            space=encoder.space,
            template=Pic2Word.template,
            wide_in=encoder.dim,
            hidden=self.hidden or encoder.dim,
            wide_out=pseudo.dim,
            dropout=self.dropout,
            activation="relu",
            scale_out=pseudo.std,
        )

        def loss_of(layers: torch.nn.Sequential) -> StepLoss:
            images = as_tensor(features, encoder.device)

            def loss(rows: Rows, step: int) -> torch.Tensor:
                batch = images[as_tensor(rows, encoder.device)]
                sentences = pseudo.features([SENTENCE] * len(rows), config.apply(layers, batch))
                return symmetric_contrast(sentences, batch, pseudo.scale)

            return loss

        fitted = fit(config, self.recipe, features, loss_of, folder, progress, encoder.device)
        return finish(config, fitted, folder)
