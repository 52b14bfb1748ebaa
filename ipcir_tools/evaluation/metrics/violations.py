"""How many of the first hits are known to be wrong: they break the edit, or lose what should stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ipcir_tools.evaluation.benchmarks.benchmark import BREAKS, LOSES, Benchmark, Query
from ipcir_tools.types import Value

FIRST = 10
"""Hits of each query that are looked at."""


class Violations(Value):
    """One method's wrong pictures among the first :data:`FIRST` hits, in percent of these."""

    composer: str
    """Its label in the report: a verified row is another than an unverified one."""
    queries: int
    """Those whose truth is known, and which were ranked."""
    share: float
    """What is wrong in any way."""
    breaks: float | None
    """What breaks the edit; None where it is only known that a picture is wrong."""
    loses: float | None
    """What loses what should stay; a picture may do both."""


def truth_is_known(benchmark: Benchmark) -> bool:
    """Whether anything is known of what is wrong."""
    return benchmark.violations is not None or any(query.negatives for query in benchmark.queries)


def violations(composer: str, benchmark: Benchmark, hits: Mapping[str, Sequence[str]]) -> Violations | None:
    """From the first hits of each query by its id, best first, by name; None where nothing is known of any query."""
    known = [query for query in benchmark.queries if query.id in hits and (benchmark.violations or query.negatives)]
    found = [_wrong(benchmark, query, name) for query in known for name in hits[query.id][:FIRST]]
    if not found:
        return None

    def percent(kind: str) -> float | None:
        return 100.0 * sum(kind in each for each in found) / len(found) if benchmark.violations else None

    share = 100.0 * sum(bool(each) for each in found) / len(found)
    return Violations(composer=composer, queries=len(known), share=share, breaks=percent(BREAKS), loses=percent(LOSES))


def least_violations(benchmark: Benchmark) -> float | None:
    """What no method can go below, in percent: the gallery may hold fewer pictures that fit than are looked at.

    None where the benchmark does not know of every picture whether it fits.
    """
    if benchmark.violations is None:
        return None
    places = fitting = 0
    for query in benchmark.queries:
        ranked = [name for name in benchmark.gallery if name not in query.references or benchmark.keeps_reference]
        places += min(FIRST, len(ranked))
        fitting += min(FIRST, sum(not benchmark.violations(query, name) for name in ranked))
    return 100.0 * (places - fitting) / places if places else None


def _wrong(benchmark: Benchmark, query: Query, name: str) -> tuple[str, ...]:
    if name in query.targets:
        return ()
    if benchmark.violations is not None:
        return benchmark.violations(query, name)
    return ("wrong",) if name in query.negatives else ()
