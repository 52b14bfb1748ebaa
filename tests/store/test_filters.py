"""Filters people think in: on a small gallery where every answer is known."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.store import filters
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.dates import interval
from ipcir_tools.types import ImageRecord

SPACE = "test"


def record(id_: str, path: str, **facts: object) -> ImageRecord:
    plain = {"bytes": 1_000, "width": 4_000, "height": 3_000, "format": "jpeg", "taken": "2024-05-01T10:00:00"}
    return ImageRecord(id=id_, source=path, **{**plain, **facts})


PICTURES = [
    record("a", "/home/ann/photos/2024/may/IMG_0001.jpg", camera="Apple iPhone 12", latitude=59.91, longitude=10.75),
    record("b", "/home/ann/photos/2024/may/IMG_0002.heic", format="heif", width=3_000, height=4_000),
    record("c", "/home/ann/photos/2024/june/100%_off.png", format="png", taken="2024-06-30T23:59:59", width=800),
    record("d", "/home/ann/photos/2023/IMG_0001.jpg", taken="2023-12-31T23:00:00", camera="Canon EOS 5D", format="mpo"),
    record("e", "/srv/scans/Été/scan_1.tiff", format="tiff", taken=None, height=4_000, damaged=True),
    record("f", "/srv/scans/map.gif", format="gif", taken="1999-01-01T00:00:00", latitude=-17.8, longitude=178.0),
    record("g", "/srv/scans/mapX.gif", format="gif", taken="2024-05-31T18:30:00", latitude=-17.9, longitude=-179.5),
]
CAPTIONS = {"a": "a red dress on a beach", "c": "50% off, a sale", "f": "a map_of islands"}


@pytest.fixture
def catalog(open_catalog, tmp_path: Path):
    with open_catalog(tmp_path) as opened:
        stamps = [FileStamp(each.source, each.id, each.bytes, 0) for each in PICTURES]
        stamps.append(FileStamp("/srv/copies/of-ann.jpg", "a", 1_000, 0))
        vectors = {each.id: np.ones(4, np.float32) for each in PICTURES}
        opened.add(PICTURES, stamps, vectors, SPACE)
        opened.put_captions(CAPTIONS, "ours")
        opened.put_captions({"g": "a red map"}, "theirs")
        yield opened


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        # dates, each as the time that it names
        ({"taken": "2024-05"}, "abg"),
        ({"taken": "2024-05-01"}, "ab"),
        ({"taken": "2024-05-31T18:30"}, "g"),
        ({"taken": "2024"}, "abcg"),
        ({"taken": 2023}, "d"),
        ({"taken": {"$gte": "2024-05-31"}}, "cg"),
        ({"taken": {"$gt": "2024-05"}}, "c"),
        ({"taken": {"$lt": "2024"}}, "df"),
        ({"taken": {"$lte": "2024-05-01"}}, "abdf"),
        ({"taken": {"$in": ["1999", "2023"]}}, "df"),
        ({"taken": {"$ne": "2024"}}, "def"),
        # folders and what is below, by their files
        ({"folder": "/home/ann/photos"}, "abcd"),
        ({"folder": "/home/ann/photos/"}, "abcd"),
        ({"folder": "/home/ann/photos/../photos/2024"}, "abc"),
        ({"folder": "2024/may"}, "ab"),
        ({"folder": "May"}, "ab"),
        ({"folder": "./2024/"}, "abc"),
        ({"folder": "/srv/copies"}, "a"),
        ({"$and": [{"folder": "copies"}, {"name": "of-ann.jpg"}]}, "a"),
        ({"$and": [{"folder": "copies"}, {"folder": "may"}]}, ""),  # of one file, not of two
        ({"$and": [{"folder": "photos"}, {"folder": "may"}]}, "ab"),
        ({"$not": {"folder": "copies"}}, "bcdefg"),
        ({"folder": {"$in": ["june", "2023"]}}, "cd"),
        ({"folder": {"$nin": ["photos"]}}, "efg"),
        ({"folder": {"$contains": "phot"}}, "abcd"),
        ({"folder": "été"}, "e"),
        # parts of names and captions, signs as they are
        ({"name": {"$contains": "img_"}}, "abd"),
        ({"name": {"$contains": "%"}}, "c"),
        ({"name": {"$contains": "0_"}}, ""),
        ({"name": "IMG_0001.jpg"}, "ad"),
        ({"name": "of-ann.jpg"}, "a"),
        ({"name": "IMG"}, "abd"),
        ({"name": "img_0001.JPG"}, "ad"),
        ({"name": "map"}, "fg"),
        ({"name": "photos"}, ""),
        ({"name": {"$nin": ["IMG"]}}, "cefg"),
        ({"folder": {"$contains": "copie"}}, "a"),
        ({"folder": {"$contains": "of-ann"}}, ""),
        ({"caption": "RED"}, "a"),
        ({"caption": {"$contains": "0%"}}, "c"),
        ({"caption": "p_o"}, "f"),
        # what it was taken with, and how it is stored
        ({"camera": "iphone"}, "a"),
        ({"camera": {"$ne": "iphone"}}, "bcdefg"),
        ({"format": "jpg"}, "ad"),
        ({"format": ".HEIC"}, "b"),
        ({"format": {"$in": ["tif", "image/png"]}}, "ce"),
        ({"format": {"$nin": ["jpeg", "gif"]}}, "bce"),
        # shape and size
        ({"orientation": "portrait"}, "bc"),
        ({"orientation": "square"}, "e"),
        ({"orientation": {"$ne": "landscape"}}, "bce"),
        ({"megapixels": {"$gte": 16}}, "e"),
        ({"megapixels": {"$lt": 3}}, "c"),
        ({"damaged": True}, "e"),
        ({"damaged": {"$ne": True}}, "abcdfg"),
        # places, across the date line as well
        ({"gps": {"$within": [55, 5, 65, 15]}}, "a"),
        ({"gps": {"$within": [-20, 170, -10, -170]}}, "fg"),
        ({"gps": {"$near": [-17.8, 179.9, 300]}}, "fg"),
        ({"gps": {"$near": [-17.8, 179.9, 100]}}, "g"),
        ({"gps": True}, "afg"),
        ({"gps": False}, "bcde"),
        # joints
        ({"$not": {"camera": "canon"}}, "abcefg"),
        ({"$not": {"$or": [{"taken": "2024"}, {"format": "gif"}]}}, "de"),
        ({"$or": [{"format": "webp"}, {"format": "png"}]}, "c"),
    ],
)  # fmt: skip
def test_what_passes(catalog, where, ids):
    assert "".join(catalog.matching(where, "ours")) == ids
    if ids:
        catalog.check_filter(where, "ours")


def test_a_relative_folder_is_the_working_directorys_where_the_gallery_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Catalog.open(tmp_path / "home") as catalog:
        for id_, path in (("a", tmp_path / "may" / "1.png"), ("b", Path("/elsewhere/may/1.png"))):
            catalog.add([record(id_, str(path))], [FileStamp(str(path), id_, 1, 0)], {id_: np.ones(4)}, SPACE)
        assert catalog.matching({"folder": "may"}) == ["a"]
        assert catalog.matching({"folder": "may/"}) == ["a"]
        monkeypatch.setenv("HOME", str(tmp_path))
        assert catalog.matching({"folder": "~/may"}) == ["a"]
        monkeypatch.chdir("/")
        assert catalog.matching({"folder": "may"}) == ["a", "b"]


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"format": "bmpx"}, ["the format bmpx", "gif (2)", "heif (1)"]),
        ({"format": {"$in": ["webp", "avif"]}}, ["the format webp, avif", "tiff (1)"]),
        ({"folder": "juni"}, ["the folder juni; there are 2024/june (1)", "2024/may (2)"]),
        ({"folder": "/nowhere"}, ["scans (2)"]),
        ({"camera": "Nikon"}, ["Apple iPhone 12 (1)", "Canon EOS 5D (1)"]),
        ({"name": "IMG_0003.jpg"}, ["there are IMG_0001.jpg (2), IMG_0002.heic (1)"]),
        ({"taken": "2031"}, ["2031", "from 1999-01-01 to 2024-06-30"]),
        ({"taken": {"$gte": "2025"}}, ["from 1999-01-01 to 2024-06-30"]),
        ({"gps": {"$within": [0, 0, 1, 1]}}, ["none of the 3 with a place"]),
        ({"$and": [{"width": {"$gte": 1}}, {"format": "webp"}]}, ["the format webp"]),
    ],
)
def test_what_can_never_pass_is_refused_with_what_there_is(catalog, where, says):
    with pytest.raises(InvalidRequestError, match="No picture passes the filter") as error:
        catalog.check_filter(where, "ours")
    assert all(each in str(error.value) for each in says)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "where", [{"width": {"$gt": 9_000}}, {"caption": "zebra"}, {"$and": [{"format": "jpg"}, {"taken": "1999"}]}]
)
def test_what_just_happens_to_pass_nothing_is_an_answer(catalog, where):
    catalog.check_filter(where, "ours")
    assert catalog.matching(where, "ours") == []


def test_captions_that_nobody_made_are_asked_for(catalog):
    with pytest.raises(InvalidRequestError, match="ipcir index FOLDER --captions"):
        catalog.check_filter({"caption": "red"}, "nobody")


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"taken": "last year"}, '"2024-05"'),
        ({"taken": "2024-13"}, '"2024-05"'),
        ({"taken": True}, '"2024-05"'),
        ({"taken": {"$contains": "2024"}}, "'$contains' is no operator for 'taken'"),
        ({"orientation": "wide"}, '"landscape", "portrait" or "square"'),
        ({"damaged": "yes"}, "true or false"),
        ({"gps": [1, 2]}, "$within"),
        ({"gps": {"$within": [1, 2, 3]}}, "south, west, north, east"),
        ({"gps": {"$within": [10, 0, -10, 0]}}, "south, west, north, east"),
        ({"gps": {"$near": [0, 0, 0]}}, "latitude, longitude, km"),
        ({"gps": {"$near": [0, 0, 1e9]}}, "latitude, longitude, km"),
        ({"camera": 5}, "a text"),
        ({"name": {"$contains": ""}}, "a text"),
        ({"name": {"$contains": "x" * 2_000}}, "a text"),
        ({"width": {"$contains": 1}}, "which has $eq"),
        ({"width": "800"}, "a number"),
        ({"folder": ["a"]}, "a folder's path or name"),
        ({"$not": [{"width": 1}]}, "one key was expected"),
        ({"width": 1, "height": 2}, 'write {"$and": [{"width": 1}, {"height": 2}]}'),
        (
            {"taken": {"$gte": "2024-05", "$lt": "2024-08"}},
            'write {"$and": [{"taken": {"$gte": "2024-05"}}, {"taken": {"$lt": "2024-08"}}]}',
        ),
    ],
)
def test_a_value_of_another_kind_is_told_how_to_be_written(catalog, where, says):
    with pytest.raises(InvalidRequestError) as error:
        catalog.matching(where)
    assert says in str(error.value)
    assert len(str(error.value)) < 900


def test_what_is_nested_without_end_is_refused(catalog):
    deep: object = 1
    for _ in range(5_000):
        deep = [deep]
    for where in ({"width": deep}, {"$not": {"$not": {"name": deep}}}):
        with pytest.raises(InvalidRequestError):
            catalog.matching(where)


def test_the_values_that_exist(catalog):
    found = catalog.filter_values("ours", limit=2)
    assert found.pictures == 7
    assert found.formats == {"gif": 2, "heif": 1, "jpeg": 1, "mpo": 1, "png": 1, "tiff": 1}
    assert found.orientations == {"landscape": 4, "portrait": 2, "square": 1}
    assert list(found.folders.items()) == [("2024/may", 2), ("srv/scans", 2)]
    assert (found.more_folders, found.more_cameras) == (4, 0)
    assert found.cameras == {"Apple iPhone 12": 1, "Canon EOS 5D": 1}
    assert found.taken == ("1999-01-01T00:00:00", "2024-06-30T23:59:59")
    assert (found.with_gps, found.captioned, found.damaged) == (3, 3, 1)
    for folder in found.folders:  # as it is told, a filter takes it
        assert catalog.matching({"folder": folder})


def test_an_empty_gallery_has_no_values(tmp_path):
    with Catalog.open(tmp_path) as catalog:
        assert catalog.filter_values().taken is None


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2024", "2024-01-01T00:00:00", "2025-01-01T00:00:00"),
        ("2024-12", "2024-12-01T00:00:00", "2025-01-01T00:00:00"),
        ("2024-02-29", "2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        ("2024/2/3", "2024-02-03T00:00:00", "2024-02-04T00:00:00"),
        ("2024:02:03 04:05:06", "2024-02-03T04:05:06", "2024-02-03T04:05:07"),
        ("2024-02-03T04:05", "2024-02-03T04:05:00", "2024-02-03T04:06:00"),
        ("2024-02-03T04:05:06.789", "2024-02-03T04:05:06", "2024-02-03T04:05:07"),
        ("9999", "9999-01-01T00:00:00", "9999-12-31T24"),
        ("9999-12-31", "9999-12-31T00:00:00", "9999-12-31T24"),
        (2024, "2024-01-01T00:00:00", "2025-01-01T00:00:00"),
    ],
)
def test_a_date_is_the_time_that_it_names(text, first, after):
    assert interval(text) == (first, after)


def test_a_time_with_a_zone_is_local_time():
    local = datetime.fromisoformat("2024-02-03T04:05:06+00:00").astimezone().replace(tzinfo=None).isoformat()
    assert interval("2024-02-03T04:05:06Z")[0] == local


@pytest.mark.parametrize("text", ["", "24", "2024-00", "2023-02-29", "2024-02-03T25:00", "0000", "May 2024", None, 1.5])
def test_what_is_no_date(text):
    with pytest.raises(ValueError, match="2024-05-31"):
        interval(text)


def test_the_grammar_is_short_and_names_everything():
    assert len(filters.GRAMMAR) < 440
    assert all(name in filters.GRAMMAR for name in [*filters.FIELDS, "$contains", "$within", "$not"])
