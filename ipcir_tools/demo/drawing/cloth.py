"""Cloth: a pattern in a colour, and the shapes of garments as polygons in body coordinates.

Body coordinates: x from -1 to 1 across the stretched arms, y down; shoulders at 0, waist at 1, ankles at 2.7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw

from ipcir_tools.demo.drawing.backdrop import RGB, mix
from ipcir_tools.demo.world.garments import BOTTOMS, COLOURS, TOPS, Garment

Point = tuple[float, float]
Polygon = list[Point]

WAIST = 1.0
_LIGHT_COLOURS = ("white", "yellow", "orange", "pink")
_HEM = {
    "top": {"short": 0.78, "medium": 1.12, "long": 1.48},
    "coat": {"short": 1.35, "medium": 1.85, "long": 2.4},
    "dress": {"short": 1.5, "medium": 1.95, "long": 2.6},
    "trousers": {"short": 1.55, "medium": 2.1, "long": 2.7},
}


def tone_of(colour: str, shade: str) -> RGB:
    """The colour in the scene's shade."""
    tone = COLOURS[colour]
    if shade == "light":
        return mix(tone, (255, 255, 255), 0.28)
    return mix(tone, (0, 0, 0), 0.28) if shade == "deep" else tone


def accent_of(colour: str, tone: RGB) -> RGB:
    """The pattern's colour: dark on light cloth, light on dark."""
    return mix(tone, (40, 44, 90), 0.72) if colour in _LIGHT_COLOURS else mix(tone, (255, 255, 255), 0.8)


@lru_cache(maxsize=256)
def cloth(pattern: str, tone: RGB, accent: RGB, size: int) -> Image.Image:
    """A square of cloth, ``size`` pixels, in the pattern. Callers must not draw on it."""
    picture = Image.new("RGB", (size, size), tone)
    if pattern != "plain":
        _PATTERNS[pattern](ImageDraw.Draw(picture), size, size / 18, accent, mix(tone, accent, 0.45))
    return picture


def _striped(draw: ImageDraw.ImageDraw, size: int, step: float, accent: RGB, soft: RGB) -> None:
    for i in range(19):
        draw.rectangle((0, i * step, size, i * step + step * 0.42), fill=accent)


def _dotted(draw: ImageDraw.ImageDraw, size: int, step: float, accent: RGB, soft: RGB) -> None:
    r = step * 0.30
    for row in range(19):
        for column in range(-1, 19):
            x, y = (column + 0.5 * (row % 2) + 0.5) * step, (row + 0.5) * step
            draw.ellipse((x - r, y - r, x + r, y + r), fill=accent)


def _checked(draw: ImageDraw.ImageDraw, size: int, step: float, accent: RGB, soft: RGB) -> None:
    wide = step * 1.3
    for i in range(15):
        draw.rectangle((0, i * wide, size, i * wide + wide * 0.5), fill=soft)
    for i in range(15):
        draw.rectangle((i * wide, 0, i * wide + wide * 0.5, size), fill=soft)
    for i in range(15):
        for j in range(15):
            draw.rectangle((i * wide, j * wide, (i + 0.5) * wide, (j + 0.5) * wide), fill=accent)


def _floral(draw: ImageDraw.ImageDraw, size: int, step: float, accent: RGB, soft: RGB) -> None:
    wide = step * 1.9
    for row in range(11):
        for column in range(-1, 11):
            x, y = (column + 0.5 * (row % 2) + 0.4) * wide, (row + 0.4) * wide
            for petal in range(5):
                a = 2 * math.pi * petal / 5 + row
                px, py, r = x + math.cos(a) * wide * 0.19, y + math.sin(a) * wide * 0.19, wide * 0.145
                draw.ellipse((px - r, py - r, px + r, py + r), fill=accent)
            r = wide * 0.10
            draw.ellipse((x - r, y - r, x + r, y + r), fill=(250, 196, 60))
            draw.ellipse((x + wide * 0.34, y + wide * 0.1, x + wide * 0.48, y + wide * 0.3), fill=(86, 156, 90))


def _zigzag(draw: ImageDraw.ImageDraw, size: int, step: float, accent: RGB, soft: RGB) -> None:
    for row in range(-1, 14):
        points = [(i * step * 0.8, (row + 0.5 * (i % 2)) * step * 1.5) for i in range(24)]
        draw.line(points, fill=accent, width=max(2, round(step * 0.42)), joint="curve")


_PATTERNS = {"striped": _striped, "dotted": _dotted, "checked": _checked, "floral": _floral, "zigzag": _zigzag}


def hem_of(garment: Garment) -> float:
    """The y of the hem."""
    if garment.kind in TOPS:
        return _HEM["top"][garment.length]
    row = {"coat": "coat", "dress": "dress", "skirt": "dress"}.get(garment.kind, "trousers")
    return _HEM[row][garment.length]


def span_of(garment: Garment) -> tuple[float, float]:
    """The y range of a picture of the garment, with a margin."""
    top = 0.82 if garment.kind in BOTTOMS else -0.62
    return top, max(hem_of(garment) + 0.22, 1.5 if top < 0 else 2.2)


def sleeves(garment: Garment) -> list[Polygon]:
    """Left and right sleeve, or nothing."""
    if garment.sleeve not in ("short", "long"):
        return []
    loose = 0.05 if garment.kind in ("hoodie", "sweater", "coat") else 0.0
    if garment.sleeve == "short":
        outer: Polygon = [(0.42, 0.03), (0.60, 0.07), (0.93 + loose, 0.44), (0.74, 0.60 + loose), (0.48, 0.38)]
    else:
        outer = [(0.42, 0.03), (0.60, 0.07), (1.20 + loose, 1.10), (1.02 - loose, 1.20), (0.48, 0.52)]
    return [outer, [(-px, py) for px, py in outer]]


def body(garment: Garment) -> list[Polygon]:
    """The polygons of the garment without its sleeves."""
    hem = hem_of(garment)
    if garment.kind == "skirt":
        return [_mirrored([(0.34, WAIST), (0.42 + 0.26 * (hem - WAIST), hem)])]
    if garment.kind == "trousers":
        return _legs(hem)
    shoulder = 0.60 if garment.sleeve in ("short", "long") else 0.50
    upper = [(0.20, -0.02), (shoulder, 0.08), (0.49, 0.48)]
    if garment.kind == "jumpsuit":
        return [_mirrored([*upper, (0.40, WAIST), (0.47, 1.22)]), *_legs(hem)]
    if garment.kind == "dress":
        return [_mirrored([*upper, (0.37, WAIST), (0.44 + 0.34 * (hem - WAIST), hem)])]
    if garment.kind == "coat":
        return [_mirrored([(0.20, -0.02), (shoulder + 0.04, 0.08), (0.56, 0.5), (0.54, WAIST), (0.66, hem)])]
    boxy = {"t-shirt": 0.50, "shirt": 0.47, "sweater": 0.54, "hoodie": 0.57, "jacket": 0.55}[garment.kind]
    return [_mirrored([(0.20, -0.02), (shoulder, 0.08), (boxy, 0.48), (boxy, hem)])]


def _mirrored(right: Polygon) -> Polygon:
    return right + [(-x, y) for x, y in reversed(right)]


def _legs(hem: float) -> list[Polygon]:
    foot = 0.30 if hem < 1.7 else 0.25
    right: Polygon = [
        (0.0, WAIST),
        (0.38, WAIST),
        (0.46, 1.25),
        (0.30 + foot * 0.55, hem),
        (0.30 - foot * 0.75, hem),
        (0.0, 1.42),
    ]
    return [right, [(-x, y) for x, y in right]]


@dataclass(frozen=True)
class View:
    """Maps body coordinates to pixels: scale, turn, move."""

    scale: float
    angle: float
    x: float
    y: float
    middle: float

    def point(self, p: Point) -> Point:
        """One point in pixels."""
        x, y = p[0] * self.scale, (p[1] - self.middle) * self.scale
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.x + x * cos - y * sin, self.y + x * sin + y * cos

    def points(self, polygon: Polygon) -> list[Point]:
        """A polygon in pixels."""
        return [self.point(p) for p in polygon]
