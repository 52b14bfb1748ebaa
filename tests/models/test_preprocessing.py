"""Preprocessing: in two steps, what open_clip's own transform gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.images.pixels import whole_factor
from ipcir_tools.models.preprocessing import Preprocessing

CONFIGS = [
    {"size": 32},
    {"size": (32, 32), "interpolation": "bilinear", "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3)},
    {"size": 32, "resize_mode": "squash"},
    {"size": (24, 32), "resize_mode": "squash"},
    {"size": 32, "resize_mode": "longest"},
    {"size": (24, 32)},
]


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def by_open_clip(config: dict[str, object], images: list[Image.Image]) -> np.ndarray:
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2

    transform = image_transform_v2(PreprocessCfg(**config), is_train=False)
    return torch.stack([transform(image) for image in images]).numpy()


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@given(st.integers(6, 250), st.integers(6, 250))
@settings(max_examples=25, deadline=None)
def test_any_picture_becomes_what_open_clip_makes_of_it(config, width, height):
    import torch

    image = noise(width, height)
    preprocessing = Preprocessing(config)
    made = preprocessing.numbers([preprocessing.pixels(image)], "cpu", torch.float32).numpy()
    level = 1 / 255 / min(config.get("std", (0.26,)))
    apart = np.abs(made - by_open_clip(config, [image])) / level
    # Sums round the other way here and there, and noise of full contrast overshoots.
    assert apart.max() < 25
    # Where both directions are scaled, torch rounds to a byte between them in another order than Pillow: a part of a
    # level in a third of the pixels, 0.39 in the mean at 20 x 30, more where the noise is thinner.
    assert apart.mean() < 0.6


def test_most_pixels_are_the_same_to_the_last_digits():
    import torch

    images = [noise(90 + 7 * i, 60 + 11 * i, i) for i in range(8)]
    preprocessing = Preprocessing(CONFIGS[0])
    with ThreadPoolExecutor(4) as pool:
        items = list(pool.map(preprocessing.pixels, images))
    made, expected = preprocessing.numbers(items, "cpu", torch.float32).numpy(), by_open_clip(CONFIGS[0], images)
    assert made.shape == (8, 3, 32, 32)
    assert (np.abs(made - expected) < 1e-5).mean() > 0.99
    assert preprocessing.side == 32


def test_an_encoder_that_knows_of_no_two_steps_takes_them_all_the_same():
    encoder, images = FakeEncoder(batch_size=2), [noise(20, 30), noise(900, 4), noise(5, 5).convert("L")]
    items = [encoder.preprocess(image) for image in images]
    assert encoder.input_side is None
    np.testing.assert_array_equal(encoder.embed_preprocessed(items), encoder.embed_images(images))


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(1, 1_000))
def test_a_picture_is_reduced_by_whole_pixels_and_with_room(width, height, side):
    factor = whole_factor((width, height), side)
    assert width % factor == height % factor == 0
    assert factor == 1 or min(width, height) // factor >= max(4 * side, 1024)
    assert whole_factor((width // factor, height // factor), side) == 1


def test_whole_factors():
    sizes = ((4000, 3000), (3072, 4096), (4001, 3000), (18_000, 2048), (2000, 1500), (1990, 1780))
    assert [whole_factor(size, 224) for size in sizes] == [2, 2, 1, 1, 1, 1]
    assert whole_factor((8192, 6144), 96) == 4
    assert whole_factor((8192, 8192), 448) == 4
