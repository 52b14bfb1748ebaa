"""A user's own benchmark: a file with one query a line, over a folder of pictures.

Each line is ``{"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]}``, paths relative to the
folder, with more fields as :mod:`.query_lines` lists them. The gallery is every picture in the folder and below. Lines
that are not a query are listed with their number, and an evaluation counts them as failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.evaluation.benchmarks.annotations import check_folder
from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Query
from ipcir_tools.evaluation.benchmarks.query_lines import (
    count_note,
    kind_measure_for,
    measures_for,
    query_notes,
    read_queries,
)
from ipcir_tools.images.files import located_path
from ipcir_tools.images.scanning import find_files


def load_jsonl(path: Path, pictures: Path | None = None, *, keep_reference: bool = False) -> Benchmark:
    """The queries of ``path`` over the folder ``pictures`` (the file's own, unless it is given).

    Raises NotFoundError without the file or the folder, and InvalidRequestError where no line is a query.
    """
    if not path.is_file():
        raise NotFoundError(f"{path} is missing: name a file with one query a line, as JSON.")
    root = located_path(pictures or path.parent)
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
        kind_measure=kind_measure_for(queries),
    )


def as_posix(name: str) -> str:
    """A relative path as the folder's listing has it."""
    return PurePosixPath(name).as_posix()


def _unusable_message(path: Path, bad: list[str]) -> str:
    line = '{"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]}'
    first = f"{len(bad)} lines are not valid, the first is {bad[0]}" if bad else "it is empty"
    return f"{path} holds no query ({first}): write lines as {line}, paths relative to the folder of pictures."


def _notes(queries: Sequence[Query], gallery: dict[str, None], bad: list[str], keep_reference: bool) -> tuple[str, ...]:
    return (
        *query_notes(queries),
        f"gallery: every picture in the folder and below, {len(gallery):,}",
        f"the reference {'stays in' if keep_reference else 'is left out of'} the ranking",
        "R counts the first of a query's targets, Hits any of them, mAP all",
        count_note("lines left out", bad),
    )
