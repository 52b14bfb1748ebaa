"""From ranks to figures: means over all queries of a benchmark with their intervals, and paired differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.evaluation.benchmarks import Benchmark
from ipcir_tools.evaluation.metrics.metrics import Measure, Scored
from ipcir_tools.evaluation.metrics.statistics import LEVEL, Difference, Estimate, difference, estimate

PROTOCOL = (
    "scores are exact; of equal scores the target's comes last",
    "a query that fails counts as a miss: every mean is over all queries",
)
"""What holds for every measurement, as reports state it."""

Ranks = Mapping[str, Scored]
"""Where the targets of the queries that were scored rank, by the queries' ids."""


def estimates(benchmark: Benchmark, ranks: Ranks, samples: int) -> dict[str, Estimate]:
    """Each measure of the benchmark, by its name."""
    groups = _groups(benchmark)
    return {
        measure.name: estimate(_values(benchmark, ranks, measure), groups, samples=samples)
        for measure in benchmark.measures
    }


def differences(benchmark: Benchmark, ranks: Ranks, baseline: Ranks, samples: int) -> dict[str, Difference]:
    """Each measure's difference to the ``baseline``, by the measure's name."""
    groups = _groups(benchmark)
    return {
        measure.name: difference(
            _values(benchmark, ranks, measure), _values(benchmark, baseline, measure), groups, samples=samples
        )
        for measure in benchmark.measures
    }


def kinds_of(benchmark: Benchmark) -> dict[str, int]:
    """How many queries with known targets are of each kind of edit, most first."""
    return dict(Counter(kind for query in benchmark.queries if query.targets for kind in query.kinds).most_common())


def measure_of_kinds(benchmark: Benchmark) -> Measure | None:
    """What figures by kind of edit are measured in; None where there is nothing to measure."""
    return benchmark.kind_measure or next(iter(benchmark.measures), None)


def kind_estimates(benchmark: Benchmark, ranks: Ranks, samples: int) -> dict[str, Estimate]:
    """The mean over the queries of each kind of edit."""
    measure = measure_of_kinds(benchmark)
    if measure is None:
        return {}
    some = {
        kind: [each for each in benchmark.queries if kind in each.kinds and each.targets]
        for kind in kinds_of(benchmark)
    }
    return {
        kind: estimate(_values(replace(benchmark, queries=tuple(each), left_out=()), ranks, measure), samples=samples)
        for kind, each in some.items()
    }


def query_count(benchmark: Benchmark) -> int:
    """All queries of the file, those that had to be left out included."""
    return len(benchmark.queries) + len(benchmark.left_out)


def interval_rule(samples: int) -> str:
    """How the intervals come about, for a report."""
    return f"intervals: {LEVEL:.0%}, {samples:,} bootstrap samples of the queries"


def _values(benchmark: Benchmark, ranks: Ranks, measure: Measure) -> NDArray[np.float64]:
    """One value a query, in the order of the file; zero for those that failed."""
    values = [measure.of(ranks[query.id]) if query.id in ranks else 0.0 for query in benchmark.queries]
    return np.array(values + [0.0] * len(benchmark.left_out))


def _groups(benchmark: Benchmark) -> list[str]:
    return [query.group for query in benchmark.queries] + [""] * len(benchmark.left_out)
