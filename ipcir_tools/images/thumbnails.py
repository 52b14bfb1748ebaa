"""Small JPEGs of pictures, for pages, agents and vision models."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from ipcir_tools.errors import IPCIRError
from ipcir_tools.images import reading
from ipcir_tools.settings import Settings
from ipcir_tools.sources import Source

if TYPE_CHECKING:
    from PIL import Image


QUALITY = 82
_LOWER_QUALITIES = (70, 50, 30, 10)


def shrink(picture: Image.Image, side: int) -> Image.Image:
    """An RGB copy whose longer side is at most ``side``."""
    from PIL import Image

    small = picture.convert("RGB")  # always a copy
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def encode_jpeg(
    picture: Image.Image, side: int | None = None, *, quality: int = QUALITY, max_bytes: int | None = None
) -> bytes:
    """The picture as a JPEG whose longer side is at most ``side``; the picture itself is left as it is.

    With ``max_bytes``, lower qualities are tried until it fits; the lowest is returned where none does.
    """
    small = picture.convert("RGB") if side is None else shrink(picture, side)
    data = _encode(small, quality)
    for lower in _LOWER_QUALITIES:
        if max_bytes is None or len(data) <= max_bytes:
            break
        data = _encode(small, min(lower, quality))
    return data


def _encode(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def read_thumbnail(path: Source, settings: Settings, side: int) -> bytes | None:
    """The picture in a file as a JPEG whose longer side is at most ``side``; None where it cannot be read."""
    try:
        return encode_jpeg(reading.load(path, settings).pixels, side)
    except IPCIRError:
        return None


def image_uri(picture: Image.Image, side: int | None = None) -> str:
    """The picture as the data URI of such a JPEG."""
    return jpeg_uri(encode_jpeg(picture, side))


def jpeg_uri(data: bytes) -> str:
    """JPEG bytes as ``data:image/jpeg;base64,...``."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
