"""What a decoder needs of a PNG, and what its other chunks say of the picture (PNG, third edition).

Pillow inflates all texts and colour profiles of a file, refuses those of a megabyte, and with them the picture, for a
limit that a wrong checksum or a long prompt exceeds. It is given none of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ipcir_tools.errors import BadImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_EXIF, _XMP = b"Raw profile type exif", b"XML:com.adobe.xmp"
"""Keywords of the two texts that say how a picture is turned; all others are left unread."""

MAX_CHUNKS = 200_000
"""Of one file; some programs write a chunk for every few hundred bytes."""
MAX_TEXT = 1_000_000
"""Bytes that are inflated of one of these."""
_BLOCK = 1 << 16
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel by colour type."""


@dataclass(frozen=True)
class PngParts:
    """A PNG without the chunks that no decoder needs, and what is used of these."""

    data: bytes
    exif: bytes
    xmp: bytes
    ended: bool
    """Whether its last chunk is there; not where it is broken somewhere before."""


def split_png(data: bytes) -> PngParts:
    """The parts of a PNG, as far as its chunks can be followed."""
    kept, texts, exif, ended = [SIGNATURE], dict[bytes, bytes](), b"", False
    for kind, start, end in _chunks(data):
        if kind in _NEEDED:
            kept.append(data[start - 8 : end + 4])
            ended = kind == b"IEND" and end + 4 <= len(data)
        elif kind == b"eXIf":
            exif = exif or data[start:end]
        elif kind in _TEXTS and (keyword := data[start : start + 80].partition(b"\0")[0]) in (_EXIF, _XMP):
            texts.setdefault(keyword, _text(kind, data[start + len(keyword) + 1 : end]))
    return PngParts(b"".join(kept), exif or _unpacked(texts.get(_EXIF, b"")), texts.get(_XMP, b""), ended)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's kind and the ends of its body; the last may lack bytes. Raises BadImageError for too many."""
    place = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if place + 8 > len(data):
            return
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if not kind.isalpha():
            return
        yield kind, place + 8, place + 8 + length
        if kind == b"IEND":
            return
        place += 12 + length
    raise BadImageError(f"a PNG of more than {MAX_CHUNKS:,} chunks")


def _text(kind: bytes, body: bytes) -> bytes:
    """A text chunk's text behind its keyword; empty where it cannot be read or is too long."""
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed, body = body[:1] == b"\1", body[2:].split(b"\0", 2)[-1]
    elif packed:
        body = body[1:]
    if not packed:
        return body[:MAX_TEXT]
    try:
        return zlib.decompressobj().decompress(body, MAX_TEXT)
    except zlib.error:
        return b""


def _unpacked(profile: bytes) -> bytes:
    """ImageMagick's EXIF: three lines of heading, then hex digits."""
    try:
        return bytes.fromhex("".join(profile.decode("latin-1").split("\n")[3:]))
    except ValueError:
        return b""


def share_there(data: bytes) -> float:
    """How much of a PNG's pixels can be inflated, 0 to 1, counted in bytes."""
    header = data[16:29]
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    row = 1 + (width * header[8] * _CHANNELS.get(header[9], 1) + 7) // 8
    found, inflate = 0, zlib.decompressobj()
    try:
        for kind, start, end in _chunks(data):
            for at in range(start, min(end, len(data)), _BLOCK) if kind == b"IDAT" else ():
                waiting = data[at : min(at + _BLOCK, end)]
                while waiting and found < row * height and not inflate.eof:
                    found += len(inflate.decompress(waiting, _BLOCK))
                    waiting = inflate.unconsumed_tail
    except zlib.error:
        pass  # what came before it counts
    return min(1.0, found / (row * height))
