"""Queries as JSON lines, over pictures in a folder or over entries of captions.

A line is ``{"reference": "a", "modification": "in blue", "targets": ["b"]}`` with every right answer in ``targets``,
and as much more of this as is known of the query:

========================== ====================================================================================
``"id"``                   its name in reports; else the number of the line
``"reference"``            also several, each with a note on what is meant of it where it is not the whole picture:
                           ``["a", {"reference": "b", "note": "its collar"}]``
``"negatives"``            pictures that are known to be wrong: their share of the first hits is measured
``"wordings"``             the modification in other words, for ``--wordings`` (``"paraphrases"`` means the same)
``"kinds"``                kinds of the edit, such as ``["add"]``: figures are also given for each
========================== ====================================================================================

That is what PinPoint (arXiv 2603.04598) measures: several answers, explicit negatives, paraphrases, several references.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, model_validator

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks.annotations import Item, field_errors
from ipcir_tools.evaluation.benchmarks.benchmark import Query
from ipcir_tools.evaluation.metrics.metrics import Measure, measures
from ipcir_tools.text import excerpt
from ipcir_tools.types import NotedReference

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[Text, Field(coerce_numbers_to_str=True)]
"""A picture's name in a line, or the line's id."""
SEVERAL_ANSWERS = Measure("mAP", 10)
"""The measure by kind of edit where queries have several right answers, as PinPoint's."""


class _Reference(Item):
    reference: Name
    note: str = ""


class _Line(Item):
    reference: Name
    note: str = ""
    others: tuple[_Reference, ...] = ()
    modification: Text
    targets: tuple[Name, ...] = Field(min_length=1)
    id: Name | None = None
    negatives: tuple[Name, ...] = ()
    wordings: tuple[Text, ...] = ()
    paraphrases: tuple[Text, ...] = ()
    kinds: tuple[Text, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _first_and_others(cls, content: Any) -> Any:
        """``reference`` is a name, a name with its note, or a list of these; the first of a list is the main one."""
        given = content.get("reference") if isinstance(content, dict) else None
        if not given or not isinstance(given, list | dict):
            return content
        first, *others = (
            each if isinstance(each, dict) else {"reference": each}
            for each in (given if isinstance(given, list) else [given])
        )
        noted = {name: first[name] for name in ("reference", "note") if name in first}
        return {**content, "reference": None, **noted, "others": others}


@dataclass(frozen=True)
class _Bad:
    """Why a line is not a query."""

    why: str


def numbered_lines(path: Path, what: str) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, numbered from 1. Raises InvalidRequestError where it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeError) as error:
        raise InvalidRequestError(f"{path} cannot be read ({error}): save it as UTF-8, one {what} a line.") from error
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def read_queries(
    path: Path,
    gallery: Container[str],
    missing: str,
    keep_reference: bool = False,
    as_listed: Callable[[str], str] = str,
) -> tuple[list[Query], list[str]]:
    """The queries, and the reason for every line that is not one.

    ``as_listed`` gives a name as the gallery lists it, and ``missing`` describes a name that is not in it.
    """
    queries: dict[str, Query] = {}
    bad: list[str] = []
    for number, line in numbered_lines(path, "query"):
        own = str(number) if str(number) not in queries else f"line {number}"
        found = _parse(line, own, as_listed)
        if isinstance(found, Query):
            why = _fault(found, gallery, missing, keep_reference)
            found = _Bad(why) if why else found
        if isinstance(found, Query) and found.id in queries:
            found = _Bad(f"the id {excerpt(found.id)} is already used")
        if isinstance(found, Query):
            queries[found.id] = found
        else:
            bad.append(f"line {number}: {found.why}")
    return list(queries.values()), bad


def _parse(line: str, number: str, as_listed: Callable[[str], str]) -> Query | _Bad:
    try:
        item = _Line.model_validate_json(line)
    except ValidationError as error:
        return _Bad(field_errors(error))
    return Query(
        id=item.id or number,
        reference=as_listed(item.reference),
        modification=item.modification,
        targets=_each_once(as_listed(name) for name in item.targets),
        note=item.note.strip(),
        others=tuple(NotedReference(id=as_listed(each.reference), note=each.note.strip()) for each in item.others),
        negatives=_each_once(as_listed(name) for name in item.negatives),
        wordings=tuple(text for text in _each_once((*item.wordings, *item.paraphrases)) if text != item.modification),
        kinds=_each_once(item.kinds),
    )


def _each_once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _fault(query: Query, gallery: Container[str], missing: str, keep_reference: bool) -> str:
    """Why a line cannot be measured; empty where it can."""
    unknown = [name for name in (*query.references, *query.targets, *query.negatives) if name not in gallery]
    if unknown:
        return f"{missing}: {', '.join(excerpt(name) for name in _each_once(unknown))}"
    if len(set(query.references)) < len(query.references):
        return "reference: a picture is named twice"
    if not keep_reference and set(query.references) & set(query.targets):
        return "the reference is a target, but it is left out of the ranking"
    both = [name for name in query.negatives if name in query.targets]
    return f"negatives: a target is among them: {', '.join(excerpt(name) for name in both)}" if both else ""


# --- what is measured, and the notes on it


def measures_for(queries: Sequence[Query]) -> tuple[Measure, ...]:
    """R counts the first of a query's targets, Hits any of them where some have several, mAP all."""
    return (
        *measures("R", 1, 5, 10, 50),
        *(measures("Hits", 1, 5, 10, 50) if have_several(queries) else ()),
        *measures("mAP", 5, 10, 25, 50),
    )


def kind_measure_for(queries: Sequence[Query]) -> Measure | None:
    """The measure of figures by kind of edit: that of several answers where there are such, else the first."""
    return SEVERAL_ANSWERS if have_several(queries) else None


def have_several(queries: Sequence[Query]) -> bool:
    """Whether any query has more than one right answer."""
    return any(len(query.targets) > 1 for query in queries)


def query_notes(queries: Sequence[Query]) -> tuple[str, ...]:
    """What the queries hold, for a report; only what there is."""
    counts = (
        ("several references: what is said of the reference holds for each of them", [q for q in queries if q.others]),
        ("negatives, pictures that are known to be wrong", [q for q in queries if q.negatives]),
        ("other wordings, which --wordings measures each by itself", [q for q in queries if q.wordings]),
        ("kinds of their edit", [q for q in queries if q.kinds]),
    )
    return (
        f"{len(queries):,} queries with {sum(len(query.targets) for query in queries):,} targets",
        *(f"{len(some):,} queries have {what}" for what, some in counts if some),
    )


def count_note(what: str, lines: Sequence[str]) -> str:
    """How many of something there are, and the first of them, for a report."""
    more = f", and {len(lines) - 5} more" if lines[5:] else ""
    return f"{len(lines)} {what}{': ' if lines else ''}{'; '.join(lines[:5])}{more}"
