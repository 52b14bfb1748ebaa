"""Every query measured again in each of its other wordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ipcir_tools.evaluation.metrics.metrics import Scored
from ipcir_tools.evaluation.metrics.robustness import Robustness, robustness
from ipcir_tools.evaluation.runs.outcomes import Measured, Outcome
from ipcir_tools.evaluation.runs.run import Run


def measure_wordings(run: Run, measured: Measured) -> tuple[Robustness, ...]:
    """How robust each composer of the run is, in the benchmark's first measure; a query that fails counts as a miss.

    Every query is composed again for each wording. Where queries have different numbers of wordings, the least number
    counts, so that every wording is measured on the same queries. Nothing where none has any, or the truth is hidden.
    """
    queries = [query for query in run.queries if query.wordings and query.targets]
    if not queries:
        return ()
    slots = range(min(len(query.wordings) for query in queries))
    passes = [measured, *(_pass(run, slot) for slot in slots)]
    measure = run.benchmark.measures[0]

    def values(ranks: Mapping[str, Scored]) -> list[float]:
        return [measure.of(ranks[query.id]) if query.id in ranks else 0.0 for query in queries]

    ran = [outcome for outcome in measured.outcomes if not outcome.not_run]
    return tuple(
        robustness(outcome.label, measure.name, [values(_same(outcome, each).scored) for each in passes])
        for outcome in ran
    )


def _pass(run: Run, slot: int) -> Measured:
    """The run with the wording in that place for the modification, of the queries that have one."""
    worded = [query for query in run.queries if len(query.wordings) > slot]
    queries = tuple(replace(query, modification=query.wordings[slot]) for query in worded)
    benchmark = replace(run.benchmark, queries=queries, left_out=())
    again = Run(
        run.components, benchmark, run.composers, run.gallery, progress=run.progress, curve=False, verify=run.verified
    )
    return again.measure()


def _same(outcome: Outcome, measured: Measured) -> Outcome:
    return next(each for each in measured.outcomes if each.label == outcome.label)
