"""What is known to be wrong with the first hits of a benchmark's queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.violations import FIRST, WRONG, Violation, Violations, violations


def truth_is_known(benchmark: Benchmark) -> bool:
    """Whether anything is known of what is wrong."""
    return benchmark.violations is not None or any(query.negatives for query in benchmark.queries)


def violations_of(label: str, benchmark: Benchmark, hits: Mapping[str, Sequence[str]]) -> Violations | None:
    """From the first hits of each query by its id, best first, by name; None where nothing is known of any query."""
    split = benchmark.violations is not None
    known = [query for query in benchmark.queries if query.id in hits and (split or query.negatives)]
    wrong = [[_wrong(benchmark, query, name) for name in hits[query.id]] for query in known]
    return violations(label, wrong, split)


def least_violations(benchmark: Benchmark) -> float | None:
    """What no method can go below, in percent: the gallery may hold fewer pictures that fit than are looked at.

    None where the benchmark does not know of every picture whether it fits.
    """
    if benchmark.violations is None:
        return None
    places = fitting = 0
    for query in benchmark.queries:
        ranked = [name for name in benchmark.gallery if benchmark.keeps_reference or name not in query.references]
        places += min(FIRST, len(ranked))
        fitting += min(FIRST, sum(not benchmark.violations(query, name) for name in ranked))
    return 100.0 * (places - fitting) / places if places else None


def _wrong(benchmark: Benchmark, query: Query, name: str) -> tuple[Violation, ...]:
    if name in query.targets:
        return ()
    if benchmark.violations is not None:
        return benchmark.violations(query, name)
    return (WRONG,) if name in query.negatives else ()
