"""The seed paper's ablation: the same queries through every composer (arXiv 2411.16752, its ablation table).

Protocol: the whole gallery is ranked exactly; the reference is left out of the ranking, as in CIRR; one target a
query; ties count against the target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipcir_tools.composers import ABLATION, composer_named
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.metrics.metrics import recall_at
from ipcir_tools.evaluation.runs.catalog_run import catalog_run, weighted_spec
from ipcir_tools.evaluation.runs.run import Outcome
from ipcir_tools.types import Value

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


CUTS = (1, 5, 10)


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
    """What wrote the imagined targets: the language model's name, "rules", or both with their shares."""
    calls: int
    """Calls of the language model."""


def run_ablation(
    engine: Engine, queries: Sequence[Query], composers: Sequence[str] = ABLATION, progress: Progress | None = None
) -> Ablation:
    """Rank every query, its pictures named by their ids, under every composer with the settings' weight.

    Raises LookupError if a target is not in the gallery, and ModelUnavailableError where a composer cannot be run or a
    query fails.
    """
    specs = [weighted_spec(name, engine.settings.weight) for name in composers]
    run = catalog_run(engine.components, queries, specs, progress=progress)
    measured = run.measure()
    for outcome in measured.outcomes:
        _check(outcome)
    return Ablation(
        rows=tuple(_row(name, outcome) for name, outcome in zip(composers, measured.outcomes, strict=True)),
        queries=len(queries),
        gallery=len(run.benchmark.gallery),
        imaginer=_imaginer(measured.origins, engine.settings.llm),
        calls=run.recorder.calls_reported,
    )


def _check(outcome: Outcome) -> None:
    if outcome.not_run:
        raise ModelUnavailableError(outcome.not_run)
    for why in outcome.failed.values():
        raise ModelUnavailableError(f"{len(outcome.failed):,} queries failed under {outcome.composer}: {why}")


def _row(name: str, outcome: Outcome) -> Row:
    ranks = [scored.main for scored in outcome.scored.values()]
    fused = {"reference"} < composer_named(name).needs
    return Row(composer=name, weight=outcome.weight if fused else None, recall={k: recall_at(ranks, k) for k in CUTS})


def _imaginer(origins: Counter[str], llm: str | None) -> str:
    names = {"llm": llm or "", "rules": "rules", "fallback": "rules instead of the model"}
    if not origins:
        return "no model"
    if len(origins) == 1:
        return names[next(iter(origins))]
    return ", ".join(f"{names[origin]} ({n})" for origin, n in origins.most_common())
