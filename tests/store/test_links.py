"""Links in an indexed folder: followed within it, named and left out where they lead elsewhere."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.images.links import LEADS_OUT
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings

ENCODER = "open_clip:fake/colours"


def png(colour: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(data, "PNG")
    return data.getvalue()


def opened(home: Path, **chosen: Any) -> Engine:
    engine = Engine.open(Settings(home=home / "home", encoder=ENCODER, **chosen))
    engine.components.encoder = FakeEncoder(encoder_id(ENCODER))
    return engine


@pytest.fixture
def photos(tmp_path) -> Path:
    photos, private = tmp_path / "photos", tmp_path / "private"
    (photos / "deep").mkdir(parents=True)
    private.mkdir()
    (photos / "own.png").write_bytes(png("red"))
    (private / "secret.png").write_bytes(png("blue"))
    (photos / "deep" / "within.png").symlink_to("../own.png")
    (photos / "out.png").symlink_to(private / "secret.png")
    (photos / "deep" / "far.png").symlink_to("../../private/secret.png")
    (photos / "nowhere.png").symlink_to(private / "none.png")
    (photos / "folder").symlink_to(private)
    (photos / "round.png").symlink_to("round.png")
    (photos / "zero.png").symlink_to("/dev/zero")
    return photos


@pytest.fixture
def engine(tmp_path) -> Iterator[Engine]:
    with opened(tmp_path) as engine:
        yield engine


def held(engine: Engine) -> set[str]:
    return {Path(path).name for path in engine.catalog.stamps()}


def test_links_stay_in_their_folder_and_those_that_do_not_are_named(engine, photos):
    report = engine.index([photos])
    assert held(engine) == {"own.png", "within.png"}
    assert report.linked_folders == 1
    reasons = {Path(skip.source).name: skip.reason for skip in report.skipped}
    assert {name for name, reason in reasons.items() if reason == LEADS_OUT} == {
        "out.png", "far.png", "nowhere.png", "zero.png",
    }  # fmt: skip
    assert "cannot be read" in reasons["round.png"]
    assert report.seen == 7


def test_a_setting_follows_them(tmp_path, photos):
    with opened(tmp_path, follow_links=True) as engine:
        report = engine.index([photos])
        assert held(engine) == {"own.png", "within.png", "out.png", "far.png"}
        reasons = {Path(skip.source).name: skip.reason for skip in report.skipped}
        assert reasons["nowhere.png"] == "does not exist"
        assert reasons["zero.png"] == "not a regular file"
    with opened(tmp_path) as engine:
        engine.index([photos])
        assert held(engine) == {"own.png", "within.png"}, "what came by a link leaves with the setting"


def test_a_link_that_a_person_named_is_followed(engine, photos):
    engine.index([photos / "out.png"])
    assert held(engine) == {"out.png"}
    engine.index([photos])
    engine.index()
    assert held(engine) == {"own.png", "within.png", "out.png"}


def test_a_file_that_becomes_a_link_leaves_the_gallery(engine, photos, tmp_path):
    engine.index([photos])
    (photos / "own.png").unlink()
    (photos / "own.png").symlink_to(tmp_path / "private" / "secret.png")
    engine.index([photos])
    assert held(engine) == set()


def test_a_file_swapped_between_listing_and_reading_is_not_followed(engine, photos, tmp_path, monkeypatch):
    from ipcir_tools.store import changed_files

    def swap(file: Path, *args: Any, **more: Any) -> Path:
        if file.name == "own.png" and not file.is_symlink():
            (photos / "new").symlink_to(tmp_path / "private" / "secret.png")
            (photos / "new").replace(file)
        return file

    monkeypatch.setattr(changed_files, "led_to", swap)
    report = engine.index([photos])
    assert held(engine) == set()
    assert any("a link came into its place" in skip.reason for skip in report.skipped)
