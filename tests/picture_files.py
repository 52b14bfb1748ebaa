"""Picture files as cameras, phones and programs write them, made by code."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def two_halves(mode: str = "RGB", size: tuple[int, int] = (128, 64)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image.convert(mode)


def photo(size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture of many colours, none of them grey for long."""
    noise = np.random.default_rng(0).integers(0, 255, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def heif(image: Image.Image, **options: object) -> bytes:
    """As an iPhone writes it; ``exif`` as bytes turns the picture as HEIF does."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes) -> bytes:
    """A PNG of two halves with further chunks behind its header."""
    data = encoded(two_halves(), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def exif_of(tags: dict[int, object], *, part: dict[int, object] | None = None, gps: dict[int, object] | None = None):
    """EXIF with tags of its first directory, of its own part and of the place."""
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    for pointer, values in ((0x8769, part), (0x8825, gps)):
        if values:
            exif.get_ifd(pointer).update(values)
    return exif
