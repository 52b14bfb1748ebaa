"""Any picture that Pillow decodes as 8-bit RGB, upright."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


def turn_upright(image: Image.Image) -> None:
    """Turn and mirror an image of a program, in place, as its EXIF says."""
    with suppress(Exception):  # EXIF is parsed late and fails in many ways; the picture is good without it
        ImageOps.exif_transpose(image, in_place=True)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """A decoded picture upright, by its EXIF orientation."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


UNSIGNED = "ipcir_unsigned"
"""In ``info`` of a picture: whether its numbers of 32 bits have no sign, though Pillow gives them one."""


@dataclass(frozen=True)
class Greys:
    """How deep greys become eight bits: ``low`` is black and ``high`` white."""

    low: float
    high: float
    unsigned: bool = False
    """Whether numbers of 32 bits that Pillow takes for negative are above all others."""
    white_first: bool = False
    """Whether they are stored the other way round."""


def grey_range(image: Image.Image, pixels: int = 2**20) -> Greys | None:
    """How the greys of 16 bits, 32 bits or floats are scaled; None for a picture of other colours.

    Sixteen bits are full scale by definition, and twelve in a TIFF. The other formats do not record their scale, so the
    smallest usual one that holds all values is taken (1 for floats, 255, 65,535), and their own range where none does.
    They are read ``pixels`` at a time.
    """
    mode = image.mode
    if not (mode.startswith("I") or mode == "F"):
        return None
    tags: Any = getattr(image, "tag_v2", {})
    white_first = tags.get(262) == 0
    if mode.startswith("I;16"):
        bits = max(tags.get(258, (16,)))
        return Greys(0.0, float(2**bits - 1) if 8 < bits < 16 else 65_535.0, white_first=white_first)
    unsigned = mode == "I" and bool(image.info.get(UNSIGNED))
    low, high = _extremes(image, pixels, unsigned)
    scales = (1.0, 255.0, 65_535.0) if mode == "F" else (255.0, 65_535.0)
    fitting = [(0.0, top) for top in scales if low >= 0 and high <= top]
    if low == high and not fitting:  # of one value, which is its own range
        low, high = min(low, 0.0), max(high, 0.0)
    return Greys(*(fitting or [(low, high)])[0], unsigned, white_first)


def _extremes(image: Image.Image, pixels: int, unsigned: bool) -> tuple[float, float]:
    """The least and the largest number; zeros where there are none."""
    low, high = np.inf, -np.inf
    rows = max(1, pixels // max(image.width, 1))
    for y in range(0, image.height, rows):
        values = _numbers(image.crop((0, y, image.width, min(y + rows, image.height))), unsigned)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _numbers(image: Image.Image, unsigned: bool) -> NDArray[Any]:
    values = np.asarray(image)
    return values.view(np.uint32) if unsigned else values


def to_rgb(image: Image.Image, greys: Greys | None) -> Image.Image:
    """The first frame as 8-bit RGB: transparency over white, deep greys scaled by ``greys`` rather than clipped."""
    if greys is not None:
        image = Image.fromarray(_eight_bits(_numbers(image, greys.unsigned), greys))
    elif image.has_transparency_data:
        return _over_white(image.convert("RGBA"))
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


def _eight_bits(values: NDArray[Any], greys: Greys) -> NDArray[np.uint8]:
    """Greys ``[h, w]`` of 16 bits, 32 bits or floats as ``[h, w]`` uint8; what is no number is black."""
    if values.dtype.itemsize == 2 and greys.high == 65_535:
        scaled = np.asarray(values >> 8, dtype=np.uint8)
    else:
        span = (greys.high - greys.low) or 1.0
        numbers = np.where(np.isfinite(values), values, greys.low).astype(np.float64)
        scaled = np.asarray(np.rint((numbers - greys.low) * (255 / span)), dtype=np.uint8)
    return 255 - scaled if greys.white_first else scaled


ENOUGH = 512
"""Pixels of the smaller side that are kept of a large picture for people and captioners."""

LEAST = 1024
"""Pixels of the smaller side that are kept of one for an encoder at least: hairlines on white change the feature of a
small network, the demo's, by a cosine of 0.996 with 676 and of 0.997 with 768, for a reduced picture overshoots less.
"""

ROOM = 4
"""How many times a model's side the smaller side is at least that is kept. With 1.7 a drawn pattern of stripes 3 pixels
wide changes its feature by a cosine of 0.967, with 2.6 one of squares 5 pixels wide by 0.998; photographs would bear
less."""

WHOLE = 2**40
"""A model's side for which nothing is reduced: that of a model whose side is not known."""

MAX_ASPECT = 8
"""A picture longer than this many times its width is cropped to its middle for a model."""


def cropped_box(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The middle of a picture of ``size``, at most ``MAX_ASPECT`` times as long as wide: left, top, right, bottom."""
    width, height = size
    most = MAX_ASPECT * min(width, height)
    left, top = max(0, (width - most) // 2), max(0, (height - most) // 2)
    return left, top, width - left, height - top


def crop_extreme(image: Image.Image) -> Image.Image:
    """``image`` in RGB and at most ``MAX_ASPECT`` times as long as wide (its middle part).

    Models scale the shorter side to theirs: a line of 4 x 1,000,000 pixels would become gigabytes.
    """
    image = image if image.mode == "RGB" else image.convert("RGB")
    box = cropped_box(image.size)
    return image if box == (0, 0, *image.size) else image.crop(box)


def whole_factor(size: tuple[int, int], side: int, factors: Iterable[int] | None = None) -> int:
    """By how much a picture may be reduced for a model that sees ``side`` pixels; of ``factors`` only, where given.

    The largest that leaves a smaller side of ``ROOM`` sides and of ``LEAST`` pixels, and no part of a pixel, which
    would shift the picture. One that :func:`crop_extreme` cuts stays whole, for its cut would be shifted.
    """
    short, long = sorted(size)
    most = short // max(ROOM * side, LEAST)
    if long > MAX_ASPECT * short:
        return 1
    fits = (n for n in factors or range(most, 1, -1) if n <= most and not size[0] % n and not size[1] % n)
    return next(fits, 1)


def reduced(image: Image.Image, side: int) -> Image.Image:
    """``image`` reduced as a model that sees ``side`` pixels of it bears; once and twice is the same."""
    factor = whole_factor(image.size, side)
    return image.reduce(factor) if factor > 1 else image
