"""Queries over a gallery of captions: composed retrieval without a single picture.

The gallery holds one entry a line, ``{"id": "a", "captions": ["a red dress", "a woman in red"]}``, which stands for a
picture; the queries are those of a user's own benchmark, ``{"reference": "a", "modification": "in blue",
"targets": ["b"]}``, with more fields as :mod:`.query_lines` lists them. The reference is left out of the ranking.
Lines that cannot be used and captions that are blank are listed; an entry without a caption is never found, and a query
that needs it fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pydantic import ValidationError

from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.evaluation.benchmarks.annotations import Item, field_errors
from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Query
from ipcir_tools.evaluation.benchmarks.query_lines import (
    Name,
    count_note,
    kind_measure_for,
    measures_for,
    numbered_lines,
    query_notes,
    read_queries,
)
from ipcir_tools.text import excerpt

_ENTRY = '{"id": "a", "captions": ["a red dress"]}'
_QUERY = '{"reference": "a", "modification": "in blue", "targets": ["b"]}'


class _Entry(Item):
    id: Name
    captions: tuple[str, ...]


@dataclass(frozen=True)
class CaptionBenchmark(Benchmark):
    """A benchmark whose pictures are known by their captions alone."""

    entries: ClassVar[str] = "entries of captions"
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The captions of each entry, as they were written; empty for an entry without one."""
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Entries that have no caption, and lines that are not an entry, with the reason."""

    @property
    def first_captions(self) -> dict[str, str]:
        """The text that a page shows instead of a picture, by the entry's name."""
        return {name: texts[0] for name, texts in self.captions.items() if texts}


@dataclass
class _Gallery:
    captions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    """Lines that are not an entry, and why."""
    blank: list[str] = field(default_factory=list)
    """Entries that lost a blank caption."""

    @property
    def uncaptioned(self) -> list[str]:
        return [name for name, captions in self.captions.items() if not captions]


def load_captions(gallery: Path, queries: Path) -> CaptionBenchmark:
    """The queries of one file over the captions of another.

    Raises NotFoundError without the files, and InvalidRequestError where no line is an entry with a caption, or no
    line a query.
    """
    for path, line in ((gallery, _ENTRY), (queries, _QUERY)):
        if not path.is_file():
            raise NotFoundError(f"{path} is missing: name a file with lines as {line}.")
    entries = _read(gallery)
    if not any(entries.captions.values()):
        raise InvalidRequestError(
            _unusable_message(gallery, "entry with a caption", entries.bad + entries.uncaptioned, _ENTRY)
        )
    found, bad = read_queries(queries, entries.captions, f"no such entry in {gallery.name}")
    if not found:
        raise InvalidRequestError(_unusable_message(queries, "query", bad, _QUERY))
    return CaptionBenchmark(
        name=f"{queries.stem} over {gallery.stem}",
        queries=tuple(found),
        gallery=tuple(entries.captions),
        paths={},
        keeps_reference=False,
        measures=measures_for(found),
        notes=_notes(gallery, entries, found, bad),
        left_out=tuple(bad),
        kind_measure=kind_measure_for(found),
        captions=entries.captions,
        unusable=_unusable(gallery, entries),
    )


def _read(path: Path) -> _Gallery:
    found = _Gallery()
    for number, line in numbered_lines(path, "entry"):
        try:
            entry = _Entry.model_validate_json(line)
        except ValidationError as error:
            found.bad.append(f"line {number}: {field_errors(error)}")
            continue
        if entry.id in found.captions:
            found.bad.append(f"line {number}: the id {excerpt(entry.id)} is already used")
            continue
        found.captions[entry.id] = tuple(text for text in entry.captions if text.strip())
        if len(found.captions[entry.id]) < len(entry.captions):
            found.blank.append(excerpt(entry.id))
    return found


def _unusable(path: Path, entries: _Gallery) -> dict[str, str]:
    lines = (line.partition(": ") for line in entries.bad)
    return {f"{path.name}, {place}": why for place, _, why in lines} | dict.fromkeys(
        entries.uncaptioned, "has no caption"
    )


def _unusable_message(path: Path, what: str, bad: Sequence[str], line: str) -> str:
    first = f"{len(bad)} are not valid, the first is {excerpt(bad[0], 200)}" if bad else "it is empty"
    return f"{path} holds no {what} ({first}): write lines as {line}."


def _notes(path: Path, entries: _Gallery, queries: Sequence[Query], bad: Sequence[str]) -> tuple[str, ...]:
    captions = sum(map(len, entries.captions.values()))
    return (
        *query_notes(queries),
        f"no picture is used: {len(entries.captions):,} entries with {captions:,} captions stand for pictures, each "
        "by the mean of its captions' unit vectors, normalised",
        "the first caption of the reference stands for the captioner's, and its entry is its feature",
        "the reference is left out of the ranking",
        "R counts the first of a query's targets, Hits any of them, mAP all",
        count_note("lines of the queries left out", bad),
        count_note(f"lines of {path.name} left out", entries.bad),
        count_note("entries without a caption, which are never found", [excerpt(name) for name in entries.uncaptioned]),
        count_note("entries with a caption that is blank and was ignored", entries.blank),
    )
