"""An encoder with a modality gap: pictures resemble pictures, and texts texts, more than what they show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.models.encoder import Encoder
from ipcir_tools.text import json_digest
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image


DEMO_WITH_GAP = "python:ipcir_tools.fakes:demo_with_gap"
"""The name of :func:`demo_with_gap` as an encoder."""


class ModalityGapEncoder(Encoder):
    """Another encoder, its features shifted and shrunk as those of published CLIPs are (Liang et al., 2022,
    arXiv 2203.02053).

    With x the feature of a picture and t that of a text under ``inner``, the features here are
    ``[sqrt(1 - a^2) * x, a, 0]`` and ``[b * t, c, sqrt(1 - b^2 - c^2)]``: all pictures have one component in common,
    ``a`` (``image_common``), all texts another, and of a text's own part only ``b`` (``text_own``) is left. ``c``
    (``text_common``) is how much of the pictures' component the texts have, so that every text is somewhat near to
    every picture. Cosines among pictures become ``(1 - a^2) * x.x' + a^2``, those of texts with pictures
    ``b * sqrt(1 - a^2) * t.x + a * c``: a text orders pictures as it did, and so does a picture, but the two spread
    differently, and a fixed weight between them means another thing.

    The defaults give the demo's encoder on the wardrobe picture-picture cosines of 0.57 +- 0.14 and text-picture
    cosines of 0.23 +- 0.04, which are 0.05 +- 0.31 and 0.05 +- 0.30 without. Pseudo words are not supported.
    """

    def __init__(
        self,
        inner: Encoder,
        *,
        image_common: float = 0.74,
        text_common: float = 0.3,
        text_own: float = 0.2,
        name: str | None = None,
    ) -> None:
        """``name`` is its name as an encoder (None: from the inner one's).

        Raises ValueError where the components of a feature are more than its norm, or nothing is left of its own part.
        """
        if not (0.0 <= image_common < 1.0 and text_own > 0.0 and math.hypot(text_common, text_own) <= 1.0):
            raise ValueError(
                "A modality gap needs 0 <= image_common < 1, 0 < text_own and text_common^2 + text_own^2 <= 1."
            )
        name, dim = name or f"gap:{inner.name}", inner.dim + 2
        digest = json_digest([inner.space, image_common, text_common, text_own])[:8]
        super().__init__(
            name=name,
            space=f"{name}/{dim}d-{digest}",
            dim=dim,
            device=inner.device,
            dtype=inner.dtype,
            batch_size=inner.batch_size,
        )
        self._inner = inner
        self._image_common, self._text_common, self._text_own = image_common, text_common, text_own

    def shift_images(self, features: FloatArray) -> FloatArray:
        """Features ``[n, dim]`` of pictures, of the inner encoder's ``[n, dim - 2]``; both of unit norm."""
        return _extended(features, math.sqrt(1 - self._image_common**2), self._image_common)

    def shift_texts(self, features: FloatArray) -> FloatArray:
        """The same of texts."""
        return _extended(features, self._text_own, self._text_common)

    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        return self.shift_images(self._inner.embed_images(images))

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        return self.shift_texts(self._inner.embed_texts(texts))


def _extended(features: FloatArray, own: float, common: float) -> FloatArray:
    """``[own * feature, common, rest]`` of unit norm."""
    rest = math.sqrt(max(0.0, 1.0 - own**2 - common**2))
    more = np.broadcast_to(np.array([common, rest]), (len(features), 2))
    return np.concatenate([own * features, more], axis=1).astype(np.float32)


def demo_with_gap() -> ModalityGapEncoder:
    """The demo's encoder with the modality gap, as :data:`DEMO_WITH_GAP`.

    ``ipcir eval wardrobe --models demo --encoder python:ipcir_tools.fakes:demo_with_gap``. Its space is its own, so it
    needs a home folder of its own, and the demo's trained networks do not fit it.
    """
    from ipcir_tools.models.loading import load_encoder
    from ipcir_tools.models.presets import DEMO, SETS

    return ModalityGapEncoder(load_encoder(SETS[DEMO].encoder), name=DEMO_WITH_GAP)
