"""What a decoder needs of a JPEG, and what its other segments say of the picture.

Pillow reads all segments of a file before it decodes: EXIF of any size, colour profiles, the directories of cameras,
each with warnings and limits of its own. It is given none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.exif import read_directory

SIGNATURE = b"\xff\xd8\xff"
END = b"\xff\xd9"
_BARE = frozenset({0x01, *range(0xD0, 0xDA)})
"""Markers without a length behind them."""
_SCAN, _SCAN_MARK = 0xDA, b"\xff\xda"
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Headers of a picture; 2, 6, 10 and 14 are progressive, those from 9 on coded by arithmetic."""
_DROPPED = frozenset({0xFE, *range(0xE1, 0xF0)} - {0xEE})
"""Comments and what applications write, but for JFIF's and Adobe's segments, which say how colours are stored."""
MAX_MARKERS = 50_000
"""Segments, and bytes that fill the room between them; a file has dozens."""
_PICTURES = 0xB001
"""The number of pictures in the directory of an MPO."""

GREY = (126, 129)
"""Values of a picture where its JPEG has no data; exactly 128, give or take the rounding of colours."""
_BAND = 2**20
"""Pixels that are looked at, at a time."""


@dataclass(frozen=True)
class JpegParts:
    """A JPEG without the segments that no decoder needs, and what is used of these."""

    data: bytes
    """What is left, with a further end mark behind it: a decoder fills what is missing before it with grey."""
    exif: bytes
    xmp: bytes
    several: bool
    """Whether further pictures follow it, as in a camera's MPO."""
    ended: bool
    """Whether its end mark is there."""
    many_scans: bool
    """Whether a decoder passes over the picture more than once: it is progressive, or its first scan holds a part of
    its colours."""
    arithmetic: bool
    """Whether it is coded so that a few bytes may stand for much work."""


def split_jpeg(data: bytes) -> JpegParts:
    """The parts of a JPEG; one that ends before its first scan keeps what there is. Raises BadImageError for one that
    is all segments."""
    kept, dropped = [data[:2]], list[tuple[int, bytes]]()
    frames = list[tuple[int, int]]()
    place = 2
    for _ in range(MAX_MARKERS):
        place = data.find(b"\xff", place)
        if place < 0 or place + 1 >= len(data):
            break
        marker = data[place + 1]
        if marker == _SCAN:
            break
        if marker in (0x00, 0xFF) or marker in _BARE:  # no segment: filling, or rubbish between two of them
            place += 1 if marker == 0xFF else 2
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in _DROPPED:
            dropped.append((marker, data[place + 4 : end]))
        else:
            kept.append(data[place:end])
        if marker in _FRAMES and place + 9 < len(data):
            frames.append((marker, data[place + 9]))
        place = max(end, place + 4)
    else:
        raise BadImageError(f"a JPEG of more than {MAX_MARKERS:,} segments")
    scans = data[place:] if place >= 0 else b""
    exif = next((body for marker, body in dropped if marker == 0xE1 and body.startswith(b"Exif\0\0")), b"")
    xmp = next((body for marker, body in dropped if marker == 0xE1 and body.startswith(b"http://ns.adobe")), b"")
    in_scan = scans[4] if len(scans) > 4 else 0
    return JpegParts(
        b"".join([*kept, scans, END]),
        exif,
        xmp,
        _has_several(dropped),
        END in scans,
        many_scans=any(marker & 3 == 2 or in_scan < colours for marker, colours in frames),
        arithmetic=any(marker > 0xC8 for marker, _ in frames),
    )


def _has_several(segments: list[tuple[int, bytes]]) -> bool:
    if any(marker == 0xE1 and b' hdrgm:Version="' in body for marker, body in segments):
        return False  # an Ultra HDR picture: the second is its map of brightness
    directory = next((body[4:] for marker, body in segments if marker == 0xE2 and body.startswith(b"MPF\0")), b"")
    count = read_directory(directory).get(_PICTURES, [0])
    return isinstance(count, list) and count[0] > 1


def scan_blocks(data: bytes, components: Sequence[tuple[int, float]]) -> tuple[int, float]:
    """How many scans there are in a JPEG, and the blocks of 8 x 8 that all of them pass over: each costs its time,
    however few bytes a scan takes.

    ``components``: the number of each, and its blocks in the whole picture.
    """
    blocks = dict(components)
    n, total, place = 0, 0.0, data.find(_SCAN_MARK)
    while place >= 0:
        n += 1
        colours = data[place + 4] if place + 4 < len(data) else 0
        total += sum(blocks.get(number, 0.0) for number in data[place + 5 : place + 5 + 2 * colours : 2])
        place = data.find(_SCAN_MARK, place + 2)
    return n, total


def share_there(image: Image.Image) -> float:
    """How much of a decoded JPEG has data, 0 to 1: what comes above its last rows of nothing but grey."""
    rows = max(1, _BAND // image.width)
    for bottom in range(image.height, 0, -rows):
        top = max(0, bottom - rows)
        band = np.asarray(image.crop((0, top, image.width, bottom))).reshape(bottom - top, -1)
        there = np.flatnonzero(((band < GREY[0]) | (band > GREY[1])).any(axis=1))
        if there.size:
            return float(top + there[-1] + 1) / image.height
    return 0.0
