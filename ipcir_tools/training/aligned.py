"""The supervised option: a small network moves the proxy feature towards the target's image feature.

What a caption and a language model leave out of an imagined text, or put differently from how images of the target
look, is learnt from one's own triplets (reference, modification, target).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ipcir_tools.batches import Progress
from ipcir_tools.composers.aligned import Aligned, move_proxies
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.models.network import Network, NetworkConfig
from ipcir_tools.training.data import read_triplets
from ipcir_tools.training.loop import (
    Recipe,
    Rows,
    StepLoss,
    TrainingReport,
    as_tensor,
    check_examples,
    finish,
    fit,
    symmetric_contrast,
)
from ipcir_tools.training.training import Training, make_folder
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch

    from ipcir_tools.engine.components import Components


STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Factors of the network's output; held-out triplets decide which of them is used."""
_HELD_OUT = 5
"""One part in so many."""
_LEAST = 10


class AlignedTraining(Training):
    """The alignment's training, on triplets.

    ``q = normalise(p + s * MLP(p))``. The loss is InfoNCE between ``normalise(p + MLP(p))`` and the target's feature,
    with the batch's other targets as negatives, in both directions. The MLP's last layer starts at zero, so that
    training starts from the proxy itself. ``hidden`` is twice the width of a feature by default.

    A few hundred triplets can make things worse than no training. So the last fifth of them is held out, and ``s`` is
    the least of :data:`STRENGTHS` that ranks their targets best (mean reciprocal rank); 0 leaves every proxy as it is.
    """

    learns = "Move the proxy feature to where targets are, from triplets."
    sources_help = (
        'A file of lines {"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]}, for training only.'
    )
    temperature: float = Field(default=0.05, gt=0.0, description="Temperature of the contrastive loss.")
    pictures: Path | None = Field(default=None, description="Folder of the images (default: the file's own).")
    weight: float | None = Field(
        default=None, ge=0.0, le=1.0, description="Weight of the text in the proxy (default: the composer's)."
    )

    def run(self, components: Components, sources: Sequence[Path], folder: Path, progress: Progress) -> TrainingReport:
        """Train on a file of lines ``{"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]}``."""
        if len(sources) != 1:
            raise InvalidRequestError(f"Name one file of triplets, not {len(sources)}.")
        triplets = read_triplets(components, sources[0], self.pictures, progress, self.weight)
        make_folder(folder)
        report = self.fit(
            components.features.space,
            triplets.proxies,
            triplets.targets,
            folder,
            gallery=triplets.gallery,
            device=components.encoder.device,
            progress=progress,
        )
        return report.model_copy(
            update={"left_out": triplets.left_out, "details": {"imagined_by": dict(triplets.origins)}}
        )

    @property
    def recipe(self) -> Recipe:
        """Fitted from a last layer of zeros."""
        return Recipe(self.steps, self.batch, self.rate, self.decay, self.seed, starts_at_zero=True)

    def fit(
        self,
        space: str,
        proxies: FloatArray,
        targets: FloatArray,
        folder: Path,
        *,
        gallery: FloatArray | None = None,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Train on proxy features and the features of their targets, both ``[n, d]`` of unit norm in ``space``.

        Held-out targets are ranked among ``gallery`` ``[m, d]``, by default all targets. Give the whole gallery: among
        few images all is easy. Keep triplets that belong together next to each other. (Eight parameters: the arrays
        come from one file of triplets, or from anywhere.)

        Raises InvalidRequestError for arrays of different shapes, for fewer than ten triplets, or for a checkpoint in
        ``folder`` that belongs to another training.
        """
        if proxies.shape != targets.shape:
            raise InvalidRequestError(
                f"The proxies {proxies.shape} and the targets {targets.shape} are not one for one."
            )
        check_examples(proxies, proxies.shape[-1], _LEAST)
        d, learnt = proxies.shape[1], len(proxies) - len(proxies) // _HELD_OUT
        config = NetworkConfig(
            method=Aligned.name,
            space=space,
            wide_in=d,
            hidden=self.hidden or 2 * d,
            wide_out=d,
            dropout=self.dropout,
            activation="gelu",
        )

        def loss_of(layers: torch.nn.Sequential) -> StepLoss:
            sources, wanted = (as_tensor(each, device) for each in (proxies, targets))

            def loss(rows: Rows, step: int) -> torch.Tensor:
                at = as_tensor(rows, device)
                proxy = sources[at]
                return symmetric_contrast(proxy + config.apply(layers, proxy), wanted[at], 1.0 / self.temperature)

            return loss

        both = np.stack([proxies, targets], axis=1)[:learnt]
        fitted = fit(config, self.recipe, both, loss_of, folder, progress, device)
        fitted.layers.cpu()
        images = targets if gallery is None else np.concatenate([targets, gallery])
        ranks = _ranks_by_strength(config, fitted.layers, proxies[learnt:], targets[learnt:], images)
        best = max(ranks, key=lambda strength: ranks[strength])  # the first, so the least, of equals
        return finish(config.model_copy(update={"scale_out": best}), fitted, folder, ranks[0.0], ranks[best])


def _ranks_by_strength(
    config: NetworkConfig, layers: torch.nn.Sequential, proxies: FloatArray, targets: FloatArray, images: FloatArray
) -> dict[float, float]:
    """The mean reciprocal rank of the targets for each strength of the network."""
    networks = {each: Network(config.model_copy(update={"scale_out": each}), layers) for each in STRENGTHS}
    return {
        strength: _reciprocal_rank(move_proxies(network, proxies), targets, images)
        for strength, network in networks.items()
    }


def _reciprocal_rank(queries: FloatArray, targets: FloatArray, images: FloatArray) -> float:
    """The mean of 1 / rank of each query's target among ``images``; those that are equal to it do not count."""
    own = (queries * targets).sum(axis=1, keepdims=True)
    ahead = (queries @ images.T > own + 1e-6).sum(axis=1)
    return float((1.0 / (1 + ahead)).mean())
