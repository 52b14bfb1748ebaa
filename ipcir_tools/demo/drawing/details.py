"""The details of a garment over its cloth: neckline, marks of its kind, pocket, buttons and belt."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ImageDraw

from ipcir_tools.demo.drawing import cloth, figures
from ipcir_tools.demo.drawing.backdrop import RGB, mix
from ipcir_tools.demo.drawing.cloth import WAIST, Point, Polygon, View
from ipcir_tools.demo.world.garments import BOTTOMS, Garment

_INK = (20, 18, 26)
_PAPER = (255, 255, 255)


@dataclass(frozen=True)
class Pen:
    """Draws on one picture in body coordinates, in the colours of one garment."""

    draw: ImageDraw.ImageDraw
    view: View
    tone: RGB

    @property
    def seam(self) -> RGB:
        """The colour of seams."""
        return mix(self.tone, _INK, 0.55)

    def darker(self, share: float) -> RGB:
        """The cloth's colour, darker."""
        return mix(self.tone, _INK, share)

    def lighter(self, share: float) -> RGB:
        """The cloth's colour, lighter."""
        return mix(self.tone, _PAPER, share)

    def fill(self, polygon: Polygon, colour: RGB) -> None:
        """A filled polygon."""
        self.draw.polygon(self.view.points(polygon), fill=colour)

    def line(self, points: Polygon, colour: RGB, width: int) -> None:
        """A line through the points."""
        self.draw.line(self.view.points(points), fill=colour, width=width)

    def curve(self, points: Polygon, colour: RGB, width: int) -> None:
        """A line with round joints."""
        self.draw.line(self.view.points(points), fill=colour, width=width, joint="curve")

    def disc(self, at: Point, radius: float, colour: RGB) -> None:
        """A filled circle with the outline of a seam."""
        (x, y), r = self.view.point(at), radius * self.view.scale
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour, outline=self.seam)


def draw_details(draw: ImageDraw.ImageDraw, view: View, garment: Garment, tone: RGB) -> None:
    """Draw everything that is sewn on: neckline, marks of the kind, pocket, buttons, belt."""
    pen, hem = Pen(draw, view, tone), cloth.hem_of(garment)
    if garment.kind not in BOTTOMS:
        _NECKS.get("hood" if garment.kind == "hoodie" else garment.neck or "", _round_neck)(pen)
    if garment.kind in _MARKS:
        _MARKS[garment.kind](pen, hem)
    contrast = (250, 246, 236) if sum(tone) < 400 else (58, 52, 62)
    if garment.pocket:
        _pocket(pen, garment, contrast)
    if garment.buttons:
        last = min(hem, 1.5) - 0.1
        for i in range(5):
            pen.disc((0.0, 0.3 + (last - 0.3) * i / 4), 0.048, contrast)
    if garment.belt:
        _belt(pen, garment, min(WAIST, hem - 0.12))


def _pocket(pen: Pen, garment: Garment, contrast: RGB) -> None:
    left, top = (0.12, 1.16) if garment.kind in BOTTOMS else (0.12, 0.36)
    patch: Polygon = [
        (left, top),
        (left + 0.26, top),
        (left + 0.26, top + 0.24),
        (left + 0.13, top + 0.31),
        (left, top + 0.24),
    ]
    pen.fill(patch, mix(pen.tone, contrast, 0.22))
    pen.line([*patch, patch[0]], contrast, 3)


def _belt(pen: Pen, garment: Garment, y: float) -> None:
    half = {"coat": 0.56, "jacket": 0.57, "skirt": 0.37, "trousers": 0.41}.get(garment.kind, 0.41)
    leather = (40, 34, 36) if garment.colour in ("brown", "orange", "red") else (112, 66, 34)
    pen.fill([(-half, y - 0.02), (half, y - 0.02), (half, y + 0.11), (-half, y + 0.11)], leather)
    buckle: Polygon = [(-0.09, y - 0.035), (0.09, y - 0.035), (0.09, y + 0.125), (-0.09, y + 0.125), (-0.09, y - 0.035)]
    pen.line(buckle, (236, 200, 96), 6)


# ---- necklines ---------------------------------------------------------------------------------------
def _hood(pen: Pen) -> None:
    hood: Polygon = [
        (0.30, 0.10),
        (0.36, -0.14),
        (0.22, -0.30),
        (-0.22, -0.30),
        (-0.36, -0.14),
        (-0.30, 0.10),
        (0, 0.24),
    ]
    pen.fill(hood, pen.lighter(0.10))
    pen.line([*hood, hood[0]], pen.seam, 3)
    pen.fill([(0.2, 0.06), (0.2, -0.18), (-0.2, -0.18), (-0.2, 0.06), (0, 0.16)], pen.darker(0.6))
    for x in (-0.08, 0.08):
        pen.line([(x, 0.17), (x, 0.5)], (246, 244, 238), 4)


def _v_neck(pen: Pen) -> None:
    pen.fill([(-0.22, -0.04), (0.22, -0.04), (0.0, 0.42)], figures.SKIN)
    pen.curve([(-0.22, -0.04), (0.0, 0.42), (0.22, -0.04)], pen.seam, 6)


def _collar(pen: Pen) -> None:
    pen.fill([(-0.14, -0.06), (0.14, -0.06), (0.0, 0.14)], pen.darker(0.6))
    for side in (-1, 1):
        wing: Polygon = [(side * 0.24, -0.08), (side * 0.02, 0.12), (side * 0.20, 0.30), (side * 0.36, 0.06)]
        pen.fill(wing, pen.lighter(0.45))
        pen.line([*wing, wing[0]], pen.seam, 4)


def _turtleneck(pen: Pen) -> None:
    pen.fill([(-0.20, -0.22), (0.20, -0.22), (0.23, 0.06), (-0.23, 0.06)], pen.darker(0.18))
    for y in (-0.14, -0.05, 0.04):
        pen.line([(-0.21, y), (0.21, y)], pen.seam, 3)


def _round_neck(pen: Pen) -> None:
    arc = [(0.22 * math.cos(a * math.pi / 12), -0.03 + 0.17 * math.sin(a * math.pi / 12)) for a in range(13)]
    pen.fill(arc, figures.SKIN)
    pen.curve(arc, pen.seam, 6)


_NECKS: dict[str, Callable[[Pen], None]] = {
    "hood": _hood,
    "v-neck": _v_neck,
    "collar": _collar,
    "turtleneck": _turtleneck,
}


# ---- marks that distinguish the kinds beyond their outline ----------------------------------------------
def _ribs(pen: Pen, hem: float) -> None:
    band: Polygon = [(-0.55, hem - 0.12), (0.55, hem - 0.12), (0.52, hem + 0.02), (-0.52, hem + 0.02)]
    pen.fill(band, pen.darker(0.22))
    for i in range(-6, 7):
        pen.line([(i * 0.08, hem - 0.11), (i * 0.08, hem)], pen.seam, 2)


def _zip(pen: Pen, hem: float) -> None:
    pen.line([(0, 0.14), (0, hem)], (214, 210, 200), 9)
    pen.line([(0, 0.14), (0, hem)], pen.seam, 3)


def _lapels(pen: Pen, hem: float) -> None:
    pen.line([(0.06, 0.4), (0.06, hem)], pen.seam, 5)
    for side in (-1, 1):
        lapel: Polygon = [(side * 0.16, 0.06), (side * 0.36, 0.22), (side * 0.30, 0.36), (side * 0.04, 0.62)]
        pen.fill(lapel, pen.darker(0.25))
        pen.line([*lapel, lapel[0]], pen.seam, 3)


def _placket(pen: Pen, hem: float) -> None:
    for x in (-0.05, 0.05):
        pen.line([(x, 0.16), (x, hem)], pen.seam, 3)


def _skirt_band(pen: Pen, hem: float) -> None:
    pen.line([(-0.34, WAIST + 0.06), (0.34, WAIST + 0.06)], pen.seam, 5)


def _trouser_band(pen: Pen, hem: float) -> None:
    pen.line([(-0.38, WAIST + 0.06), (0.38, WAIST + 0.06)], pen.seam, 5)


def _waist_seam(pen: Pen, hem: float) -> None:
    pen.line([(-0.37, WAIST), (0.37, WAIST)], pen.seam, 4)


_MARKS: dict[str, Callable[[Pen, float], None]] = {
    "sweater": _ribs,
    "jacket": _zip,
    "coat": _lapels,
    "shirt": _placket,
    "skirt": _skirt_band,
    "trousers": _trouser_band,
    "dress": _waist_seam,
    "jumpsuit": _waist_seam,
}
