"""Small JPEGs of pictures, for pages and for models that see."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.errors import IPCIRError
from ipcir_tools.images import reading
from ipcir_tools.settings import Settings

if TYPE_CHECKING:
    from PIL import Image


QUALITY = 82


def thumbnail(path: Path, settings: Settings, side: int) -> bytes | None:
    """The picture in a file as a JPEG whose longer side is at most ``side``; None where it cannot be read."""
    try:
        return jpeg(reading.load(path, settings).pixels, side)
    except IPCIRError:
        return None


def jpeg(picture: Image.Image, side: int | None = None) -> bytes:
    """The picture as a JPEG whose longer side is at most ``side``; it is itself left as it is."""
    from PIL import Image

    small = picture.convert("RGB")
    if side is not None:
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
    held = io.BytesIO()
    small.save(held, "JPEG", quality=QUALITY)
    return held.getvalue()


def picture_uri(picture: Image.Image, side: int | None = None) -> str:
    """The picture as a data URI of such a JPEG."""
    return data_uri(jpeg(picture, side))


def data_uri(data: bytes) -> str:
    """JPEG bytes as ``data:image/jpeg;base64,...``."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
