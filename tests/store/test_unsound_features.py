"""Features that are none never enter a catalog: the picture is named and counted, and tried again the next time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.encoding import encode_each
from ipcir_tools.store.features import Features
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.indexing import IndexRequest, index_folders
from ipcir_tools.store.sound_features import sound

UNSOUND = {
    "NaN": lambda row: row * np.nan,
    "one NaN": lambda row: np.where(np.arange(len(row)) == 3, np.nan, row),
    "infinity": lambda row: row + np.inf,
    "zeros": lambda row: row * 0,
    "another length": lambda row: row[:-1],
}


class Odd(FakeEncoder):
    """Gives what is no feature of everything green. ``checked``: by way of the base class, which checks it."""

    def __init__(self, spoil: Any, *, checked: bool) -> None:
        super().__init__()
        self._spoil, self._checked = spoil, checked

    def _image_batch(self, images: Any) -> Any:
        return self._spoilt(super()._image_batch(images), [image.getpixel((0, 0))[1] == 128 for image in images])

    def _text_batch(self, texts: Any) -> Any:
        return self._spoilt(super()._text_batch(texts), ["green" in text for text in texts])

    def _spoilt(self, rows: Any, odd: list[bool]) -> Any:
        changed = [self._spoil(row) if bad else row for row, bad in zip(rows, odd, strict=True)]
        same = len({len(row) for row in changed}) == 1
        return np.stack(changed) if same else np.stack([row[: self.dim - 1] for row in changed])

    def _unit(self, features: Any, n: int) -> Any:
        return super()._unit(features, n) if self._checked else np.asarray(features, np.float32)


def folder_of(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in {"red": "red", "blue": "blue", "green": (0, 128, 0)}.items():
        Image.new("RGB", (32, 32), colour).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("checked", [True, False], ids=["checked by the base", "of another package"])
@pytest.mark.parametrize("name", [each for each in UNSOUND if each != "another length"])
def test_such_a_picture_is_named_left_out_and_tried_again(tmp_path, name, checked):
    folder, encoder = folder_of(tmp_path), Odd(UNSOUND[name], checked=checked)
    with Catalog.open(tmp_path / "home") as catalog:
        gallery = Gallery.open(catalog, tmp_path / "home" / "index")

        def index() -> Any:
            request = IndexRequest((folder,), (), force=False)
            return index_folders(
                request, catalog=catalog, gallery=gallery, encoder=lambda: encoder, settings=Settings()
            )

        report = index()
        assert report.added == 2
        assert [(Path(skip.source).name, "cannot be encoded" in skip.reason) for skip in report.skipped] == [
            ("green.png", True)
        ]
        ids, rows = catalog.matrix(catalog.space())
        assert len(ids) == 2
        assert np.isfinite(rows).all()
        assert rows.any(axis=1).all()
        encoder._spoil = lambda row: row
        assert index().added == 1, "it is tried again when the encoder is well"
        gallery.close()


@pytest.mark.parametrize("checked", [True, False], ids=["checked by the base", "of another package"])
@pytest.mark.parametrize("name", UNSOUND)
def test_such_a_text_refuses_its_query_alone(tmp_path, name, checked):
    if name == "another length" and not checked:
        pytest.skip("the base class knows the length")
    encoder = Odd(UNSOUND[name], checked=checked)
    with Catalog.open(tmp_path / "home") as catalog:
        features = Features(catalog, Settings(), lambda: encoder, ScriptedCaptioner, lambda: "scripted")
        with pytest.raises(ModelUnavailableError) as caught:
            features.texts(["a green dress"])
        assert "\n" not in str(caught.value)
        assert features.texts(["a red dress"]).shape == (1, encoder.dim)


def test_such_features_of_a_trained_network_are_refused(tmp_path):
    encoder = FakeEncoder()
    with Catalog.open(tmp_path / "home") as catalog:
        features = Features(catalog, Settings(), lambda: encoder, ScriptedCaptioner, lambda: "scripted")
        for spoil in UNSOUND.values():
            made = np.stack([spoil(np.ones(encoder.dim, np.float32))])
            if made.shape[1] == encoder.dim:
                with pytest.raises(ModelUnavailableError):
                    features.from_network(["n"], [("a", "b")], lambda positions, made=made: made)
        good = np.ones((1, encoder.dim), np.float32)
        assert features.from_network(["n"], [("a", "b")], lambda positions: good).shape == (1, encoder.dim)


@pytest.mark.parametrize("given", [np.ones(3), np.ones((2, 0)), np.ones((3, 4)), np.array([["a"], ["b"]]), [[1], [2]]])
def test_what_is_no_array_of_features_is_refused(given):
    with pytest.raises(ModelUnavailableError, match="in place of 2 features"):
        sound(given, 2, "it")


def test_one_bad_picture_leaves_the_others_of_its_batch():
    encoder = Odd(UNSOUND["NaN"], checked=False)

    class Read:
        failure = later = None

        def __init__(self, image: Image.Image) -> None:
            self.item = image

    pictures = {str(i): Read(Image.new("RGB", (8, 8), (0, 128 * (i == 1), 0))) for i in range(3)}
    vectors, failed = encode_each(encoder, pictures, proven=False)
    assert (sorted(vectors), list(failed)) == (["0", "2"], ["1"])
    assert "NaN" in failed["1"]


def test_a_search_with_such_words_ends_in_a_typed_error(tmp_path):
    folder, encoder = folder_of(tmp_path), Odd(UNSOUND["NaN"], checked=True)
    with Engine.open(Settings(home=tmp_path / "home", composer="sum")) as engine:
        engine.components.encoder, engine.components.check_space = encoder, lambda: None
        engine.components.captioner = ScriptedCaptioner()
        engine.components.captioner_id = engine.components.captioner.id
        engine.index([folder])
        with pytest.raises(ModelUnavailableError):
            engine.search(folder / "red.png", "in green")
        assert engine.search(folder / "red.png", "in red").hits
