"""Opening pictures safely, from files and bytes that are not trusted.

Bytes are limited before they are read and pixels before they are decoded, only the named formats are opened, and only
the first frame is ever decoded. Whatever is wrong with a picture is raised as BadImageError with a short reason.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageFile

from ipcir_tools.errors import BadImageError, IPCIRError, NotFoundError
from ipcir_tools.images.files import path_text, text_path
from ipcir_tools.images.pixels import to_rgb, turn_upright
from ipcir_tools.settings import Settings
from ipcir_tools.text import excerpt
from ipcir_tools.types import ImageRecord

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What is opened, by Pillow's names; the camera's MPO comes with JPEG."""

ENOUGH = 512
"""Pixels of the smaller side that are kept of a large picture; no model here looks at more."""

MAX_SCANS = 1_000
"""Scans of one progressive JPEG; each costs a pass over all pixels and takes only a few bytes."""


@dataclass(frozen=True)
class LoadedImage:
    """A picture and its record."""

    record: ImageRecord
    pixels: Image.Image
    """RGB, upright by EXIF, transparency over white, the first frame. A large picture is reduced to a smaller side
    of 512 to 1,023 pixels; ``record`` has the real size."""


def image_id(data: bytes) -> str:
    """A picture's id: the first 16 hex digits of the SHA-256 of its file."""
    return hashlib.sha256(data).hexdigest()[:16]


# --- bytes


def read_file(path: Path, settings: Settings) -> bytes:
    """The bytes of a regular file. Raises NotFoundError, or BadImageError for anything that is not to be read as a
    picture."""
    try:
        # Without O_NONBLOCK, opening a FIFO without a writer would wait for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            return _read_limited(handle, settings.max_bytes)
        finally:
            os.close(handle)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("does not exist") from error
    except (OSError, ValueError) as error:
        raise BadImageError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _read_limited(handle: int, most: int) -> bytes:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise BadImageError("not a regular file")
    if status.st_size > most:
        raise _too_many_bytes(status.st_size, most)
    with os.fdopen(handle, "rb", closefd=False) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _too_many_bytes(len(data), most)
    return data


def _too_many_bytes(size: int, most: int) -> BadImageError:
    return BadImageError(f"{size:,} bytes, more than the limit of {most:,} (IPCIR_MAX_BYTES)")


# --- pictures


def load(path: Path, settings: Settings) -> LoadedImage:
    """The picture in a file. Raises NotFoundError and BadImageError; their text is the reason alone."""
    return decode(read_file(path, settings), path_text(path), settings)


def read_pixels(source: str, settings: Settings, id: str | None = None) -> Image.Image | str:
    """The pixels of a file, or the reason why there are none. With ``id``, of no other picture than that one."""
    try:
        found = load(text_path(source), settings)
    except IPCIRError as error:
        return str(error)
    return found.pixels if id in (None, found.record.id) else "the file holds another picture by now"


def decode(data: bytes, source: str, settings: Settings) -> LoadedImage:
    """The picture in ``data``, which came from ``source``. Raises BadImageError with the reason alone."""
    if not data:
        raise BadImageError("empty file")
    if len(data) > settings.max_bytes:
        raise _too_many_bytes(len(data), settings.max_bytes)
    try:
        with _opened(data) as image:
            _check_limits(image, data, settings)
            return _loaded(image, data, source)
    except BadImageError:
        raise
    except Exception as error:  # broad, because on hostile bytes Pillow's plugins raise nearly anything
        raise BadImageError(_reason(error)) from error


def from_image(image: Image.Image, settings: Settings) -> LoadedImage:
    """An image that a program has in memory; equal pixels have the same id. Raises BadImageError with the reason alone.

    The id is the first 16 hex digits of the SHA-256 of the size and the upright RGB pixels; ``image`` is not changed.
    """
    try:
        _check_size(image.size, settings)
        if not all(image.size):
            raise BadImageError("it has no pixels")
        own = image.copy()  # also reads the pixels of an image that is open as a file
        turn_upright(own)
        pixels = to_rgb(own)
    except BadImageError:
        raise
    except Exception as error:  # broad, because an image that was not read yet is decoded here
        raise BadImageError(_reason(error)) from error
    data = pixels.tobytes()
    width, height = pixels.size
    id_ = image_id(f"{width}x{height}:".encode() + data)
    record = ImageRecord(id=id_, source=f"image:{id_}", bytes=len(data), width=width, height=height, format="rgb")
    return LoadedImage(record, _reduced(pixels))


def _opened(data: bytes) -> ImageFile.ImageFile:
    """The header read, nothing decoded.

    ``Image.open`` does the same, but warns of many pixels, which have a limit of their own here.
    """
    Image.init()
    for name in FORMATS:
        factory, accepts = Image.OPEN.get(name, (None, None))
        if factory is not None and accepts is not None and accepts(data[:16]) is True:
            return factory(io.BytesIO(data), "")
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        raise BadImageError("HEIC is not supported: convert the picture to JPEG")
    raise BadImageError("not a picture in a known format")


def _check_limits(image: ImageFile.ImageFile, data: bytes, settings: Settings) -> None:
    _check_size(image.size, settings)
    if image.info.get("progressive") and data.count(b"\xff\xda") > MAX_SCANS:
        raise BadImageError(f"a JPEG of more than {MAX_SCANS:,} scans")


def _check_size(size: tuple[int, int], settings: Settings) -> None:
    width, height = size
    if width * height > settings.max_pixels:
        limit = settings.max_pixels
        most = f"{limit // 1_000_000} million" if limit % 1_000_000 == 0 else f"{limit:,}"
        raise BadImageError(f"{width} x {height} pixels, more than the limit of {most} (IPCIR_MAX_PIXELS)")


def _loaded(image: ImageFile.ImageFile, data: bytes, source: str) -> LoadedImage:
    width, height = image.size
    if image.draft(image.mode, (ENOUGH, ENOUGH)) is None:
        image.load()
        width, height = image.size  # a TIFF turns itself while it loads
    image.load()
    if turn_upright(image):
        width, height = height, width
    record = ImageRecord(
        id=image_id(data),
        source=source,
        bytes=len(data),
        width=width,
        height=height,
        format=(image.format or "").lower(),
    )
    return LoadedImage(record, _reduced(to_rgb(image)))


def _reduced(image: Image.Image) -> Image.Image:
    factor = min(image.size) // ENOUGH
    return image.reduce(factor) if factor > 1 else image


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    if isinstance(error, (EOFError, IndexError, struct.error)) or "truncated" in text.lower():
        return "cut off: the file ends early"
    return f"cannot be decoded ({excerpt(text) or type(error).__name__})"
