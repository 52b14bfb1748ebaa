"""JPEGs: colours, segments, scans, cuts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from random import Random

import numpy as np
from PIL import Image

from odd_pictures.base import Odd, colours, cuts, encoded, exif, greys, image, rgb, turned

SEGMENTS, SCANS = "segments", "scans"


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def with_segments(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


def plain(**options: object) -> bytes:
    return encoded(image(colours()), "JPEG", **{"quality": 95, "subsampling": 0} | options)


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    """Bytes of the frame header, counted from its marker, replaced."""
    at = next(i for i in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if i >= 0) + offset
    return data[:at] + value + data[at + len(value) :]


def colour_kinds(random: Random) -> Iterator[Odd]:
    shown = colours()
    for name, options in {
        "4:4:4": {},
        "4:2:0": {"subsampling": 2},
        "4:2:2": {"subsampling": 1},
        "quality 100": {"quality": 100},
        "progressive": {"progressive": True},
        "optimized": {"optimize": True},
        "restart markers": {"restart_marker_blocks": 1},
        "stored as RGB": {"keep_rgb": True},
    }.items():
        yield Odd(f"jpeg {name}", plain(**options), shown)
    yield Odd("jpeg quality 1", plain(quality=1), shown, far=30)
    yield Odd("jpeg grey", encoded(image(greys()), "JPEG", quality=95), rgb(greys()))
    grey = encoded(image(greys()), "JPEG", quality=95, progressive=True)
    yield Odd("jpeg grey progressive", grey, rgb(greys()))
    cmyk = image(255 - np.dstack([shown, np.full(shown.shape[:2], 255, np.uint8)]))
    stored = Image.frombytes("CMYK", cmyk.size, cmyk.tobytes())
    yield Odd("jpeg CMYK with Adobe's marker", encoded(stored, "JPEG", quality=95, subsampling=0), shown, far=4)
    progressive = encoded(stored, "JPEG", quality=95, subsampling=0, progressive=True)
    yield Odd("jpeg CMYK progressive", progressive, shown, far=4)
    for size in ((1, 1), (1, 700), (700, 1), (8, 8), (17, 3)):
        yield Odd("jpeg tiny or thin", encoded(Image.new("RGB", size, "red"), "JPEG"), size=size)
    yield Odd("jpeg 65500 pixels long", encoded(Image.new("L", (65_500, 9), 99), "JPEG"), size=(65_500, 9))


def turnings(random: Random) -> Iterator[Odd]:
    for n in range(1, 9):
        for order in "<>":
            data = with_segments(plain(), segment(0xE1, exif(n, order)))
            yield Odd("jpeg turned by EXIF", data, turned(colours(), n))
        xmp = b'http://ns.adobe.com/xap/1.0/\0<rdf:Description tiff:Orientation="%d"/>' % n
        yield Odd("jpeg turned by XMP", with_segments(plain(), segment(0xE1, xmp)), turned(colours(), n))
    for n in (0, 9, 65_535):
        yield Odd("jpeg with an orientation that is none", with_segments(plain(), segment(0xE1, exif(n))), colours())


def extras(random: Random) -> Iterator[Odd]:
    shown = colours()
    small = segment(0xE1, b"Exif\0\0" + bytes(90))
    for name, parts in {
        "broken EXIF": [segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")],
        "EXIF that points to itself": [segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0")],
        "EXIF that ends in its head": [segment(0xE1, b"Exif\0\0MM\0*\0\0")],
        "broken ICC": [segment(0xE2, b"ICC_PROFILE\0\x09\x09garbage")],
        "ICC of 99 parts": [segment(0xE2, b"ICC_PROFILE\0" + bytes([i, 99]) + bytes(9_000)) for i in range(1, 90)],
        "a comment of 64 kB": [segment(0xFE, random.randbytes(65_000))],
        "9,000 comments": [segment(0xFE, b"a" * 98)] * 9_000,
        "49,000 pieces of EXIF": [small] * 49_000,
        "9,000 segments of JFIF": [segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")] * 9_000,
        "Photoshop's segment": [segment(0xED, b"Photoshop 3.0\x008BIM\xff\xff")],
        "broken MPF": [segment(0xE2, b"MPF\0\7\7")],
        "rubbish between segments": [segment(0xFE, b"x"), b"rubbish", segment(0xFE, b"x"), b"\0\0"],
        "fill bytes": [b"\xff" * 300],
        "a tail of a phone": [],
    }.items():
        tail = b"SEFT and more" + random.randbytes(500) if "tail" in name else b""
        yield Odd(f"jpeg with {name}", with_segments(plain(), *parts) + tail, shown)
    yield Odd("jpeg of 100,000 pieces of EXIF", with_segments(plain(), *[small] * 100_000), words=SEGMENTS)
    yield Odd("jpeg of nothing but fill bytes", b"\xff\xd8" + b"\xff" * 3_000_000, words=SEGMENTS)
    file = io.BytesIO()
    image(shown).save(file, "MPO", save_all=True, append_images=[image(255 - shown)], quality=95)
    yield Odd("mpo", file.getvalue(), shown, far=4)
    yield Odd("jpeg without JFIF", plain()[:2] + plain()[20:], shown)
    yield Odd("two jpegs in a file", plain() + plain(), shown)
    yield Odd("jpeg with 40 MB behind it", lambda: plain() + bytes(40_000_000), shown, heavy=True)


def many_scans(data: bytes, n: int) -> bytes:
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * n + data[-2:]


def scans(random: Random) -> Iterator[Odd]:
    small = plain(progressive=True)
    yield Odd("progressive jpeg of 900 scans", many_scans(small, 900), size=(48, 36))
    yield Odd("progressive jpeg of 1,500 scans", many_scans(small, 1_500), words=SCANS)
    for n, right in ((0, {"size": (8_000, 8_000)}), (100, {"may_fail": True}), (900, {"words": SCANS})):
        yield Odd(f"progressive jpeg, large, with {n} more scans", partial(large_scans, n), heavy=True, **right)


def large_scans(n: int) -> bytes:
    return many_scans(encoded(Image.new("RGB", (8_000, 8_000), "navy"), "JPEG", progressive=True), n)


def faults(random: Random) -> Iterator[Odd]:
    data = plain()
    yield from cuts("jpeg that is cut off", data, random, 8)
    yield from cuts("progressive jpeg that is cut off", plain(progressive=True), random, 5)
    yield Odd("jpeg without an end mark", data[:-2], colours(), damaged=True)
    yield Odd("jpeg of a start alone", b"\xff\xd8\xff", words="c")
    yield Odd("jpeg of start and end", b"\xff\xd8\xff\xd9", words="c")
    yield Odd("jpeg with a height of 0", patched(data, 5, b"\0\0"), may_fail=True)
    yield Odd("jpeg with a width of 0", patched(data, 7, b"\0\0"), words="c")
    yield Odd("jpeg of 65,500 x 65,500", patched(data, 5, b"\xff\xdc\xff\xdc"), words="IPCIR_MAX_PIXELS")
    yield Odd("jpeg of 12 bits", patched(data, 4, b"\x0c"), words="c")
    yield Odd("jpeg without losses", patched(data, 1, b"\xc3"), may_fail=True, damaged=None)
    yield Odd("jpeg of 5 components", patched(data, 9, b"\5"), words="c")
    yield Odd("jpeg with a sampling of 0", patched(data, 11, b"\0"), may_fail=True, damaged=None)
    table = data.index(b"\xff\xc4")
    yield Odd("jpeg with a broken Huffman table", data[: table + 5] + b"\xff" * 16 + data[table + 21 :], may_fail=True)
    for _ in range(6):
        at = random.randrange(data.index(b"\xff\xda") + 14, len(data) - 20)
        broken = data[:at] + random.randbytes(6).replace(b"\xff", b"\0") + data[at + 6 :]
        yield Odd("jpeg with broken bytes in its scan", broken, size=(48, 36), damaged=None)


KINDS = (colour_kinds, turnings, extras, scans, faults)
