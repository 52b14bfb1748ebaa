"""The queries of a comparison on which the arms differ most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.comparison.arms import ArmResult
from ipcir_tools.evaluation.comparison.report import ArmRanking, Disagreement


def find_disagreements(benchmark: Benchmark, results: Sequence[ArmResult], most: int) -> tuple[Disagreement, ...]:
    """At most so many queries, by the spread of the logarithm of the target's rank; scored under every arm."""
    queries = [query for query in benchmark.queries if all(query.id in each.outcome.scored for each in results)]
    if not queries:
        return ()
    depth = np.log2([[each.outcome.scored[query.id].main for query in queries] for each in results])
    spread = np.ptp(depth, axis=0)
    order = [int(i) for i in np.argsort(-spread, kind="stable")[:most] if spread[i] > 0]
    return tuple(_disagreement(queries[i], results) for i in order)


def _disagreement(query: Query, results: Sequence[ArmResult]) -> Disagreement:
    imagined = [(each, *each.outcome.imagined[query.id]) for each in results if query.id in each.outcome.imagined]
    return Disagreement(
        query=query.id,
        reference=query.reference,
        caption=next((caption for _, caption, _ in imagined), None),
        modification=query.modification,
        targets=query.targets,
        rankings=tuple(
            ArmRanking(
                arm=each.arm.name,
                description=imagination.target.description,
                origin=imagination.target.origin,
                rank=each.outcome.scored[query.id].main,
                top=each.outcome.top[query.id],
            )
            for each, _, imagination in imagined
        ),
    )
