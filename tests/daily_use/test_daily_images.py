"""Photographs as owners have them: from phones, damaged, with odd extras; found by date, place, folder and camera."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from colour_folder import run, use_fake_models
from picture_files import chunk, encoded, exif_of, heif, png_with
from PIL import Image

from ipcir_tools import ComposedImageRetriever
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.fakes import COLOURS
from ipcir_tools.settings import load_settings

OSLO = {1: "N", 2: (59.0, 54.0, 36.0), 3: "E", 4: (10.0, 45.0, 0.0)}


def plain(colour: str, size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, COLOURS[colour])


def taken(date: str, camera: str = "iPhone 12", gps: dict[int, object] | None = None) -> bytes:
    return exif_of({0x0110: camera}, part={0x9003: date}, gps=gps).tobytes()


@pytest.fixture
def album(monkeypatch, tmp_path) -> Path:
    """A year of photographs, in folders by month."""
    use_fake_models(monkeypatch)
    monkeypatch.setenv("IPCIR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    files = {
        "2024/may/IMG_0001.heic": heif(plain("red"), exif=taken("2024:05:10 10:00:00", gps=OSLO)),
        "2024/may/IMG_0002.jpg": encoded(plain("blue"), "JPEG", exif=taken("2024:05:31 23:00:00", "Canon EOS 5D")),
        "2024/june/IMG_0001.jpg": encoded(plain("green", (48, 64)), "JPEG", exif=taken("2024:06:01 00:00:00")),
        "scan.png": encoded(plain("orange"), "PNG"),
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    old = datetime(2020, 1, 1).timestamp()
    os.utime(folder / "scan.png", (old, old))
    return folder


@pytest.fixture
def indexed(album, monkeypatch, capsys) -> Path:
    assert run(monkeypatch, capsys, "index", album)[0] == 0
    return album


@pytest.fixture
def found(indexed, monkeypatch, capsys):
    """The files that `ipcir find` finds with some options, by their ends."""

    def find(*options: object) -> set[str]:
        status, out, err = run(monkeypatch, capsys, "find", "red", "--json", *options)
        assert status == 0, err
        return {str(Path(hit["source"]).relative_to(indexed)) for hit in json.loads(out)["hits"]}

    return find


ALL = {"2024/may/IMG_0001.heic", "2024/may/IMG_0002.jpg", "2024/june/IMG_0001.jpg", "scan.png"}
MAY = {"2024/may/IMG_0001.heic", "2024/may/IMG_0002.jpg"}
JUNE, SCAN = {"2024/june/IMG_0001.jpg"}, {"scan.png"}


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ((), ALL),
        (("--since", "2024-05"), MAY | JUNE),
        (("--since", "2024-05", "--until", "2024-05"), MAY),
        (("--until", "2023"), SCAN),
        (("--in", "photos/2024"), MAY | JUNE),
        (("--in", "photos/2024/"), MAY | JUNE),
        (("--in", "may", "--in", "2024/june"), MAY | JUNE),
        (("--in", "may", "--where", '{"camera": "canon"}'), {"2024/may/IMG_0002.jpg"}),
        (("--where", '{"format": "jpg"}'), JUNE | {"2024/may/IMG_0002.jpg"}),
        (("--where", '{"format": "HEIC"}'), {"2024/may/IMG_0001.heic"}),
        (("--where", '{"name": {"$contains": "img_0001"}}'), JUNE | {"2024/may/IMG_0001.heic"}),
        (("--where", '{"orientation": "portrait"}'), JUNE),
        (("--where", '{"gps": {"$near": [59.9, 10.7, 20]}}'), {"2024/may/IMG_0001.heic"}),
        (("--where", '{"$not": {"taken": "2024"}}'), SCAN),
    ],
)
def test_people_find_pictures_by_when_where_and_with_what(found, options, files):
    assert found(*options) == files


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--where", '{"format": "bmpx"}'), "heif (1)"),
        (("--in", "july"), "2024/june (1)"),
        (("--in", "/nowhere"), "2024/may (2)"),
        (("--where", '{"camera": "Nikon"}'), "Canon EOS 5D (1)"),
        (("--since", "2031"), "from 2020-01-01 to 2024-06-01"),
        (("--since", "last summer"), "yesterday, 7d"),
        (("--until", "2024-13"), "--until 2024-13"),
        (("--where", '{"caption": "dress"}'), "--captions"),
        (("--where", '{"width": "800"}'), "takes a number"),
    ],
)
def test_what_can_never_be_found_is_refused_with_what_there_is(indexed, monkeypatch, capsys, options, says):
    status, out, err = run(monkeypatch, capsys, "find", "red", *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_the_last_days_are_found_by_the_files_time(indexed, found):
    new = indexed / "new.png"
    new.write_bytes(encoded(plain("pink"), "PNG"))
    with Engine.open(load_settings()) as engine:
        engine.index([indexed])
    assert found("--since", "yesterday") == {"new.png"}
    week_ago = datetime.now() - timedelta(days=7)
    older = indexed / "older.png"
    older.write_bytes(encoded(plain("black"), "PNG"))
    os.utime(older, (week_ago.timestamp(), week_ago.timestamp()))
    with Engine.open(load_settings()) as engine:
        engine.index([indexed])
    assert found("--since", "today") == {"new.png"}
    assert found("--since", "7d") == found("--since", "2w") == {"new.png", "older.png"}


def test_programs_and_agents_filter_alike(indexed):
    with Engine.open(load_settings()) as engine:
        values = engine.filter_values()
        assert {tuple(Path(name).parts[-2:]) for name in values.folders} >= {("2024", "may"), ("2024", "june")}
        assert values.taken == ("2020-01-01T00:00:00", "2024-06-01T00:00:00")
        assert (values.cameras, values.with_gps) == ({"iPhone 12": 2, "Canon EOS 5D": 1}, 1)
        documents = ComposedImageRetriever(engine=engine, where={"folder": "may"}).invoke("red")
        assert {Path(each.metadata["source"]).name for each in documents} == {"IMG_0001.heic", "IMG_0002.jpg"}
        with pytest.raises(InvalidRequestError, match=r"there are iPhone 12 \(2\)"):
            engine.find("red", where={"camera": "iPhone 11"})


def test_damaged_and_odd_files_are_good_pictures_and_print_nothing(album, monkeypatch, capfd):
    album.joinpath("cut.jpg").write_bytes(encoded(plain("blue"), "JPEG")[:-7])
    album.joinpath("cut.png").write_bytes(encoded(plain("blue"), "PNG")[:-7])
    album.joinpath("prompt.png").write_bytes(png_with(chunk(b"zTXt", b"prompt\0\0" + zlib.compress(bytes(3_000_000)))))
    album.joinpath("exif.jpg").write_bytes(encoded(plain("pink"), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff"))
    status, out, err = run(monkeypatch, capfd, "index", album)
    assert (status, err) == (0, "")
    assert "8 added" in out
    assert "2 damaged" in out
    with Engine.open(load_settings()) as engine:
        damaged = engine.find("blue", where={"damaged": True}).hits
        assert {Path(hit.source).name for hit in damaged} == {"cut.jpg", "cut.png"}


def test_a_setting_refuses_damaged_files(album, monkeypatch, capsys):
    album.joinpath("cut.jpg").write_bytes(encoded(plain("blue"), "JPEG")[:-7])
    monkeypatch.setenv("IPCIR_DAMAGED", "refuse")
    assert "cut off: the file ends early" in run(monkeypatch, capsys, "index", album)[1]


def test_pictures_of_an_earlier_version_get_their_facts_and_are_not_encoded_again(
    indexed, monkeypatch, capsys, tmp_path
):
    with sqlite3.connect(tmp_path / "home" / "catalog.sqlite") as catalog:
        catalog.execute("UPDATE pictures SET taken = NULL, camera = NULL, latitude = NULL, longitude = NULL")
    with Engine.open(load_settings()) as engine:
        encoder = engine.components.encoder
        first, second = engine.index([indexed]), engine.index([indexed])
        assert (first.added, first.unchanged, second.unchanged, encoder.images_encoded) == (0, 4, 4, 0)
        assert engine.catalog.ids_without_facts() == set()
        assert engine.filter_values().cameras == {"iPhone 12": 2, "Canon EOS 5D": 1}


def test_folders_that_agents_may_not_see_are_not_listed(indexed, monkeypatch):
    monkeypatch.setenv("IPCIR_SHOW_PATHS", "name")
    with Engine.open(load_settings()) as engine, pytest.raises(InvalidRequestError) as error:
        engine.find("red", where={"folder": "july"})
    assert "july" in str(error.value)
    assert "june" not in str(error.value)


@pytest.fixture
def copied(album, monkeypatch, capsys) -> Path:
    """An album with a second file, of another name in another folder, for one of its pictures."""
    (album / "sorted").mkdir()
    (album / "sorted" / "Blue.jpg").write_bytes((album / "2024/may/IMG_0002.jpg").read_bytes())
    assert run(monkeypatch, capsys, "index", album)[0] == 0
    return album


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--in", "sorted"), "sorted/Blue.jpg"),
        (("--in", "may", "--where", '{"format": "jpeg"}'), "2024/may/IMG_0002.jpg"),
        (("--where", '{"folder": {"$contains": "sort"}}'), "sorted/Blue.jpg"),
        (("--where", '{"name": "Blue.jpg"}'), "sorted/Blue.jpg"),
        (("--where", '{"name": "blue"}'), "sorted/Blue.jpg"),
        (("--where", '{"name": "IMG_0002.jpg"}'), "2024/may/IMG_0002.jpg"),
        (("--where", '{"name": "img_0002"}'), "2024/may/IMG_0002.jpg"),
    ],
)
def test_a_search_by_folder_or_name_shows_only_files_that_pass(copied, monkeypatch, capsys, tmp_path, options, name):
    expected = str(copied / name)
    assert run(monkeypatch, capsys, "find", "blue", *options, "--paths")[1].split() == [expected]
    assert run(monkeypatch, capsys, "turns", "--paths")[1].split() == [expected]
    with Engine.open(load_settings()) as engine:
        turn = engine.turns(1)[0]
        assert [hit.source for hit in turn.hits] == [expected]
    assert run(monkeypatch, capsys, "show", turn.id, "--paths")[1].split() == [expected]
    assert run(monkeypatch, capsys, "export", "last", "--to", tmp_path / "hits.csv")[0] == 0
    assert expected in (tmp_path / "hits.csv").read_text()


def test_a_file_that_left_the_folder_is_not_replaced_by_its_copy_elsewhere(copied, monkeypatch, capsys):
    assert run(monkeypatch, capsys, "find", "blue", "--in", "sorted")[0] == 0
    (copied / "sorted" / "Blue.jpg").unlink()
    assert run(monkeypatch, capsys, "turns", "--paths")[1] == ""
    assert run(monkeypatch, capsys, "index", copied)[0] == 0
    assert run(monkeypatch, capsys, "turns", "--paths")[1] == ""


def test_names_that_exist_are_those_of_all_files(copied, monkeypatch, capsys):
    status, _, err = run(monkeypatch, capsys, "find", "blue", "--where", '{"name": "Bleu.jpg"}')
    assert status == 2
    assert "Blue.jpg (1)" in err


@pytest.mark.parametrize(
    "options",
    [
        ("--where", '{"width": {"$gt": 100000}}'),
        ("--where", '{"$and": [{"format": "jpeg"}, {"format": "png"}]}'),
        ("--since", "2024-06", "--in", "may"),
    ],
)
def test_a_filter_that_leaves_nothing_says_so_on_every_way_out(indexed, monkeypatch, capsys, options):
    status, out, err = run(monkeypatch, capsys, "find", "blue", *options, "--paths")
    assert (status, out, "leaves no picture" in err) == (0, "", True)
    assert "leaves no picture" in run(monkeypatch, capsys, "find", "blue", *options, "--json")[1]
