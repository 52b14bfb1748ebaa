"""What a decoder needs of a GIF (GIF89a): its first frame, without comments and what applications write.

Pillow keeps all comments of a file in front of its first frame, and follows its blocks one by one.
"""

from __future__ import annotations

from ipcir_tools.errors import BadImageError

_EXTENSION, _FRAME = 0x21, 0x2C
_CONTROL = 0xF9
"""The extension that says which colour is transparent."""
MAX_BLOCKS = 1_000_000
"""Blocks in front of the first frame's pixels, and of these; a file of 50 MB has 200,000 full ones."""


def lean_gif(data: bytes) -> bytes:
    """The file without extensions but for the frame's own, and what follows its first frame; one without a frame is a
    header alone. Raises BadImageError for one that is all blocks."""
    head = 13 + _palette(data[10] if len(data) > 10 else 0)
    kept, place = [data[:head]], head
    blocks = 0
    while place < len(data) and blocks <= MAX_BLOCKS:
        start, kind = place, data[place]
        if kind == _EXTENSION and place + 1 < len(data):
            is_control = data[place + 1] == _CONTROL
            place, n = _skip(data, place + 2, MAX_BLOCKS - blocks)
            if is_control:
                kept[1:] = [data[start:place]]
            blocks += n + 1
        elif kind == _FRAME and place + 10 < len(data):
            place += 10 + _palette(data[place + 9]) + 1
            place, n = _skip(data, place, MAX_BLOCKS - blocks)
            blocks += n
            if blocks > MAX_BLOCKS:
                break
            return b"".join([*kept, data[start:place], b";" if place <= len(data) else b""])
        else:
            place += 1  # Pillow passes over what is no block, too
            blocks += 1
    if blocks > MAX_BLOCKS:
        raise BadImageError(f"a GIF of more than {MAX_BLOCKS:,} blocks")
    return data[:head]


def _palette(flags: int) -> int:
    return 3 * (2 << (flags & 7)) if flags & 128 else 0


def _skip(data: bytes, place: int, most: int) -> tuple[int, int]:
    """The place behind some sub-blocks and how many there are, as far as ``most`` and the file go."""
    n = 0
    while place < len(data) and data[place] and n <= most:
        place += 1 + data[place]
        n += 1
    return place + 1, n
