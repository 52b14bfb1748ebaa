"""Ranking the queries whose truth a server keeps, and writing the files that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.errors import InvalidRequest
from ipcir_tools.evaluation.benchmarks import Benchmark
from ipcir_tools.evaluation.measuring import Outcome, Run
from ipcir_tools.evaluation.submissions import circo_submission, cirr_submission, write_submission

if TYPE_CHECKING:
    from ipcir_tools.catalog import Progress
    from ipcir_tools.engine import Engine

_DEPTH = 50


def check_submission(benchmark: Benchmark) -> None:
    """Refuse a benchmark that no server scores. Raises InvalidRequest."""
    if not benchmark.name.startswith(("CIRR ", "CIRCO ")):
        raise InvalidRequest(f"No server takes submissions for {benchmark.name}: leave --submission out.")


def submit(
    engine: Engine, benchmark: Benchmark, composer: str, path: Path, progress: Progress | None = None
) -> list[Path]:
    """Write the submission of one composer; for CIRR a second file, ``NAME-subset.json``, for its subset metric.

    Raises InvalidRequest where a query could not be ranked, because the servers take whole files only.
    """
    check_submission(benchmark)
    (outcome,) = Run(engine, benchmark, [composer], top=_DEPTH, progress=progress).measure().outcomes
    if outcome.not_run:
        raise InvalidRequest(f"{composer} was not run ({outcome.not_run}): submit another composer.")
    if benchmark.name.startswith("CIRCO "):
        write_submission(circo_submission(benchmark, outcome.top), path)
        return [path]
    return _cirr(benchmark, outcome, path)


def _cirr(benchmark: Benchmark, outcome: Outcome, path: Path) -> list[Path]:
    subset = path.with_name(f"{path.stem}-subset{path.suffix or '.json'}")
    write_submission(cirr_submission(benchmark, outcome.top, "recall"), path)
    write_submission(cirr_submission(benchmark, outcome.top_of_subset, "recall_subset"), subset)
    return [path, subset]
