"""Parsing a vision model's judgements of numbered pictures, and the order that follows: pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ipcir_tools.llm.reply_text import json_objects, unwrap
from ipcir_tools.text import one_line, remove_unprintable, shorten
from ipcir_tools.types import Hit, Judgement

MAX_REASON_CHARS = 160
FULL_PRESERVATION = 10.0
"""The preservation of every hit where there is no reference."""

_ENTRIES = "pictures"
_NUMBER = re.compile(r"#?\s*(\d{1,3}(?:\.\d{1,6})?)(?:\s*/\s*10)?")


T = TypeVar("T")


@dataclass(frozen=True)
class Numbered(Generic[T]):
    """What a reply says of numbered pictures."""

    by_number: Mapping[int, T]
    """By the picture's number, from 1."""
    ignored: int = 0
    """Entries for unknown pictures, for one picture a second time, or that say nothing usable."""


def read_judgements(text: str, numbers: Iterable[int], *, preservation: bool = True) -> Numbered[Judgement]:
    """The judgements in a model's reply for the pictures with these ``numbers``; empty where it holds none.

    Numbers may be text (``"7"``, ``"7/10"``). With ``preservation`` False it is not read, and is
    ``FULL_PRESERVATION``.
    """
    return read_numbered(text, numbers, lambda entry: _judgement(entry, preservation))


def read_numbered(text: str, numbers: Iterable[int], read: Callable[[Mapping[str, Any]], T | None]) -> Numbered[T]:
    """What a model's reply says of the pictures with these ``numbers``; ``read`` gives None for an unusable entry.

    Reasoning is dropped. The last complete object with entries counts, for models may write a form or a draft before
    their answer; of a broken object, its complete entries. The first entry for a picture counts.
    """
    known = set(numbers)
    found: dict[int, T] = {}
    ignored = 0
    for entry in _entries(unwrap(text)):
        number, value = _number(entry.get("number")), read(entry)
        if value is None or number not in known or number in found:
            ignored += 1
        else:
            found[int(number)] = value
    return Numbered(found, ignored)


def sorted_places(n: int, scores: Mapping[int, float]) -> list[int]:
    """For each of ``n`` places, from 1, the place of the hit that comes there: the best of ``scores`` first.

    Equal scores keep their order. A hit without a score keeps its place; the others are sorted over what remains.
    """
    places = sorted(scores)
    after = dict(zip(places, sorted(places, key=lambda place: -scores[place]), strict=True))
    return [after.get(place, place) for place in range(1, n + 1)]


def judged_order(hits: Sequence[Hit], judgements: Mapping[int, Judgement]) -> tuple[Hit, ...]:
    """The hits in the order of their judgements, with new ranks; ``judgements`` are by the place in ``hits``, from 1.

    The best sum of edit and preservation comes first: the rule of LM-CIR's critic, which judges one candidate at a
    time; SQUARE has shown that one numbered sheet does as well. Hits without a judgement keep their places, as in
    :func:`sorted_places`. Scores stay those of the search.
    """
    sums = {place: each.edit + each.preservation for place, each in judgements.items()}
    return hits_at(hits, sorted_places(len(hits), sums), judged=judgements)


def hits_at(hits: Sequence[Hit], places: Sequence[int], **by_place: Mapping[int, Any]) -> tuple[Hit, ...]:
    """The hits of ``places``, from 1, in their order, with new ranks; each takes its own value of every field given,
    ``verified={1: 0.5}``, or None."""
    return tuple(
        hits[place - 1].model_copy(
            update={"rank": hit.rank, **{name: values.get(place) for name, values in by_place.items()}}
        )
        for hit, place in zip(hits, places, strict=True)
    )


def _entries(text: str) -> list[dict[str, Any]]:
    values = list(json_objects(text))
    whole = [entries for value in values if (entries := _listed(value))]
    return whole[-1] if whole else [value for value in values if "number" in value]


def _listed(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries in an object; if it has only one list, the list may have any name."""
    lists = [item for item in value.values() if isinstance(item, list)]
    entries = value.get(_ENTRIES, lists[0] if len(lists) == 1 else None)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _judgement(entry: Mapping[str, Any], preservation: bool) -> Judgement | None:
    edit = _number(entry.get("edit"))
    kept = _number(entry.get("preservation")) if preservation else FULL_PRESERVATION
    if edit is None or kept is None or not (0 <= edit <= 10 and 0 <= kept <= 10):
        return None
    return Judgement(edit=edit, preservation=kept, reason=_reason(entry.get("reason")))


def _number(value: Any) -> float | None:
    """A number, also one written as text; None for anything else. NaN stays NaN and is in no range."""
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value.strip())
        return float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1_000 else None


def _reason(value: Any) -> str:
    """A reason as one printable line; empty where it is not text."""
    return shorten(one_line(remove_unprintable(value)), MAX_REASON_CHARS) if isinstance(value, str) else ""
