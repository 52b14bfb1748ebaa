"""Filters on the gallery's metadata, in Chroma's grammar with more fields, as conditions for the catalog's database.

Chroma's own filters are not used: at 20,000 pictures they took 11 to 19 ms a query where a search without one took 1 to
4, and find no whole number below 800.5. The pictures that pass a filter in the database are scored exactly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import and_, or_

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.store.filter_fields import (
    CHOICE,
    EQUALITY,
    FIELDS,
    HOW,
    OPERATORS,
    ORDER,
    PLACES,
    Condition,
    Known,
    compare,
    is_not,
)
from ipcir_tools.text import excerpt
from ipcir_tools.types import Where

JOINTS: dict[str, Callable[..., Condition]] = {"$and": and_, "$or": or_}

MAX_DEPTH = 8
MAX_TERMS = 500
"""Of one list; with the depth it keeps an agent's filter within the limits of a database."""
MAX_VALUES = 2_000
"""In all lists and objects of a filter; an agent has fewer (:mod:`ipcir_tools.bounds`)."""

GRAMMAR = (
    'Filter: {field: value}, {field: {operator: value}}, {"$and": [filter, ...]}; '
    f"fields: {', '.join(FIELDS)}; operators: {', '.join([*EQUALITY, *ORDER, *CHOICE, '$contains', *PLACES])}; "
    f"joints: {', '.join([*JOINTS, '$not'])}. taken is a date (2024, 2024-05), folder means all below it, "
    "gps: {$within: [south, west, north, east]}."
)


def condition(where: Where, known: Known | None = None) -> Condition:
    """``where`` as a condition on the table of pictures.

    Raises InvalidRequestError, with the grammar in its text, for everything that does not follow it.
    """
    if _values(where) > MAX_VALUES:
        raise _wrong(f"it holds more than {MAX_VALUES:,} values")
    return _filter(where, MAX_DEPTH, known or Known())


def _values(where: Any) -> int:
    """How many values are in a filter, or in as much of it as is too much."""
    waiting, found = [where], 0
    while waiting and found <= MAX_VALUES:
        each = waiting.pop()
        if isinstance(each, dict | list | tuple):
            found += len(each)
            waiting += (each.values() if isinstance(each, dict) else each) if found <= MAX_VALUES else ()
    return found


def terms(where: Where) -> Iterator[tuple[str, str, Any]]:
    """The field, operator and value of every term of a right filter that is not negated."""
    for key, value in where.items():
        if key in JOINTS:
            for part in value:
                yield from terms(part)
        elif key in FIELDS:
            yield from (
                (key, name, each) for name, each in _expression(key, value).items() if name not in ("$ne", "$nin")
            )


def about_files(where: Where) -> bool:
    """Whether a filter is about a file's name or folder, of which a picture may have several."""
    return any(field in ("name", "folder") for field in _named_fields(where))


def _named_fields(where: Where) -> Iterator[str]:
    """The fields of a right filter, negated or not."""
    for key, value in where.items():
        for part in value if key in JOINTS else [value] if key == "$not" else ():
            yield from _named_fields(part)
        if key in FIELDS:
            yield key


def _filter(where: Any, depth: int, known: Known) -> Condition:
    key, value = _only_item(where, lambda key, value: {key: value})
    if depth == 0:
        raise _wrong(f"filters are nested more than {MAX_DEPTH} deep")
    if key in JOINTS:
        return JOINTS[key](*(_filter(part, depth - 1, known) for part in _listed(value, key, 2)))
    if key == "$not":
        return is_not(_filter(value, depth - 1, known))
    if key not in FIELDS:
        raise _wrong(f"{key!r} is no field")
    return _comparison(key, _expression(key, value), known)


def _expression(field: str, value: Any) -> dict[Any, Any]:
    """A bare value means the field is equal to it, or, of a camera or caption, that it is a part."""
    return value if isinstance(value, dict) else {"$contains" if FIELDS[field] == "part" else "$eq": value}


def _comparison(field: str, expression: dict[Any, Any], known: Known) -> Condition:
    name, value = _only_item(expression, lambda name, value: {field: {name: value}})
    kind = FIELDS[field]
    if name not in OPERATORS[kind]:
        raise _wrong(f"{name!r} is no operator for {field!r}, which has {', '.join(OPERATORS[kind])}")
    if name in CHOICE:
        value = _listed(value, name, 1)
    try:
        return compare(field, name, value, known)
    except ValueError:
        raise _wrong(f"{field!r} takes {HOW[kind]}, not {_shown(value, 60)}") from None


def _only_item(where: Any, alone: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """The one key and its value; of several, the refusal shows ``$and`` of each ``alone``."""
    if isinstance(where, dict) and len(where) == 1:
        return next(iter(where.items()))
    if isinstance(where, dict) and where:
        raise _wrong(f"one key was expected: write {_shown({'$and': [alone(*item) for item in where.items()]}, 200)}")
    raise _wrong(f"an object with one key was expected, not {_shown(where, 80)}")


def _shown(value: Any, limit: int) -> str:
    try:
        return excerpt(json.dumps(value, ensure_ascii=False, default=str), limit)
    except (RecursionError, ValueError, TypeError):  # without end, or keys that JSON has not
        return f"this {type(value).__name__}"


def _listed(value: Any, key: str, least: int) -> list[Any]:
    if not isinstance(value, list | tuple) or not least <= len(value) <= MAX_TERMS:
        raise _wrong(f"{key!r} takes a list of {least} to {MAX_TERMS}")
    return list(value)


def _wrong(reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"The filter cannot be read: {reason[:250]}. {GRAMMAR}")
