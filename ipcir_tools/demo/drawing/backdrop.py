"""The wardrobe's backgrounds and light, drawn at any size."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

RGB = tuple[int, int, int]
VARIANTS = 3
"""The number of variants of each background, which all pictures share: drawing one takes long."""


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """The colour between ``a`` and ``b``; ``share`` is how much of ``b``."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def gradient(size: int, top: RGB, bottom: RGB) -> Image.Image:
    """A square that runs from one colour at the top to another at the bottom."""
    ramp = np.linspace(0.0, 1.0, size, dtype=np.float32)[:, None, None]
    column = np.asarray(top, np.float32) * (1 - ramp) + np.asarray(bottom, np.float32) * ramp
    return Image.fromarray(np.broadcast_to(column, (size, size, 3)).astype(np.uint8))


@lru_cache(maxsize=64)
def background(name: str, size: int, variant: int) -> Image.Image:
    """One of the backgrounds of :data:`garments.BACKGROUNDS`, ``size`` pixels square. Callers must copy it."""
    return _BACKGROUNDS[name](size, random.Random(f"{name}/{variant}"))


def _floor(picture: Image.Image, colour: RGB) -> Image.Image:
    size = picture.width
    ImageDraw.Draw(picture).rectangle((0, round(size * 0.86), size, size), fill=colour)
    return picture


def _studio(size: int, rng: random.Random) -> Image.Image:
    return _floor(gradient(size, (236, 236, 238), (214, 214, 218)), (196, 197, 202))


def _pink(size: int, rng: random.Random) -> Image.Image:
    return _floor(gradient(size, (250, 214, 218), (244, 196, 204)), (224, 168, 172))


def _brick(size: int, rng: random.Random) -> Image.Image:
    picture = Image.new("RGB", (size, size), (206, 192, 182))
    draw = ImageDraw.Draw(picture)
    high, wide = size / 13, size / 6
    for row in range(14):
        for column in range(-1, 7):
            left = (column + 0.5 * (row % 2)) * wide
            tone = mix((158, 82, 62), (186, 106, 80), rng.random())
            draw.rectangle((left + 2, row * high + 2, left + wide - 2, (row + 1) * high - 2), fill=tone)
    return picture


def _wood(size: int, rng: random.Random) -> Image.Image:
    picture = Image.new("RGB", (size, size), (120, 84, 52))
    draw = ImageDraw.Draw(picture)
    wide = size / 7
    for plank in range(8):
        tone = mix((176, 128, 82), (204, 156, 104), rng.random())
        draw.rectangle((plank * wide + 1, 0, (plank + 1) * wide - 2, size), fill=tone)
        for _ in range(5):
            x = (plank + rng.random() * 0.8 + 0.1) * wide
            draw.line(
                (x, 0, x + rng.uniform(-4, 4), size), fill=mix(tone, (110, 74, 44), 0.35), width=max(1, size // 220)
            )
    return picture


def _garden(size: int, rng: random.Random) -> Image.Image:
    picture = gradient(size, (196, 228, 190), (112, 168, 96))
    draw = ImageDraw.Draw(picture)
    for _ in range(130):
        x, y, r = rng.random() * size, rng.random() * size, size * rng.uniform(0.02, 0.06)
        tone = mix((88, 150, 78), (178, 214, 136), rng.random())
        draw.ellipse((x - r, y - r * 0.6, x + r, y + r * 0.6), fill=tone)
    for _ in range(26):
        x, y, r = rng.random() * size, rng.random() * size, size * 0.012
        draw.ellipse((x - r, y - r, x + r, y + r), fill=rng.choice(((250, 240, 170), (250, 250, 250), (246, 190, 206))))
    return picture.filter(ImageFilter.GaussianBlur(size / 150))


def _beach(size: int, rng: random.Random) -> Image.Image:
    picture = gradient(size, (136, 204, 240), (214, 238, 248))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, size * 0.50, size, size * 0.70), fill=(62, 150, 190))
    for _ in range(24):
        x, y = rng.random() * size, size * rng.uniform(0.51, 0.69)
        draw.line((x, y, x + size * 0.08, y), fill=(150, 206, 226), width=max(1, size // 160))
    draw.rectangle((0, size * 0.70, size, size), fill=(238, 216, 170))
    r, x = size * 0.07, size * rng.choice((0.12, 0.88))
    draw.ellipse((x - r, size * 0.12 - r, x + r, size * 0.12 + r), fill=(255, 236, 150))
    return picture


def _tiles(size: int, rng: random.Random) -> Image.Image:
    picture = Image.new("RGB", (size, size), (230, 240, 238))
    draw = ImageDraw.Draw(picture)
    step = size / 9
    for row in range(9):
        for column in range(9):
            tone = mix((132, 196, 190), (166, 216, 208), rng.random())
            draw.rectangle(
                (column * step + 2, row * step + 2, (column + 1) * step - 2, (row + 1) * step - 2), fill=tone
            )
    return picture


def _night(size: int, rng: random.Random) -> Image.Image:
    picture = gradient(size, (22, 26, 58), (54, 48, 92))
    draw = ImageDraw.Draw(picture)
    left = 0.0
    while left < size:
        wide, top = size * rng.uniform(0.12, 0.2), size * rng.uniform(0.15, 0.5)
        draw.rectangle((left, top, left + wide, size), fill=mix((34, 36, 66), (52, 52, 88), rng.random()))
        for row in range(12):
            for column in range(3):
                if rng.random() < 0.45:
                    x, y = left + wide * (0.18 + 0.26 * column), top + size * (0.03 + 0.065 * row)
                    draw.rectangle((x, y, x + wide * 0.13, y + size * 0.03), fill=(250, 214, 130))
        left += wide
    return picture


def _curtain(size: int, rng: random.Random) -> Image.Image:
    x = np.linspace(0, 1, size, dtype=np.float32)
    fold = 0.5 + 0.5 * np.sin(2 * np.pi * (8 * x + 0.6 * np.sin(2 * np.pi * (1.7 * x + rng.random()))))
    tone = np.asarray((176, 158, 212), np.float32) + fold[:, None] * np.asarray((44, 42, 32), np.float32)
    return Image.fromarray(np.broadcast_to(tone[None], (size, size, 3)).astype(np.uint8))


def _sunset(size: int, rng: random.Random) -> Image.Image:
    picture = gradient(size, (112, 72, 138), (252, 170, 98))
    draw = ImageDraw.Draw(picture)
    x, r = size * rng.uniform(0.2, 0.8), size * 0.13
    draw.ellipse((x - r, size * 0.58 - r, x + r, size * 0.58 + r), fill=(255, 222, 140))
    hills: list[tuple[float, float]] = [(0, size)]
    hills += [(size * i / 8, size * (0.80 + 0.06 * rng.random())) for i in range(9)]
    draw.polygon([*hills, (size, size)], fill=(92, 58, 96))
    return picture


_BACKGROUNDS = {
    "studio": _studio,
    "pink": _pink,
    "brick": _brick,
    "wood": _wood,
    "garden": _garden,
    "beach": _beach,
    "tiles": _tiles,
    "night": _night,
    "curtain": _curtain,
    "sunset": _sunset,
}

_LIGHTS: dict[str, tuple[float, float, float]] = {
    "neutral": (1.0, 1.0, 1.0),
    "warm": (1.05, 0.97, 0.82),
    "cool": (0.85, 0.96, 1.08),
    "dim": (0.66, 0.66, 0.70),
}


def lit(picture: Image.Image, light: str) -> Image.Image:
    """The picture under one of :data:`garments.LIGHTS`."""
    return picture if light == "neutral" else picture.point(_light_table(light))


@lru_cache
def _light_table(light: str) -> list[int]:
    return [min(255, round(value * gain)) for gain in _LIGHTS[light] for value in range(256)]
