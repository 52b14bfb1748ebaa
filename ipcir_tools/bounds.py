"""How much an agent may write: one table of lengths, counts and depths, kept before anything is done with a text.

A call's arguments, a dialogue's input and the names in a resource's address are checked here first; what goes beyond is
refused with the field's name and its bound. The checks walk lists and objects without recursion and stop at the first
value too many, so that a refusal costs no more than what is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

MAX_TEXT = 2_000
"""Characters of a modification, or of another text that is searched by; a longer one is no edit."""
MAX_NOTE = 200
"""Characters of a note on a reference."""
MAX_PLACE = 4_096
"""Characters of a path or a URL."""
MAX_NAME = 100
"""Characters of the id of a turn, of a handle, of a word to choose."""
MAX_REFERENCES = 4
"""Pictures that one search may start from."""
MAX_JUDGED = 50
"""Pictures that one turn may like and dislike."""
MAX_FILTER_TEXT = 1_000
"""Characters of one text in a filter."""
MAX_FILTER_VALUES = 500
"""Values in one filter, in all its lists and objects."""
MAX_SHOWN = 20
"""Pictures on one sheet, and vectors of one sum."""
MAX_ARGUMENTS = 32
"""Arguments of one call."""
WHOLE_BITS = 64
"""Whole numbers have no more than this, with their sign."""


@dataclass(frozen=True)
class Bound:
    """What one argument may hold."""

    characters: int = MAX_NAME
    """Of each text."""
    items: int = 10
    """Of each list and object."""
    depth: int = 2
    """Levels of lists and objects."""
    values: int = MAX_JUDGED
    """Texts, numbers, lists and objects in all."""
    written: int = 0
    """Characters of a list or an object that is written as one text, as JSON; 0: as of any text."""
    pictures: bool = False
    """Whether a text may be a picture, ``data:...``: its bytes have a limit of their own (IPCIR_MAX_BYTES)."""


_PLACES = Bound(MAX_PLACE, MAX_JUDGED, 3, 2 * MAX_JUDGED, 20_000, pictures=True)

BOUNDS: Mapping[str, Bound] = {
    "modification": Bound(MAX_TEXT, 20),
    "text": Bound(MAX_TEXT, 20),
    "caption": Bound(MAX_TEXT, 20),
    "wish": Bound(MAX_TEXT),
    "message": Bound(MAX_TEXT * 5),
    "note": Bound(MAX_NOTE),
    "reference": replace(_PLACES, items=5 * MAX_REFERENCES),
    "liked": _PLACES,
    "disliked": _PLACES,
    "ids": replace(_PLACES, items=MAX_SHOWN),
    "vectors": Bound(MAX_NAME, MAX_SHOWN, 3, 5 * MAX_SHOWN, 20_000),
    "where": Bound(MAX_FILTER_TEXT, MAX_FILTER_VALUES, 20, MAX_FILTER_VALUES, 20_000),
    "path": Bound(MAX_PLACE),
    "composer": Bound(MAX_FILTER_TEXT),
    "llm": Bound(MAX_NOTE),
    "prompt": Bound(MAX_NOTE),
}
"""By the names of arguments; all others are as ``Bound()`` says: a number, a choice, the id of a turn."""

_ANY = Bound()
_CALL = 100_000
"""Characters of a whole call that is written as one text."""
_PICTURE = re.compile(r"data:[^,\s\"']{0,200};base64,[A-Za-z0-9+/=_-]*", re.IGNORECASE)
_UNWRITTEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters but tabs and line ends, marks that turn the direction of writing, halves of characters."""
_KINDS = (
    ("\x00", "\x9f", "a control character"),
    ("\u202a", "\u2069", "a mark that turns the direction of writing"),
    ("\ud800", "\udfff", "half a character"),
)


def check_call(values: Any, *, read: bool = False) -> None:
    """Check the arguments of a call by the table: an object, or one as a text.

    ``read``: whether lists and objects that were written as texts are taken apart already. Raises ValueError with the
    name of the first argument that goes beyond its bound.
    """
    if isinstance(values, str):
        _check_written("the call", values, _CALL, MAX_ARGUMENTS)
    elif isinstance(values, Mapping):
        if len(values) > MAX_ARGUMENTS:
            raise ValueError(f"the call has {len(values):,} arguments: give {MAX_ARGUMENTS} at most")
        for name, value in values.items():
            if isinstance(name, str):  # what is none is refused as an unknown argument
                _check_length("the call: a name in it", name, 10 * MAX_NAME)
                check_value(name, value, read=read)


def check_value(name: str, value: Any, *, read: bool = True) -> None:
    """Check one argument by the table's bound for its name; ``read`` as of :func:`check_call`. Raises ValueError."""
    bound = BOUNDS.get(name, _ANY)
    if isinstance(value, str) and not read and bound.written:
        if not (name == "reference" and is_picture_text(value)):
            _check_written(name, value, bound.written, bound.items)
        return
    if isinstance(value, str) and name == "where":
        return  # it could not be read, and is refused as that
    values = 1
    for where, each, depth in _walk(name, value):
        if isinstance(each, list | tuple | dict):
            if depth > bound.depth:
                raise ValueError(f"{name}: is nested more than {bound.depth} deep: write it flatter")
            if len(each) > bound.items:
                raise ValueError(f"{where}: has {len(each):,} items: give {bound.items} at most")
            values += len(each)
            if values > bound.values:
                raise ValueError(f"{name}: holds more than {bound.values} values: give fewer")
            for key in each if isinstance(each, dict) else ():
                _check_key(key, where)
        elif isinstance(each, str):
            _check_text(where, each, bound)
        elif isinstance(each, int) or name == "where":  # elsewhere numbers have types that say what they may be
            check_number(where, each)


def check_text(name: str, text: str) -> None:
    """Check a text by the table's bound for that name. Raises ValueError."""
    _check_text(name, text, BOUNDS.get(name, _ANY))


def check_number(where: str, value: object) -> None:
    """Check a number, if it is one. Raises ValueError for one of more than 64 bits, and for none such as NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where}: is no finite number")
    if isinstance(value, int) and value.bit_length() >= WHOLE_BITS:
        raise ValueError(f"{where}: is a number of more than {WHOLE_BITS} bits: give a smaller one")


def is_picture_text(text: str) -> bool:
    """Whether a text is a ``data:`` URI, in quotes or not."""
    return text[:40].lstrip("`'\" \n")[:5].lower() == "data:"


def _walk(name: str, value: Any) -> Iterator[tuple[str, Any, int]]:
    """The value and all that is in it: where it is, what it is, and in how many lists and objects, with itself."""
    waiting: list[tuple[str, Any, int]] = [(name, value, 1)]
    while waiting:
        where, each, depth = waiting.pop()
        yield where, each, depth
        if isinstance(each, dict):
            waiting += ((f"{where}.{key}", inner, depth + 1) for key, inner in each.items())
        elif isinstance(each, list | tuple):
            waiting += ((f"{where}.{place}", inner, depth + 1) for place, inner in enumerate(each))


def _check_key(key: object, where: str) -> None:
    if isinstance(key, str):
        _check_length(f"{where}: a name in it", key, MAX_NAME)
        _check_written_out(f"{where}: a name in it", key)


def _check_text(where: str, text: str, bound: Bound) -> None:
    if bound.pictures and is_picture_text(text):
        return
    first, _, last = where.rpartition(".")
    most = BOUNDS.get(last, bound) if first and not first.startswith("where") else bound
    _check_length(where, text, most.characters)
    _check_written_out(where, text)


def _check_written(where: str, text: str, most: int, pictures: int) -> None:
    """Check a list or an object as one text; the pictures in it are counted, and their bytes have limits elsewhere."""
    if len(text) > most:
        text, found = _PICTURE.subn("data:", text)
        if found > pictures:
            raise ValueError(f"{where}: has {found:,} pictures: give {pictures} at most")
    _check_length(where, text, most)
    _check_written_out(where, text)


def _check_length(where: str, text: str, most: int) -> None:
    if len(text) > most:
        raise ValueError(f"{where}: has {len(text):,} characters: say it in {most} at most")


def _check_written_out(where: str, text: str) -> None:
    plain = text.isascii() and text.isprintable()
    if not plain and (found := _UNWRITTEN.search(text)):
        kind = next((kind for first, last, kind in _KINDS if first <= found[0] <= last), "no character")
        raise ValueError(f"{where}: has {kind} at place {found.start() + 1}: write it without")
