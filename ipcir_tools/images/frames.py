"""How many frames a GIF or TIFF has, counted without decoding and never further than asked.

Pillow's ``n_frames`` walks the whole file and builds a Python object per frame; a hostile file of 50 MB makes that
take minutes. The other formats write the number into their header.
"""

from __future__ import annotations

import struct

from PIL import Image


def count_frames(image: Image.Image, data: bytes, most: int) -> int:
    """Frames of the opened ``image`` whose file is ``data``; any number above ``most`` means: more than that."""
    if image.format == "GIF":
        return _gif_frames(data, most)
    if image.format == "TIFF":
        return _tiff_frames(data, most)
    return int(getattr(image, "n_frames", 1))


def _gif_frames(data: bytes, most: int) -> int:
    frames = 0
    try:
        at = 13 + _colour_table(data[10])
        while frames <= most and data[at] in (0x21, 0x2C):  # an extension, a frame; anything else ends the file
            if data[at] == 0x21:
                at += 2
            else:
                frames += 1
                at += 11 + _colour_table(data[at + 9])
            while data[at]:
                at += data[at] + 1
            at += 1
    except IndexError:
        pass  # cut off: what was counted so far counts
    return frames


def _colour_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _tiff_frames(data: bytes, most: int) -> int:
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    count, link, entry = (f"{order}Q", f"{order}Q", 20) if big else (f"{order}H", f"{order}I", 12)
    frames = 0
    try:
        (at,) = struct.unpack_from(link, data, 8 if big else 4)
        while at and frames <= most:
            frames += 1
            (entries,) = struct.unpack_from(count, data, at)
            (at,) = struct.unpack_from(link, data, at + struct.calcsize(count) + entries * entry)
    except (struct.error, OverflowError):
        pass  # cut off, or a link that leads out of the file
    return frames
