"""Draws a garment in a scene as a picture. The same garment and scene give the same pixels."""

from __future__ import annotations

import random
from functools import lru_cache
from math import ceil

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from ipcir_tools.demo.drawing import backdrop, cloth, figures
from ipcir_tools.demo.drawing.backdrop import RGB, mix
from ipcir_tools.demo.drawing.cloth import View
from ipcir_tools.demo.drawing.details import draw_details
from ipcir_tools.demo.world.garments import Garment, Scene

SIZE = 224
"""Side of a picture in pixels."""
_OVER = 2
"""The factor by which pictures are drawn larger and scaled down, for smooth edges."""


def render(garment: Garment, scene: Scene) -> Image.Image:
    """The picture: RGB, :data:`SIZE` pixels square."""
    rng = random.Random(scene.seed)
    size = SIZE * _OVER
    picture = backdrop.background(scene.background, size, scene.seed % backdrop.VARIANTS).copy()
    view = _view(garment, scene, size, rng)
    tone = cloth.tone_of(garment.colour, scene.shade)
    figures.PRESENT[scene.presentation](picture, view, garment)
    _draw_cloth(picture, view, garment, tone)
    draw_details(ImageDraw.Draw(picture), view, garment, tone)
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


def _draw_cloth(picture: Image.Image, view: View, garment: Garment, tone: RGB) -> None:
    """Draw the cloth: pattern and folds within the garment's outline, then the outline itself."""
    size = picture.width
    shapes = [view.points(polygon) for polygon in (*cloth.sleeves(garment), *cloth.body(garment))]
    mask = Image.new("L", (size, size), 0)
    masked = ImageDraw.Draw(mask)
    for shape in shapes:
        masked.polygon(shape, fill=255)
    _paste_shadow(picture, ImageChops.offset(mask, size // 70, size // 50))
    woven = cloth.cloth(garment.pattern, tone, cloth.accent_of(garment.colour, tone), size)
    woven = ImageChops.offset(woven, round(view.x), round(view.y))
    if box := mask.getbbox():
        folded = ImageChops.multiply(woven.crop(box), _folds(size).crop(box))
        picture.paste(folded, box, mask.crop(box))
    draw = ImageDraw.Draw(picture)
    for shape in shapes:
        draw.line([*shape, shape[0]], fill=mix(tone, (20, 18, 26), 0.5), width=3, joint="curve")


def _paste_shadow(picture: Image.Image, mask: Image.Image) -> None:
    """Darken the picture under the blurred mask; only around it, because the blur takes most of the time."""
    radius, box = picture.width / 70, mask.getbbox()
    if box is None:
        return
    margin = 2 * ceil(radius)
    box = (
        max(box[0] - margin, 0),
        max(box[1] - margin, 0),
        min(box[2] + margin, picture.width),
        min(box[3] + margin, picture.height),
    )
    shadow = mask.crop(box).filter(ImageFilter.BoxBlur(radius))
    picture.paste((30, 26, 34), box, shadow.point([round(v * 0.30) for v in range(256)]))


@lru_cache(maxsize=4)
def _folds(size: int) -> Image.Image:
    """Soft vertical folds to multiply the cloth with."""
    x = np.linspace(0, 1, size, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    wave = 0.945 + 0.055 * np.sin(2 * np.pi * (6.5 * x + 0.35 * np.sin(2 * np.pi * y)))
    return Image.fromarray((255 * np.broadcast_to(wave, (size, size))).astype(np.uint8)).convert("RGB")
