"""What all trainings share: the loop with its checkpoint, the report and the losses."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ipcir_tools.batches import Progress
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.models.network import NetworkConfig, Trained, save_network
from ipcir_tools.training.checkpoint import CHECKPOINT, TrainingState
from ipcir_tools.types import FloatArray, Value

if TYPE_CHECKING:
    import torch


_SAVE_EVERY = 50
_POINTS = 20

Rows = NDArray[np.int64]
"""Positions of examples ``[b]``."""
StepLoss = Callable[[Rows, int], "torch.Tensor"]
"""The loss of one step, from the rows of its examples and the step's number."""


class TrainingReport(Value):
    """One finished training."""

    method: str
    folder: Path
    examples: int
    steps: int
    seconds: float
    """Wall clock, of all runs together where it was resumed."""
    losses: tuple[float, ...]
    """Means over equal stretches of the training, at most 20."""
    before: float | None = None
    after: float | None = None
    """Mean reciprocal rank of held-out targets without the network and with it; None where nothing is held out."""
    left_out: tuple[str, ...] = ()
    """Sources that could not be used, each with the reason."""
    details: dict[str, Any] = Field(default_factory=dict)
    """Further facts of one kind of training."""


@dataclass(frozen=True)
class Recipe:
    """How a network is fitted: AdamW, a short warm-up, a cosine down to zero, gradients cut to norm 1."""

    steps: int
    batch: int
    rate: float
    decay: float
    seed: int = 0
    warmup: float = 0.06
    """Share of the steps in which the rate rises."""
    starts_at_zero: bool = False
    """Whether the last layer starts at zero, so that the network adds nothing yet."""

    def rate_at(self, step: int) -> float:
        """The learning rate of one step, which depends on nothing but its number."""
        done, warm = (step + 1) / self.steps, max(self.warmup, 1e-9)
        falling = (1.0 + np.cos(np.pi * max(0.0, done - warm) / max(1e-9, 1.0 - warm))) / 2.0
        return float(self.rate * min(done / warm, falling))

    def rows_at(self, step: int, n: int) -> Rows:
        """The rows of one step, none twice, from the seed and the step's number alone."""
        return np.random.default_rng([self.seed, step]).choice(n, min(self.batch, n), replace=False)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Layers at the end of a training, with its facts; not written yet."""

    layers: torch.nn.Sequential
    recipe: Recipe
    examples: int
    losses: list[float]
    seconds: float


def fit(
    config: NetworkConfig,
    recipe: Recipe,
    examples: FloatArray,
    loss_of: Callable[[torch.nn.Sequential], StepLoss],
    folder: Path,
    progress: Progress | None,
    device: str = "cpu",
) -> Fitted:
    """Fit the network that ``config`` describes.

    ``loss_of`` gives the loss of each step for the layers. ``folder`` holds the checkpoint: after a kill the same call
    continues from it, with the result of an uninterrupted training.
    """
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        layers = config.layers()
        if recipe.starts_at_zero:
            _zero_last_layer(layers)
        layers.to(device)
        optimizer = torch.optim.AdamW(layers.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        state = TrainingState(layers, optimizer, _run_id(config, recipe, examples))
        state.resume(folder / CHECKPOINT)
        _run(state, recipe, len(examples), loss_of(layers), folder / CHECKPOINT, progress)
    return Fitted(layers, recipe, len(examples), state.losses, state.seconds)


def finish(
    config: NetworkConfig, fitted: Fitted, folder: Path, before: float | None = None, after: float | None = None
) -> TrainingReport:
    """Write the network into ``folder``, remove the checkpoint and report."""
    recipe, curve = fitted.recipe, _curve(fitted.losses)
    facts = Trained(
        examples=fitted.examples,
        steps=recipe.steps,
        batch=recipe.batch,
        rate=recipe.rate,
        seed=recipe.seed,
        seconds=round(fitted.seconds, 1),
        loss=curve[-1],
    )
    save_network(config.model_copy(update={"trained": facts}), fitted.layers, folder)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return TrainingReport(
        method=config.method,
        folder=folder,
        examples=fitted.examples,
        steps=recipe.steps,
        seconds=fitted.seconds,
        losses=curve,
        before=before,
        after=after,
    )


def _run(
    state: TrainingState, recipe: Recipe, n: int, loss_of: StepLoss, checkpoint: Path, progress: Progress | None
) -> None:
    import torch

    before, began = state.seconds, time.monotonic()
    state.layers.train()
    while state.step < recipe.steps:
        torch.manual_seed(recipe.seed + 1 + state.step)  # dropout: a resumed run draws what an uninterrupted one would
        for group in state.optimizer.param_groups:
            group["lr"] = recipe.rate_at(state.step)
        loss = loss_of(recipe.rows_at(state.step, n), state.step)
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(state.layers.parameters(), 1.0)
        state.optimizer.step()
        state.losses.append(float(loss.detach()))
        state.step += 1
        state.seconds = before + time.monotonic() - began
        if state.step % _SAVE_EVERY == 0:
            state.save(checkpoint)
        if progress:
            progress("training", state.step, recipe.steps)
    state.layers.eval()


def _run_id(config: NetworkConfig, recipe: Recipe, examples: FloatArray) -> str:
    """Identifies a training: the network, the recipe and the examples."""
    whole = hashlib.sha256(f"{config.model_dump_json()}\n{recipe}\n{examples.shape}\n".encode())
    whole.update(np.ascontiguousarray(examples).tobytes())
    return whole.hexdigest()[:16]


def _curve(losses: list[float]) -> tuple[float, ...]:
    stretches = np.array_split(np.array(losses), min(_POINTS, len(losses)))
    return tuple(round(float(stretch.mean()), 5) for stretch in stretches)


def _zero_last_layer(layers: torch.nn.Sequential) -> None:
    from torch import nn

    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)


def as_tensor(array: NDArray[Any], device: str) -> torch.Tensor:
    """The array as a tensor of the same type on ``device``."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def check_examples(features: FloatArray, dim: int, least: int = 2) -> None:
    """Raises InvalidRequestError for too few examples, or for features of another width."""
    if features.ndim != 2 or features.shape[1] != dim:
        raise InvalidRequestError(f"The features are {features.shape}, not [n, {dim}]: they are of another encoder.")
    if len(features) < least:
        raise InvalidRequestError(f"There are {len(features)} examples to train on: give at least {least}.")


def symmetric_contrast(one: torch.Tensor, other: torch.Tensor, scale: float) -> torch.Tensor:
    """Symmetric InfoNCE of two batches ``[n, d]`` whose rows belong together; the other rows are the negatives.

    ``(CE(scale * one @ other.T) + CE(scale * other @ one.T)) / 2`` with the diagonal as the truth, on unit rows.
    """
    import torch
    from torch.nn import functional as F

    logits = scale * F.normalize(one, dim=-1) @ F.normalize(other, dim=-1).T
    truth = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2
