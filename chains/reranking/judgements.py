"""Reading what a model that sees says of numbered pictures, and the order that follows: pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipcir_tools.llm.reply_text import json_objects, unwrap
from ipcir_tools.text import one_line, remove_unprintable, shorten
from ipcir_tools.types import Hit, Judgement

MAX_REASON_CHARS = 160
UNASKED = 10.0
"""Preservation where there is no reference: nothing that was to be kept is lost."""

_ENTRIES = "pictures"
_NUMBER = re.compile(r"#?\s*(\d{1,3}(?:\.\d{1,6})?)(?:\s*/\s*10)?")


@dataclass(frozen=True)
class Judgements:
    """What could be read of a reply. ``odd``: entries that were passed over, for pictures that there are not, for one
    picture a second time, or without scores from 0 to 10."""

    of: Mapping[int, Judgement]
    """By the picture's number, from 1."""
    odd: int = 0


def read_judgements(text: str, numbers: Iterable[int], *, preservation: bool = True) -> Judgements:
    """The judgements in a model's reply on the pictures with these ``numbers``; none where it holds none.

    Thoughts are dropped. The last whole object that holds entries counts, for models show a form or a draft before
    their answer; of a broken one, its complete entries. The first entry on a picture stands. Numbers may be written as
    text (``"7"``, ``"7/10"``). With ``preservation`` False nobody asked for it, and it is ``UNASKED``.
    """
    there = set(numbers)
    found: dict[int, Judgement] = {}
    odd = 0
    for entry in _entries(unwrap(text)):
        number, judgement = _number(entry.get("number")), _judgement(entry, preservation)
        if judgement is None or number not in there or number in found:
            odd += 1
        else:
            found[int(number)] = judgement
    return Judgements(found, odd)


def judged_order(hits: Sequence[Hit], judgements: Mapping[int, Judgement]) -> tuple[Hit, ...]:
    """The hits as a model judged them, ranked anew; ``judgements`` are by the place in ``hits``, from 1.

    The best sum of edit and preservation comes first, equal sums stay in the order before: the rule of the critic of
    LM-CIR, which judges one candidate at a time; that a single numbered sheet does as well is SQUARE's. A hit that was
    not judged keeps its place, and the judged ones are sorted over the places that are theirs: what nobody looked at
    neither wins nor loses. Scores stay what the search made them.
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
    """The entries that an object holds, under whatever name where it is the only list."""
    lists = [item for item in value.values() if isinstance(item, list)]
    entries = value.get(_ENTRIES, lists[0] if len(lists) == 1 else None)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _judgement(entry: Mapping[str, Any], preservation: bool) -> Judgement | None:
    edit = _number(entry.get("edit"))
    kept = _number(entry.get("preservation")) if preservation else UNASKED
    if edit is None or kept is None or not (0 <= edit <= 10 and 0 <= kept <= 10):
        return None
    return Judgement(edit=edit, preservation=kept, reason=_reason(entry.get("reason")))


def _number(value: Any) -> float | None:
    """A number, also one that is written as text; None for what is none. NaN stays NaN and lies in no range."""
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value.strip())
        return float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1_000 else None


def _reason(value: Any) -> str:
    """A reason on one line that can be printed; nothing where it is no text."""
    return shorten(one_line(remove_unprintable(value)), MAX_REASON_CHARS) if isinstance(value, str) else ""
