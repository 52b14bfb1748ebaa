"""A captioner whose likelihoods a test decides: the words of a picture's main colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ipcir_tools.fakes import ScriptedCaptioner, colour_name
from ipcir_tools.models.captioner import VisionFeatures
from ipcir_tools.types import FloatArray


class LikelihoodJudge(ScriptedCaptioner):
    """log P(text | picture) is the mean of the picture's blue over ten, less the number of words.

    ``images_encoded`` and ``pairs_scored`` count.
    """

    gives_likelihoods = True

    def __init__(self, **options: Any) -> None:
        super().__init__(lambda picture: f"a {colour_name(picture)} shirt", **options)
        self.images_encoded = self.pairs_scored = 0

    def encode_images(self, images: Sequence[Image.Image]) -> list[VisionFeatures]:
        self.images_encoded += len(images)
        return [np.asarray(image, np.float32)[..., 2].mean(keepdims=True) for image in images]

    def pair_log_likelihood(self, features: Sequence[VisionFeatures], texts: Sequence[str]) -> FloatArray:
        self.pairs_scored += len(texts)
        return np.array(
            [float(each.mean()) / 10 - len(text.split()) for each, text in zip(features, texts, strict=True)],
            np.float32,
        )
