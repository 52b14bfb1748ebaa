"""The supervised option: a small network moves the proxy feature towards the target's image feature.

What a caption and a language model leave out of an imagined text, or say in another way than pictures of the target
look, is learnt from triplets (reference, modification, target) of one's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.batches import Progress
from ipcir_tools.composers.aligned import move_proxies
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.models.network import Network, NetworkConfig
from ipcir_tools.training.loop import Picked, Recipe, StepLoss, TrainingReport, check_examples, contrast, finish, fit
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch


STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""By how much of what the network says a proxy is moved; which of them is found out on held-out triplets."""
_HELD_OUT = 5
"""One part in so many."""
_LEAST = 10


def train_aligned(
    space: str,
    proxies: FloatArray,
    targets: FloatArray,
    folder: Path,
    *,
    gallery: FloatArray | None = None,
    steps: int = 2000,
    batch: int = 128,
    rate: float = 1e-3,
    decay: float = 0.1,
    dropout: float = 0.5,
    hidden: int | None = None,
    temperature: float = 0.05,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> TrainingReport:
    """Train on proxy features and the features of their targets, both ``[n, d]`` of unit norm in ``space``.

    ``q = normalise(p + s * MLP(p))``. The loss is InfoNCE between ``normalise(p + MLP(p))`` and the target's feature,
    with the batch's other targets as negatives, in both directions. The MLP's last layer starts at zero, so that
    training starts from the proxy itself. ``hidden`` is twice the width of a feature by default.

    A few hundred triplets can make things worse than no training. So the last fifth of them is held out, and ``s`` is
    the least of :data:`STRENGTHS` that ranks their targets best (mean reciprocal rank) among ``gallery`` ``[m, d]``, by
    default all targets; 0 leaves every proxy as it is. Give the whole gallery: among few pictures all is easy. Order
    the triplets such that those that belong together stand together.

    Raises InvalidRequestError for arrays of different shapes, for fewer than ten triplets, or for a checkpoint in
    ``folder`` that belongs to another training.
    """
    if proxies.shape != targets.shape:
        raise InvalidRequestError(f"The proxies {proxies.shape} and the targets {targets.shape} are not one for one.")
    check_examples(proxies, proxies.shape[-1], _LEAST)
    d, learnt = proxies.shape[1], len(proxies) - len(proxies) // _HELD_OUT
    config = NetworkConfig(
        method="aligned",
        space=space,
        wide_in=d,
        hidden=hidden or 2 * d,
        wide_out=d,
        dropout=dropout,
        activation="gelu",
    )

    def loss_of(layers: torch.nn.Sequential) -> StepLoss:
        import torch

        given, wanted = (torch.from_numpy(np.ascontiguousarray(each)).to(device) for each in (proxies, targets))

        def loss(picked: Picked, step: int) -> torch.Tensor:
            rows = torch.from_numpy(picked).to(device)
            proxy = given[rows]
            return contrast(proxy + config.mapped(layers, proxy), wanted[rows], 1.0 / temperature)

        return loss

    recipe = Recipe(steps, batch, rate, decay, seed)
    both = np.stack([proxies, targets], axis=1)[:learnt]
    fitted = fit(config, recipe, both, loss_of, folder, progress, device=device, start=_from_nothing)
    fitted.layers.cpu()
    pictures = targets if gallery is None else np.concatenate([targets, gallery])
    found = {
        strength: _reciprocal_rank(move_proxies(network, proxies[learnt:]), targets[learnt:], pictures)
        for strength in STRENGTHS
        for network in [Network(config.model_copy(update={"scale_out": strength}), fitted.layers)]
    }
    best = max(found, key=lambda strength: found[strength])  # the first, so the least, of equals
    return finish(config.model_copy(update={"scale_out": best}), fitted, folder, found[0.0], found[best])


def _reciprocal_rank(queries: FloatArray, targets: FloatArray, pictures: FloatArray) -> float:
    """The mean of 1 / rank of each query's target among ``pictures``; those that are equal to it do not count."""
    own = (queries * targets).sum(axis=1, keepdims=True)
    ahead = (queries @ pictures.T > own + 1e-6).sum(axis=1)
    return float((1.0 / (1 + ahead)).mean())


def _from_nothing(layers: torch.nn.Sequential) -> None:
    """The last layer at zero: the network adds nothing yet."""
    from torch import nn

    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)
