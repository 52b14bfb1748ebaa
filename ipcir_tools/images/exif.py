"""The few EXIF tags that are used here, read from bytes that are not trusted: how a picture is turned, when, with what
and where it was taken.

Pillow reads all tags of a block and warns on standard error of those that it cannot. This reader looks up the wanted
ones alone, takes a few bytes of each, and has no opinion on the rest (EXIF 2.32, TIFF 6.0).
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from datetime import datetime

from ipcir_tools.text import printable_line, shorten

ORIENTATION, MAKE, MODEL, DATE = 0x0112, 0x010F, 0x0110, 0x0132
EXIF_PART, GPS_PART = 0x8769, 0x8825
DATE_ORIGINAL, DATE_DIGITIZED = 0x9003, 0x9004
LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE = 1, 2, 3, 4

MAX_TAGS = 1_000
"""Entries that are looked at in one directory; cameras write about a hundred."""
MAX_TEXT = 128
"""Bytes that are read of a text."""
MAX_CAMERA = 80
"""Characters of a camera's name."""

FIRST_YEAR = 1826
"""The year of the first photograph; one that is said to be older has no date."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8, 129: 1}
"""Bytes of one value by type."""
_TEXTS = (1, 2, 7, 129)
_DATE = re.compile(r"\s*(\d{4})[:\-/.](\d{1,2})[:\-/.](\d{1,2})(?:[T\s]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?")

Tag = bytes | list[float] | None
"""A tag's value: a text, or numbers."""


@dataclass(frozen=True)
class Exif:
    """What was found; None for what is not there, cannot be read or cannot be true."""

    orientation: int = 1
    """1 to 8: how the stored picture is to be turned."""
    taken: str | None = None
    """Local time, ISO 8601, to the second."""
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def read_exif(block: bytes) -> Exif:
    """What a block of EXIF says, or the header of a TIFF; never raises."""
    tiff = block[6:] if block.startswith(b"Exif\0\0") else block
    first = read_directory(tiff)
    part = read_directory(tiff, _number(first.get(EXIF_PART)))
    place = read_directory(tiff, _number(first.get(GPS_PART)))
    latitude = _degrees(place.get(LATITUDE), place.get(LATITUDE_REF), b"S", 90)
    longitude = _degrees(place.get(LONGITUDE), place.get(LONGITUDE_REF), b"W", 180)
    # A camera without a fix writes zeros for both.
    somewhere = latitude is not None and longitude is not None and (latitude, longitude) != (0, 0)
    turned = _number(first.get(ORIENTATION))
    return Exif(
        orientation=turned if turned is not None and 1 <= turned <= 8 else 1,
        taken=_first_date(part.get(DATE_ORIGINAL), part.get(DATE_DIGITIZED), first.get(DATE)),
        camera=_camera(_text(first.get(MAKE)), _text(first.get(MODEL))),
        latitude=latitude if somewhere else None,
        longitude=longitude if somewhere else None,
    )


def iso_time(seconds: float) -> str:
    """A file's time as ``taken`` is written."""
    try:
        return datetime.fromtimestamp(seconds).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):  # beyond what a calendar holds
        return datetime(1970, 1, 1).isoformat(timespec="seconds")


def read_directory(tiff: bytes, offset: int | None = -1) -> dict[int, bytes | list[float]]:
    """The tags of one directory: texts as bytes, numbers as lists. The first one where no ``offset`` is given.

    A tag with more than three numbers, or of another type, is left out.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or offset is None:
        return {}
    try:
        start = struct.unpack_from(f"{order}I", tiff, 4)[0] if offset < 0 else offset
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        entries = [tiff[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(min(count, MAX_TAGS))]
    except struct.error:
        return {}
    found = dict[int, bytes | list[float]]()
    for entry in (each for each in entries if len(each) == 12):
        tag, kind, n = struct.unpack_from(f"{order}HHI", entry)
        if (value := _value(tiff, order, kind, n, entry[8:])) is not None:
            found.setdefault(tag, value)
    return found


def _value(tiff: bytes, order: str, kind: int, n: int, field: bytes) -> Tag:
    """One value: in the four bytes of its field, or where these point to."""
    size = _SIZES.get(kind)
    if size is None or n == 0 or (n > 3 and kind not in _TEXTS):
        return None
    length = size * (min(n, MAX_TEXT) if kind in _TEXTS else n)
    if size * n > 4:
        (start,) = struct.unpack(f"{order}I", field)
        field = tiff[start : start + length]
    if kind in _TEXTS:
        return field[:length]
    if len(field) < length:
        return None
    if kind in (5, 10):
        numbers = struct.unpack(f"{order}{2 * n}{'I' if kind == 5 else 'i'}", field[:length])
        return [a / b if b else math.nan for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    return list(struct.unpack(f"{order}{n}{ {3: 'H', 4: 'I', 9: 'i'}[kind] }", field[:length]))


def _number(value: Tag) -> int | None:
    return int(value[0]) if isinstance(value, list) and math.isfinite(value[0]) else None


def _text(value: Tag) -> str:
    if not isinstance(value, bytes):
        return ""
    raw = value.partition(b"\0")[0]
    try:
        return printable_line(raw.decode())
    except UnicodeDecodeError:
        return printable_line(raw.decode("latin-1"))


def _first_date(*values: Tag) -> str | None:
    return next((date for value in values if (date := _date(_text(value)))), None)


def _date(text: str) -> str | None:
    """``2024:05:01 10:20:30`` in ISO 8601; None for what is no date or lies more than a year ahead."""
    found = _DATE.match(text)
    if found is None:
        return None
    try:
        date = datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
    return date.isoformat(timespec="seconds") if FIRST_YEAR <= date.year <= datetime.now().year + 1 else None


def _camera(make: str, model: str) -> str | None:
    """Maker and model; the maker once where the model begins with it, as in ``Canon`` and ``Canon EOS 5D``."""
    repeated = make and model.lower().startswith(make.split()[0].lower())
    return shorten((model if repeated else f"{make} {model}").strip(), MAX_CAMERA) or None


def _degrees(value: Tag, reference: Tag, negative: bytes, limit: int) -> float | None:
    """Degrees, minutes and seconds as degrees; None beyond ``limit``."""
    if not isinstance(value, list):
        return None
    degrees = sum(part / 60**i for i, part in enumerate(value))
    if isinstance(reference, bytes) and reference[:1].upper() == negative:
        degrees = -degrees
    return round(degrees, 7) if abs(degrees) <= limit else None  # NaN is no less than any limit
