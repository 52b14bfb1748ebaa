"""Draws a garment in a scene as a picture. The same garment and scene give the same pixels."""

from __future__ import annotations

import math
import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from ipcir_tools.demo.drawing import backdrop, cloth, figures
from ipcir_tools.demo.drawing.backdrop import RGB, mix
from ipcir_tools.demo.drawing.cloth import WAIST, Point, Polygon, View
from ipcir_tools.demo.world.garments import BOTTOMS, Garment, Scene

SIZE = 224
"""Side of a picture in pixels."""
_OVER = 2
"""Drawn so many times larger and scaled down, for smooth edges."""


def render(garment: Garment, scene: Scene) -> Image.Image:
    """The picture: RGB, :data:`SIZE` pixels square."""
    rng = random.Random(scene.seed)
    size = SIZE * _OVER
    picture = backdrop.background(scene.background, size, scene.seed % backdrop.VARIANTS).copy()
    view = _view(garment, scene, size, rng)
    tone = cloth.tone_of(garment.colour, scene.shade)
    figures.PRESENT[scene.presentation](picture, view, garment)
    _dress(picture, view, garment, tone)
    _trim(ImageDraw.Draw(picture), view, garment, tone)
    return backdrop.lit(picture.resize((SIZE, SIZE), Image.Resampling.BOX), scene.light)


def _view(garment: Garment, scene: Scene, size: int, rng: random.Random) -> View:
    top, bottom = cloth.span_of(garment)
    scale = min(0.92 / (bottom - top), 0.34) * {"near": 1.16, "normal": 1.0, "far": 0.8}[scene.size]
    shift = {"left": -0.14, "centre": 0.0, "right": 0.14}[scene.position]
    lean = 0.2 * rng.choice((-1, 1)) if scene.presentation == "flat" else 0.0
    return View(
        scale=scale * size * rng.uniform(0.98, 1.02),
        angle=lean + rng.uniform(-0.02, 0.02),
        x=size * (0.5 + shift + rng.uniform(-0.012, 0.012)),
        y=size * (0.5 + rng.uniform(-0.012, 0.012)),
        middle=(top + bottom) / 2,
    )


def _dress(picture: Image.Image, view: View, garment: Garment, tone: RGB) -> None:
    """Lay the cloth: pattern and folds through the garment's outline, then the outline itself."""
    size = picture.width
    shapes = [view.points(polygon) for polygon in (*cloth.sleeves(garment), *cloth.body(garment))]
    mask = Image.new("L", (size, size), 0)
    masked = ImageDraw.Draw(mask)
    for shape in shapes:
        masked.polygon(shape, fill=255)
    shadow = ImageChops.offset(mask, size // 70, size // 50).filter(ImageFilter.BoxBlur(size / 70))
    picture.paste((30, 26, 34), mask=shadow.point([round(v * 0.30) for v in range(256)]))
    woven = cloth.cloth(garment.pattern, tone, cloth.accent_of(garment.colour, tone), size)
    woven = ImageChops.offset(woven, round(view.x), round(view.y))
    picture.paste(ImageChops.multiply(woven, _folds(size)), mask=mask)
    draw = ImageDraw.Draw(picture)
    for shape in shapes:
        draw.line([*shape, shape[0]], fill=mix(tone, (20, 18, 26), 0.5), width=3, joint="curve")


@lru_cache(maxsize=4)
def _folds(size: int) -> Image.Image:
    """Soft vertical folds to multiply the cloth with."""
    x = np.linspace(0, 1, size, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    wave = 0.945 + 0.055 * np.sin(2 * np.pi * (6.5 * x + 0.35 * np.sin(2 * np.pi * y)))
    return Image.fromarray((255 * np.broadcast_to(wave, (size, size))).astype(np.uint8)).convert("RGB")


def _trim(draw: ImageDraw.ImageDraw, view: View, garment: Garment, tone: RGB) -> None:
    """Everything that is sewn on: neckline, kind's own marks, pocket, buttons, belt."""
    line = mix(tone, (20, 18, 26), 0.55)
    hem = cloth.hem_of(garment)
    if garment.kind not in BOTTOMS:
        _neck(draw, view, garment, tone, line)
    _kind_marks(draw, view, garment, tone, line, hem)
    contrast = (250, 246, 236) if sum(tone) < 400 else (58, 52, 62)
    if garment.pocket:
        left, top = (0.12, 1.16) if garment.kind in BOTTOMS else (0.12, 0.36)
        patch: Polygon = [
            (left, top),
            (left + 0.26, top),
            (left + 0.26, top + 0.24),
            (left + 0.13, top + 0.31),
            (left, top + 0.24),
        ]
        draw.polygon(view.points(patch), fill=mix(tone, contrast, 0.22))
        draw.line(view.points([*patch, patch[0]]), fill=contrast, width=3)
    if garment.buttons:
        last = min(hem, 1.5) - 0.1
        for i in range(5):
            _disc(draw, view, (0.0, 0.3 + (last - 0.3) * i / 4), 0.048, contrast, line)
    if garment.belt:
        _belt(draw, view, garment, min(WAIST, hem - 0.12))


def _belt(draw: ImageDraw.ImageDraw, view: View, garment: Garment, y: float) -> None:
    half = {"coat": 0.56, "jacket": 0.57, "skirt": 0.37, "trousers": 0.41}.get(garment.kind, 0.41)
    leather = (40, 34, 36) if garment.colour in ("brown", "orange", "red") else (112, 66, 34)
    band: Polygon = [(-half, y - 0.02), (half, y - 0.02), (half, y + 0.11), (-half, y + 0.11)]
    draw.polygon(view.points(band), fill=leather)
    buckle: Polygon = [(-0.09, y - 0.035), (0.09, y - 0.035), (0.09, y + 0.125), (-0.09, y + 0.125), (-0.09, y - 0.035)]
    draw.line(view.points(buckle), fill=(236, 200, 96), width=6)


def _disc(draw: ImageDraw.ImageDraw, view: View, at: Point, radius: float, fill: RGB, line: RGB) -> None:
    (x, y), r = view.point(at), radius * view.scale
    draw.ellipse((x - r, y - r, x + r, y + r), fill=fill, outline=line)


def _neck(draw: ImageDraw.ImageDraw, view: View, garment: Garment, tone: RGB, line: RGB) -> None:
    inside = mix(tone, (20, 18, 26), 0.6)
    if garment.kind == "hoodie":
        hood: Polygon = [
            (0.30, 0.10),
            (0.36, -0.14),
            (0.22, -0.30),
            (-0.22, -0.30),
            (-0.36, -0.14),
            (-0.30, 0.10),
            (0, 0.24),
        ]
        draw.polygon(view.points(hood), fill=mix(tone, (255, 255, 255), 0.10))
        draw.line(view.points([*hood, hood[0]]), fill=line, width=3)
        draw.polygon(view.points([(0.2, 0.06), (0.2, -0.18), (-0.2, -0.18), (-0.2, 0.06), (0, 0.16)]), fill=inside)
        for x in (-0.08, 0.08):
            draw.line(view.points([(x, 0.17), (x, 0.5)]), fill=(246, 244, 238), width=4)
    elif garment.neck == "v-neck":
        draw.polygon(view.points([(-0.22, -0.04), (0.22, -0.04), (0.0, 0.42)]), fill=figures.SKIN)
        draw.line(view.points([(-0.22, -0.04), (0.0, 0.42), (0.22, -0.04)]), fill=line, width=6, joint="curve")
    elif garment.neck == "collar":
        draw.polygon(view.points([(-0.14, -0.06), (0.14, -0.06), (0.0, 0.14)]), fill=inside)
        for side in (-1, 1):
            wing: Polygon = [(side * 0.24, -0.08), (side * 0.02, 0.12), (side * 0.20, 0.30), (side * 0.36, 0.06)]
            draw.polygon(view.points(wing), fill=mix(tone, (255, 255, 255), 0.45))
            draw.line(view.points([*wing, wing[0]]), fill=line, width=4)
    elif garment.neck == "turtleneck":
        band: Polygon = [(-0.20, -0.22), (0.20, -0.22), (0.23, 0.06), (-0.23, 0.06)]
        draw.polygon(view.points(band), fill=mix(tone, (20, 18, 26), 0.18))
        for y in (-0.14, -0.05, 0.04):
            draw.line(view.points([(-0.21, y), (0.21, y)]), fill=line, width=3)
    else:
        arc = [(0.22 * math.cos(a * math.pi / 12), -0.03 + 0.17 * math.sin(a * math.pi / 12)) for a in range(13)]
        draw.polygon(view.points(arc), fill=figures.SKIN)
        draw.line(view.points(arc), fill=line, width=6, joint="curve")


def _kind_marks(draw: ImageDraw.ImageDraw, view: View, garment: Garment, tone: RGB, line: RGB, hem: float) -> None:
    """What tells kinds apart beyond their outline: ribs, zip, lapels, placket, waistband, crease."""
    if garment.kind == "sweater":
        draw.polygon(
            view.points([(-0.55, hem - 0.12), (0.55, hem - 0.12), (0.52, hem + 0.02), (-0.52, hem + 0.02)]),
            fill=mix(tone, (20, 18, 26), 0.22),
        )
        for i in range(-6, 7):
            draw.line(view.points([(i * 0.08, hem - 0.11), (i * 0.08, hem)]), fill=line, width=2)
    elif garment.kind == "jacket":
        draw.line(view.points([(0, 0.14), (0, hem)]), fill=(214, 210, 200), width=9)
        draw.line(view.points([(0, 0.14), (0, hem)]), fill=line, width=3)
    elif garment.kind == "coat":
        draw.line(view.points([(0.06, 0.4), (0.06, hem)]), fill=line, width=5)
        for side in (-1, 1):
            lapel: Polygon = [(side * 0.16, 0.06), (side * 0.36, 0.22), (side * 0.30, 0.36), (side * 0.04, 0.62)]
            draw.polygon(view.points(lapel), fill=mix(tone, (20, 18, 26), 0.25))
            draw.line(view.points([*lapel, lapel[0]]), fill=line, width=3)
    elif garment.kind == "shirt":
        draw.line(view.points([(-0.05, 0.16), (-0.05, hem)]), fill=line, width=3)
        draw.line(view.points([(0.05, 0.16), (0.05, hem)]), fill=line, width=3)
    elif garment.kind in BOTTOMS:
        half = 0.34 if garment.kind == "skirt" else 0.38
        draw.line(view.points([(-half, WAIST + 0.06), (half, WAIST + 0.06)]), fill=line, width=5)
    elif garment.kind in ("dress", "jumpsuit"):
        draw.line(view.points([(-0.37, WAIST), (0.37, WAIST)]), fill=line, width=4)
