"""SEARLE (Baldrati et al., ICCV 2023, arXiv 2303.15247): words by optimisation, then a network that makes them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ipcir_tools.batches import Progress
from ipcir_tools.composers.searle import Searle
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.models.network import NetworkConfig
from ipcir_tools.training import oti
from ipcir_tools.training.data import read_pictures, some_captions
from ipcir_tools.training.loop import Rows, StepLoss, TrainingReport, as_tensor, check_examples, finish, fit
from ipcir_tools.training.oti import Inversion
from ipcir_tools.training.phrases import Phrases, build_phrases
from ipcir_tools.training.training import Decay, Steps, Training, make_folder
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch

    from ipcir_tools.engine.components import Components
    from ipcir_tools.models.encoder import Encoder


class SearleTraining(Training):
    """SEARLE's training, on any images.

    First each image gets its word w* by OTI; see :func:`ipcir_tools.training.oti.invert`. Then ``w = phi(v)`` learns to
    make them: ``L = distillation(w, w*; temperature) + regularisation * regulariser(w) + mean((|w| / |w*| - 1)^2)``,
    the regulariser as in OTI, over the ``nearest`` concepts of each image. ``hidden`` is four times the width of a
    feature by default.

    It differs from the published training in five ways. The last term of the loss is our own: the first compares
    directions alone, and within a few hundred steps nothing else fixes the length of a word. The phrases of the
    regulariser are not written by a language model around 20,000 class names: they are captions (of these images or
    any others) that name one of the concepts, by default the commonest words of the captions. It takes fewer steps at a
    higher rate that falls (published: 350 steps for each image, then a rate of 1e-4). The average of a word's steps
    holds nothing of its random start. And its input is unit features in the place of raw ones.
    """

    learns = "Map an image to one word (SEARLE): first image by image, then by a network that does it at once."
    steps: Steps = 1000
    decay: Decay = 0.01
    regularisation: float = Field(default=0.75, ge=0.0, description="Weight of the regulariser in the loss.")
    nearest: int = Field(default=150, ge=1, description="Nearest concepts of an image that the regulariser draws from.")
    temperature: float = Field(default=0.25, gt=0.0, description="Temperature of the distillation.")
    concepts: Path | None = Field(
        default=None, description="File of nouns, one a line (default: the commonest words of the captions)."
    )
    captions: int = Field(default=500, ge=0, description="How many of the images are captioned; 0 needs --concepts.")
    inversion: Inversion | None = None
    """How the words are optimised; None: as :class:`Inversion` has it."""

    def run(self, components: Components, sources: Sequence[Path], folder: Path, progress: Progress) -> TrainingReport:
        """Train on the images in folders and files."""
        nouns = _read_lines(self.concepts)
        pictures = read_pictures(components, sources, progress)
        features, captions = pictures.matrix, some_captions(components, pictures, self.captions, progress)
        make_folder(folder)
        report = self.fit(components.encoder, features, folder, captions, nouns, progress)
        return report.model_copy(update={"left_out": pictures.left_out})

    def fit(
        self,
        encoder: Encoder,
        features: FloatArray,
        folder: Path,
        captions: Sequence[str] = (),
        concepts: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Train on the encoder's features ``[n, d]``, unit norm, of any images; write the network into ``folder``.

        Raises InvalidRequestError for an encoder that takes no pseudo words, features of another width, neither
        captions nor concepts, or a checkpoint in ``folder`` that belongs to another training.
        """
        check_examples(features, encoder.dim)
        phrases = build_phrases(encoder, captions, concepts)
        words = oti.invert(encoder, features, phrases, folder, self.inversion, progress)
        config = NetworkConfig(
            method=Searle.name,
            space=encoder.space,
            template=Searle.template,
            wide_in=encoder.dim,
            hidden=self.hidden or 4 * encoder.dim,
            wide_out=encoder.token_dim,
            dropout=self.dropout,
            activation="gelu",
            scale_out=float(np.sqrt(np.mean(words**2))),
        )
        both = np.concatenate([features, words], axis=1)

        def loss_of(layers: torch.nn.Sequential) -> StepLoss:
            return self._loss(encoder, config, layers, phrases, features, words)

        fitted = fit(config, self.recipe, both, loss_of, folder, progress, encoder.device)
        report = finish(config, fitted, folder)
        shutil.rmtree(folder / oti.FOLDER)
        return report

    def _loss(
        self,
        encoder: Encoder,
        config: NetworkConfig,
        layers: torch.nn.Sequential,
        phrases: Phrases,
        features: FloatArray,
        words: FloatArray,
    ) -> StepLoss:
        images, targets = (as_tensor(each, encoder.device) for each in (features, words))
        nearest = phrases.nearest(features, self.nearest)

        def loss(rows: Rows, step: int) -> torch.Tensor:
            at = as_tensor(rows, encoder.device)
            made, wanted = config.apply(layers, images[at]), targets[at]
            chosen = phrases.choose(nearest[rows], np.random.default_rng([self.seed, step, 1]))
            distilled = distillation(made, wanted, self.temperature) + length_error(made, wanted)
            return distilled + self.regularisation * oti.regulariser(encoder, phrases, chosen, made)

        return loss


def distillation(made: torch.Tensor, wanted: torch.Tensor, temperature: float) -> torch.Tensor:
    """The contrastive distillation of ``made`` ``[n, d]`` from ``wanted`` ``[n, d]``: only their directions count.

    Each of the 2n words has one right partner among all others, of its own kind as well as of the other:
    ``mean over i of -log(e^(c(i, partner of i) / T) / sum over j != i of e^(c(i, j) / T))``, c the cosine.
    """
    import torch
    from torch.nn import functional as F

    both = F.normalize(torch.cat([made, wanted]), dim=-1)
    cosines = both @ both.T
    itself = torch.eye(len(both), dtype=torch.bool, device=both.device)
    partners = torch.arange(len(both), device=both.device).roll(len(made))
    return F.cross_entropy((cosines / temperature).masked_fill(itself, float("-inf")), partners)


def length_error(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """``mean((|made| / |wanted| - 1)^2)`` over the rows of ``[n, d]``."""
    error: torch.Tensor = made.norm(dim=-1) / wanted.norm(dim=-1) - 1.0
    return error.square().mean()


def _read_lines(path: Path | None) -> list[str]:
    """The lines of a file that are not empty. Raises InvalidRequestError for one that cannot be read, or has none."""
    if path is None:
        return []
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeError) as error:
        raise InvalidRequestError(f"{path} cannot be read ({error}): give a file of UTF-8, one noun a line.") from error
    if not lines:
        raise InvalidRequestError(f"{path} holds no noun: write one a line.")
    return lines
