"""How well a request for something that the gallery does not hold is recognised.

Protocol: each request is ranked twice, in the gallery as it is and with some of its pictures taken away; the reference
is left out both times. What is measured is the best text score among the hits. The surprise of
:mod:`ipcir_tools.engine.confidence` never rises with it, but in steps: it makes ties of scores that differ, and each
counts half, so that its AUROC is nearly the same and not quite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.chains.composition.chain import Composed
from ipcir_tools.composers import composer_named
from ipcir_tools.engine.confidence import is_poor
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.runs.catalog_run import catalog_run, weighted_spec
from ipcir_tools.types import FloatArray, Value

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


HITS = 10


@dataclass(frozen=True)
class AbsentCase:
    """A request, and the ids of the pictures without which no picture matches it."""

    reference: str
    modification: str
    hidden: frozenset[str]


class Absence(Value):
    """What was measured. ``there`` and ``absent`` are of the intact gallery and of the one without the pictures."""

    queries: int
    composer: str
    auroc: float
    """How often a request that can be met scores above one that cannot, ties half: 0.5 is chance."""
    there: float
    """Mean of the best text score among the hits."""
    absent: float
    poor_there: float | None
    """Share that is flagged as no good match; None where too few captions are known for a background."""
    poor_absent: float | None


def measure_absence(engine: Engine, cases: Sequence[AbsentCase], progress: Progress | None = None) -> Absence:
    """Rank every case twice under the settings' composer. Raises InvalidRequestError for one that imagines no text."""
    name = engine.settings.composer
    if composer_named(name).text != "imagined":
        raise InvalidRequestError(f"{name} does not search with an imagined text: name a composer that does.")
    queries = [Query(str(i), case.reference, case.modification, ()) for i, case in enumerate(cases)]
    spec = weighted_spec(name, engine.settings.weight)
    run = catalog_run(engine.components, queries, [spec], progress=progress)
    composed = [made for block in run.composed(spec) for _, (made,) in block]
    ids, matrix = run.benchmark.gallery, run.gallery.matrix
    pairs = [_bests(case, each, ids, matrix) for case, each in zip(cases, composed, strict=True)]
    there, absent = np.array(pairs, np.float64).reshape(-1, 2).T
    return Absence(
        queries=len(cases),
        composer=name,
        auroc=auroc(there, absent),
        there=float(there.mean()),
        absent=float(absent.mean()),
        poor_there=_poor(engine, there),
        poor_absent=_poor(engine, absent),
    )


def auroc(higher: Sequence[float] | np.ndarray, lower: Sequence[float] | np.ndarray) -> float:
    """How often one of ``higher`` is above one of ``lower``; a tie counts half (Mann-Whitney's U over all pairs)."""
    ordered = np.sort(np.asarray(lower, np.float64))
    below = np.searchsorted(ordered, higher, side="left") + np.searchsorted(ordered, higher, side="right")
    return float(below.mean() / (2 * len(ordered)))


def _bests(case: AbsentCase, composed: Composed, ids: Sequence[str], matrix: FloatArray) -> tuple[float, float]:
    shown = np.array([id_ != case.reference for id_ in ids])
    left = shown & np.array([id_ not in case.hidden for id_ in ids])
    return _best(composed, matrix[shown]), _best(composed, matrix[left])


def _best(composed: Composed, matrix: FloatArray) -> float:
    """The best text score among the first hits; -1 in an empty gallery."""
    if composed.text is None or not len(matrix):
        return -1.0
    hits = np.argsort(-composed.probe.score(matrix), kind="stable")[:HITS]
    return float((matrix[hits] @ composed.text).max())


def _poor(engine: Engine, bests: np.ndarray) -> float | None:
    found = [engine.background.surprise([best]) for best in bests.tolist()]
    return None if None in found else float(np.mean([is_poor(each) for each in found]))
