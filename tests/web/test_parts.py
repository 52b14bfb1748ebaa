"""Parts of the page by themselves: the tree, the filter's fields, what is kept and for how long."""

from __future__ import annotations

import asyncio
import io
import os
import stat
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ipcir_tools.errors import BadImageError, InvalidRequestError
from ipcir_tools.models.download_report import Download
from ipcir_tools.web.downloads import Downloads
from ipcir_tools.web.filters import fields_of, filter_of
from ipcir_tools.web.indexing import Indexing
from ipcir_tools.web.thumbnails import Thumbnails
from ipcir_tools.web.uploads import Uploads

DAY = st.dates().map(str)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "folder": st.sampled_from(["2024", "/home/ann/Pictures"]),
        "since": DAY,
        "until": DAY,
        "orientation": st.sampled_from(["landscape", "square"]),
        "format": st.sampled_from(["jpeg", "png"]),
        "megapixels": st.floats(0.1, 50).map(lambda value: round(value, 1)),
    },
)


@given(FIELDS)
def test_the_fields_of_a_filter_are_those_that_made_it(fields):
    assert fields_of(filter_of(fields)) == fields


@pytest.mark.parametrize(
    "where", [{"$or": [{"format": "png"}, {"format": "jpeg"}]}, {"width": {"$gte": 800}}, {"format": {"$in": ["png"]}}]
)
def test_a_filter_that_no_fields_make_is_kept_as_it_is(where):
    assert fields_of(where) == {"other": True}


class Components:
    """Loads pictures of one colour and counts them."""

    def __init__(self):
        self.loaded = 0

    def load_image(self, pixels, id_):
        self.loaded += 1
        return "the file is gone" if id_ == "gone" else Image.effect_noise((400, 300), 90).convert("RGB")


class FakeEngine:
    def __init__(self):
        self.components = Components()


def test_thumbnails_are_made_once_and_their_memory_is_bounded():
    engine = FakeEngine()
    thumbnails = Thumbnails(engine, most=100_000)
    first = asyncio.run(thumbnails.get("a", "m"))
    assert asyncio.run(thumbnails.get("a", "m")) is first
    assert engine.components.loaded == 1
    for n in range(20):
        asyncio.run(thumbnails.get(str(n), "m"))
    assert sum(map(len, thumbnails._held.values())) == thumbnails._bytes <= 100_000
    assert asyncio.run(thumbnails.get("gone", "m")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
def test_thumbnails_are_made_behind_all_else():
    engine, before = FakeEngine(), os.getpriority(os.PRIO_PROCESS, 0)
    nice = []
    engine.components.load_image = lambda pixels, id_: (
        nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())) or Image.new("RGB", (9, 9))
    )
    asyncio.run(Thumbnails(engine).get("a", "m"))
    assert nice == [min(before + 10, 19)] or nice == [10]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_the_oldest_references_make_room(engine, tmp_path):
    uploads = Uploads(engine, most=20_000)
    ids = []
    for seed in range(4):
        file = io.BytesIO()
        Image.effect_noise((90, 90), 40 + seed).save(file, "PNG")
        ids.append(uploads.add(file.getvalue()).id)
        time.sleep(0.01)
    left = {each.name for each in uploads._folder.iterdir()}
    assert ids[-1] in left
    assert ids[0] not in left


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_references_are_for_their_owner_alone(engine, tmp_path, monkeypatch, mask):
    monkeypatch.setattr("ipcir_tools.web.uploads.FOLDER", f"references-{mask}")
    file = io.BytesIO()
    Image.effect_noise((90, 90), 60 + mask).save(file, "PNG")
    before = os.umask(mask)
    try:
        uploads = Uploads(engine)
        id_ = uploads.add(file.getvalue()).id
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (uploads._folder, uploads._folder / id_)]
    assert modes == [0o700, 0o600]


def test_a_picture_over_the_limit_is_refused(engine):
    with pytest.raises(BadImageError, match="more than"):
        Uploads(engine).add(b"\0" * (engine.settings.max_bytes + 1))


def test_a_download_is_told_while_it_runs():
    downloads = Downloads()
    assert downloads.state == {}
    with downloads.report(Download("ViT-B-32", "a.example", 605_000_000, 0, Path("/cache"))) as here:
        here(12_000_000)
        told = downloads.state["download"]
        assert told.startswith("Downloading ViT-B-32 from a.example, once: 12")
        assert "605" in told
    assert downloads.state == {}


def wait_for(indexing):
    while indexing.state["running"]:
        time.sleep(0.02)
    return indexing.state


def test_indexing_goes_on_without_a_client_and_tells_how_it_ended(engine, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    for n in range(3):
        Image.new("RGB", (40, 40), (10 * n, 200, 30)).save(folder / f"{n}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    indexing = Indexing(engine)
    indexing.start([str(folder)])
    state = wait_for(indexing)
    assert (state["added"], state["told"]) == (3, "3 added, 1 skipped.")
    assert state["skipped"][0].startswith("broken.png: ")
    indexing.start([str(folder / "none")])
    assert wait_for(indexing)["error"] == f"{folder / 'none'} does not exist: check the name of the file or folder."
    (tmp_path / "empty").mkdir()
    indexing.start([str(tmp_path / "empty")])
    assert wait_for(indexing)["told"].startswith("No picture was found there: name a folder")


def test_one_run_at_a_time_and_it_can_be_stopped(engine, tmp_path, monkeypatch):
    indexing = Indexing(engine)

    def index(paths, progress, **_):
        for n in range(10_000):
            progress("indexing", n, 10_000)
            time.sleep(0.005)

    monkeypatch.setattr(engine, "index", index)
    indexing.start([str(tmp_path)])
    with pytest.raises(InvalidRequestError, match="already"):
        indexing.start([str(tmp_path)])
    while "rate" not in indexing.state or indexing.state["rate"] is None:
        time.sleep(0.01)
    assert indexing.state["left"] > 0
    indexing.stop()
    assert wait_for(indexing)["told"].startswith("Stopped")
