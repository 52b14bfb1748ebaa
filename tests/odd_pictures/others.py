"""GIF, BMP, WebP, HEIC, AVIF and JPEG XL, and files that are no pictures of these formats."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from collections.abc import Iterator
from functools import partial
from random import Random

import numpy as np
import pillow_heif
from PIL import Image

from odd_pictures.base import (
    HEIGHT,
    WIDTH,
    Odd,
    Pixels,
    alphas,
    colours,
    cuts,
    encoded,
    exif,
    greys,
    image,
    over_white,
    rgb,
    rgba,
    turned,
)

UNKNOWN = "known format"


# --- GIF


def gif_parts(data: bytes) -> int:
    """Where its blocks begin."""
    return 13 + (3 * (2 << (data[10] & 7)) if data[10] & 128 else 0)


def gifs(random: Random) -> Iterator[Odd]:
    few = image(colours()).quantize(64)
    true, plain = np.asarray(few.convert("RGB")), encoded(few, "GIF")
    yield Odd("gif", plain, true, far=0)
    yield Odd("gif of 1987", b"GIF87a" + plain[6:], true, far=0)
    yield Odd("gif, interlaced", encoded(few, "GIF", interlace=1), true, far=0)
    index = int(np.asarray(few)[20, 20])
    clear = true.copy()
    clear[np.asarray(few) == index] = 255
    yield Odd("gif with a transparent colour", encoded(few, "GIF", transparency=index), clear, far=0)
    for disposal in range(4):
        more = [image(255 - colours()).quantize(64)] * 3
        data = encoded(few, "GIF", save_all=True, append_images=more, disposal=disposal, duration=40)
        yield Odd(f"gif, animated, disposal {disposal}", data, true, far=0)
    grey = image(greys())
    yield Odd("gif of greys", encoded(grey, "GIF"), rgb(greys()), far=0)
    at = gif_parts(plain)
    comment = b"\x21\xfe" + (b"\xff" + b"a" * 255) * 100_000 + b"\0"
    yield Odd("gif with a comment of 25 MB", plain[:at] + comment + plain[at:], true, far=0)
    note = b"\x21\xff\x0bNETSCAPE2.0" + b"\3\1\0\0" * 9_000 + b"\0"
    yield Odd("gif with 9,000 notes of a program", plain[:at] + note + plain[at:], true, far=0)
    tiny = b"\x21\xfe" + b"\1a" * 2_000_000 + b"\0"
    yield Odd("gif with a comment of 2 million pieces", plain[:at] + tiny + plain[at:], words="blocks")
    yield Odd("gif of 2 million empty comments", plain[:at] + b"\x21\xfe\0" * 2_000_000 + plain[at:], words="blocks")
    yield from cuts("gif that is cut off", plain, random, 5)
    yield Odd("gif without a frame", plain[:at] + b";", words="c")
    yield Odd("gif of 65,535 x 65,535", plain[:6] + b"\xff" * 4 + plain[10:], words="IPCIR_MAX_PIXELS")
    frame = plain.index(b",", at)
    moved = plain[: frame + 1] + struct.pack("<HH", 9, 5) + plain[frame + 5 :]
    wider = moved[:6] + struct.pack("<HH", 90, 70) + moved[10:]
    yield Odd("gif with a frame in the middle of its page", wider, size=(90, 70))
    yield Odd("gif with a frame beyond its page", moved, may_fail=True, damaged=None)
    yield Odd("gif with pixels of code 99", plain[: frame + 10] + b"\x63" + plain[frame + 11 :], may_fail=True)
    for _ in range(4):
        place = frame + 12 + random.randrange(len(plain) - frame - 14)
        broken = plain[:place] + random.randbytes(3) + plain[place + 3 :]
        yield Odd("gif with broken pixels", broken, may_fail=True)
    yield Odd("gif of 64 million pixels", partial(large, "GIF", "P"), size=(8_000, 8_000), heavy=True)


# --- BMP


def bmp(
    bits: int,
    body: bytes,
    *,
    colours: bytes = b"",
    compression: int = 0,
    height: int = HEIGHT,
    width: int = WIDTH,
    masks: bytes = b"",
) -> bytes:
    offset = 54 + len(masks) + len(colours)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, len(colours) // 4, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + head + masks + colours + body


def rows_of(values: Pixels) -> bytes:
    """Rows from the bottom, each filled to four bytes."""
    return b"".join(row.tobytes() + bytes(-len(row.tobytes()) % 4) for row in values[::-1])


def bmps(random: Random) -> Iterator[Odd]:
    true = colours()
    blue_first = np.ascontiguousarray(true[..., ::-1])
    yield Odd("bmp of 24 bits", bmp(24, rows_of(blue_first)), true, far=0)
    yield Odd("bmp from the top", bmp(24, rows_of(blue_first[::-1]), height=-HEIGHT), true, far=0)
    filled = np.dstack([blue_first, np.zeros(true.shape[:2], np.uint8)])
    yield Odd("bmp of 32 bits", bmp(32, rows_of(filled)), true, far=0)
    few = image(true).quantize(16)
    shown, indices = np.asarray(few.convert("RGB")), np.asarray(few)
    table = np.asarray(few.getpalette("RGB")[:48], np.uint8).reshape(16, 3)
    entries = b"".join(bytes([*each[::-1], 0]) for each in table)
    yield Odd("bmp of 8 bits", bmp(8, rows_of(indices), colours=entries), shown, far=0)
    nibbles = (indices[:, ::2] << 4 | indices[:, 1::2]).astype(np.uint8)
    yield Odd("bmp of 4 bits", bmp(4, rows_of(nibbles), colours=entries), shown, far=0)
    bits = (greys() > 127).astype(np.uint8)
    two = b"\0\0\0\0\xff\xff\xff\0"
    yield Odd("bmp of 1 bit", bmp(1, rows_of(np.packbits(bits, axis=1)), colours=two), rgb(bits * 255), far=0)
    for name, sizes, masks in (
        ("555", (5, 5, 5), None),
        ("565", (5, 6, 5), struct.pack("<III", 0xF800, 0x07E0, 0x001F)),
    ):
        parts = [np.rint(true[..., i] / 255 * (2 ** sizes[i] - 1)).astype(np.uint16) for i in range(3)]
        word = parts[0] << (sizes[1] + sizes[2]) | parts[1] << sizes[2] | parts[2]
        data = bmp(16, rows_of(word.astype("<u2")), compression=3 if masks else 0, masks=masks or b"")
        yield Odd(f"bmp of 16 bits, {name}", data, true, far=5)
    runs = b"".join(b"".join(bytes([1, each]) for each in row) + b"\0\0" for row in indices[::-1]) + b"\0\1"
    yield Odd("bmp RLE8", bmp(8, runs, colours=entries, compression=1), shown, far=0)
    nibble_runs = b"".join(b"".join(bytes([1, each << 4]) for each in row) + b"\0\0" for row in indices[::-1]) + b"\0\1"
    yield Odd("bmp RLE4", bmp(4, nibble_runs, colours=entries, compression=2), shown, far=0)
    core = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24)
    body = rows_of(blue_first)
    old = b"BM" + struct.pack("<IHHI", 26 + len(body), 0, 0, 26) + core + body
    yield Odd("bmp of OS/2", old, true, far=0)
    yield from cuts("bmp that is cut off", bmp(24, rows_of(blue_first)), random, 4)
    yield Odd("bmp of 2 billion pixels", bmp(24, b"", width=65_536, height=32_768), words="IPCIR_MAX_PIXELS")
    for width, height in ((0, HEIGHT), (-WIDTH, HEIGHT), (WIDTH, 0), (WIDTH, -(2**31))):
        yield Odd("bmp of an impossible size", bmp(24, body, width=width, height=height), may_fail=True)
    for bits in (0, 3, 64):
        yield Odd("bmp of an impossible depth", bmp(bits, body), words="c")
    for compression in (4, 5, 9):
        yield Odd("bmp of an unknown compression", bmp(24, body, compression=compression), words="c")
    for name, packed in (("runs", b"\1\1"), ("ends of lines", b"\0\0"), ("leaps", b"\0\2\1\0")):
        yield Odd(f"bmp bomb of {name}", partial(run_bomb, packed, entries), may_fail=True, heavy=True)


def run_bomb(packed: bytes, entries: bytes) -> bytes:
    body = packed * (48_000_000 // len(packed))
    return bmp(8, body, colours=entries, compression=1, width=8_000, height=8_000)


# --- WebP


def webps(random: Random) -> Iterator[Odd]:
    true = colours()
    plain, whole = encoded(image(true), "WEBP", quality=95), encoded(image(true), "WEBP", lossless=True)
    yield Odd("webp", plain, true, far=4)
    yield Odd("webp without losses", whole, true, far=0)
    clear = encoded(image(rgba()), "WEBP", lossless=True, exact=True)
    yield Odd("webp with alpha", clear, over_white(true, alphas()), far=1)
    for n in range(1, 9):
        yield Odd(
            "webp that is turned", encoded(image(true), "WEBP", lossless=True, exif=exif(n)), turned(true, n), far=0
        )
    profile = encoded(image(true), "WEBP", lossless=True, icc_profile=b"no profile")
    yield Odd("webp with a broken profile", profile, true, far=0)
    film = encoded(image(true), "WEBP", lossless=True, save_all=True, append_images=[image(255 - true)] * 3)
    yield Odd("webp, animated", film, true, far=0)
    yield from cuts("webp that is cut off", plain, random, 4)
    yield from cuts("animated webp that is cut off", film, random, 4)
    start = film.index(b"ANMF")
    size = struct.unpack_from("<I", film, start + 4)[0]
    frame = film[start : start + 8 + size + size % 2]
    for name, body in (
        ("20,000 frames", film[12:start] + frame * 20_000),
        ("900,000 chunks", film[12:start] + b"XXXX\0\0\0\0" * 900_000 + film[start:]),
    ):
        yield Odd(f"webp of {name}", b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body, size=(48, 36))
    canvas = film.index(b"VP8X") + 12
    yield Odd(
        "webp with a larger page than picture",
        film[:canvas] + b"\xff\0\0\xff\0\0" + film[canvas + 6 :],
        size=(256, 256),
    )
    page = film[:canvas] + b"\xff\xff\xff" * 2 + film[canvas + 6 :]
    yield Odd("webp with a page of 2^48 pixels", page, words="c")
    yield Odd("riff that is no webp", b"RIFF\x24\0\0\0WAVEfmt " + bytes(60), words=UNKNOWN)
    for name, size in (("webp bomb of 38 bytes", (7_999, 7_999)), ("webp of 16,383 x 3,900", (16_383, 3_900))):
        yield Odd(name, partial(large, "WEBP", "RGB", size, lossless=True), size=size, heavy=True)


def large(format: str, mode: str, size: tuple[int, int] = (8_000, 8_000), **options: object) -> bytes:
    import pillow_jxl  # noqa: F401 - registers with Pillow what writes them

    return encoded(Image.new(mode, size), format, **options)


# --- HEIC, AVIF, JPEG XL


def heif(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(picture).save(file, **options)
    return file.getvalue()


def large_heif() -> bytes:
    return heif(Image.new("RGB", (8_000, 8_000), "red"), quality=50)


def boxed(random: Random) -> Iterator[Odd]:
    true = colours()
    for name, write in (("heic", heif), ("avif", lambda p, **o: encoded(p, "AVIF", **o))):
        plain = write(image(true), quality=95)
        yield Odd(name, plain, true, far=5)
        yield Odd(f"{name} with alpha", write(image(rgba()), quality=95), over_white(true, alphas()), far=6)
        yield Odd(f"{name} of greys", write(image(greys()), quality=95), rgb(greys()), far=5)
        for n in (3, 6, 8):
            yield Odd(f"{name} that is turned", write(image(true), quality=95, exif=exif(n)), turned(true, n), far=5)
        yield from cuts(f"{name} that is cut off", plain, random, 6)
        for _ in range(6):
            at = random.randrange(16, len(plain) - 4)
            broken = plain[:at] + random.randbytes(4) + plain[at + 4 :]
            yield Odd(f"{name} with broken bytes", broken, may_fail=True)
        head = int.from_bytes(plain[:4], "big")
        boxes = plain[:head] + b"\0\0\0\x08free" * 500_000 + plain[head:]
        yield Odd(f"{name} of 500,000 boxes", boxes, may_fail=True)
        giant = plain.replace(
            b"ispe\0\0\0\0" + struct.pack(">II", WIDTH, HEIGHT), b"ispe\0\0\0\0" + b"\0\0\xff\xff" * 2
        )
        yield Odd(f"{name} that says it is huge", giant, may_fail=True)
        bomb = partial(large, "AVIF", "RGB", quality=50) if name == "avif" else large_heif
        yield Odd(f"{name} of 64 million pixels", bomb, size=(8_000, 8_000), may_fail=True, heavy=True)
    deep = pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), (true.astype(np.uint16) * 257).tobytes())
    file = io.BytesIO()
    deep.save(file, quality=95)
    yield Odd("heic of 10 bits", file.getvalue(), true, far=6)
    film = encoded(image(true), "AVIF", save_all=True, append_images=[image(255 - true)] * 2, quality=95)
    yield Odd("avif, animated", film, true, far=5)
    yield Odd("mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(90), words=UNKNOWN)


def jpeg_xls(random: Random) -> Iterator[Odd]:
    import pillow_jxl  # noqa: F401 - registers with Pillow what writes them

    true = colours()
    plain, whole = encoded(image(true), "JXL", quality=95), encoded(image(true), "JXL", lossless=True)
    yield Odd("jxl", plain, true, far=5)
    yield Odd("jxl without losses", whole, true, far=0)
    yield Odd("jxl with alpha", encoded(image(rgba()), "JXL", lossless=True), over_white(true, alphas()), far=1)
    yield Odd("jxl of greys", encoded(image(greys()), "JXL", lossless=True), rgb(greys()), far=0)
    deep = image(greys().astype(np.uint16) * 257)
    yield Odd("jxl of 16 bits", encoded(deep, "JXL", lossless=True), rgb(greys()), far=1)
    yield from cuts("jxl that is cut off", plain, random, 5)
    for _ in range(6):
        at = random.randrange(2, len(plain) - 4)
        yield Odd("jxl with broken bytes", plain[:at] + random.randbytes(4) + plain[at + 4 :], may_fail=True)
    yield Odd("jxl that says it is huge", b"\xff\x0a\xff\xff\xff\xff\xff\xff\xff" + plain[9:], words="c")
    for effort in (1, 7):
        bomb = partial(large, "JXL", "RGB", effort=effort)
        yield Odd("jxl of 64 million pixels", bomb, size=(8_000, 8_000), may_fail=True, heavy=True)


# --- other files


def foreign(random: Random) -> Iterator[Odd]:
    jpeg = encoded(image(colours()), "JPEG")
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a.jpg", jpeg)
    for name, data in {
        "text": b"only words",
        "text of UTF-16": "only words".encode("utf-16"),
        "html": b"<!doctype html><img src=x>",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "svg with entities": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'cc'>]><svg>&b;</svg>",
        "pdf": b"%PDF-1.7\n" + bytes(99),
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n",
        "psd": b"8BPS\0\1" + bytes(60),
        "ico": encoded(image(colours()), "ICO", sizes=[(16, 16)]),
        "ppm": encoded(image(colours()), "PPM"),
        "tga": encoded(image(colours()), "TGA"),
        "jpeg 2000": encoded(image(colours()), "JPEG2000"),
        "dds": encoded(image(colours()), "DDS"),
        "pcx": encoded(image(colours()), "PCX"),
        "sgi": encoded(image(colours()), "SGI"),
        "icns": b"icns\0\0\0\x10ic07\0\0\0\x08",
        "qoi": b"qoif" + struct.pack(">II", 8, 8) + b"\3\0" + bytes(60),
        "zip": zipped.getvalue(),
        "gzip of a jpeg": gzip.compress(jpeg, mtime=0),
        "base64 of a jpeg": b"data:image/jpeg;base64,/9j/4AAQSkZJRg==",
        "elf": b"\x7fELF\2\1\1" + bytes(90),
        "zeros": bytes(5_000),
        "random bytes": b"\1" + random.randbytes(5_000),
        "one byte": b"\xff",
        "a jpeg behind a byte": b"\0" + jpeg,
    }.items():
        yield Odd(name, data, words=UNKNOWN)
    yield Odd("nothing", b"", words="empty")


KINDS = (gifs, bmps, webps, boxed, jpeg_xls, foreign)
