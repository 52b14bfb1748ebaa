"""SEARLE (Baldrati et al., ICCV 2023, arXiv 2303.15247): words by optimisation, then a network that makes them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.batches import Progress
from ipcir_tools.models.network import NetworkConfig
from ipcir_tools.training import oti
from ipcir_tools.training.loop import Picked, Recipe, StepLoss, TrainingReport, check_examples, finish, fit
from ipcir_tools.training.oti import Inversion
from ipcir_tools.training.phrases import build_phrases
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch

    from ipcir_tools.models.encoder import Encoder


TEMPLATE = "a photo of * that {modification}"
"""What is searched with; the paper writes $ for the pseudo word."""


def train_searle(
    encoder: Encoder,
    features: FloatArray,
    folder: Path,
    *,
    captions: Sequence[str] = (),
    concepts: Sequence[str] = (),
    inversion: Inversion | None = None,
    steps: int = 1000,
    batch: int = 128,
    rate: float = 1e-3,
    decay: float = 0.01,
    dropout: float = 0.5,
    hidden: int | None = None,
    held: float = 0.75,
    nearest: int = 150,
    temperature: float = 0.25,
    seed: int = 0,
    progress: Progress | None = None,
) -> TrainingReport:
    """Train on the features ``[n, d]`` (unit norm, the encoder's own) of any pictures; write the network to ``folder``.

    First each picture gets its word w* by OTI; see :func:`ipcir_tools.training.oti.invert`. Then ``w = phi(v)`` learns
    to make them: ``L = distilled(w, w*; temperature) + held * regulariser(w) + mean((|w| / |w*| - 1)^2)``, the
    regulariser as in OTI, over the ``nearest`` concepts of each picture. ``hidden`` is four times the width of a
    feature by default.

    It differs from the published training in five ways. The last term of the loss is our own: the first looks at
    directions alone, and within a few hundred steps nothing else teaches phi how long a word is. The phrases of the
    regulariser are not written by a language model around 20,000 class names: they are ``captions`` (of these pictures
    or any others) that name one of the ``concepts``, by default the commonest words of the captions. It takes fewer
    steps at a higher rate that falls (published: 350 steps for each picture, then a rate of 1e-4). The average of a
    word's steps holds nothing of its random start. And it is fed unit features in the place of raw ones.

    Raises InvalidRequestError for an encoder that takes no pseudo words, features of another width, neither captions
    nor concepts, or a checkpoint in ``folder`` that belongs to another training.
    """
    check_examples(features, encoder.dim)
    phrases = build_phrases(encoder, captions, concepts)
    words = oti.invert(encoder, features, phrases, folder, inversion, progress)
    config = NetworkConfig(
        method="searle",
        space=encoder.space,
        template=TEMPLATE,
        wide_in=encoder.dim,
        hidden=hidden or 4 * encoder.dim,
        wide_out=encoder.token_dim,
        dropout=dropout,
        activation="gelu",
        scale_out=float(np.sqrt(np.mean(words**2))),
    )
    near = phrases.nearest(features, nearest)

    def loss_of(layers: torch.nn.Sequential) -> StepLoss:
        import torch

        pictures, wanted = (torch.from_numpy(np.ascontiguousarray(e)).to(encoder.device) for e in (features, words))

        def loss(picked: Picked, step: int) -> torch.Tensor:
            rows = torch.from_numpy(picked).to(encoder.device)
            made = config.mapped(layers, pictures[rows])
            drawn = phrases.drawn(near[picked], np.random.default_rng([seed, step, 1]))
            taught = distilled(made, wanted[rows], temperature) + off_length(made, wanted[rows])
            return taught + held * oti.held_by(encoder, phrases, drawn, made)

        return loss

    recipe = Recipe(steps, batch, rate, decay, seed)
    both = np.concatenate([features, words], axis=1)
    fitted = fit(config, recipe, both, loss_of, folder, progress, device=encoder.device)
    report = finish(config, fitted, folder)
    shutil.rmtree(folder / oti.FOLDER)
    return report


def distilled(made: torch.Tensor, wanted: torch.Tensor, temperature: float) -> torch.Tensor:
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


def off_length(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """``mean((|made| / |wanted| - 1)^2)`` over the rows of ``[n, d]``."""
    off: torch.Tensor = made.norm(dim=-1) / wanted.norm(dim=-1) - 1.0
    return off.square().mean()
