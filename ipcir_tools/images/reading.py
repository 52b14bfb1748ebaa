"""Opening pictures safely, from files and bytes that are not trusted.

Bytes are limited before they are read and pixels before they are decoded, only the named formats are opened, and only
the first frame is ever decoded. Whatever is wrong with a picture is raised as BadImageError with a short reason.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PIL import Image, ImageFile

from ipcir_tools.errors import BadImageError, IPCIRError, NotFoundError, UnreadableFileError
from ipcir_tools.images.exif import iso_time
from ipcir_tools.images.file_status import GONE, FileStatus, too_many_bytes
from ipcir_tools.images.files import path_text, text_path
from ipcir_tools.images.opening import OpenedPicture, open_picture
from ipcir_tools.images.pixels import ENOUGH, SIDEWAYS, reduced, to_rgb, turn_upright, turned, whole_factor
from ipcir_tools.images.quiet import quiet
from ipcir_tools.images.storage import file_status, read_object
from ipcir_tools.settings import Settings
from ipcir_tools.sources import ObjectUrl, Source
from ipcir_tools.text import excerpt
from ipcir_tools.types import ImageRecord

MAX_SCANS = 1_000
"""Scans of one progressive JPEG; each costs a pass over all pixels and takes only a few bytes."""

LEAST_THERE = 2 / 3
"""How much of a JPEG or PNG that is cut off must be there, so that it is shown as viewers show it: of its rows, or of
the bytes of its pixels."""

_CUT_OFF = "cut off: the file ends early"
_ENDS = ("truncated", "end of file", "no 'meta' box", "insufficient input")
"""What libraries say of such a file; the last three are libheif's."""


@dataclass(frozen=True)
class LoadedImage:
    """A picture and its record."""

    record: ImageRecord
    pixels: Image.Image
    """RGB, upright by EXIF, transparency over white, the first frame. A large picture is reduced to a smaller side
    of 512 to 1,023 pixels, one for a model's ``side`` as ``whole_factor`` says; ``record`` has the real size."""
    for_people: Image.Image | None = None
    """The same as it is without ``side``, where that was wanted and did not take another decoding."""


def image_id(data: bytes) -> str:
    """A picture's id: the first 16 hex digits of the SHA-256 of its file."""
    return hashlib.sha256(data).hexdigest()[:16]


# --- bytes


def read_file(path: Source, settings: Settings, status: FileStatus | None = None) -> bytes:
    """The bytes of a regular file, or of an object, whose ``status`` may be known.

    Raises NotFoundError, BadImageError for anything that is not to be read as a picture, and
    UnreadableFileError, one of its kind, where the system or the object store does not give the bytes.
    """
    if isinstance(path, ObjectUrl):
        return read_object(path, settings, status)
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
        raise UnreadableFileError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _read_limited(handle: int, most: int) -> bytes:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise BadImageError("not a regular file")
    if status.st_size > most:
        raise too_many_bytes(status.st_size, most)
    with os.fdopen(handle, "rb", closefd=False) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise too_many_bytes(len(data), most)
    return data


# --- pictures


def load(path: Source, settings: Settings, *, side: Side | None = None) -> LoadedImage:
    """The picture in a file or an object, for ``side`` as :func:`decode` has it.

    Raises NotFoundError and BadImageError; their text is the reason alone.
    """
    status = file_status(path) if isinstance(path, ObjectUrl) else None
    data = read_file(path, settings, status)
    status = status or file_status(path)
    known = status not in (None, GONE)  # a file may be gone by now
    return decode(
        data, path_text(path), settings, modified=status.mtime_ns / 1e9 if status and known else None, side=side
    )


def read_pixels(source: str, settings: Settings, id: str | None = None) -> Image.Image | str:
    """The pixels of a file, or the reason why there are none. With ``id``, of no other picture than that one."""
    try:
        found = load(text_path(source), settings)
    except IPCIRError as error:
        return str(error)
    return found.pixels if id in (None, found.record.id) else "the file holds another picture by now"


Claim = Callable[[int], None]
"""Called with the bytes that a picture's pixels will take, before they are decoded."""


Side = int | Callable[[], int]
"""What an encoder sees of a picture, in pixels: its ``picture_side``; or what gives that, called where it is needed."""


def decode(
    data: bytes,
    source: str,
    settings: Settings,
    *,
    modified: float | None = None,
    side: Side | None = None,
    claim: Claim | None = None,
    people: bool = False,
) -> LoadedImage:
    """The picture in ``data``, which came from ``source``. Raises BadImageError with the reason alone.

    ``modified`` is the time of its file, in seconds since 1970, for a picture that does not say when it was taken.
    ``side``: the encoder that the pixels are for; all that gives it pixels names it, so that a picture's feature does
    not depend on how it came there. None: they are for people and captioners; ``people``: those are wanted as well.
    """
    if not data:
        raise BadImageError("empty file")
    if len(data) > settings.max_bytes:
        raise too_many_bytes(len(data), settings.max_bytes)
    seen = side() if callable(side) else side
    try:
        with quiet():
            opened = open_picture(data, partial(_check_size, settings=settings))
            with opened.image:
                _check_scans(opened.image, data)
                return _loaded(opened, data, source, settings, modified, seen, claim, people)
    except BadImageError:
        raise
    except Exception as error:  # broad, because on hostile bytes Pillow's plugins raise nearly anything
        raise BadImageError(_reason(error)) from error


def from_image(image: Image.Image, settings: Settings, *, side: Side | None = None) -> LoadedImage:
    """An image that a program has in memory; equal pixels have the same id. Raises BadImageError with the reason alone.

    The id is the first 16 hex digits of the SHA-256 of the size and the upright RGB pixels; ``image`` is not changed.
    ``side`` as :func:`decode` has it.
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
    return LoadedImage(record, _reduced(pixels, side() if callable(side) else side))


def _check_scans(image: ImageFile.ImageFile, data: bytes) -> None:
    if image.info.get("progressive") and data.count(b"\xff\xda") > MAX_SCANS:
        raise BadImageError(f"a JPEG of more than {MAX_SCANS:,} scans")


def _check_size(size: tuple[int, int], settings: Settings) -> None:
    width, height = size
    if width * height > settings.max_pixels:
        limit = settings.max_pixels
        most = f"{limit // 1_000_000} million" if limit % 1_000_000 == 0 else f"{limit:,}"
        raise BadImageError(f"{width} x {height} pixels, more than the limit of {most} (IPCIR_MAX_PIXELS)")


def _loaded(
    opened: OpenedPicture,
    data: bytes,
    source: str,
    settings: Settings,
    modified: float | None,
    side: int | None,
    claim: Claim | None,
    people: bool,
) -> LoadedImage:
    image = opened.image
    size = image.size
    target, wide = (_fraction(size, each or 0) for each in (side, None))
    drafted = opened.format in ("jpeg", "mpo") and image.draft(image.mode, target) is not None
    people = people and (target == wide or not drafted)
    if claim:
        claim(4 * image.width * image.height)
    damaged = _decode_pixels(opened, settings)
    if not drafted:
        size = image.size  # decoding may find another one than the header
    width, height = reversed(size) if opened.orientation in SIDEWAYS else size
    record = ImageRecord(
        id=image_id(data),
        source=source,
        bytes=len(data),
        width=width,
        height=height,
        format=opened.format,
        taken=opened.exif.taken or (None if modified is None else iso_time(modified)),
        camera=opened.exif.camera,
        latitude=opened.exif.latitude,
        longitude=opened.exif.longitude,
        damaged=damaged,
    )
    pixels = to_rgb(turned(image, opened.orientation))
    return LoadedImage(record, _reduced(pixels, side), _reduced(pixels, None) if people else None)


def _decode_pixels(opened: OpenedPicture, settings: Settings) -> bool:
    """Decode what is there of a picture; whether its file lacks its end, or is broken from somewhere on."""
    image, share_there = opened.image, opened.share_there
    broken = not opened.ended
    try:
        if broken and settings.damaged == "refuse":
            raise BadImageError(_CUT_OFF)
        image.load()
    except OSError:
        if share_there is None or settings.damaged == "refuse":
            raise
        broken = True
        image.tile = []  # what was decoded so far is the picture
    if broken and share_there is not None and share_there(image) < LEAST_THERE:
        raise BadImageError(_CUT_OFF)
    return broken


def _fraction(size: tuple[int, int], side: int) -> tuple[int, int]:
    """At what size a JPEG is decoded for a model's ``side``; 0: for people, in the same decoding as for most models."""
    scale = whole_factor(size, side, (8, 4, 2))
    return size[0] // scale, size[1] // scale


def _reduced(image: Image.Image, side: int | None) -> Image.Image:
    if side is not None:
        return reduced(image, side)
    factor = min(image.size) // ENOUGH
    return image.reduce(factor) if factor > 1 else image


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    if isinstance(error, (EOFError, IndexError, struct.error)) or any(words in text.lower() for words in _ENDS):
        return _CUT_OFF
    if "libjxl" in text:  # the plugin has one text for all
        return "no readable JPEG XL: cut off or broken"
    return f"cannot be decoded ({excerpt(text) or type(error).__name__})"
