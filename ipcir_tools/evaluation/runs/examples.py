"""Queries of a run that are worth a look: the easiest, the hardest, and those on which composers differ most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.evaluation.reports.report import ComposerRanking, Example
from ipcir_tools.evaluation.runs.outcomes import Measured, Outcome

EXAMPLES = 4
"""Queries of each kind that are shown."""
_COLUMNS = 6
"""Composers that are shown for each of them."""


def examples(measured: Measured, outcomes: Sequence[Outcome], baseline: Outcome | None) -> tuple[Example, ...]:
    """The most disputed, the hardest and the easiest queries, by the logarithm of the target's rank.

    ``outcomes`` are those that scored queries, the ``baseline`` among them.
    """
    if baseline is None or not baseline.scored:
        return ()
    ids = [query.id for query in measured.benchmark.queries if all(query.id in each.scored for each in outcomes)]
    if not ids:
        return ()
    depth = np.log2([[outcome.scored[id_].main for id_ in ids] for outcome in outcomes])
    mean, spread = depth.mean(axis=0), depth.std(axis=0)
    taken: set[int] = set()
    found: list[Example] = []
    kinds: list[tuple[str, NDArray[np.float64]]] = [("worst", -mean), ("best", mean)]
    for kind, order in [("disputed", -spread), *kinds] if spread.any() else kinds:
        chosen = [int(i) for i in np.argsort(order, kind="stable") if int(i) not in taken][:EXAMPLES]
        taken.update(chosen)
        found += [_example(kind, ids[i], measured, _columns(outcomes, baseline, ids[i])) for i in chosen]
    return tuple(found)


def _columns(outcomes: Sequence[Outcome], baseline: Outcome, id_: str) -> list[Outcome]:
    """The baseline, and of the others those that found the target first and last."""
    others = sorted((each for each in outcomes if each is not baseline), key=lambda each: each.scored[id_].main)
    half = (_COLUMNS - 1) // 2
    some = others if len(others) < _COLUMNS else [*others[: _COLUMNS - 1 - half], *others[-half:]]
    return sorted([baseline, *some], key=lambda each: each.scored[id_].main)


def _example(kind: str, id_: str, measured: Measured, columns: Sequence[Outcome]) -> Example:
    query = next(query for query in measured.benchmark.queries if query.id == id_)
    imagined = measured.imagined.get(id_)
    return Example(
        kind=kind,
        query=id_,
        reference=query.reference,
        modification=query.modification,
        targets=query.targets,
        imagined=imagined[1].target.description if imagined else None,
        rankings=tuple(
            ComposerRanking(composer=each.label, rank=each.scored[id_].main, top=each.top[id_]) for each in columns
        ),
    )
