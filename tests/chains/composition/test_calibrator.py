"""The calibration of an encoder on a gallery: what is measured, with which texts, and how rarely."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ipcir_tools.chains.composition.calibrator import LEAST_TEXTS, STOCK_TEXTS, Calibrator, measure, parts_of
from ipcir_tools.composers.calibration import UNCALIBRATED
from ipcir_tools.errors import ModelUnavailableError

X, Y = np.eye(2, dtype=np.float32)


class Gallery:
    """A catalog and features in one: pictures around a circle, and texts in the direction of their length."""

    space = "hand/2d"

    def __init__(self, pictures: int = 40, captions: int = 0) -> None:
        self.ids = [f"{i:03}" for i in range(pictures)]
        self.captions = {id_: f"a picture with the number {id_}" for id_ in self.ids[:captions]}
        self.version, self.encoded, self.notes = 1, 0, {}
        self.error: Exception | None = None

    def revision(self):
        return str(self.version)

    def sample(self, n):
        return self.ids[:n]

    def images(self, ids):
        return {id_: np.array([np.cos(int(id_)), np.sin(int(id_))], np.float32) for id_ in ids}

    def known_captions(self, ids):
        return {id_: self.captions[id_] for id_ in ids if id_ in self.captions}

    def caption_each(self, ids):
        if self.error:
            raise self.error
        self.captions |= {id_: f"a picture with the number {id_}" for id_ in ids}

    def texts(self, texts):
        self.encoded += len(texts)
        return np.array([[np.cos(len(text)), np.sin(len(text))] for text in texts], np.float32)

    def note(self, key):
        return self.notes.get(key)

    def set_note(self, key, value):
        self.notes[key] = value


def calibrator(gallery: Gallery, cheap: bool = False) -> Calibrator:
    return Calibrator(gallery, lambda: gallery, lambda: cheap)


def test_spreads_are_means_of_standard_deviations():
    """Pictures x, x, y: the cosines of x with the others are 1 and 0, those of y 0 and 0. The text x has 1, 1, 0."""
    found = measure(np.stack([X, X, Y]), ["x"], lambda texts: np.stack([X] * len(texts)) if texts else np.zeros((0, 2)))
    assert found["image_spread"] == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert found["text_spread"] == pytest.approx(np.sqrt(2) / 3)
    assert found["heard"] == 0.0, "the text has no part that could be a modification"


def test_a_part_that_orders_pictures_as_its_own_caption_does_is_understood():
    pictures = np.stack([X, Y, -X, -Y])
    own = {"a dog with a hat": X, "a cat on a mat": Y, "with a hat": X, "on a mat": Y}
    turned = own | {"with a hat": Y, "on a mat": X}
    for known, heard in ((own, 1.0), (turned, -1.0)):
        rows = {text.replace("with ", "").replace("on ", ""): row for text, row in known.items()} | known
        found = measure(
            pictures, ["a dog with a hat", "a cat on a mat"], lambda t, rows=rows: np.stack([rows[e] for e in t])
        )
        assert found["heard"] == pytest.approx(heard, abs=1e-5)


def test_parts_of_a_caption_come_after_its_first():
    assert len(parts_of("A dog with a red hat, on the grass.")) == 2
    assert parts_of("a dog") == parts_of("") == []


@pytest.mark.parametrize("pictures", range(4))
def test_a_gallery_of_hardly_any_pictures_is_not_measured(pictures):
    gallery = Gallery(pictures, captions=pictures)
    assert calibrator(gallery, cheap=True).current() is UNCALIBRATED
    assert gallery.encoded == 0


def test_captions_are_made_where_that_is_cheap_and_stock_texts_taken_where_it_is_not():
    assert (
        calibrator(Gallery(captions=LEAST_TEXTS)).current().source
        == f"{LEAST_TEXTS} captions and 40 pictures of the gallery"
    )
    assert calibrator(Gallery(), cheap=True).current().source == "40 captions and 40 pictures of the gallery"
    stock = f"{len(STOCK_TEXTS)} stock texts and 40 pictures of the gallery"
    assert calibrator(Gallery(captions=LEAST_TEXTS - 1)).current().source == stock
    failing = Gallery()
    failing.error = ModelUnavailableError("no captioner")
    assert calibrator(failing, cheap=True).current().source == stock, "a search must not fail of it"


def test_it_is_measured_once_for_each_revision():
    gallery = Gallery(captions=30)
    first = calibrator(gallery).current()
    encoded = gallery.encoded
    again = calibrator(gallery).current()  # as another process
    assert (again.image_spread, again.text_spread, again.heard) == (first.image_spread, first.text_spread, first.heard)
    assert np.array_equal(again.sample, first.sample)
    assert gallery.encoded == encoded
    gallery.ids.append("100")
    gallery.version += 1
    assert len(calibrator(gallery).current().sample) == 41
    assert gallery.encoded > encoded


def test_what_was_forgotten_is_measured_again():
    gallery = Gallery()
    calibrated = calibrator(gallery)
    assert "stock texts" in calibrated.current().source
    gallery.caption_each(gallery.ids)
    assert "stock texts" in calibrated.current().source, "an order does not depend on what was searched for before"
    calibrated.forget()
    assert "40 captions" in calibrated.current().source


def test_a_note_of_another_version_is_measured_again():
    gallery = Gallery()
    gallery.set_note("calibration:hand/2d", '{"revision": "1", "of_old": 3}')
    assert "stock texts" in calibrator(gallery).current().source


def test_many_threads_measure_once():
    gallery = Gallery(captions=30)
    calibrated = calibrator(gallery)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: calibrated.current(), range(32)))
    assert all(each is found[0] for each in found)
    alone = Gallery(captions=30)
    calibrator(alone).current()
    assert gallery.encoded == alone.encoded
