"""An encoder whose space has real geometry, and a captioner that says what its script says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL.Image import Resampling

from ipcir_tools.models.captioner import EMPTY, BatchCaptioner
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image


COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (255, 0, 0),
    "orange": (255, 150, 0),
    "yellow": (255, 255, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "purple": (128, 0, 128),
    "pink": (255, 170, 190),
    "brown": (130, 70, 30),
}
"""The colour words that ``FakeEncoder`` knows, as red, green, blue."""

_PALETTE = np.array(list(COLOURS.values()), dtype=np.float64)
_SOFTNESS = 60.0  # distance in RGB at which a colour still counts as much the named one
_LAYOUT = 0.15  # weight of the layout against the colour: enough to tell pictures apart, too little to outvote it
_OTHER_WORD = 0.3  # weight of a word that is no colour


class FakeEncoder(Encoder):
    """A space with real geometry: the word of a colour is near pictures in that colour.

    One axis per colour of ``COLOURS``, 16 for a picture's layout (a 4 x 4 grey thumbnail), the rest for all
    other words, each in a direction of its own. ``images_encoded`` and ``texts_encoded`` count the inputs.
    """

    def __init__(self, name: str = "fake:colours", *, dim: int = 64, batch_size: int = 64) -> None:
        if dim < len(COLOURS) + 16 + 8:
            raise ValueError(f"dim must be at least {len(COLOURS) + 16 + 8}")
        super().__init__(name=name, space=f"{name}/{dim}d-00000000", dim=dim, batch_size=batch_size)
        self.images_encoded = 0
        self.texts_encoded = 0

    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        self.images_encoded += len(images)
        return np.stack([self._image(image) for image in images])

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        self.texts_encoded += len(texts)
        return np.stack([self._text(text) for text in texts])

    def _image(self, image: Image.Image) -> FloatArray:
        feature = np.zeros(self.dim, dtype=np.float32)
        feature[: len(COLOURS)] = _likeness(image)
        grey = np.asarray(image.convert("L").resize((4, 4)), dtype=np.float32).ravel() / 255
        feature[len(COLOURS) : len(COLOURS) + 16] = _LAYOUT * (grey - grey.mean())
        return feature

    def _text(self, text: str) -> FloatArray:
        feature = np.zeros(self.dim, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()) or [""]:
            word = "grey" if word == "gray" else word
            if word in COLOURS:
                feature[list(COLOURS).index(word)] += 1
            else:
                feature[len(COLOURS) + 16 :] += _OTHER_WORD * _direction(word, self.dim - len(COLOURS) - 16)
        return feature


def _likeness(image: Image.Image) -> FloatArray:
    """How much of each of ``COLOURS`` the picture shows: ``[11]``, unit norm."""
    pixels = np.asarray(image.convert("RGB").resize((16, 16), Resampling.BOX), dtype=np.float64).reshape(-1, 1, 3)
    distances = (np.linalg.norm(pixels - _PALETTE, axis=2) / _SOFTNESS) ** 2
    shares = np.exp(distances.min(axis=1, keepdims=True) - distances)
    colours = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    return np.asarray(colours / np.linalg.norm(colours), dtype=np.float32)


def _direction(word: str, dim: int) -> FloatArray:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    direction = np.random.default_rng(seed).standard_normal(dim)
    return np.asarray(direction / np.linalg.norm(direction), dtype=np.float32)


def colour_name(image: Image.Image) -> str:
    """The word of ``COLOURS`` that the picture shows most of."""
    return list(COLOURS)[int(np.argmax(_likeness(image)))]


class ScriptedCaptioner(BatchCaptioner):
    """Gives scripted captions: by a function of the picture, or captions by the name of its main colour.

    Without either it names the colour: ``a red picture``. A colour that the mapping lacks gets ``a picture``.
    ``images_captioned`` counts.
    """

    def __init__(
        self,
        captions: Mapping[str, str] | Callable[[Image.Image], str] | None = None,
        *,
        id: str = "scripted:captions/00000000",
        batch_size: int = 16,
    ) -> None:
        super().__init__(id=id, batch_size=batch_size)
        self._captions = captions
        self.images_captioned = 0

    def _caption_batch(self, images: Sequence[Image.Image], n: int) -> list[list[str]]:
        self.images_captioned += len(images)
        return [[self._caption(image)] * n for image in images]

    def _caption(self, image: Image.Image) -> str:
        if callable(self._captions):
            return self._captions(image)
        colour = colour_name(image)
        return f"a {colour} picture" if self._captions is None else self._captions.get(colour, EMPTY)
