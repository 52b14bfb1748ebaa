"""TIFFs: samples of every kind, compressions, strips, tiles, directories."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from random import Random

import numpy as np

from odd_pictures.base import (
    HEIGHT,
    WIDTH,
    Odd,
    Pixels,
    colours,
    cuts,
    encoded,
    greys,
    image,
    over_white,
    rgb,
    rgba,
    tiff,
    tiff_of,
    turned,
)

SHAPE = (HEIGHT, WIDTH)


def shown(values: Pixels, low: float, high: float) -> Pixels:
    """Greys between black and white, as 8 bits; what is no number is black."""
    part = np.where(np.isfinite(values), (values.astype(np.float64) - low) / ((high - low) or 1), 0)
    return rgb(np.rint(255 * np.clip(part, 0, 1)))


def deep_greys(random: Random) -> Iterator[Odd]:
    part = greys() / 255
    for order in "<>":
        ways = "II" if order == "<" else "MM"
        for name, type_, top in (
            ("uint8", np.uint8, 255),
            ("uint16", np.uint16, 65_535),
            ("uint32 to 255", np.uint32, 255),
            ("uint32 to 65,535", np.uint32, 65_535),
            ("uint32 of full scale", np.uint32, 2**32 - 1),
            ("int32 to 1,000,000", np.int32, 1_000_000),
            ("float32 to 1", np.float32, 1),
            ("float32 to 255", np.float32, 255),
            ("float32 to 65,535", np.float32, 65_535),
            ("float32 to 1e6", np.float32, 1e6),
            ("float32 to 1e38", np.float32, 1e38),
        ):
            values = (part * top).astype(type_)
            low = 0 if top in (1, 255, 65_535) else float(values.min())
            high = top if low == 0 else float(values.max())
            yield Odd(f"tiff {name}", tiff_of(values, order=order), shown(values, low, high), far=1.5)
        signed = (part * 2e38 - 1e38).astype(np.float32)
        low, high = float(signed.min()), float(signed.max())
        yield Odd(f"tiff float32 below and above 0, {ways}", tiff_of(signed, order=order), shown(signed, low, high))
        twelve = np.rint(part * 4_095).astype(np.uint32)
        bits = ((twelve.reshape(-1, 1) >> np.arange(11, -1, -1)) & 1).astype(np.uint8)
        body = np.packbits(bits.reshape(HEIGHT, -1), axis=1).tobytes()
        tags = [(256, 4, [WIDTH]), (257, 4, [HEIGHT]), (258, 3, [12]), (259, 3, [1]), (262, 3, [1]), (277, 3, [1])]
        if order == "<":
            yield Odd("tiff of 12 bits", tiff(body, [*tags, (278, 4, [HEIGHT])]), rgb(greys()), may_fail=True)
    white_first = 65_535 - (greys().astype(np.uint16) * 257)
    yield Odd("tiff of 16 bits, white first", tiff_of(white_first, 0), rgb(greys()))
    yield Odd("tiff of 8 bits, white first", tiff_of(255 - greys(), 0), rgb(greys()))
    yield Odd("tiff of 64-bit floats", tiff_of(part.astype(np.float64)), words="c")
    yield Odd("tiff of 16-bit floats", tiff_of(part.astype(np.float16)), words="c")


def uniform(random: Random) -> Iterator[Odd]:
    for value in (0.0, 0.5, 1.0, 200.0, 30_000.0, 1e6, 3e38, -5.0, -3e38):
        values = np.full(SHAPE, value, np.float32)
        top = next((each for each in (1, 255, 65_535) if 0 <= value <= each), None)
        low, high = (0, top) if top else (min(0, value), max(0, value))
        yield Odd("tiff float32 of one value", tiff_of(values), shown(values, low, high), far=1)
    for value in (0, 7, 60_000, 2_000_000, -9):
        values = np.full(SHAPE, value, np.int32)
        top = next((each for each in (255, 65_535) if 0 <= value <= each), None)
        low, high = (0, top) if top else (min(0, value), max(0, value))
        yield Odd("tiff int32 of one value", tiff_of(values), shown(values, low, high), far=1)
    for name, value in (("NaN", np.nan), ("infinity", np.inf), ("minus infinity", -np.inf)):
        values = (greys() / 255).astype(np.float32)
        values[:9] = value
        yield Odd(f"tiff float32 with {name}", tiff_of(values), shown(values, 0, 1), far=1)
        yield Odd(
            f"tiff float32 of {name}", tiff_of(np.full(SHAPE, value, np.float32)), shown(np.zeros(SHAPE), 0, 1), far=1
        )
    tiny = (greys() * 1e-44).astype(np.float32)
    yield Odd("tiff of the smallest floats", tiff_of(tiny), np.zeros((*SHAPE, 3), np.uint8), far=1)


def colour_kinds(random: Random) -> Iterator[Odd]:
    true = colours()
    alpha: tuple[int, int, list[int]] = (338, 3, [2])
    yield Odd("tiff RGB", tiff_of(true, 2), true)
    yield Odd("tiff RGBA", tiff_of(rgba(), 2, alpha), over_white(true, rgba()[..., 3]))
    yield Odd("tiff RGB of 16 bits", tiff_of(true.astype(np.uint16) * 257, 2), true)
    yield Odd("tiff RGB of 16 bits, MM", tiff_of(true.astype(np.uint16) * 257, 2, order=">"), true)
    yield Odd("tiff RGB of floats", tiff_of((true / 255).astype(np.float32), 2), words="c")
    yield Odd("tiff of 5 colours", tiff_of(np.dstack([true, true[..., :2]]), 2), may_fail=True)
    stored = np.dstack([255 - true, np.zeros(SHAPE, np.uint8)])
    yield Odd("tiff CMYK", tiff_of(stored, 5), true)
    planes = tiff_of(np.ascontiguousarray(true.transpose(2, 0, 1)).reshape(-1, WIDTH), 1)
    yield Odd("tiff of planes, as one grey", planes, rgb(true.transpose(2, 0, 1).reshape(-1, WIDTH)))
    one_bit = image(true, "1")
    yield Odd("tiff of 1 bit", encoded(one_bit, "TIFF"), np.asarray(one_bit.convert("RGB")))
    few = image(true).quantize(16)
    yield Odd("tiff with a palette", encoded(few, "TIFF"), np.asarray(few.convert("RGB")))
    for n in range(1, 9):
        yield Odd("tiff that is turned", tiff_of(true, 2, (274, 3, [n])), turned(true, n))


def compressions(random: Random) -> Iterator[Odd]:
    true = colours()
    for name in ("packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "zstd", "lzma"):
        yield Odd(f"tiff {name}", encoded(image(true), "TIFF", compression=name), true, far=0)
    yield Odd("tiff jpeg", encoded(image(true), "TIFF", compression="jpeg", quality=95), true, far=6)
    one_bit = image(true, "1")
    for name in ("group3", "group4", "tiff_ccitt"):
        data = encoded(one_bit, "TIFF", compression=name)
        yield Odd(f"tiff {name}", data, np.asarray(one_bit.convert("RGB")), far=0)
    floats = encoded(image((greys() / 255).astype(np.float32)), "TIFF", compression="tiff_lzw")
    yield Odd("tiff packed floats", floats, rgb(greys()))
    steps = np.diff(true.astype(np.int16), axis=1, prepend=0).astype(np.uint8)
    body = zlib.compress(steps.tobytes())
    common = [(256, 4, [WIDTH]), (257, 4, [HEIGHT]), (258, 3, [8, 8, 8]), (262, 3, [2]), (277, 3, [3])]
    predicted = [*common, (259, 3, [8]), (278, 4, [HEIGHT]), (317, 3, [2])]
    yield Odd("tiff with a predictor", tiff(body, predicted), true, far=0)
    tiles = np.zeros((48, 48, 3), np.uint8)
    tiles[:HEIGHT, :WIDTH] = true
    parts = [tiles[y : y + 16, x : x + 16].tobytes() for y in (0, 16, 32) for x in (0, 16, 32)]
    sizes = [len(each) for each in parts]
    places = [8 + sum(sizes[:i]) for i in range(9)]
    tiled = [*common, (259, 3, [1]), (322, 4, [16]), (323, 4, [16]), (324, 4, places), (325, 4, sizes)]
    yield Odd("tiff of tiles", tiff(b"".join(parts), tiled), true, far=0)
    rows = [*common, (259, 3, [1]), (278, 4, [1]), (273, 4, [8 + 144 * i for i in range(36)]), (279, 4, [144] * 36)]
    yield Odd("tiff of a strip for each row", tiff(true.tobytes(), rows), true, far=0)
    pages = encoded(image(true), "TIFF", save_all=True, append_images=[image(255 - true)] * 3)
    yield Odd("tiff of 4 pages", pages, true)
    old = [*common, (259, 3, [7]), (278, 4, [HEIGHT])]
    yield Odd("tiff of jpeg that is none", tiff(b"rubbish" * 20, old), words="c")
    for code in (2, 6, 9, 32_809, 34_661, 34_712, 34_887, 50_001, 50_002, 60_000):
        entries = [*common, (259, 3, [code]), (278, 4, [HEIGHT])]
        yield Odd("tiff of an unusual compression", tiff(random.randbytes(900), entries), may_fail=True)


def with_value(data: bytes, tag: int, value: int) -> bytes:
    """A TIFF with another value of one tag."""
    made = bytearray(data)
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, place)[0] == tag:
            struct.pack_into("<I", made, place + 8, value)
    return bytes(made)


def faults(random: Random) -> Iterator[Odd]:
    data, packed = tiff_of(colours(), 2), encoded(image(colours()), "TIFF", compression="tiff_lzw")
    yield from cuts("tiff that is cut off", data, random, 4)
    yield from cuts("packed tiff that is cut off", packed, random, 4)
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    ring = data[: start + 2 + 12 * count] + data[4:8] + data[start + 6 + 12 * count :]
    yield Odd("tiff whose pages form a ring", ring, colours())
    for tag, value in ((256, 0), (257, 0), (258, 0), (277, 0), (277, 65_535), (262, 99), (259, 0), (278, 0)):
        yield Odd(f"tiff with {value} in tag {tag}", with_value(data, tag, value), may_fail=True)
    for tag, value in ((256, 2**31), (257, 2**31 - 1), (256, 10**6)):
        yield Odd("tiff that says it is huge", with_value(data, tag, value), may_fail=True)
    yield Odd("tiff with its pixels behind its end", with_value(data, 273, 2**31), may_fail=True)
    yield Odd("tiff with a directory behind its end", data[:4] + b"\xff\xff\xff\x7f" + data[8:], words="c")
    yield Odd("tiff of a header", b"II*\0", words="c")
    yield Odd("tiff of 64-bit places", b"II+\0\x08\0\0\0\x10" + bytes(80), may_fail=True)
    n = 300_000
    tags = [(256, 4, [1]), (257, 4, [n]), (258, 3, [8]), (259, 3, [1]), (262, 3, [1]), (277, 3, [1]), (278, 4, [1])]
    strips = tiff(b"\0", [*tags, (273, 4, [8] * n), (279, 4, [1] * n)])
    yield Odd("tiff of 300,000 strips", strips, words="strips")
    tile = [(256, 4, [64]), (257, 4, [64]), (258, 3, [8]), (259, 3, [5]), (262, 3, [1]), (277, 3, [1])]
    giant = [*tile, (322, 4, [40_000]), (323, 4, [40_000]), (324, 4, [8]), (325, 4, [101])]
    yield Odd("tiff with a tile of 1.6 GB", tiff(b"\x80" + bytes(100), giant), words="IPCIR_DECODE_MEMORY")
    large = [*tile, (322, 4, [16_000]), (323, 4, [16_000]), (324, 4, [8]), (325, 4, [101])]
    yield Odd("tiff with a tile of 256 MB", tiff(b"\x80" + bytes(100), large), may_fail=True, heavy=True)
    for type_, n in ((np.float32, 1), (np.uint16, 4)):
        bits = np.dtype(type_).itemsize * 8
        data = partial(bomb, bits, n, 3 if n == 1 else 1)
        yield Odd(f"tiff bomb of {n} x {bits} bits", data, may_fail=True, size=(8_000, 8_000), heavy=True)


def bomb(bits: int, n: int, form: int) -> bytes:
    packer = zlib.compressobj(9)
    rows = bytes(8_000 * n * bits // 8 * 80)
    body = b"".join(packer.compress(rows) for _ in range(100)) + packer.flush()
    tags = [(256, 4, [8_000]), (257, 4, [8_000]), (258, 3, [bits] * n), (259, 3, [8]), (277, 3, [n])]
    return tiff(body, [*tags, (262, 3, [2 if n > 1 else 1]), (278, 4, [8_000]), (339, 3, [form] * n)])


KINDS = (deep_greys, uniform, colour_kinds, compressions, faults)
