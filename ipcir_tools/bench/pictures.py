"""Photographs that nobody took: JPEGs with the detail, size on disk and EXIF of a camera's, drawn from a seed.

Noise whose amplitude halves with each octave has about the spectrum of photographs; on it stand shapes with hard edges
and the grain of a sensor. 1024x768 at quality 88 takes about 200 kB, 4000x3000 about 2 MB. Drawing takes longer than
all that is measured, so a few dozen pictures are drawn and the others repeat them with another comment in the file:
each has its own content and its own id, and costs as much to read as the first.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

QUALITY = 88
DRAWN = 24
"""Different pictures; the others have the same pixels."""

PHOTO, LARGE_PHOTO = (1024, 768), (4000, 3000)


def draw_pictures(folder: Path, n: int, size: tuple[int, int], seed: int = 0) -> list[Path]:
    """``n`` JPEGs of ``size`` (width, height) in ``folder``; those that are there already stay."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:06d}.jpg" for i in range(n)]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    different = DRAWN if size[0] < 2_000 else DRAWN // 4
    drawn: dict[int, bytes] = {}
    for i in missing:
        which = i % different
        if which not in drawn:
            drawn[which] = _jpeg(draw_photo(size, seed * 1_000 + which), which)
        _write(paths[i], with_comment(drawn[which], f"picture {i} of seed {seed}"))
    return paths


def small_jpegs(folder: Path, numbers: Sequence[int], side: int = 64) -> list[tuple[Path, bytes]]:
    """Paths and contents of small JPEGs, each with its own content, in subfolders of a thousand; none is written."""
    from PIL import Image

    made = []
    for variant in range(8):
        stream = io.BytesIO()
        draw_photo((side, side * 3 // 4), variant).resize((side, side * 3 // 4), Image.Resampling.BOX).save(
            stream, "JPEG", quality=60
        )
        made.append(stream.getvalue())
    return [(folder / f"{i // 1000:04d}" / f"{i:07d}.jpg", with_comment(made[i % 8], f"picture {i}")) for i in numbers]


def draw_photo(size: tuple[int, int], seed: int) -> Image.Image:
    """An RGB picture of ``size`` (width, height)."""
    from PIL import Image, ImageChops, ImageDraw

    rng = np.random.default_rng(seed)
    width, height = size
    picture = Image.new("RGB", size, tuple(int(value) for value in rng.integers(60, 190, 3)))
    cells, strength = 4, 90.0
    while cells < min(width, 1_200):
        noise = rng.normal(128, strength, (max(2, cells * height // width), cells, 3)).clip(0, 255).astype(np.uint8)
        octave = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        picture = ImageChops.add(picture, octave, scale=1.0, offset=-128)
        cells, strength = cells * 2, max(strength * 0.62, 4.0)
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        reach = int(rng.integers(width // 40, width // 5))
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        box = (x - reach, y - reach // 2, x + reach, y + reach // 2)
        (pen.ellipse if rng.random() < 0.5 else pen.rectangle)(box, fill=colour)
    grain = Image.fromarray(rng.normal(128, 5, (height, width)).clip(0, 255).astype(np.uint8)).convert("RGB")
    return ImageChops.add(picture, grain, scale=1.0, offset=-128)


def with_comment(jpeg: bytes, text: str) -> bytes:
    """The same picture with a comment in its file: another content, the same pixels."""
    comment = text.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def _jpeg(picture: Image.Image, number: int) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Bench", "Camera"
    taken = datetime(2020, 1, 1) + timedelta(days=11 * number, seconds=977 * number)
    exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY, exif=exif)
    return stream.getvalue()


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)
