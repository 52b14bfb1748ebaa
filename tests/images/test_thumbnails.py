"""Small JPEGs of pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ipcir_tools.images.thumbnails import encode_jpeg, image_uri, jpeg_uri, read_thumbnail, shrink
from ipcir_tools.settings import Settings

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8))


@pytest.mark.parametrize(("side", "size"), [(None, (400, 300)), (100, (100, 75)), (1_000, (400, 300))])
def test_a_jpeg_is_no_larger_than_its_side(side, size):
    with Image.open(io.BytesIO(encode_jpeg(NOISE, side))) as picture:
        assert (picture.format, picture.size) == ("JPEG", size)
    assert NOISE.size == (400, 300)


def test_the_quality_falls_until_the_bytes_fit():
    whole = encode_jpeg(NOISE, quality=90)
    small = encode_jpeg(NOISE, quality=90, max_bytes=len(whole) // 2)
    assert len(small) <= len(whole) // 2
    assert encode_jpeg(NOISE, quality=90, max_bytes=len(whole)) == whole
    assert encode_jpeg(NOISE, quality=90, max_bytes=1) == encode_jpeg(NOISE, quality=10)


def test_a_picture_as_a_data_uri(tmp_path):
    assert image_uri(NOISE, 100) == jpeg_uri(encode_jpeg(NOISE, 100))
    assert shrink(Image.new("RGBA", (8, 4)), 4).mode == "RGB"
    NOISE.save(tmp_path / "noise.png")
    assert read_thumbnail(tmp_path / "noise.png", Settings(), 100) == encode_jpeg(NOISE, 100)
    assert read_thumbnail(tmp_path / "none.png", Settings(), 100) is None
