"""PNGs: every colour type and depth, chunks, bombs, cuts."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from random import Random

import numpy as np

from odd_pictures.base import (
    END,
    HEIGHT,
    WIDTH,
    Odd,
    Pixels,
    alphas,
    chunk,
    colours,
    cuts,
    encoded,
    greys,
    header,
    image,
    over_white,
    png,
    png_of,
    rgb,
    solid_png,
)

DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
NAMES = {0: "grey", 2: "colours", 3: "palette", 4: "grey and alpha", 6: "colours and alpha"}
IDAT = chunk(b"IDAT", zlib.compress(b"\0" * HEIGHT * (1 + 3 * WIDTH)))


def palette(depth: int) -> tuple[bytes, Pixels]:
    table = np.random.default_rng(depth).integers(0, 256, (2**depth, 3), dtype=np.uint8)
    return chunk(b"PLTE", table.tobytes()), table


def samples(colour: int, depth: int) -> tuple[Pixels, Pixels, list[bytes]]:
    """What is stored, how it is shown, and the chunks that it needs."""
    top = 2**depth - 1
    if colour == 3:
        indices = (greys() >> (8 - depth))[..., None]
        body, table = palette(depth)
        return indices, table[indices[..., 0]], [body]
    shown = rgb(greys()) if colour in (0, 4) else colours()
    stored = np.rint(shown[..., : 1 if colour in (0, 4) else 3] / 255 * top).astype(np.uint32)
    truth = np.rint(stored * (255 / top)).astype(np.uint8)
    truth = rgb(truth[..., 0]) if colour in (0, 4) else truth
    if colour in (4, 6):
        alpha = alphas().astype(np.uint32) * (257 if depth == 16 else 1)
        return np.dstack([stored, alpha]), over_white(truth, alphas()), []
    return stored, truth, []


def depths(random: Random) -> Iterator[Odd]:
    for colour, each in DEPTHS.items():
        for depth in each:
            for interlaced in (False, True):
                stored, truth, more = samples(colour, depth)
                data = png_of(stored, depth, colour, *more, interlaced=interlaced)
                how = ", interlaced" if interlaced else ""
                yield Odd(f"png {NAMES[colour]} of {depth} bits{how}", data, truth, far=1)


def filters(random: Random) -> Iterator[Odd]:
    for filter in range(5):
        yield Odd(f"png with filter {filter}", png_of(colours(), 8, 2, filter=filter), colours(), far=0)
    rows = b"".join(b"\7" + row.tobytes() for row in colours())
    yield Odd(
        "png with a filter that is none",
        png(header(48, 36, 8, 2), chunk(b"IDAT", zlib.compress(rows)), END),
        may_fail=True,
        damaged=None,
    )


def transparent(random: Random) -> Iterator[Odd]:
    grey = greys()
    key = int(grey[20, 20])
    truth = rgb(grey)
    truth[grey == key] = 255
    yield Odd(
        "png with a transparent grey", png_of(grey[..., None], 8, 0, chunk(b"tRNS", struct.pack(">H", key))), truth
    )
    corner = colours()
    truth = corner.copy()
    truth[(corner == (20, 20, 60)).all(axis=2)] = 255
    clear = chunk(b"tRNS", struct.pack(">3H", 20, 20, 60))
    yield Odd("png with a transparent colour", png_of(corner, 8, 2, clear), truth)
    for depth in (1, 4, 8):
        stored, shown, more = samples(3, depth)
        alpha = np.linspace(0, 255, 2**depth).round().astype(np.uint8)
        truth = over_white(shown, alpha[stored[..., 0]])
        data = png_of(stored, depth, 3, *more, chunk(b"tRNS", alpha.tobytes()))
        yield Odd(f"png palette of {depth} bits with transparencies", data, truth, far=1)
    stored, shown, more = samples(3, 4)
    few = png_of(stored, 4, 3, *more, chunk(b"tRNS", b"\0"))
    yield Odd("png palette with one transparency", few, over_white(shown, np.where(stored[..., 0] == 0, 0, 255)))


def chunks(random: Random) -> Iterator[Odd]:
    plain, shown = png_of(colours(), 8, 2), colours()
    text = zlib.compress(b"prompt " * 400_000)
    for name, parts in {
        "a broken profile": [chunk(b"iCCP", b"x\0\0nonsense")],
        "a profile of 30 MB": [chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(30_000_000)))],
        "texts of 80 MB": [chunk(b"zTXt", b"prompt\0\0" + text)] * 30,
        "9,000 texts": [chunk(b"tEXt", b"a\0b")] * 9_000,
        "a wrong checksum of a text": [chunk(b"tEXt", b"a\0b")[:-1] + b"\0"],
        "a broken animation": [chunk(b"acTL", b"")],
        "odd pixels": [chunk(b"pHYs", struct.pack(">IIB", 1, 2**31 - 1, 1))],
        "a gamma of 0": [chunk(b"gAMA", bytes(4))],
        "broken EXIF": [chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f")],
        "private chunks": [chunk(b"prVt", random.randbytes(99))],
        "a date that is none": [chunk(b"tIME", b"\xff" * 7)],
        "a background": [chunk(b"bKGD", bytes(6))],
    }.items():
        yield Odd(f"png with {name}", plain[:33] + b"".join(parts) + plain[33:], shown)
    yield Odd("png of 300,000 texts", plain[:33] + chunk(b"tEXt", b"") * 300_000 + plain[33:], words="chunks")
    file = io.BytesIO()
    image(shown).save(file, "PNG", save_all=True, append_images=[image(255 - shown)], default_image=True)
    yield Odd("apng", file.getvalue(), shown)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in shown))
    single = b"".join(chunk(b"IDAT", packed[i : i + 1]) for i in range(len(packed)))
    yield Odd("png in pieces of a byte", png(header(48, 36, 8, 2), single, END), shown)
    pieces = chunk(b"IDAT", b"") + chunk(b"IDAT", packed) + chunk(b"IDAT", b"")
    yield Odd("png with empty pieces", png(header(48, 36, 8, 2), pieces, END), shown, damaged=None)
    more = chunk(b"IDAT", packed + random.randbytes(200))
    yield Odd("png with more behind its pixels", png(header(48, 36, 8, 2), more, END), shown, damaged=None)
    yield Odd("png with a tail", plain + random.randbytes(300), shown)


def faults(random: Random) -> Iterator[Odd]:
    plain = png_of(colours(), 8, 2)
    yield from cuts("png that is cut off", plain, random, 8)
    yield from cuts("interlaced png that is cut off", png_of(colours(), 8, 2, interlaced=True), random, 4)
    yield Odd("png without an end", plain[:-12], colours(), damaged=True)
    yield Odd("png without pixels", png(header(48, 36, 8, 2), END), words="c")
    yield Odd("png without a palette", png_of(samples(3, 4)[0], 4, 3), may_fail=True, damaged=None)
    few = png_of(samples(3, 8)[0], 8, 3, chunk(b"PLTE", bytes(9)))
    yield Odd("png with colours beyond its palette", few, may_fail=True, damaged=None)
    yield Odd("png of a signature", png(), words="c")
    yield Odd("png without a header", png(IDAT, END), words="c")
    for width, height in ((0, 36), (48, 0), (0, 0)):
        yield Odd("png of no pixels", png(header(width, height, 8, 2), IDAT, END), words="c")
    yield Odd("png of a colour type that is none", png(header(48, 36, 8, 5), IDAT, END), words="c")
    yield Odd("png of a depth that is none", png(header(48, 36, 3, 0), IDAT, END), words="c")
    yield Odd("png of 2 billion pixels", png(header(2**31 - 1, 1, 8, 2), IDAT, END), words="IPCIR_MAX_PIXELS")
    yield Odd("png that is too small for its size", png(header(480, 360, 8, 2), IDAT, END), words="c")
    yield Odd(
        "png with a wrong checksum of its header", plain[:29] + bytes(4) + plain[33:], may_fail=True, damaged=None
    )
    at = plain.index(b"IDAT") + 40
    for _ in range(5):
        broken = plain[: at + random.randrange(900)] + random.randbytes(5) + plain[at + 905 :]
        yield Odd("png with broken pixels", broken, may_fail=True, damaged=None)
    yield Odd("png of Apple's phones", png(chunk(b"CgBI", bytes(4)), plain[8:]), may_fail=True, damaged=None)
    yield Odd("mng", b"\x8aMNG\r\n\x1a\n" + bytes(60), words="known format")


def bombs(random: Random) -> Iterator[Odd]:
    yield Odd("png of 100 million pixels", solid_png(10_000, 10_000, 1, 0), words="IPCIR_MAX_PIXELS")
    large = {"heavy": True, "size": (8_000, 8_000)}
    for depth, colour in ((1, 0), (8, 2), (16, 6)):
        yield Odd(
            f"png bomb, {NAMES[colour]} of {depth} bits", partial(solid_png, 8_000, 8_000, depth, colour), **large
        )
    yield Odd("png bomb, palette", palette_bomb, **large)
    yield Odd("png bomb, interlaced", partial(solid_png, 8_000, 8_000, 16, 6, interlaced=1), **large)
    for size in ((125_000, 512), (512, 125_000)):
        yield Odd("png that is long and thin", partial(solid_png, *size, 8, 2), size=size, heavy=True)
    for size in ((64_000_000, 1), (1, 64_000_000)):
        yield Odd("png of one row or column", partial(solid_png, *size, 8, 2), words="IPCIR_DECODE_MEMORY", heavy=True)
    stored = encoded(image(colours()).resize((1_500, 1_100)), "PNG", compress_level=0)
    yield Odd("png that is not packed", stored, size=(1_500, 1_100))


def palette_bomb() -> bytes:
    data = solid_png(8_000, 8_000, 8, 3)
    return data[:33] + palette(8)[0] + data[33:]


KINDS = (depths, filters, transparent, chunks, faults, bombs)
