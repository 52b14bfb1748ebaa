"""Any picture that Pillow decodes as 8-bit RGB, upright."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By the EXIF tag Orientation: what makes the picture upright."""

_ORIENTATION = 0x0112


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded picture, 1 to 8; 1 where it says none."""
    try:
        found = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - EXIF is parsed late and fails in many ways; the picture is good without it
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def is_sideways(orientation: int) -> bool:
    """Whether making the picture upright swaps width and height."""
    return orientation >= 5


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned and mirrored as its EXIF orientation says."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def to_rgb(image: Image.Image) -> Image.Image:
    """The first frame as 8-bit RGB: transparency over white, deep greys scaled rather than clipped."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(np.asarray(image), image.mode))
    elif image.has_transparency_data:
        return _over_white(image.convert("RGBA"))
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


def _eight_bits(values: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """Greys ``[h, w]`` of 16 bits, 32 bits or floats as ``[h, w]`` uint8.

    Sixteen bits are full scale by definition. For the others the file does not say, so the smallest usual scale
    that holds all values is taken (1 for floats, 255, 65,535), and their own range where none does.
    """
    if mode.startswith("I;16"):
        return np.asarray(values >> 8, dtype=np.uint8)
    values = np.where(np.isfinite(values), values, 0).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    scales = (1.0, 255.0, 65_535.0) if mode == "F" else (255.0, 65_535.0)
    fitting = [(0.0, top) for top in scales if low >= 0 and high <= top]
    low, high = (fitting or [(low, high)])[0]
    return np.asarray(np.rint((values - low) * (255 / (high - low))), dtype=np.uint8)


MAX_ASPECT = 8
"""A picture longer than this many times its width is cut to the middle before a model sees it."""


def sane(image: Image.Image) -> Image.Image:
    """``image`` in RGB and at most ``MAX_ASPECT`` times as long as wide (its middle part).

    Models scale the shorter side to theirs: a line of 4 x 1,000,000 pixels would become gigabytes.
    """
    image = image if image.mode == "RGB" else image.convert("RGB")
    width, height = image.size
    most = MAX_ASPECT * min(width, height)
    left, top = max(0, (width - most) // 2), max(0, (height - most) // 2)
    return image.crop((left, top, width - left, height - top)) if left or top else image
