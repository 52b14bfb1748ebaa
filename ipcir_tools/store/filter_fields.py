"""The fields of a filter: what each compares, and its conditions on the catalog's tables."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Float, and_, case, cast, false, func, not_, or_, select

from ipcir_tools.images.excluding import folder_text
from ipcir_tools.images.files import located, path_text
from ipcir_tools.sources import is_object_url
from ipcir_tools.store.dates import interval
from ipcir_tools.store.schema import captions, files, pictures

Condition = ColumnElement[bool]
Kind = Literal["text", "part", "folder", "format", "shape", "date", "number", "place", "flag"]

FIELDS: dict[str, Kind] = {
    "name": "text",
    "folder": "folder",
    "format": "format",
    "width": "number",
    "height": "number",
    "bytes": "number",
    "megapixels": "number",
    "orientation": "shape",
    "taken": "date",
    "camera": "part",
    "caption": "part",
    "gps": "place",
    "damaged": "flag",
}
"""The fields of a filter and what they compare with. ``name``: the file's name, or a part of it; ``folder``: a
folder and all below it; ``bytes``: the file's size; ``camera`` and ``caption``: a part of it will do."""

EQUALITY = ("$eq", "$ne")
ORDER = ("$gt", "$gte", "$lt", "$lte")
"""For numbers and dates."""
CHOICE = ("$in", "$nin")
PLACES = ("$within", "$near")
OPERATORS: dict[Kind, tuple[str, ...]] = {
    "text": (*EQUALITY, *CHOICE, "$contains"),
    "part": (*EQUALITY, *CHOICE, "$contains"),
    "folder": (*EQUALITY, *CHOICE, "$contains"),
    "format": (*EQUALITY, *CHOICE),
    "shape": (*EQUALITY, *CHOICE),
    "date": (*EQUALITY, *ORDER, *CHOICE),
    "number": (*EQUALITY, *ORDER, *CHOICE),
    "place": ("$eq", *PLACES),
    "flag": EQUALITY,
}
HOW: dict[Kind, str] = {
    "text": 'a text, such as "IMG_0001.jpg" or a part of it',
    "part": "a text, a part of it",
    "folder": "a folder's path or name, a text",
    "format": 'a format, such as "jpeg"',
    "shape": '"landscape", "portrait" or "square"',
    "date": 'a date, such as "2024", "2024-05", "2024-05-31" or "2024-05-31T18:30"',
    "number": 'a number, such as {"$gte": 800}',
    "place": '{"$within": [south, west, north, east]}, {"$near": [latitude, longitude, km]}, true or false',
    "flag": "true or false",
}
"""How the value of each kind is written."""

MAX_TEXT = 1_000
"""Characters of one text."""
MAX_KM = 2_000
"""Of ``$near``: farther, the flat distance that is measured would be wrong."""

ALIASES = {
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif", "mpo"), ("jpeg", "mpo")),
    "tif": ("tiff",),
    **dict.fromkeys(("heic", "hif"), ("heif",)),
    "apng": ("png",),
    "dib": ("bmp",),
}
"""The names of formats that files and people use. A camera's MPO is a JPEG with more pictures behind it."""

_FOLDER = func.rtrim(files.c.path, func.replace(files.c.path, os.sep, ""))
"""A file's folder with the separator at its end: databases have no search from the end of a text."""
_KM = 111.32
"""Kilometres of one degree of latitude."""
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


@dataclass(frozen=True)
class Known:
    """What conditions need to know of the gallery."""

    captioner: str | None = None
    """Whose captions count; None: everybody's."""
    has_file: Callable[[Condition], bool] = lambda _: False
    """Whether the gallery has a file of which this condition on the table of files is true."""
    of_files: bool = False
    """Whether conditions are about one file of a picture, joined to it, instead of any of its files."""


def compare(field: str, name: str, value: Any, known: Known) -> Condition:
    """``{field: {name: value}}`` as a condition. Raises ValueError where the value is of another kind.

    What a picture has no value for (a camera, say) is not equal to anything.
    """
    if name in ("$ne", "$nin"):
        return is_not(compare(field, {"$ne": "$eq", "$nin": "$in"}[name], value, known))
    if name == "$in":
        return or_(*(compare(field, "$eq", each, known) for each in value))
    return _BY_KIND[FIELDS[field]](field, name, value, known)


def is_not(condition: Condition) -> Condition:
    """The opposite, true where the condition is unknown."""
    return not_(func.coalesce(condition, false()))


# --- texts


def _text(field: str, name: str, value: Any, known: Known) -> Condition:
    """A file's whole name where a file has it, else a part of it."""
    text = storable(value)
    whole = func.substr(files.c.path, func.length(_FOLDER) + 1) == text
    return _file(whole if name != "$contains" and known.has_file(whole) else _in_name(text), known)


def _in_name(text: str) -> Condition:
    return contains(func.substr(files.c.path, func.length(_FOLDER) + 1), text)


def _part(field: str, name: str, value: Any, known: Known) -> Condition:
    text = storable(value)
    if field == "camera":
        return contains(pictures.c.camera, text)
    said = select(captions.c.image_id).where(contains(captions.c.caption, text))
    if known.captioner is not None:
        said = said.where(captions.c.captioner == known.captioner)
    return pictures.c.id.in_(said)


def contains(column: ColumnElement[Any], text: str) -> Condition:
    """Whether the text is in the column, in whatever case. Databases know the cases of ASCII; of other letters those
    of the text, of its small and of its large letters are looked for."""
    forms = {text} if text.isascii() else {text, text.lower(), text.upper(), text.capitalize(), text.title()}
    return or_(*(column.icontains(form, autoescape=True) for form in sorted(forms)))


def storable(value: Any) -> str:
    """``value`` as a text that a database can store: JSON may contain half a surrogate pair or NUL."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or "\0" in value:
        raise ValueError("no text")
    if value != value.encode(errors="ignore").decode():
        raise ValueError("no text")
    return value


# --- folders


def _folder(field: str, name: str, value: Any, known: Known) -> Condition:
    text = storable(value)
    if name == "$contains":
        return _file(contains(_FOLDER, text), known)
    return _file(or_(*_places(text, known)), known)


def _file(condition: Condition, known: Known) -> Condition:
    """Pictures that have such a file, one with two files is in two folders; or, where it is asked, such files."""
    return condition if known.of_files else pictures.c.id.in_(select(files.c.image_id).where(condition))


def _places(text: str, known: Known) -> list[Condition]:
    """The paths that a folder's text may mean: its own if it is one, else every folder that ends so."""
    if is_object_url(text):
        return [below(str(located(text)))]
    home = os.path.expanduser(text)  # noqa: PTH111 - Path's raises for unknown users
    if os.path.isabs(home):  # noqa: PTH117
        return [below(folder) for folder in dict.fromkeys((located_text(home), os.path.normpath(home)))]
    if known.has_file(below(here := located_text(home))):
        return [below(here)]
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
    middle = f"/{'/'.join(parts)}/".replace("/", os.sep)
    return [contains(files.c.path, middle)] if parts and ".." not in parts else [below(here)]


def located_text(folder: str) -> str:
    """The one name of a folder in the catalog."""
    return path_text(located(folder))


def below(folder: str) -> Condition:
    """Files in the folder with this text and below it, exactly: LIKE would not tell large letters from small ones."""
    prefix = folder_text(folder)
    return func.substr(files.c.path, 1, len(prefix)) == prefix


# --- what a picture is


def formats(value: Any) -> tuple[str, ...]:
    """The stored formats that a name stands for: ``jpg`` for ``jpeg``, ``.HEIC`` for ``heif``."""
    name = storable(value).strip().lower().removeprefix("image/").removeprefix(".")
    return ALIASES.get(name, (name,))


def _format(field: str, name: str, value: Any, known: Known) -> Condition:
    return pictures.c.format.in_(formats(value))


def _shape(field: str, name: str, value: Any, known: Known) -> Condition:
    compared = {"landscape": operator.gt, "portrait": operator.lt, "square": operator.eq}
    if not isinstance(value, str) or value.lower() not in compared:
        raise ValueError("no orientation")
    condition: Condition = compared[value.lower()](pictures.c.width, pictures.c.height)
    return condition


def _number(field: str, name: str, value: Any, known: Known) -> Condition:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**63:  # NaN, too
        raise ValueError("no number")
    # As floats: whole numbers of 32 bits hold neither every value that is asked for nor the product of two.
    column = cast(pictures.c.width, Float) * pictures.c.height / 1e6 if field == "megapixels" else pictures.c[field]
    compared: Callable[[Any, Any], Condition] = _COMPARE.get(name, operator.eq)
    return compared(column, float(value))


def _date(field: str, name: str, value: Any, known: Known) -> Condition:
    start, end = interval(value)
    column = pictures.c.taken
    return {
        "$eq": and_(column >= start, column < end),
        "$gt": column >= end,
        "$gte": column >= start,
        "$lt": column < start,
        "$lte": column < end,
    }[name]


def _flag(field: str, name: str, value: Any, known: Known) -> Condition:
    return pictures.c.damaged.is_(_truth(value))


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


# --- places


def _place(field: str, name: str, value: Any, known: Known) -> Condition:
    if name == "$eq":
        return pictures.c.latitude.is_not(None) if _truth(value) else pictures.c.latitude.is_(None)
    numbers = _numbers(value, 4 if name == "$within" else 3)
    return _within(*numbers) if name == "$within" else _near(*numbers)


def _numbers(value: Any, n: int) -> Sequence[float]:
    good = isinstance(value, list | tuple) and len(value) == n
    if not good or any(isinstance(x, bool) or not isinstance(x, int | float) or not abs(x) <= MAX_KM for x in value):
        raise ValueError("no place")
    return [float(x) for x in value]


def _within(south: float, west: float, north: float, east: float) -> Condition:
    """A box; one whose west is east of its east goes across the date line."""
    if not (-90 <= south <= north <= 90 and -180 <= west <= 180 and -180 <= east <= 180):
        raise ValueError("no box")
    latitude, longitude = pictures.c.latitude, pictures.c.longitude
    sides = (longitude >= west, longitude <= east)
    return and_(latitude >= south, latitude <= north, and_(*sides) if west <= east else or_(*sides))


def _near(latitude: float, longitude: float, km: float) -> Condition:
    """Within ``km`` kilometres, measured as on a flat map around the place."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and km > 0):
        raise ValueError("no place")
    apart = func.abs(pictures.c.longitude - longitude)
    around = case((apart > 180, 360 - apart), else_=apart)
    east, north = around * _KM * math.cos(math.radians(latitude)), (pictures.c.latitude - latitude) * _KM
    condition: Condition = east * east + north * north <= km * km
    return condition


_BY_KIND: dict[Kind, Callable[[str, str, Any, Known], Condition]] = {
    "text": _text,
    "part": _part,
    "folder": _folder,
    "format": _format,
    "shape": _shape,
    "number": _number,
    "date": _date,
    "place": _place,
    "flag": _flag,
}
