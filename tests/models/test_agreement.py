"""From a file to its feature, reduced while it is decoded: what open_clip gives for the whole picture in float32.

Palette and 1-bit PNGs become RGB before they are scaled; open_clip's transform, given such a picture as it was opened,
would scale its palette's numbers by nearest neighbour and make it RGB then. Ours is meant, and here open_clip gets RGB,
too. A picture that is cut to its middle, as the very long ones are, is not reduced, so that its cut is the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ipcir_tools.images.pixels import WHOLE, crop_extreme
from ipcir_tools.images.reading import decode
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.loading import load_encoder
from ipcir_tools.models.presets import DEMO_FOLDER
from ipcir_tools.settings import Settings

SIZES = ((440, 330), (330, 440), (680, 510), (1800, 1352), (1301, 901), (1300, 190), (2400, 2048), (20, 14))
"""Of what is reduced and what is not, for the 96 pixels that the demo's model sees."""


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(f"open_clip:local-dir:{DEMO_FOLDER / 'clip'}", device="cpu", dtype="float32")


def smooth(w: int, h: int) -> Image.Image:
    y, x = np.mgrid[0:h, 0:w]
    return Image.fromarray(np.stack([255 * x / w, 255 * y / h, 128 + 100 * np.sin(x / 30)], -1).astype(np.uint8))


def noise(w: int, h: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(w).integers(0, 256, (h, w, 3), dtype=np.uint8))


def squares(w: int, h: int) -> Image.Image:
    y, x = np.mgrid[0:h, 0:w]
    return Image.fromarray((((x // 5 + y // 5) % 2) * 255).astype(np.uint8)).convert("RGB")


def lines(w: int, h: int) -> Image.Image:
    image, rng = Image.new("RGB", (w, h), "white"), np.random.default_rng(1)
    for _ in range(60):
        ends = [tuple(map(int, rng.integers(0, [w, h]))) for _ in range(2)]
        ImageDraw.Draw(image).line(ends, fill=tuple(map(int, rng.integers(0, 200, 3))))
    return image


def text(w: int, h: int) -> Image.Image:
    image = Image.new("RGB", (w, h), "white")
    for y in range(0, h, 14):
        ImageDraw.Draw(image).text((3, y), "The quick brown fox jumps over the lazy dog. " * 4, fill="black")
    return image


def files() -> Iterator[bytes]:
    for draw in (smooth, noise, squares, lines, text):
        for size in SIZES:
            yield saved(draw(*size), "JPEG", quality=90)
    sideways = Image.Exif()
    sideways[0x0112] = 6
    photo = smooth(600, 420)
    yield saved(photo, "JPEG", exif=sideways)
    yield saved(photo.convert("CMYK"), "JPEG")
    yield saved(photo, "JPEG", progressive=True)
    yield saved(photo.convert("L"), "JPEG")
    yield saved(photo.convert("P"), "PNG")
    with_alpha = photo.convert("RGBA")
    with_alpha.putalpha(lines(600, 420).convert("L"))
    yield saved(with_alpha, "PNG")
    yield saved(Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257), "PNG")
    yield saved(noise(900, 700), "WEBP", lossless=True)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_features_agree_with_open_clips_own_on_the_whole_picture(encoder, dtype):
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2

    chosen = load_encoder(encoder.name, device="cpu", dtype=dtype)
    data, settings = list(files()), Settings()
    items = [chosen.preprocess(decode(each, "a file", settings, side=chosen.picture_side).pixels) for each in data]
    made = chosen.embed_preprocessed(items)

    whole = [crop_extreme(decode(each, "a file", settings, side=WHOLE).pixels) for each in data]
    model = encoder._loaded.model
    transform = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    with torch.inference_mode():
        features = model.encode_image(torch.stack([transform(image) for image in whole]), normalize=True).numpy()
    cosines = (made * features).sum(axis=1)
    assert cosines.mean() >= (0.9999 if dtype == "float32" else 0.9998)
    assert cosines.min() >= 0.999
