"""When, with what and where a picture was taken, as far as its file can be believed."""

from __future__ import annotations

import os
import struct
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import encoded, exif_of, heif, photo
from PIL.TiffImagePlugin import IFDRational

from ipcir_tools.images.exif import Exif, iso_time, read_exif
from ipcir_tools.images.reading import decode, load
from ipcir_tools.settings import Settings
from ipcir_tools.types import ImageRecord

ORIGINAL, DIGITIZED, DATE = 0x9003, 0x9004, 0x0132
MAKE, MODEL = 0x010F, 0x0110
OSLO = {1: "N", 2: (59.0, 54.0, 36.0), 3: "E", 4: (10.0, 45.0, 0.0)}


def facts(tags=None, **parts) -> Exif:
    return read_exif(exif_of(tags or {}, **parts).tobytes())


def test_a_photograph_says_when_with_what_and_where():
    found = facts({MAKE: "Apple", MODEL: "iPhone 12"}, part={ORIGINAL: "2024:05:01 10:20:30"}, gps=OSLO)
    assert found == Exif(taken="2024-05-01T10:20:30", camera="Apple iPhone 12", latitude=59.91, longitude=10.75)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_every_format_that_holds_exif_is_asked(format):
    exif = exif_of({MODEL: "X100V"}, part={ORIGINAL: "2024:05:01 10:20:30"}, gps=OSLO).tobytes()
    data = heif(photo(), exif=exif) if format == "HEIF" else encoded(photo(), format, exif=exif)
    record = decode(data, "test", Settings(), modified=0.0).record
    place = (record.latitude, record.longitude)
    assert (record.taken, record.camera, place) == ("2024-05-01T10:20:30", "X100V", (59.91, 10.75))


@pytest.mark.parametrize(
    ("tags", "part", "taken"),
    [
        ({DATE: "2020:01:02 03:04:05"}, {}, "2020-01-02T03:04:05"),
        ({DATE: "2020:01:02 03:04:05"}, {DIGITIZED: "2019:01:02 03:04:05"}, "2019-01-02T03:04:05"),
        ({DATE: "2020:01:02 03:04:05"}, {ORIGINAL: "0000:00:00 00:00:00"}, "2020-01-02T03:04:05"),
        ({}, {ORIGINAL: "9999:12:31 23:59:59"}, None),
        ({}, {ORIGINAL: "    :  :     :  :  "}, None),
        ({}, {ORIGINAL: "2024:02:30 10:00:00"}, None),
        ({}, {ORIGINAL: "2024-05-01T10:20"}, "2024-05-01T10:20:00"),
        ({}, {ORIGINAL: "2024:05:01"}, "2024-05-01T00:00:00"),
        ({}, {ORIGINAL: "yesterday"}, None),
    ],
)
def test_a_date_that_cannot_be_is_none(tags, part, taken):
    assert facts(tags, part=part).taken == taken


def test_the_time_of_the_file_stands_in(tmp_path):
    file = tmp_path / "a.png"
    photo().save(file)
    moment = datetime(2021, 3, 4, 5, 6, 7)
    os.utime(file, (moment.timestamp(), moment.timestamp()))
    assert load(file, Settings()).record.taken == "2021-03-04T05:06:07"
    assert iso_time(1e300) == iso_time(-1e300) == "1970-01-01T00:00:00"


def test_a_clock_that_runs_a_little_ahead_is_believed():
    soon = datetime.now() + timedelta(days=30)
    assert facts(part={ORIGINAL: f"{soon:%Y:%m:%d %H:%M:%S}"}).taken == soon.isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D750", "NIKON D750"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("", "X100V", "X100V"),
        ("Leica", "", "Leica"),
        ("", "", None),
        ("\x1b[31m\x01", "  ", "[31m"),
        ("A" * 500, "B" * 500, "A" * 79 + "…"),
    ],
)
def test_a_camera_has_one_name(make, model, camera):
    assert facts({MAKE: make, MODEL: model}).camera == camera


@pytest.mark.parametrize(
    ("gps", "place"),
    [
        (OSLO | {1: "S", 3: "W"}, (-59.91, -10.75)),
        (OSLO | {2: (IFDRational(59, 0), 54.0, 36.0)}, (None, 10.75)),
        (OSLO | {2: (95.0, 0.0, 0.0)}, (None, 10.75)),
        (OSLO | {4: (181.0, 0.0, 0.0)}, (59.91, None)),
        ({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}, (None, None)),
        ({1: "N", 2: (59.91, 0.0, 0.0)}, (59.91, None)),
    ],
)
def test_a_place_that_cannot_be_is_none(gps, place):
    found = facts(gps=gps)
    # One without the other is no place.
    assert (found.latitude, found.longitude) == (place if None not in place else (None, None))


def test_a_directory_that_points_to_itself_or_promises_much_ends():
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2)
    tiff += struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<HHII", 0x0110, 2, 0xFFFFFFFF, 8)
    assert read_exif(tiff + bytes(4)).taken is None
    assert read_exif(b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x10\0\x02\x7f\xff\xff\xff\0\0\0\0" * 65_535).orientation == 1


@given(st.binary(max_size=300))
def test_any_bytes_give_facts_that_a_record_takes(noise):
    for head in (b"", b"Exif\0\0II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\0\x05"):
        found = read_exif(head + noise)
        assert 1 <= found.orientation <= 8
        assert found.camera is None or (found.camera.isprintable() and len(found.camera) <= 80)
        ImageRecord(
            id="0", source="", bytes=1, width=1, height=1, format="png", taken=found.taken, latitude=found.latitude
        )
