"""JPEG XL: whether its plugin for Pillow is there, and a picture's size before anything is decoded.

The plugin decodes all pixels when it opens a file, so the size is read here first (ISO/IEC 18181-1, SizeHeader;
18181-2, boxes).
"""

from __future__ import annotations

import io
from importlib.util import find_spec

from PIL import ImageFile

from ipcir_tools.errors import BadImageError

_BARE = b"\xff\x0a"
_BOXES = b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, where a picture has one of the usual shapes."""
MAX_BOXES = 1_000
_HEADER = 32
"""Bytes that are more than the size takes."""


def is_jpeg_xl(data: bytes) -> bool:
    """Whether a file begins as JPEG XL."""
    return data.startswith((_BARE, _BOXES))


def check_installed() -> None:
    """Raise BadImageError where the plugin is not installed."""
    if find_spec("pillow_jxl") is None:
        raise BadImageError("JPEG XL needs a plugin: pip install 'ipcir-tools[jxl]'")


def open_jpeg_xl(data: bytes) -> ImageFile.ImageFile:
    """The picture, all decoded."""
    from pillow_jxl.JpegXLImagePlugin import JXLImageFile

    opened: ImageFile.ImageFile = JXLImageFile(io.BytesIO(data), "")
    return opened


def jpeg_xl_size(data: bytes) -> tuple[int, int]:
    """Width and height by the header; of a picture that is turned, the other way round. Raises BadImageError."""
    stream = data[2 : 2 + _HEADER] if data.startswith(_BARE) else _first_stream(data)[2 : 2 + _HEADER]
    if len(stream) < 2:
        raise BadImageError("cut off: the file ends early")
    bits = _Bits(stream)
    by_eight = bits.take(1)
    height = _extent(bits, by_eight)
    ratio = bits.take(3)
    if ratio == 0:
        return _extent(bits, by_eight), height
    wide, high = _RATIOS[ratio - 1]
    return height * wide // high, height


class _Bits:
    """The bits of some bytes, the lowest first; zeros behind their end."""

    def __init__(self, data: bytes) -> None:
        self._left = int.from_bytes(data, "little")

    def take(self, n: int) -> int:
        value, self._left = self._left & ((1 << n) - 1), self._left >> n
        return value


def _extent(bits: _Bits, by_eight: int) -> int:
    return 8 * (1 + bits.take(5)) if by_eight else 1 + bits.take((9, 13, 18, 30)[bits.take(2)])


def _first_stream(data: bytes) -> bytes:
    """The beginning of the picture's own stream among the boxes of a file."""
    place = 0
    for _ in range(MAX_BOXES):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        if kind in (b"jxlc", b"jxlp"):
            start = place + head + (4 if kind == b"jxlp" else 0)
            return data[start : start + 2 + _HEADER]
        if length < head:  # to the end of the file, or no box at all
            break
        place += length
    return b""
