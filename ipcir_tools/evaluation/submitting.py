"""The files for the servers that keep the truth, of what was measured."""

from __future__ import annotations

from pathlib import Path

from ipcir_tools.errors import InvalidRequest
from ipcir_tools.evaluation.benchmarks import Benchmark
from ipcir_tools.evaluation.measuring import Measured
from ipcir_tools.evaluation.submissions import circo_submission, cirr_submission, write_submission

DEPTH = 50
"""Pictures that the servers take for each query; so many must be kept while it is measured."""


def check_submission(benchmark: Benchmark) -> None:
    """Refuse a benchmark that no server scores. Raises InvalidRequest."""
    if benchmark.server is None:
        raise InvalidRequest(f"No server takes submissions for {benchmark.name}: leave --submission out.")


def submit(measured: Measured, path: Path) -> list[Path]:
    """Write the submission of the first composer; for CIRR a second file, ``NAME-subset.json``, for its subset metric.

    Raises InvalidRequest where a query could not be ranked, because the servers take whole files only, and writes
    nothing then.
    """
    benchmark, outcome = measured.benchmark, measured.outcomes[0]
    check_submission(benchmark)
    if outcome.not_run:
        raise InvalidRequest(f"{outcome.composer} was not run ({outcome.not_run}): submit another composer.")
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
