"""Measuring composers on a benchmark, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipcir_tools.composers import COMPOSERS
from ipcir_tools.evaluation.benchmarks import Benchmark
from ipcir_tools.evaluation.measuring import TOP, Run
from ipcir_tools.evaluation.report import Report
from ipcir_tools.evaluation.statistics import SAMPLES
from ipcir_tools.evaluation.summary import summarised

if TYPE_CHECKING:
    from ipcir_tools.catalog import Progress
    from ipcir_tools.engine import Engine


def evaluate(
    engine: Engine,
    benchmark: Benchmark,
    composers: Sequence[str] | None = None,
    *,
    top: int = TOP,
    samples: int = SAMPLES,
    progress: Progress | None = None,
) -> Report:
    """Measure ``composers`` (None: all) on a benchmark whose pictures are at hand.

    ``top`` is how many hits are kept of the queries to look at. A composer that lacks what it needs is reported as not
    run. Raises InvalidRequest for an unknown composer, NotFound where the folder of pictures is not at hand, and
    CatalogError.
    """
    run = Run(engine, benchmark, tuple(COMPOSERS) if composers is None else composers, top=top, progress=progress)
    return summarised(engine, run, run.measure(), samples)
