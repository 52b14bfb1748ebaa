"""What is kept of a decoded picture: upright, RGB, and no larger than whoever asked for it needs.

It is made in strips, so that of a picture of many millions of pixels no second copy is made in other colours or turned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt

from PIL import Image

from ipcir_tools.images.pixels import (
    ENOUGH,
    SIDEWAYS,
    WHOLE,
    Greys,
    cropped_box,
    grey_range,
    to_rgb,
    turned,
    whole_factor,
)

MOST_FOR_PEOPLE = 2**22
"""Pixels that are kept at most for people and captioners: of a picture up to four times as long as wide, those that
``ENOUGH`` leaves; longer ones are reduced further, by both sides alike."""
MOST_FOR_MODELS = 2**24
"""Pixels that are kept at most for a model whose side is not known."""

STRIP = 2**20
"""Pixels that are converted at a time."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""


@dataclass(frozen=True)
class Keeping:
    """Which part of an upright picture is kept, and by how much it is reduced."""

    box: Box
    factor: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is kept."""
        left, top, right, bottom = self.box
        return -(-(right - left) // self.factor), -(-(bottom - top) // self.factor)


def keeping(size: tuple[int, int], side: int | None) -> Keeping:
    """What is kept of an upright picture of ``size``: the whole for people and captioners, where ``side`` is None; for
    an encoder its middle, where it is more than eight times as long as wide. Encoders crop a picture so, anyway."""
    if side is None:
        return Keeping((0, 0, *size), max(min(size) // ENOUGH, _factor_for(size, MOST_FOR_PEOPLE)))
    box = cropped_box(size)
    inner = (box[2] - box[0], box[3] - box[1])
    if side == WHOLE:
        return Keeping(box, _factor_for(inner, MOST_FOR_MODELS))
    return Keeping(box, whole_factor(inner, side))


def _factor_for(size: tuple[int, int], most: int) -> int:
    """By what a picture is reduced, so that about ``most`` pixels are kept."""
    factor = max(1, ceil(sqrt(size[0] * size[1] / most)))
    while ceil(size[0] / factor) * ceil(size[1] / factor) > 1.01 * most + max(size) / 100:
        factor += 1  # the narrow side is a pixel or two, and gets no narrower
    return factor


def keep(image: Image.Image, orientation: int, kept: Keeping) -> Image.Image:
    """The part of a decoded picture, reduced; ``orientation`` is EXIF's."""
    upright = image.size[::-1] if orientation in SIDEWAYS else image.size
    if image.mode == "RGB" and orientation not in range(2, 9) and not image.has_transparency_data:
        if kept.factor > 1:
            return image.reduce(kept.factor, kept.box)
        return image.crop(kept.box)  # a picture without the file that it came from, also where it is the whole
    greys = grey_range(image, STRIP)
    left, top, right, bottom = kept.box
    rows = max(1, STRIP // max(upright[0], 1) // kept.factor) * kept.factor
    page: Image.Image | None = None
    for y in range(top, bottom, rows):
        strip = _strip(image, orientation, (left, y, right, min(y + rows, bottom)), greys)
        strip = strip.reduce(kept.factor) if kept.factor > 1 else strip
        if strip.size == kept.size:
            return strip
        page = page or Image.new("RGB", kept.size)
        page.paste(strip, (0, (y - top) // kept.factor))
    assert page is not None
    return page


def upright_strips(image: Image.Image, orientation: int) -> Iterator[Image.Image]:
    """The whole picture in RGB and upright, as strips from top to bottom."""
    width, height = image.size[::-1] if orientation in SIDEWAYS else image.size
    greys = grey_range(image, STRIP)
    rows = max(1, STRIP // width)
    for y in range(0, height, rows):
        yield _strip(image, orientation, (0, y, width, min(y + rows, height)), greys)


def _strip(image: Image.Image, orientation: int, box: Box, greys: Greys | None) -> Image.Image:
    stored = stored_box(box, orientation, image.size)
    part = image if stored == (0, 0, *image.size) else image.crop(stored)
    return to_rgb(turned(part, orientation), greys)


def stored_box(box: Box, orientation: int, stored: tuple[int, int]) -> Box:
    """Where a part of the upright picture is in the stored one of that size."""
    left, top, right, bottom = box
    if orientation in SIDEWAYS:
        left, top, right, bottom = top, left, bottom, right
    width, height = stored
    if orientation in (2, 3, 7, 8):  # mirrored left to right, as stored
        left, right = width - right, width - left
    if orientation in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    return left, top, right, bottom
