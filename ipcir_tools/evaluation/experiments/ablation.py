"""The seed paper's ablation: the same queries through every composer (arXiv 2411.16752, its ablation table).

Protocol: the whole gallery is ranked exactly; the reference is left out of the ranking, as in CIRR; one target a
query; ties count against the target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.chains.composition.chain import Composed, compose_all
from ipcir_tools.chains.composition.requests import ComposeRequest, Step
from ipcir_tools.composers import ABLATION, composer_named
from ipcir_tools.evaluation.metrics.metrics import rank_of, recall_at
from ipcir_tools.types import Value

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


CUTS = (1, 5, 10)


@dataclass(frozen=True)
class Case:
    """A query with its truth: ids of the reference and of the one right picture."""

    reference: str
    modification: str
    target: str
    history: tuple[Step, ...] = ()


class Row(Value):
    """One composer's line: recall in percent at each of :data:`CUTS`."""

    composer: str
    weight: float | None
    """Weight of the text; None where nothing is fused."""
    recall: dict[int, float]


class Ablation(Value):
    """The table and how it was made."""

    rows: tuple[Row, ...]
    queries: int
    gallery: int
    imaginer: str
    """Who wrote the imagined targets: the language model's name, "rules", or both with their shares."""
    calls: int
    """Calls of the language model."""


def run_ablation(
    engine: Engine, cases: Sequence[Case], composers: Sequence[str] = ABLATION, progress: Progress | None = None
) -> Ablation:
    """Rank every case under every composer. LookupError if a target is not in the gallery."""
    rows: list[Row] = []
    imagined: list[Composed] = []
    for name in composers:
        composed = _compose(engine, cases, name, progress)
        ranks = ranks_of(engine, cases, composed)
        fused = {"reference"} < composer_named(name).needs
        recall = {k: recall_at(ranks, k) for k in CUTS}
        rows.append(Row(composer=name, weight=composed[0].weight if fused else None, recall=recall))
        if "imagined" in composer_named(name).needs and not imagined:
            imagined = composed
    return Ablation(
        rows=tuple(rows),
        queries=len(cases),
        gallery=engine.catalog.size(),
        imaginer=_imaginer(engine, imagined),
        calls=sum(each.imagination.calls for each in imagined if each.imagination),
    )


def ranks_of(engine: Engine, cases: Sequence[Case], composed: Sequence[Composed]) -> list[int]:
    """The rank of each case's target in the whole gallery, by exact scores."""
    ids, matrix = engine.catalog.matrix(engine.features.space)
    place = {id_: i for i, id_ in enumerate(ids)}
    ranks = []
    for case, each in zip(cases, composed, strict=True):
        left_out = [place[case.reference]] if case.reference in place else []
        ranks.append(rank_of(np.array(each.probe.score(matrix)), place[case.target], left_out))
    return ranks


def rank_in_gallery(engine: Engine, case: Case) -> int:
    """The rank of one case's target under the settings' composer."""
    return ranks_of(engine, [case], _compose(engine, [case], engine.settings.composer, None))[0]


def _compose(engine: Engine, cases: Sequence[Case], composer: str, progress: Progress | None) -> list[Composed]:
    weight = engine.settings.weight
    requests = [ComposeRequest(case.reference, case.modification, composer, weight, case.history) for case in cases]
    return compose_all(requests, engine, progress=progress)


def _imaginer(engine: Engine, imagined: Sequence[Composed]) -> str:
    origins = Counter(each.imagination.target.origin for each in imagined if each.imagination)
    names = {"llm": engine.settings.llm or "", "rules": "rules", "fallback": "rules instead of the model"}
    if not origins:
        return "nobody"
    if len(origins) == 1:
        return names[next(iter(origins))]
    return ", ".join(f"{names[origin]} ({n})" for origin, n in origins.most_common())
