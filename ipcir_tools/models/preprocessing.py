"""What open_clip does with a picture before its model sees it, in two steps: one for threads, one for a batch.

:meth:`Preprocessing.pixels` scales and cuts one picture with Pillow, which releases the interpreter lock, and gives
bytes; :meth:`Preprocessing.numbers` makes the model's numbers of a whole batch. Together they give what open_clip's own
transform gives, but for the last digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    import torch


Pixels = NDArray[np.uint8]
"""One picture as the model sees it, ``[h, w, 3]``."""


_MUCH_LARGER = 1.5


class Preprocessing:
    """The preprocessing of one model, from its ``preprocess_cfg``. Safe for many threads."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        from open_clip.transform import PreprocessCfg, image_transform_v2

        chosen = PreprocessCfg(**config)
        _, self._height, self._width = chosen.input_size
        self._filter = Image.Resampling.BILINEAR if chosen.interpolation == "bilinear" else Image.Resampling.BICUBIC
        own = {"shortest": _middle_square, "squash": _whole}.get(chosen.resize_mode)
        self._box: Callable[[tuple[int, int], int], Box] | None = own
        if own is _middle_square and self._height != self._width:
            self._box = None
        self._steps = image_transform_v2(chosen, is_train=False).transforms[:-2]  # without ToTensor and Normalize
        row = np.tile(np.asarray(chosen.std, np.float32), self._width)
        self._scale = 1 / (255 * row)
        self._shift = -np.tile(np.asarray(chosen.mean, np.float32), self._width) / row

    @property
    def side(self) -> int:
        """The longer side of what the model sees: no picture needs a shorter side much larger than this."""
        return int(max(self._height, self._width))

    def pixels(self, image: Image.Image) -> Pixels:
        """``image``, which is RGB, scaled and cut as the model wants it.

        Only the part that is left is scaled. A picture that hardly shrinks takes open_clip's own steps: there Pillow
        chooses the order of rows and columns by what is left, which shows where they overshoot.
        """
        if self._box is not None and min(image.size) >= _MUCH_LARGER * self.side:
            image = image.resize((self._width, self._height), self._filter, self._box(image.size, self._width))
        else:
            for step in self._steps:
                image = step(image)
        return np.asarray(image)

    def numbers(self, items: Sequence[Pixels], device: str, dtype: torch.dtype) -> torch.Tensor:
        """The model's input ``[b, 3, h, w]``, in the memory order that is called channels last."""
        import torch

        rows = torch.from_numpy(np.stack(items)).to(device).reshape(-1, self._width * 3)
        scale, shift = (torch.from_numpy(row).to(device) for row in (self._scale, self._shift))
        numbers = torch.addcmul(shift, rows, scale).to(dtype)
        return numbers.reshape(len(items), self._height, self._width, 3).permute(0, 3, 1, 2)


Box = tuple[float, float, float, float]


def _whole(size: tuple[int, int], side: int) -> Box:
    return (0.0, 0.0, float(size[0]), float(size[1]))


def _middle_square(size: tuple[int, int], side: int) -> Box:
    """The part of a picture that is left where its shorter side is scaled to ``side`` and the middle is cut out, with
    the same rounding as torchvision's."""
    short, long = min(size), max(size)
    scaled = int(side * long / short)
    start = round((scaled - side) / 2)
    ends = (start * long / scaled, (start + side) * long / scaled)
    return (0.0, ends[0], float(short), ends[1]) if size[0] == short else (ends[0], 0.0, ends[1], float(short))
