"""A user's own benchmark: a file with one query a line, over a folder of pictures.

Each line is ``{"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]}``, paths relative to the
folder; ``id`` is optional: the line's number, where no line before has that id. The gallery is every picture in the
folder and below. Lines that are not a query are listed with their number, and an evaluation counts them as failed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.evaluation.benchmarks.annotations import Item, check_folder, field_errors
from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import Measure, measures
from ipcir_tools.images.files import find_files, located
from ipcir_tools.text import excerpt

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[_Text, Field(coerce_numbers_to_str=True)]
"""A picture's name in a line, or the line's id."""


class _Line(Item):
    reference: Name
    modification: _Text
    targets: tuple[Name, ...] = Field(min_length=1)
    id: Name | None = None


@dataclass(frozen=True)
class _Bad:
    """Why a line is not a query."""

    why: str


def load_jsonl(path: Path, pictures: Path | None = None, *, keep_reference: bool = False) -> Benchmark:
    """The queries of ``path`` over the folder ``pictures`` (the file's own, unless it is given).

    Raises NotFoundError without the file or the folder, and InvalidRequestError where no line is a query.
    """
    if not path.is_file():
        raise NotFoundError(f"{path} is missing: name a file with one query a line, as JSON.")
    root = located(pictures or path.parent)
    check_folder(root)
    gallery = dict.fromkeys(file.relative_to(root).as_posix() for file in find_files([root]) if file != root)
    queries, bad = read_queries(path, gallery, "no such picture in the folder", keep_reference, as_posix)
    if not queries:
        raise InvalidRequestError(_unusable_message(path, bad))
    return Benchmark(
        name=path.stem,
        queries=tuple(queries),
        gallery=tuple(gallery),
        paths={name: name for name in gallery},
        keeps_reference=keep_reference,
        measures=measures_for(queries),
        notes=_notes(queries, gallery, bad, keep_reference),
        folder=root,
        left_out=tuple(bad),
    )


def as_posix(name: str) -> str:
    """A relative path as the folder's listing has it."""
    return PurePosixPath(name).as_posix()


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
        found = _parse(line, own, gallery, missing, keep_reference, as_listed)
        if isinstance(found, Query) and found.id in queries:
            found = _Bad(f"the id {excerpt(found.id)} is already used")
        if isinstance(found, Query):
            queries[found.id] = found
        else:
            bad.append(f"line {number}: {found.why}")
    return list(queries.values()), bad


def _parse(
    line: str,
    number: str,
    gallery: Container[str],
    missing: str,
    keep_reference: bool,
    as_listed: Callable[[str], str],
) -> Query | _Bad:
    try:
        item = _Line.model_validate_json(line)
    except ValidationError as error:
        return _Bad(field_errors(error))
    reference, *targets = (as_listed(name) for name in (item.reference, *item.targets))
    unknown = [excerpt(name) for name in (reference, *targets) if name not in gallery]
    if unknown:
        return _Bad(f"{missing}: {', '.join(unknown)}")
    if reference in targets and not keep_reference:
        return _Bad("the reference is a target, but it is left out of the ranking")
    id_ = item.id or number
    return Query(id_, reference, item.modification, tuple(dict.fromkeys(targets)))


def _unusable_message(path: Path, bad: list[str]) -> str:
    line = '{"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]}'
    first = f"{len(bad)} lines are not valid, the first is {bad[0]}" if bad else "it is empty"
    return f"{path} holds no query ({first}): write lines as {line}, paths relative to the folder of pictures."


def measures_for(queries: Sequence[Query]) -> tuple[Measure, ...]:
    """R counts the first of a query's targets, Hits any of them where some have several, mAP all."""
    several = any(len(query.targets) > 1 for query in queries)
    return (
        *measures("R", 1, 5, 10, 50),
        *(measures("Hits", 1, 5, 10, 50) if several else ()),
        *measures("mAP", 5, 10, 25, 50),
    )


def _notes(queries: list[Query], gallery: dict[str, None], bad: list[str], keep_reference: bool) -> tuple[str, ...]:
    return (
        f"{len(queries):,} queries with {sum(len(query.targets) for query in queries):,} targets",
        f"gallery: every picture in the folder and below, {len(gallery):,}",
        f"the reference {'stays in' if keep_reference else 'is left out of'} the ranking",
        "R counts the first of a query's targets, Hits any of them, mAP all",
        count_note("lines left out", bad),
    )


def count_note(what: str, lines: Sequence[str]) -> str:
    """How many of something there are, and the first of them, for a report."""
    more = f", and {len(lines) - 5} more" if lines[5:] else ""
    return f"{len(lines)} {what}{': ' if lines else ''}{'; '.join(lines[:5])}{more}"
