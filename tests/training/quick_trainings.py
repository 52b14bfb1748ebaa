"""Small trainings of every network, and what they are trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ipcir_tools.composers import fusion
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.network import WEIGHTS
from ipcir_tools.training.aligned import AlignedTraining
from ipcir_tools.training.oti import Inversion
from ipcir_tools.training.pic2word import Pic2WordTraining
from ipcir_tools.training.searle import SearleTraining

CAPTIONS = ["a red dress with a belt", "a blue dress", "a green coat with buttons", "a black coat", "a red coat"]
CONCEPTS = ("dress", "coat")


def vector_of(encoder: Encoder, word: str) -> np.ndarray:
    """The model's own embedding ``[1, token_dim]`` of a word that is one token."""
    token = encoder._loaded.tokenizer([word])[0, 1]
    return encoder._loaded.model.token_embedding.weight[token].numpy()[None]


QUICK = {"steps": 30, "batch": 8, "rate": 3e-3}


def pic2word(encoder, features, folder, progress=None, **changes):
    return Pic2WordTraining(**QUICK | changes).fit(encoder, features, folder, progress)


def searle(encoder, features, folder, progress=None, **changes):
    training = SearleTraining(**QUICK | {"inversion": Inversion(steps=5, block=6)} | changes)
    return training.fit(encoder, features, folder, CAPTIONS, CONCEPTS, progress)


def mirrored(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Proxies and targets ``[n, 8]``: as if what is wanted were always the proxy read backwards."""
    proxies = fusion.normalise(np.random.default_rng(1).normal(size=(n, 8)).astype(np.float32))
    return proxies, proxies[:, ::-1].copy()


def aligned(encoder, features, folder, progress=None, **changes):
    how = {"steps": 120, "batch": 50, "rate": 1e-2, "dropout": 0.0, "hidden": 64}
    return AlignedTraining(**how | changes).fit(encoder.space, *mirrored(), folder, progress=progress)


def weights(folder: Path) -> bytes:
    """The weights of the network in ``folder``."""
    return (folder / WEIGHTS).read_bytes()
