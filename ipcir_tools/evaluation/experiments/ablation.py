"""The seed paper's ablation (arXiv 2411.16752, its table), and the default, without and with verification.

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
from ipcir_tools.evaluation.runs.outcomes import Outcome
from ipcir_tools.types import DEFAULT_COMPOSER, Value, Verify

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


CUTS = (1, 5, 10)


class Row(Value):
    """One composer's line: recall in percent at each of :data:`CUTS`."""

    composer: str
    verified: int = 0
    """How many first hits the captioner scored again; 0: none."""
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
    engine: Engine,
    queries: Sequence[Query],
    composers: Sequence[str] = (*ABLATION, DEFAULT_COMPOSER),
    progress: Progress | None = None,
    verify: Verify = "auto",
) -> Ablation:
    """Rank every query, its pictures named by their ids, under every composer with the settings' weight.

    The default composer has a second row, with the first hits verified by the captioner.
    Raises LookupError if a target is not in the gallery, and ModelUnavailableError where a composer cannot be run or a
    query fails.
    """
    specs = [weighted_spec(name, engine.settings.weight) for name in composers]
    run = catalog_run(engine.components, queries, specs, progress=progress, verify=verify)
    measured = run.measure()
    for outcome in measured.outcomes:
        _check(outcome)
    return Ablation(
        rows=tuple(map(_row, measured.outcomes)),
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


def _row(outcome: Outcome) -> Row:
    ranks = [scored.main for scored in outcome.scored.values()]
    composer = composer_named(outcome.composer)
    return Row(
        composer=composer.name,
        verified=outcome.verified,
        weight=outcome.weight if composer.mixes else None,
        recall={k: recall_at(ranks, k) for k in CUTS},
    )


def _imaginer(origins: Counter[str], llm: str | None) -> str:
    names = {"llm": llm or "", "rules": "rules", "fallback": "rules instead of the model"}
    if not origins:
        return "no model"
    if len(origins) == 1:
        return names[next(iter(origins))]
    return ", ".join(f"{names[origin]} ({n})" for origin, n in origins.most_common())
