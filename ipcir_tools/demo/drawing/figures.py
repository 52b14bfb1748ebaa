"""The support of the garment: a hanger, a mannequin, a person, or the mat on which it is laid."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

from ipcir_tools.demo.drawing.cloth import View
from ipcir_tools.demo.world.garments import BOTTOMS, TOPS, Garment

SKIN = (232, 190, 160)
_HAIR = (84, 56, 40)
_FORM = (230, 212, 188)
_WOOD = (150, 104, 62)
_STEEL = (120, 124, 132)


def _hanger(picture: Image.Image, view: View, garment: Garment) -> None:
    draw = ImageDraw.Draw(picture)
    top, bar = (0.62, 0.94) if garment.kind in BOTTOMS else (-0.56, 0.04)
    left, right = view.point((-3, top)), view.point((3, top))
    draw.line([left, right], fill=_STEEL, width=10)
    draw.line(view.points([(0, top), (0, bar - 0.14)]), fill=_STEEL, width=6)
    draw.line(
        view.points([(-0.5, bar + 0.05), (0, bar - 0.16), (0.5, bar + 0.05)]), fill=_WOOD, width=14, joint="curve"
    )
    if garment.kind in BOTTOMS:
        for x in (-0.28, 0.28):
            draw.line(view.points([(x, bar - 0.06), (x, bar + 0.14)]), fill=_STEEL, width=14)


def _mannequin(picture: Image.Image, view: View, garment: Garment) -> None:
    draw = ImageDraw.Draw(picture)
    draw.line(view.points([(0, 1.2), (0, 3.0)]), fill=_WOOD, width=16)
    form = [(0.09, -0.30), (0.12, -0.04), (0.52, 0.08), (0.46, 0.45), (0.34, 0.98), (0.43, 1.28), (0.30, 1.50)]
    draw.polygon(view.points(form + [(-x, y) for x, y in reversed(form)]), fill=_FORM)
    draw.polygon(view.points([(-0.10, -0.36), (0.10, -0.36), (0.12, -0.26), (-0.12, -0.26)]), fill=_WOOD)
    knob_x, knob_y = view.point((0, -0.40))
    r = 0.07 * view.scale
    draw.ellipse((knob_x - r, knob_y - r, knob_x + r, knob_y + r), fill=_WOOD)


def _person(picture: Image.Image, view: View, garment: Garment) -> None:
    draw = ImageDraw.Draw(picture)
    for side in (-1, 1):
        arm = [(0.46, 0.08), (0.60, 0.12), (1.10, 1.16), (1.14, 1.34), (1.02, 1.34), (0.96, 1.16), (0.46, 0.46)]
        draw.polygon(view.points([(side * x, y) for x, y in arm]), fill=SKIN)
        leg = [(0.06, 1.2), (0.42, 1.2), (0.36, 2.72), (0.16, 2.72)]
        draw.polygon(
            view.points([(side * x, y) for x, y in leg]), fill=(96, 100, 116) if garment.kind in TOPS else SKIN
        )
        shoe = [(0.14, 2.70), (0.36, 2.70), (0.46, 2.84), (0.14, 2.84)]
        draw.polygon(view.points([(side * x, y) for x, y in shoe]), fill=(70, 56, 52))
    torso = [(0.10, -0.14), (0.50, 0.08), (0.46, 0.45), (0.36, 1.0), (0.44, 1.3)]
    shade = (246, 246, 244) if garment.kind in BOTTOMS else (96, 100, 116) if garment.kind in TOPS else SKIN
    draw.polygon(view.points(torso + [(-x, y) for x, y in reversed(torso)]), fill=shade)
    if garment.kind in BOTTOMS:
        return
    draw.polygon(view.points([(-0.11, -0.25), (0.11, -0.25), (0.24, 0.10), (-0.24, 0.10)]), fill=SKIN)
    for radius, height, tone in ((0.25, -0.44, _HAIR), (0.20, -0.37, SKIN)):
        x, y = view.point((0, height))
        r = radius * view.scale
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tone)
    for side in (-1, 1):
        x, y = view.point((side * 0.075, -0.38))
        r = 0.022 * view.scale
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_HAIR)
    draw.line(view.points([(-0.06, -0.28), (0.0, -0.26), (0.06, -0.28)]), fill=(176, 92, 84), width=4, joint="curve")


def _flat(picture: Image.Image, view: View, garment: Garment) -> None:
    draw = ImageDraw.Draw(picture)
    half = 0.48 * picture.width / view.scale
    mat = [(x * half, view.middle + y * half) for x, y in ((-0.94, -1.0), (0.94, -1.0), (0.94, 1.0), (-0.94, 1.0))]
    draw.polygon(view.points(mat), fill=(250, 244, 230))
    inner = [(x * 0.95, view.middle + (y - view.middle) * 0.95) for x, y in mat]
    draw.line(view.points([*inner, inner[0]]), fill=(206, 176, 134), width=5)


PRESENT: dict[str, Callable[[Image.Image, View, Garment], None]] = {
    "hanger": _hanger,
    "mannequin": _mannequin,
    "person": _person,
    "flat": _flat,
}
"""Draws each of :data:`garments.PRESENTATIONS` behind the garment."""
