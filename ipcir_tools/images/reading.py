"""Opening pictures safely, from files and bytes that are not trusted.

Bytes are limited before they are read and pixels before they are decoded, memory and time are bounded
(:mod:`ipcir_tools.images.decoding`), only the named formats are opened, and only the first frame is ever decoded.
Whatever is wrong with a picture is raised as BadImageError with a short reason.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from PIL import Image

from ipcir_tools.errors import BadImageError, IPCIRError, NotFoundError, UnreadableFileError
from ipcir_tools.images.budget import decoder_share, file_share
from ipcir_tools.images.costs import picture_bytes
from ipcir_tools.images.decoder_process import decode_apart
from ipcir_tools.images.decoding import (
    DearPictureError,
    DecodingRequest,
    LoadedImage,
    check_size,
    decode_here,
    image_id,
    reason,
)
from ipcir_tools.images.file_status import GONE, FileStatus, too_many_bytes
from ipcir_tools.images.files import path_text, text_path
from ipcir_tools.images.handles import handle_status, opened_file
from ipcir_tools.images.kept import keep, keeping, upright_strips
from ipcir_tools.images.opening import needs_process
from ipcir_tools.images.pixels import turn_upright
from ipcir_tools.images.storage import file_status, read_object
from ipcir_tools.settings import Settings
from ipcir_tools.sources import ObjectUrl, Source
from ipcir_tools.types import ImageRecord

__all__ = ["LoadedImage", "Side", "decode", "from_image", "image_id", "load", "read_file", "read_pixels"]


# --- bytes


def read_file(path: Source, settings: Settings, status: FileStatus | None = None, exact: bool = False) -> bytes:
    """The bytes of a regular file, or of an object, whose ``status`` may be known.

    ``exact``: no part of the file's path, which is absolute, may be a link. Raises NotFoundError, BadImageError for
    anything that is not to be read as a picture, and UnreadableFileError, one of its kind, where the system or the
    object store does not give the bytes.
    """
    return read_with_status(path, settings, status, exact=exact)[0]


def read_with_status(
    path: Source, settings: Settings, status: FileStatus | None = None, *, exact: bool = False
) -> tuple[bytes, FileStatus | None]:
    """The same with the status of what was read: of a file as it was opened, of an object as it is known."""
    if isinstance(path, ObjectUrl):
        return read_object(path, settings, status), status
    try:
        with opened_file(path, exact=exact) as handle:
            return _read_limited(handle, settings.max_bytes), handle_status(handle)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("does not exist") from error
    except (OSError, ValueError) as error:
        raise UnreadableFileError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _read_limited(handle: int, most: int) -> bytes:
    size = handle_status(handle).size
    if size > most:
        raise too_many_bytes(size, most)
    with os.fdopen(handle, "rb", closefd=False) as file:
        data: bytes | None = file.read(most + 1)
    if data is None:  # a file of the system that has nothing to say now
        raise UnreadableFileError("cannot be read (nothing is there yet)")
    if len(data) > most:  # it has grown since
        raise too_many_bytes(len(data), most)
    return data


# --- pictures


def load(path: Source, settings: Settings, *, side: Side | None = None, exact: bool = False) -> LoadedImage:
    """The picture in a file or an object, for ``side`` as :func:`decode` has it; ``exact`` as of :func:`read_file`.

    Raises NotFoundError and BadImageError; their text is the reason alone.
    """
    try:
        known = file_status(path)
    except ValueError:  # no file can have such a name, which reading says
        known = None
    with file_share(min(known.size, settings.max_bytes) if known else 0, settings.decode_memory):
        data, status = read_with_status(path, settings, known if isinstance(path, ObjectUrl) else None, exact=exact)
        modified = status.mtime_ns / 1e9 if status and status != GONE else None
        return decode(data, path_text(path), settings, modified=modified, side=side)


def read_pixels(
    source: str,
    settings: Settings,
    id: str | None = None,
    *,
    longest: int | None = None,
    side: int | None = None,
) -> Image.Image | str:
    """The pixels of a file, or the reason why there are none. With ``id``, of no other picture than that one; with
    ``longest``, reduced to that many on the longer side at most; ``side`` as :func:`decode` has it."""
    try:
        found = load(text_path(source), settings, side=side)
    except IPCIRError as error:
        return str(error)
    if id not in (None, found.record.id):
        return "the file holds another picture by now"
    if longest is not None:
        found.pixels.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return found.pixels


Side = int | Callable[[], int]
"""What an encoder sees of a picture, in pixels: its ``picture_side``; or what gives that, called where it is needed."""


def decode(
    data: bytes,
    source: str,
    settings: Settings,
    *,
    modified: float | None = None,
    side: Side | None = None,
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
    request = DecodingRequest(source, modified, seen, settings.max_pixels, settings.damaged, people)
    with file_share(len(data), settings.decode_memory):
        if needs_process(data):
            return decode_apart(data, request, settings.decode_memory)
        try:
            with decoder_share(settings.decode_memory) as claim:
                return decode_here(data, request, claim, dear=False)
        except DearPictureError:
            return decode_apart(data, request, settings.decode_memory)


def from_image(image: Image.Image, settings: Settings, *, side: Side | None = None) -> LoadedImage:
    """An image that a program has in memory; equal pixels have the same id. Raises BadImageError with the reason alone.

    The id is the first 16 hex digits of the SHA-256 of the size and the upright RGB pixels; ``image`` is not changed.
    ``side`` as :func:`decode` has it.
    """
    try:
        check_size(image.size, settings.max_pixels)
        if not all(image.size):
            raise BadImageError("it has no pixels")
        with decoder_share(settings.decode_memory) as claim:
            claim(3 * picture_bytes(image.mode, image.size))
            own = image.copy()  # also reads the pixels of an image that is open as a file
            turn_upright(own)
            width, height = own.size
            digest, size = hashlib.sha256(f"{width}x{height}:".encode()), 0
            for strip in upright_strips(own, 1):
                data = strip.tobytes()
                digest.update(data)
                size += len(data)
            pixels = keep(own, 1, keeping(own.size, side() if callable(side) else side))
    except BadImageError:
        raise
    except Exception as error:  # broad, because an image that was not read yet is decoded here
        raise BadImageError(reason(error)) from error
    id_ = digest.hexdigest()[:16]
    record = ImageRecord(id=id_, source=f"image:{id_}", bytes=size, width=width, height=height, format="rgb")
    return LoadedImage(record, pixels)
