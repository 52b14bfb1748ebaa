"""SEARLE's first step: optimisation-based textual inversion (OTI), one pseudo word for each picture."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from ipcir_tools.batches import Progress
from ipcir_tools.files import replaced
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.private import private_folder
from ipcir_tools.training.loop import Rows, as_tensor
from ipcir_tools.training.phrases import TEMPLATES, Phrases
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch


FOLDER = "oti"
"""In the output folder while a training is unfinished: one file for each block of pictures."""


@dataclass(frozen=True)
class Inversion:
    """How words are optimised: the published values, but for ``steps`` (350) and ``block`` (32)."""

    steps: int = 100
    block: int = 128
    """Images at a time, and so what is lost at most when a run is killed."""
    rate: float = 2e-2
    decay: float = 0.01
    average: float = 0.99
    """Decay of the moving average over a word's steps, which is the result; its random start is left out."""
    regularisation: float = 0.5
    """Weight of the regulariser beside the image's own loss."""
    concepts: int = 15
    """Nearest concepts of an image."""
    seed: int = 0


def invert(
    encoder: Encoder,
    features: FloatArray,
    phrases: Phrases,
    folder: Path,
    how: Inversion | None = None,
    progress: Progress | None = None,
) -> FloatArray:
    """Pseudo words ``[n, token_dim]`` of the images' features ``[n, d]``, unit norm.

    For each image ``min over w of (1 - cos(text(T, w), v) + r * (1 - cos(text(P, w), text(P, c)))) / (1 + r)``, T a
    sentence without more content than "there is a w", P a phrase of one of the image's nearest concepts c, both chosen
    anew at each step, and r the regularisation: w matches the image, and behaves in a sentence as a noun does. Each
    finished block is stored in ``folder``: the same call continues after the last one, and a block whose file is
    damaged is computed again.
    """
    how = how or Inversion()
    run = folder / FOLDER / _run_id(encoder.space, features, phrases, how)
    private_folder(run)
    blocks = []
    for start in range(0, len(features), how.block):
        path, images = run / f"{start:08d}.npy", features[start : start + how.block]
        words = _load_block(path, (len(images), encoder.pseudo_words.dim))
        if words is None:
            words = _invert_block(encoder, images, phrases, how, [how.seed, start])
            with replaced(path) as part:
                np.save(part, words)
        blocks.append(words)
        if progress:
            progress("inverting", min(start + how.block, len(features)), len(features))
    return np.concatenate(blocks)


def _load_block(path: Path, shape: tuple[int, int]) -> FloatArray | None:
    """The words of a finished block; None where there is no such file, or it does not hold words of this shape."""
    try:
        words = np.load(path)
    except (OSError, ValueError, EOFError, BadZipFile):
        return None
    whole = isinstance(words, np.ndarray) and words.dtype == np.float32 and words.shape == shape
    return words if whole and np.isfinite(words).all() else None


def _invert_block(
    encoder: Encoder, features: FloatArray, phrases: Phrases, how: Inversion, seed: list[int]
) -> FloatArray:
    import torch

    rng, pseudo = np.random.default_rng(seed), encoder.pseudo_words
    images = as_tensor(features, encoder.device)
    first = rng.normal(0.0, 0.02, (len(features), pseudo.dim)).astype(np.float32)
    words = as_tensor(first, encoder.device).requires_grad_()
    average, nearest = torch.zeros_like(words), phrases.nearest(features, how.concepts)
    optimizer = torch.optim.AdamW([words], lr=how.rate, weight_decay=how.decay)
    for step in range(1, how.steps + 1):
        sentences = [TEMPLATES[i] for i in rng.integers(len(TEMPLATES), size=len(features))]
        own = mean_distance(pseudo.features(sentences, words), images)
        held = regulariser(encoder, phrases, phrases.choose(nearest, rng), words)
        loss = (own + how.regularisation * held) / (1.0 + how.regularisation)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        # The average is corrected for where it starts, as Adam's are (Kingma & Ba, 2015, section 3). SEARLE's starts at
        # the random word and lets it fade, to 3 % in 350 steps; after 100 steps 37 % of the average would be noise.
        average.lerp_(words.detach(), (1.0 - how.average) / (1.0 - how.average**step))
    return np.asarray(average.cpu().numpy(), dtype=np.float32)


def mean_distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """``mean(1 - cos)`` over the rows of two batches ``[n, d]``."""
    from torch.nn import functional as F

    return (1.0 - F.cosine_similarity(one, other, dim=-1)).mean()


def regulariser(encoder: Encoder, phrases: Phrases, chosen: Rows, words: torch.Tensor) -> torch.Tensor:
    """How far the ``chosen`` phrases ``[n]`` with the words are from the same phrases with their concepts."""
    wanted = as_tensor(phrases.features[chosen], encoder.device)
    return mean_distance(encoder.pseudo_words.features([phrases.templates[i] for i in chosen], words), wanted)


def _run_id(space: str, features: FloatArray, phrases: Phrases, how: Inversion) -> str:
    """Identifies a run, so that the words of another are never used."""
    whole = hashlib.sha256(f"{space}\n{how}\n{features.shape}\n{phrases.templates}\n".encode())
    whole.update(np.ascontiguousarray(features).tobytes() + phrases.features.tobytes())
    return whole.hexdigest()[:16]
