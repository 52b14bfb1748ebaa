"""Files that lack their last bytes are shown as viewers show them, and marked; those that lack more are refused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from picture_files import chunk, encoded, photo
from PIL import Image, ImageFile

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.reading import decode
from ipcir_tools.settings import Settings

CUT_OFF = "cut off: the file ends early"


def is_damaged(data: bytes) -> bool:
    return decode(data, "test", Settings()).record.damaged


def refusal(data: bytes, **chosen: str) -> str:
    with pytest.raises(BadImageError) as caught:
        decode(data, "test", Settings(**chosen))
    return str(caught.value)


KINDS = {
    "jpeg": encoded(photo(), "JPEG", quality=90),
    "progressive": encoded(photo(), "JPEG", progressive=True),
    "grey jpeg": encoded(photo().convert("L"), "JPEG"),
    "cmyk": encoded(photo().convert("CMYK"), "JPEG"),
    "png": encoded(photo(), "PNG"),
    "palette": encoded(photo().quantize(16), "PNG"),
    "alpha": encoded(photo().convert("RGBA"), "PNG"),
}


@pytest.mark.parametrize("missing", [1, 2, 3, 13, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_its_last_bytes_is_shown_and_marked(kind, missing):
    whole = decode(KINDS[kind], "test", Settings())
    cut = decode(KINDS[kind][:-missing], "test", Settings())
    assert (whole.record.damaged, cut.record.damaged) == (False, True)
    assert (cut.record.width, cut.record.height) == (whole.record.width, whole.record.height)
    if kind != "progressive":  # which lacks detail everywhere instead
        upper = (0, 0, 160, 70)
        assert np.array_equal(np.asarray(cut.pixels.crop(upper)), np.asarray(whole.pixels.crop(upper)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_refuses_it(kind):
    assert refusal(KINDS[kind][:-3], damaged="refuse") == CUT_OFF
    assert not decode(KINDS[kind], "test", Settings(damaged="refuse")).record.damaged


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"progressive"}))
def test_a_picture_that_lacks_more_than_a_third_is_refused(kind):
    assert refusal(KINDS[kind][: len(KINDS[kind]) // 2]) == CUT_OFF


def test_half_a_progressive_jpeg_is_a_whole_picture_in_less_detail():
    cut = decode(KINDS["progressive"][: len(KINDS["progressive"]) // 2], "test", Settings())
    assert cut.record.damaged
    assert np.asarray(cut.pixels).std(axis=(0, 1)).min() > 20


@pytest.mark.parametrize("image", [Image.new("RGB", (64, 64)), Image.new("RGB", (64, 64), "white")])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_one_colour_is_not_taken_for_missing(image, format):
    assert is_damaged(encoded(image, format)[:-2])


def test_a_large_jpeg_that_is_cut_off_is_still_reduced_while_it_is_decoded():
    data = encoded(photo((2400, 1600)), "JPEG")
    loaded = decode(data[:-500], "test", Settings())
    assert (loaded.record.width, loaded.record.height, loaded.record.damaged) == (2400, 1600, True)
    assert 512 <= loaded.pixels.height < 1024


def test_a_png_that_breaks_near_its_end_is_what_comes_before():
    rows = encoded(photo(), "PNG")
    broken = bytearray(rows)
    broken[-60:-20] = bytes(40)
    assert is_damaged(bytes(broken))
    broken[200:260] = bytes(60)
    assert "broken" in refusal(bytes(broken)) or refusal(bytes(broken)) == CUT_OFF


def test_a_chunk_that_no_png_has_ends_it():
    data = encoded(photo(), "PNG")
    assert is_damaged(data[:-12] + b"\0\0\0\0\1\2\3\4" + bytes(40))
    assert not is_damaged(data[:-12] + chunk(b"prVt", b"private") + data[-12:])


def test_nobody_else_gets_broken_pictures():
    """The rule is ours alone: meanwhile, and afterwards, Pillow refuses a cut file in any thread of the program."""
    cut, own, stop = KINDS["jpeg"][:-200], [], threading.Event()

    def another() -> None:
        while not stop.is_set():
            own.append(ImageFile.LOAD_TRUNCATED_IMAGES)

    watcher = threading.Thread(target=another)
    watcher.start()
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_damaged, [cut] * 40))
    stop.set()
    watcher.join()
    assert own
    assert not any(own)
