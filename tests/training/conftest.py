"""The encoder and the features of the training tests."""

from __future__ import annotations

import numpy as np
import pytest

from ipcir_tools.composers import fusion
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.loading import load_encoder
from ipcir_tools.models.presets import SETS


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(SETS["demo"].encoder, device="cpu")


@pytest.fixture(scope="module")
def features(encoder) -> np.ndarray:
    """Twelve directions that stand for pictures: each near the text of a garment."""
    looks = [
        f"a {colour} {kind}" for colour in ("red", "blue", "green", "black") for kind in ("dress", "coat", "skirt")
    ]
    noise = np.random.default_rng(0).normal(0, 0.03, (12, encoder.dim))
    return fusion.normalise(encoder.embed_texts(looks) + noise.astype(np.float32))
