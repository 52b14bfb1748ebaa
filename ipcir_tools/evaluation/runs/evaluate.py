"""From what was measured to the report: means over all queries, differences, and the queries worth looking at."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.composers import COMPOSERS, Composer, TrainedComposer, composer_named
from ipcir_tools.evaluation.benchmarks import Benchmark
from ipcir_tools.evaluation.metrics.metrics import Measure
from ipcir_tools.evaluation.metrics.statistics import LEVEL, SAMPLES, difference, estimate
from ipcir_tools.evaluation.reports.report import Example, Failure, Figure, Lead, Ranking, Report, Row
from ipcir_tools.evaluation.runs.run import TOP, Measured, Outcome, Run
from ipcir_tools.settings import Settings

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components
    from ipcir_tools.engine.engine import Engine


LIBRARIES = ("ipcir-tools", "torch", "open_clip_torch", "transformers", "langchain-core", "Pillow", "numpy")
PROTOCOL = (
    "scores are exact; of equal scores the target's comes last",
    "a query that fails counts as a miss: every mean is over all queries",
)
"""What holds for every measurement, as reports tell it."""
EXAMPLES = 4
"""Queries of each kind that are shown."""
_COLUMNS = 6
"""Composers that are shown for each of them."""


def summarised(engine: Components, run: Run, measured: Measured, samples: int = SAMPLES) -> Report:
    """The report of a run."""
    benchmark = measured.benchmark
    ran = [outcome for outcome in measured.outcomes if not outcome.not_run]
    baseline = _baseline(ran)
    return Report(
        benchmark=benchmark.name,
        queries=len(benchmark.queries) + len(benchmark.left_out),
        gallery=len(benchmark.gallery),
        entries=benchmark.entries,
        keeps_reference=benchmark.keeps_reference,
        measures=tuple(measure.name for measure in benchmark.measures),
        baseline=baseline.composer if baseline else None,
        rows=tuple(_row(measured, outcome, baseline, samples) for outcome in measured.outcomes),
        failures=_failures(measured),
        unreadable=dict(sorted(run.stock.unreadable.items())),
        imaginer=run.asked_once.summary(Counter(measured.origins.values())),
        curve=_curve(measured, run.fused),
        examples=_examples(measured, [outcome for outcome in ran if outcome.scored], baseline),
        rules=_rules(measured, samples),
        models=_models(engine, [composer_named(outcome.composer) for outcome in ran]),
        versions=versions(),
        this_run={**run.seconds, **run.made},
    )


def versions() -> dict[str, str]:
    """Of this package, of the libraries that make the features, and of Python."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


# --- figures


def _baseline(ran: Sequence[Outcome]) -> Outcome | None:
    """The default composer if it ranked any query, else the first that did; None where none did."""
    default = Settings.model_fields["composer"].default
    ranked = [outcome for outcome in ran if outcome.top]
    named = [outcome for outcome in ranked if composer_named(outcome.composer).name == default]
    return next(iter([*named, *ranked]), None)


def _row(measured: Measured, outcome: Outcome, baseline: Outcome | None, samples: int) -> Row:
    figures: dict[str, Figure] = {}
    against: dict[str, Lead] = {}
    groups = _groups(measured)
    for measure in measured.benchmark.measures if not outcome.not_run else ():
        values = _values(measured, outcome, measure)
        mean = estimate(values, groups, samples=samples)
        figures[measure.name] = Figure(mean=mean.mean, low=mean.low, high=mean.high)
        if baseline is not None and outcome is not baseline:
            apart = difference(values, _values(measured, baseline, measure), groups, samples=samples)
            against[measure.name] = Lead(
                mean=apart.mean, low=apart.low, high=apart.high, p=apart.p, better=apart.better, worse=apart.worse
            )
    queries = len(measured.benchmark.queries) + len(measured.benchmark.left_out)
    scored = len(outcome.top)
    return Row(
        composer=outcome.composer,
        parameters={**composer_named(outcome.composer).parameters},
        weight=outcome.weight,
        not_run=outcome.not_run,
        scored=scored,
        failed=0 if outcome.not_run else queries - scored,
        figures=figures,
        against_baseline=against,
    )


def _groups(measured: Measured) -> list[str]:
    return [query.group for query in measured.benchmark.queries] + [""] * len(measured.benchmark.left_out)


def _values(measured: Measured, outcome: Outcome, measure: Measure) -> NDArray[np.float64]:
    """One value a query, in the order of the file; zero for those that failed."""
    found = outcome.scored
    values = [measure.of(found[query.id]) if query.id in found else 0.0 for query in measured.benchmark.queries]
    return np.array(values + [0.0] * len(measured.benchmark.left_out))


def _curve(measured: Measured, fused: str | None) -> tuple[dict[str, float], ...]:
    groups = {query.id: query.group for query in measured.benchmark.queries}
    of_composer = (outcome.failed for outcome in measured.outcomes if outcome.composer == fused)
    failed = [*measured.faults, *(id_ for failed in of_composer for id_ in failed)]
    return measured.curve.points([groups[id_] for id_ in failed] + [""] * len(measured.benchmark.left_out))


def _failures(measured: Measured) -> tuple[Failure, ...]:
    lines = (line.partition(": ") for line in measured.benchmark.left_out)
    unusable = [Failure(query=place, composer=None, reason=why) for place, _, why in lines]
    faults = [Failure(query=id_, composer=None, reason=why) for id_, why in measured.faults.items()]
    own = [
        Failure(query=id_, composer=outcome.composer, reason=why)
        for outcome in measured.outcomes
        for id_, why in outcome.failed.items()
    ]
    return (*unusable, *faults, *own)


# --- queries to look at


def _examples(measured: Measured, ran: Sequence[Outcome], baseline: Outcome | None) -> tuple[Example, ...]:
    """The easiest, the hardest and the most disputed queries, by the logarithm of the target's rank."""
    if baseline is None or not baseline.scored:
        return ()
    ids = [query.id for query in measured.benchmark.queries if all(query.id in each.scored for each in ran)]
    if not ids:
        return ()
    depth = np.log2([[outcome.scored[id_].main for id_ in ids] for outcome in ran])
    mean, spread = depth.mean(axis=0), depth.std(axis=0)
    taken: set[int] = set()
    found: list[Example] = []
    kinds: list[tuple[str, NDArray[np.float64]]] = [("worst", -mean), ("best", mean)]
    for kind, order in [("disputed", -spread), *kinds] if spread.any() else kinds:
        chosen = [int(i) for i in np.argsort(order, kind="stable") if int(i) not in taken][:EXAMPLES]
        taken.update(chosen)
        found += [_example(kind, ids[i], measured, _shown(ran, baseline, ids[i])) for i in chosen]
    return tuple(found)


def _shown(ran: Sequence[Outcome], baseline: Outcome, id_: str) -> list[Outcome]:
    """The baseline, and of the others those that found the target first and last."""
    others = sorted((each for each in ran if each is not baseline), key=lambda each: each.scored[id_].main)
    half = (_COLUMNS - 1) // 2
    some = others if len(others) < _COLUMNS else [*others[: _COLUMNS - 1 - half], *others[-half:]]
    return sorted([baseline, *some], key=lambda each: each.scored[id_].main)


def _example(kind: str, id_: str, measured: Measured, shown: Sequence[Outcome]) -> Example:
    query = next(query for query in measured.benchmark.queries if query.id == id_)
    return Example(
        kind=kind,
        query=id_,
        reference=query.reference,
        modification=query.modification,
        targets=query.targets,
        imagined=measured.imagined.get(id_),
        rankings=tuple(
            Ranking(composer=each.composer, rank=each.scored[id_].main, top=each.top[id_]) for each in shown
        ),
    )


# --- how it came about


def _rules(measured: Measured, samples: int) -> tuple[str, ...]:
    return (
        *measured.benchmark.notes,
        *PROTOCOL,
        f"intervals: {LEVEL:.0%}, {samples:,} bootstrap samples of the queries; "
        "differences are paired, p by flipping signs at random",
    )


def _models(engine: Components, ran: Sequence[Composer]) -> dict[str, str]:
    """The names of the models that some composer used."""
    models = {"encoder": engine.features.space}
    if any(composer.imagines for composer in ran):
        models |= {"captioner": engine.captioner_id, "imaginer": engine.settings.llm or "rules"}
    if any("drawn" in composer.needs for composer in ran):
        models["image_generator"] = engine.image_generator.id
    for composer in ran:
        if isinstance(composer, TrainedComposer):
            models[composer.name] = engine.trained_network(composer.name).id
    return models


def evaluate(
    engine: Engine,
    benchmark: Benchmark,
    composers: Sequence[str] | None = None,
    *,
    top: int = TOP,
    samples: int = SAMPLES,
    progress: Progress | None = None,
) -> Report:
    """Measure ``composers`` (None: all) on a benchmark whose pictures are at hand.

    ``top`` is how many hits are kept of the queries to look at. A composer that lacks what it needs is reported as not
    run. Raises InvalidRequestError for an unknown composer, NotFoundError where the folder of pictures is not at
    hand, and CatalogError.
    """
    run = Run(engine, benchmark, tuple(COMPOSERS) if composers is None else composers, top=top, progress=progress)
    return summarised(engine, run, run.measure(), samples)
