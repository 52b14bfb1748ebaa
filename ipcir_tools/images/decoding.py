"""From the bytes of a file to a picture: bytes and pixels are limited, memory is paid for, and time has an end.

Nothing is decoded before its header was read, its size checked and its memory had from the budget. Pictures whose
decoder cannot be stopped, or which may be dear, are decoded in a process that can be ended
(:mod:`ipcir_tools.images.decoder_process`); all others in the thread that asks. Whatever is wrong with a picture is
raised as BadImageError with a short reason.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.costs import MOST_BLOCKS, decoding_bytes, is_dear, jpeg_scans, jpeg_xl_bytes
from ipcir_tools.images.exif import iso_time
from ipcir_tools.images.jpeg_xl import is_jpeg_xl
from ipcir_tools.images.kept import Keeping, keep, keeping
from ipcir_tools.images.opening import OpenedPicture, open_picture
from ipcir_tools.images.pixels import SIDEWAYS, whole_factor
from ipcir_tools.images.quiet import quiet
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

Claim = Callable[[int], None]
"""Takes the memory of one picture from the budget, before it is decoded. Raises BadImageError for too much."""


@dataclass(frozen=True)
class LoadedImage:
    """A picture and its record."""

    record: ImageRecord
    pixels: Image.Image
    """RGB, upright by EXIF, transparency over white, the first frame, reduced as ``images.kept`` says: for people to a
    smaller side of 512 to 1,023 pixels, for a model's ``side`` as ``whole_factor`` says, and of a picture more than
    eight times as long as wide the middle, as encoders see it. ``record`` has the real size."""
    for_people: Image.Image | None = None
    """The same as it is without ``side``, where that was wanted and did not take another decoding."""


@dataclass(frozen=True)
class DecodingRequest:
    """What is to be made of a file's bytes, and within which limits."""

    source: str
    modified: float | None
    """When the file was changed, in seconds since 1970."""
    side: int | None
    max_pixels: int
    damaged: Literal["accept", "refuse"]
    people: bool = False
    """Whether the picture as people see it is wanted, too."""


class DearPictureError(Exception):
    """A picture that is to be decoded in a process of its own."""


def image_id(data: bytes) -> str:
    """A picture's id: the first 16 hex digits of the SHA-256 of its file."""
    return hashlib.sha256(data).hexdigest()[:16]


def decode_here(data: bytes, request: DecodingRequest, claim: Claim, *, dear: bool) -> LoadedImage:
    """The picture, decoded in this thread. Raises BadImageError, and, unless ``dear`` pictures are to be decoded here,
    DearPictureError."""
    try:
        with quiet():
            return _decoded(data, request, claim, dear)
    except (BadImageError, DearPictureError):
        raise
    except Exception as error:  # broad, because on hostile bytes Pillow's plugins raise nearly anything
        raise BadImageError(reason(error)) from error


def _decoded(data: bytes, request: DecodingRequest, claim: Claim, dear: bool) -> LoadedImage:
    decoded_when_opened = is_jpeg_xl(data)

    def check(size: tuple[int, int]) -> None:
        nonlocal decoded_when_opened
        check_size(size, request.max_pixels)
        if decoded_when_opened:
            claim(jpeg_xl_bytes(size))
            decoded_when_opened = False

    opened = open_picture(data, check)
    with opened.image as image:
        size = image.size
        blocks = _checked_scans(opened)
        target, wide = (_fraction(size, each or 0) for each in (request.side, None))
        drafted = opened.format in ("jpeg", "mpo") and image.draft(image.mode, target) is not None
        people = request.people and (target == wide or not drafted)
        if opened.format != "jxl":
            kept = [each.size for each in _kept(opened, request.side, people)]
            memory = decoding_bytes(opened, kept, size)
            if not dear and is_dear(opened, len(data), memory, blocks):
                raise DearPictureError
            claim(memory)
        return _loaded(opened, data, request, size if drafted else None, people)


def _kept(opened: OpenedPicture, side: int | None, people: bool) -> list[Keeping]:
    """What is kept of a picture: for its ``side``, and for people, too, where that is wanted."""
    size = opened.image.size[::-1] if opened.orientation in SIDEWAYS else opened.image.size
    return [keeping(size, each) for each in ((side, None) if people else (side,))]


def _loaded(
    opened: OpenedPicture, data: bytes, request: DecodingRequest, real: tuple[int, int] | None, people: bool
) -> LoadedImage:
    """``real`` is the size of a picture that is decoded in another one."""
    image = opened.image
    damaged = _decode_pixels(opened, request.damaged)
    size = real or image.size  # decoding may find another one than the header
    width, height = size[::-1] if opened.orientation in SIDEWAYS else size
    record = ImageRecord(
        id=image_id(data),
        source=request.source,
        bytes=len(data),
        width=width,
        height=height,
        format=opened.format,
        taken=opened.exif.taken or (None if request.modified is None else iso_time(request.modified)),
        camera=opened.exif.camera,
        latitude=opened.exif.latitude,
        longitude=opened.exif.longitude,
        damaged=damaged,
    )
    made = [keep(image, opened.orientation, each) for each in _kept(opened, request.side, people)]
    return LoadedImage(record, made[0], made[1] if people else None)


def _decode_pixels(opened: OpenedPicture, rule: str) -> bool:
    """Decode what is there of a picture; whether its file lacks its end, or is broken from somewhere on."""
    image, share_there = opened.image, opened.share_there
    broken = not opened.ended
    try:
        if broken and rule == "refuse":
            raise BadImageError(_CUT_OFF)
        image.load()
    except OSError as error:
        if "memory" in str(error):
            raise MemoryError from error
        if share_there is None or rule == "refuse":
            raise
        broken = True
        image.tile = []  # what was decoded so far is the picture, if there is any
        image.load()
    if broken and share_there is not None and share_there(image) < LEAST_THERE:
        raise BadImageError(_CUT_OFF)
    return broken


def _fraction(size: tuple[int, int], side: int) -> tuple[int, int]:
    """At what size a JPEG is decoded for a model's ``side``; 0: for people, in the same decoding as for most models."""
    scale = whole_factor(size, side, (8, 4, 2))
    return size[0] // scale, size[1] // scale


# --- limits


def check_size(size: tuple[int, int], limit: int) -> None:
    """Raise BadImageError for more pixels than the limit."""
    width, height = size
    if width * height > limit:
        most = f"{limit // 1_000_000} million" if limit % 1_000_000 == 0 else f"{limit:,}"
        raise BadImageError(f"{width} x {height} pixels, more than the limit of {most} (IPCIR_MAX_PIXELS)")


def _checked_scans(opened: OpenedPicture) -> float:
    """Blocks that the scans of a JPEG pass over. Raises BadImageError for too many."""
    scans, blocks = jpeg_scans(opened)
    if scans > MAX_SCANS:
        raise BadImageError(f"a JPEG of more than {MAX_SCANS:,} scans")
    if blocks > MOST_BLOCKS:
        width, height = opened.image.size
        raise BadImageError(f"a JPEG of {scans:,} scans over {width} x {height} pixels: takes too long")
    return blocks


def reason(error: Exception) -> str:
    """What is wrong with a picture, as one line."""
    text = str(error)
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    if isinstance(error, (EOFError, IndexError, struct.error)) or any(words in text.lower() for words in _ENDS):
        return _CUT_OFF
    if "libjxl" in text:  # the plugin has one text for all
        return "no readable JPEG XL: cut off or broken"
    return f"cannot be decoded ({excerpt(text) or type(error).__name__})"
