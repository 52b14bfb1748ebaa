"""Stand-ins for what some composers need beside encoder and captioner: an image generator and the trained networks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ipcir_tools.composers import fusion
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.fakes import COLOURS
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.image_generator import ImageGenerator
from ipcir_tools.types import FloatArray


def draw_all(
    generator: ImageGenerator,
    descriptions: Sequence[str],
    n: int = 1,
    references: Sequence[Image.Image] | None = None,
    *,
    seed: int = 0,
) -> list[list[Image.Image]]:
    """The images of all descriptions in order. Raises the first ModelUnavailableError, then InvalidRequestError."""
    drawn: dict[int, list[Image.Image]] = {}
    failures: dict[int, InvalidRequestError] = {}
    for index, images in generator.drawings(descriptions, n, references, seed=seed):
        if isinstance(images, ModelUnavailableError):
            raise images
        if isinstance(images, InvalidRequestError):
            failures[index] = images
        else:
            drawn[index] = images
    if failures:
        raise failures[min(failures)]
    return [drawn[index] for index in range(len(descriptions))]


class FlatImageGenerator(ImageGenerator):
    """Draws the last colour that a description names, as one flat picture; ``drawn`` counts the pictures."""

    id = "flat"

    def __init__(self) -> None:
        self.drawn = 0

    def _draw(self, description: str, seeds: Sequence[int], reference: Image.Image | None) -> list[Image.Image]:
        self.drawn += len(seeds)
        named = [word for word in re.findall(r"\w+", description) if word in COLOURS] or ["grey"]
        return [Image.new("RGB", (16, 16), COLOURS[named[-1]]) for _ in seeds]


class StandInNetwork:
    """A trained network: the feature of a pseudo word's sentence is half the reference's; a feature is mapped to a
    tenth of itself, rolled."""

    def __init__(self, name: str, encoder: Encoder) -> None:
        self.id, self._encoder = f"{name}@0", encoder

    def queries(self, references: FloatArray, modifications: Sequence[str]) -> FloatArray:
        return fusion.normalise(references + self._encoder.embed_texts(modifications))

    def apply(self, features: FloatArray) -> FloatArray:
        return 0.1 * np.roll(features, 1, axis=1)


def equipped(engine: Any) -> Any:
    """The engine with an image generator and networks, so that it can run every composer."""
    engine.components.image_generator = FlatImageGenerator()
    engine.components.trained_network = lambda name: StandInNetwork(name, engine.components.encoder)
    return engine
