"""Parsing a vision model's judgements of numbered pictures, and the order that follows: pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipcir_tools.llm.reply_text import json_objects, unwrap
from ipcir_tools.text import one_line, remove_unprintable, shorten
from ipcir_tools.types import Hit, Judgement

MAX_REASON_CHARS = 160
FULL_PRESERVATION = 10.0
"""The preservation of every hit where there is no reference."""

_ENTRIES = "pictures"
_NUMBER = re.compile(r"#?\s*(\d{1,3}(?:\.\d{1,6})?)(?:\s*/\s*10)?")


@dataclass(frozen=True)
class Judgements:
    """The judgements in a reply."""

    by_number: Mapping[int, Judgement]
    """By the picture's number, from 1."""
    ignored: int = 0
    """Entries for unknown pictures, for one picture a second time, or without scores from 0 to 10."""


def read_judgements(text: str, numbers: Iterable[int], *, preservation: bool = True) -> Judgements:
    """The judgements in a model's reply for the pictures with these ``numbers``; empty where it holds none.

    Reasoning is dropped. The last complete object with entries counts, for models may write a form or a draft before
    their answer; of a broken object, its complete entries. The first entry for a picture counts. Numbers may be text
    (``"7"``, ``"7/10"``). With ``preservation`` False it is not read, and is ``FULL_PRESERVATION``.
    """
    known = set(numbers)
    found: dict[int, Judgement] = {}
    ignored = 0
    for entry in _entries(unwrap(text)):
        number, judgement = _number(entry.get("number")), _judgement(entry, preservation)
        if judgement is None or number not in known or number in found:
            ignored += 1
        else:
            found[int(number)] = judgement
    return Judgements(found, ignored)


def judged_order(hits: Sequence[Hit], judgements: Mapping[int, Judgement]) -> tuple[Hit, ...]:
    """The hits in the order of their judgements, with new ranks; ``judgements`` are by the place in ``hits``, from 1.

    The best sum of edit and preservation comes first, and equal sums keep their order: the rule of LM-CIR's critic,
    which judges one candidate at a time; SQUARE has shown that one numbered sheet does as well. A hit without a
    judgement keeps its place, and the others are sorted over the remaining places. Scores stay those of the search.
    """
    places = sorted(judgements)
    best = sorted(places, key=lambda place: -(judgements[place].edit + judgements[place].preservation))
    after = dict(zip(places, best, strict=True))
    return tuple(
        hits[after.get(place, place) - 1].model_copy(
            update={"rank": rank, "judged": judgements.get(after.get(place, place))}
        )
        for place, rank in enumerate((hit.rank for hit in hits), start=1)
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
