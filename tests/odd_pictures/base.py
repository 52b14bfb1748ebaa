"""What every odd picture is made of, and what is right for it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[Any]
WIDTH, HEIGHT = 48, 36


@dataclass(frozen=True)
class Odd:
    """A file, and what is right for it: pixels, a named fault, or either of them."""

    kind: str
    data: bytes | Callable[[], bytes]
    """What a heavy one holds is made when it is needed."""
    truth: Pixels | None = None
    """RGB ``[h, w, 3]`` as it is to be shown; None where the file is bad, or only its size is known."""
    words: str | None = None
    """A part of the reason why it is refused; None where it is not to be refused."""
    far: float = 3.0
    """By how much pixels may differ from the truth on average."""
    size: tuple[int, int] | None = None
    """Upright width and height of the record, where there is no truth."""
    may_fail: bool = False
    """Whether a refusal with any reason is right, too: where it depends on the place of a cut."""
    damaged: bool | None = False
    """None: either."""
    heavy: bool = False
    """Takes a second, or hundreds of megabytes."""

    def content(self) -> bytes:
        """The file's bytes."""
        return self.data if isinstance(self.data, bytes) else self.data()


Kind = Callable[[Random], Iterator[Odd]]


def colours(width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """A smooth picture without symmetry, with a dark corner and a bright one."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    made = np.stack([40 + 180 * x, 30 + 190 * y, 230 - 150 * x * y], axis=2)
    made[: height // 4, : width // 4] = (20, 20, 60)
    return np.rint(made).astype(np.uint8)


def greys() -> Pixels:
    return colours()[..., 0]


def rgb(grey: Pixels) -> Pixels:
    """Greys of 8 bits as they are shown."""
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def alphas() -> Pixels:
    return np.broadcast_to(np.linspace(0, 255, HEIGHT)[:, None], (HEIGHT, WIDTH)).round().astype(np.uint8)


def over_white(shown: Pixels, alpha: Pixels) -> Pixels:
    part = alpha[..., None] / 255
    return np.rint(shown * part + 255 * (1 - part)).astype(np.uint8)


def rgba() -> Pixels:
    return np.dstack([colours(), alphas()])


def image(pixels: Pixels, mode: str | None = None) -> Image.Image:
    made = Image.fromarray(np.ascontiguousarray(pixels))
    return made if mode is None else made.convert(mode)


def encoded(picture: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """The upright picture of stored pixels, by EXIF's table: where the stored top row and left column are."""
    return {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: p.transpose(1, 0, 2)[:, ::-1],
        7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda p: p.transpose(1, 0, 2)[::-1],
    }[orientation](pixels)


def exif(orientation: int, order: str = "<") -> bytes:
    head = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + head + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def cuts(kind: str, data: bytes, random: Random, n: int = 3, *, damaged: bool | None = None) -> Iterator[Odd]:
    """The file cut off at some places."""
    for _ in range(n):
        yield Odd(kind, data[: random.randrange(4, len(data))], may_fail=True, damaged=damaged)


# --- PNG and TIFF by hand, so that no encoder decides what is written


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def header(width: int, height: int, depth: int, colour: int, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


END = chunk(b"IEND", b"")


def solid_png(width: int, height: int, depth: int, colour: int, *, interlaced: int = 0) -> bytes:
    """A black PNG, tiny as a file."""
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    packer, packed = zlib.compressobj(9), []
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    for x, y, dx, dy in passes:
        wide, high = -(-(width - x) // dx), -(-(height - y) // dy)
        row, rows = bytes(1 + (wide * bits + 7) // 8), max(high, 0) if wide > 0 else 0
        block = max(1, 4_000_000 // len(row))
        for start in range(0, rows, block):
            packed.append(packer.compress(row * min(block, rows - start)))
    body = b"".join(packed) + packer.flush()
    return png(header(width, height, depth, colour, interlaced), chunk(b"IDAT", body), END)


_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png_of(samples: Pixels, depth: int, colour: int, *more: bytes, interlaced: bool = False, filter: int = 0) -> bytes:
    """A PNG of samples ``[h, w, channels]``, each below ``2 ** depth``."""
    height, width = samples.shape[:2]
    rows = []
    for x, y, dx, dy in _PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[y::dy, x::dx]
        before = b""
        for row in part if part.size else ():
            packed = _packed(row.reshape(-1), depth)
            step = max(1, depth * samples.shape[2] // 8)
            rows.append(bytes([filter]) + _filtered(packed, before or bytes(len(packed)), step, filter))
            before = packed
    body = zlib.compress(b"".join(rows))
    return png(header(width, height, depth, colour, int(interlaced)), *more, chunk(b"IDAT", body), END)


def _packed(values: Pixels, depth: int) -> bytes:
    if depth == 16:
        return values.astype(">u2").tobytes()
    bits = (values[:, None].astype(np.uint8) >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(-1)).tobytes()


def _filtered(row: bytes, above: bytes, step: int, filter: int) -> bytes:
    made = bytearray()
    for i, value in enumerate(row):
        left = row[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        guess = (0, left, above[i], (left + above[i]) // 2, _paeth(left, above[i], corner))[filter]
        made.append((value - guess) % 256)
    return bytes(made)


def _paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    return min((a, b, c), key=lambda each: (abs(p - each), (a, b, c).index(each)))


Tag = tuple[int, int, list[int]]
"""Number, type (3: 16 bits, 4: 32 bits) and values."""


def tiff(body: bytes, tags: list[Tag], order: str = "<", *, after: int = 0) -> bytes:
    """A TIFF of one picture, its pixels in one strip, unless the tags say something else. ``after`` is its next."""
    given = {tag for tag, _, _ in tags}
    base: list[Tag] = [(273, 4, [8]), (279, 4, [len(body)])]
    entries = sorted([each for each in base if each[0] not in given and 324 not in given] + tags)
    start = 8 + len(body) + len(body) % 2
    spare = start + 2 + 12 * len(entries) + 4
    fields, more = [], b""
    for tag, kind, values in entries:
        packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            packed, more = struct.pack(f"{order}I", spare + len(more)), more + packed
        fields.append(struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0"))
    head = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(fields)) + b"".join(fields) + struct.pack(f"{order}I", after)
    return head + struct.pack(f"{order}I", start) + body.ljust(start - 8, b"\0") + directory + more


def tiff_of(samples: Pixels, photometric: int = 1, *tags: Tag, bits: int | None = None, order: str = "<") -> bytes:
    """An uncompressed TIFF of samples ``[h, w]`` or ``[h, w, channels]``, by their own type."""
    height, width = samples.shape[:2]
    n = samples.shape[2] if samples.ndim == 3 else 1
    form = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    body = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    own: list[Tag] = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits or samples.dtype.itemsize * 8] * n),
        (259, 3, [1]),
        (262, 3, [photometric]),
        (277, 3, [n]),
        (278, 4, [height]),
        (339, 3, [form] * n),
    ]
    given = {tag for tag, _, _ in tags}
    return tiff(body, [each for each in own if each[0] not in given] + list(tags), order)
