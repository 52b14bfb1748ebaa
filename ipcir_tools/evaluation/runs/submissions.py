"""Submission files for the servers that keep the truth of CIRR's ``test1`` and CIRCO's ``test``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Query
from ipcir_tools.evaluation.runs.outcomes import Measured
from ipcir_tools.files import write_text

CIRR_SERVER = "cirr.cecs.anu.edu.au"
CIRCO_SERVER = "circo.micc.unifi.it"
Names = Mapping[str, Sequence[str]]
"""The names of the best pictures by the id of the query, best first."""
CirrMetric = Literal["recall", "recall_subset"]
_CIRR_COUNT = {"recall": 50, "recall_subset": 3}
_CIRCO_COUNT = 50


def cirr_submission(benchmark: Benchmark, top: Names, metric: CirrMetric) -> dict[str, Any]:
    """CIRR's file: 50 names a query for ``recall``, 3 of the subset for ``recall_subset``.

    Raises InvalidRequestError.
    """
    _check_queries(benchmark, top)
    for query in benchmark.queries:
        allowed = query.subset if metric == "recall_subset" else benchmark.gallery
        _check_names(query, top[query.id], _CIRR_COUNT[metric], frozenset(allowed) - {query.reference})
    return {"version": "rc2", "metric": metric, **{query.id: list(top[query.id]) for query in benchmark.queries}}


def circo_submission(benchmark: Benchmark, top: Names) -> dict[str, list[int]]:
    """CIRCO's file: 50 picture ids a query. Raises InvalidRequestError."""
    _check_queries(benchmark, top)
    gallery = frozenset(benchmark.gallery)
    for query in benchmark.queries:
        _check_names(query, top[query.id], _CIRCO_COUNT, gallery)
    return {query.id: [int(name) for name in top[query.id]] for query in benchmark.queries}


def write_submission(content: Mapping[str, Any], path: Path) -> None:
    """Write a file without spaces, because CIRR's server takes 5 MB at most. Raises InvalidRequestError."""
    write_text(path, json.dumps(content, separators=(",", ":")))


def _check_queries(benchmark: Benchmark, top: Names) -> None:
    ids = {query.id for query in benchmark.queries}
    if missing := sorted(ids - set(top)):
        several = f"{len(missing):,} queries have no pictures, the first is"
        what = several if len(missing) > 1 else "1 query has no pictures:"
        raise InvalidRequestError(f"{what} {missing[0]}; the server takes whole files only: rank them all.")
    if strange := sorted(set(top) - ids):
        raise InvalidRequestError(f"{benchmark.name} has no query {strange[0]}: submit its own queries alone.")


def _check_names(query: Query, names: Sequence[str], count: int, allowed: frozenset[str]) -> None:
    if len(names) != count:
        raise InvalidRequestError(f"Query {query.id} has {len(names)} pictures: the server takes exactly {count}.")
    if len(set(names)) != count:
        raise InvalidRequestError(f"Query {query.id} names a picture twice: the server refuses that.")
    if strange := [name for name in names if name not in allowed]:
        raise InvalidRequestError(
            f"Query {query.id} names {strange[0]}, which cannot be found by it: check its gallery."
        )


DEPTH = 50
"""Pictures that the servers take for each query; a run must keep so many."""


def check_submission(benchmark: Benchmark) -> None:
    """Refuse a benchmark that no server scores. Raises InvalidRequestError."""
    if benchmark.server is None:
        raise InvalidRequestError(f"No server takes submissions for {benchmark.name}: leave --submission out.")


def submit(measured: Measured, path: Path) -> list[Path]:
    """Write the submission of the first composer; for CIRR a second file, ``NAME-subset.json``, for its subset metric.

    Raises InvalidRequestError where a query could not be ranked, because the servers take whole files only, and writes
    nothing then.
    """
    benchmark, outcome = measured.benchmark, measured.outcomes[0]
    check_submission(benchmark)
    if outcome.not_run:
        raise InvalidRequestError(f"{outcome.composer} was not run ({outcome.not_run}): submit another composer.")
    if benchmark.server == "CIRR":
        contents = {
            path: cirr_submission(benchmark, outcome.top, "recall"),
            path.with_name(f"{path.stem}-subset{path.suffix or '.json'}"): cirr_submission(
                benchmark, outcome.top_of_subset, "recall_subset"
            ),
        }
    else:
        contents = {path: dict(circo_submission(benchmark, outcome.top))}
    for place, content in contents.items():
        write_submission(content, place)
    return list(contents)
