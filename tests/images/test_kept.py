"""What is kept of a picture, made in strips, is what the whole picture gives; and how much that is at most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import photo
from PIL import Image

from ipcir_tools.images import kept
from ipcir_tools.images.kept import MOST_FOR_MODELS, MOST_FOR_PEOPLE, Keeping, keep, keeping, upright_strips
from ipcir_tools.images.pixels import WHOLE, crop_extreme, grey_range, reduced, to_rgb, turned


def pictures() -> dict[str, Image.Image]:
    colours = photo((150, 90))
    clear = colours.copy()
    clear.putalpha(Image.linear_gradient("L").resize((150, 90)))
    numbers = np.asarray(colours)[..., 0].astype(np.float32) - 99
    return {
        "RGB": colours,
        "RGBA": clear,
        "L": colours.convert("L"),
        "CMYK": colours.convert("CMYK"),
        "P": colours.quantize(9),
        "F": Image.fromarray(numbers),
        "I;16": Image.fromarray(np.asarray(colours)[..., 0].astype(np.uint16) * 257),
    }


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("mode", pictures())
def test_strips_are_the_whole(monkeypatch, mode, orientation):
    monkeypatch.setattr(kept, "STRIP", 700)
    image = pictures()[mode]
    whole = to_rgb(turned(image, orientation), grey_range(image))
    boxes = [(0, 0, *whole.size), (10, 20, 71, 63)]
    for box, factor in ((box, factor) for box in boxes for factor in (1, 2, 3, 7)):
        right = whole.crop(box).reduce(factor) if factor > 1 else whole.crop(box)
        found = keep(image, orientation, Keeping(box, factor))
        assert np.array_equal(np.asarray(found), np.asarray(right))
    rows = np.concatenate([np.asarray(each) for each in upright_strips(image, orientation)])
    assert np.array_equal(rows, np.asarray(whole))


sides = st.integers(1, 64_000_000)


@given(width=sides, height=sides, side=st.sampled_from([None, 224, 384, 1024, WHOLE]))
def test_little_is_kept_of_any_picture(width, height, side):
    height = max(1, min(height, 64_000_000 // width))
    size = keeping((width, height), side).size
    assert min(size) >= 1
    most = {None: MOST_FOR_PEOPLE, WHOLE: MOST_FOR_MODELS}.get(side)
    # A model of 1,024 pixels needs four times as many of the shorter side, and eight times that of the longer.
    assert size[0] * size[1] <= 1.01 * (most or 64_000_000) + max(width, height) / 100


@pytest.mark.parametrize("size", [(900, 40), (40, 900), (8_000, 1_000), (8_001, 1_000), (5_000, 4_000)])
def test_what_an_encoder_gets_is_what_it_makes_of_the_whole(size):
    image = photo((size[0] // 4 * 4, size[1] // 4 * 4)).resize(size)
    found = keep(image, 1, keeping(size, 224))
    assert np.array_equal(np.asarray(found), np.asarray(reduced(crop_extreme(image), 224)))
