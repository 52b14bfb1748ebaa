"""From what was measured to the report: means over all queries, differences, and the queries worth looking at."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from ipcir_tools.chains.imagination.results import Imagination
from ipcir_tools.composers import COMPOSERS, Composer, TrainedComposer, composer_named
from ipcir_tools.evaluation.benchmarks import Benchmark, SessionBenchmark
from ipcir_tools.evaluation.metrics.statistics import SAMPLES, Difference, Estimate
from ipcir_tools.evaluation.reports.report import Failure, Imaginer, Report, Row
from ipcir_tools.evaluation.runs.examples import examples
from ipcir_tools.evaluation.runs.figures import (
    PROTOCOL,
    differences,
    estimates,
    interval_rule,
    kind_estimates,
    kinds_of,
    measure_of_kinds,
    query_count,
)
from ipcir_tools.evaluation.runs.outcomes import Measured, Outcome
from ipcir_tools.evaluation.runs.recorder import general_reason
from ipcir_tools.evaluation.runs.run import TOP, Run, run_on
from ipcir_tools.evaluation.runs.sessions import play_sessions
from ipcir_tools.evaluation.runs.violations import least_violations, violations_of
from ipcir_tools.types import DEFAULT_COMPOSER, Verify

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components
    from ipcir_tools.engine.engine import Engine


LIBRARIES = ("ipcir-tools", "torch", "open_clip_torch", "transformers", "langchain-core", "Pillow", "numpy")


def measure(run: Run, samples: int = SAMPLES) -> Measured:
    """Everything that the run's benchmark asks for: its queries, or its dialogues."""
    if isinstance(run.benchmark, SessionBenchmark):
        return play_sessions(run, run.benchmark, samples)
    return run.measure()


def summarise(run: Run, measured: Measured, samples: int = SAMPLES) -> Report:
    """The report of a run."""
    benchmark = measured.benchmark
    ran = [outcome for outcome in measured.outcomes if not outcome.not_run]
    baseline = _baseline(ran)
    by_kind = measure_of_kinds(benchmark)
    return Report(
        benchmark=benchmark.name,
        queries=query_count(benchmark),
        gallery=len(benchmark.gallery),
        entries=benchmark.entries,
        keeps_reference=benchmark.keeps_reference,
        measures=tuple(measure.name for measure in benchmark.measures),
        baseline=baseline.composer if baseline else None,
        rows=tuple(_row(benchmark, outcome, baseline, samples) for outcome in measured.outcomes),
        rounds=measured.rounds,
        failures=_failures(measured),
        unreadable=dict(sorted(run.gallery.unreadable.items())),
        imaginer=_imaginer(run.recorder.imaginations, run.components.settings.llm, measured.origins),
        curve=_curve(measured, run.fused),
        examples=examples(measured, [outcome for outcome in ran if outcome.scored], baseline),
        rules=_rules(measured, samples),
        models=_models(run.components, [composer_named(outcome.composer) for outcome in ran]),
        versions=versions(),
        this_run={**run.seconds, **run.made},
        kinds=kinds_of(benchmark),
        kind_measure=by_kind.name if by_kind else "",
        violations=tuple(filter(None, (violations_of(each.label, benchmark, each.first) for each in ran))),
        least_violations=least_violations(benchmark),
        wordings=measured.wordings,
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
    ranked = [outcome for outcome in ran if outcome.top and not outcome.verified]
    named = [outcome for outcome in ranked if composer_named(outcome.composer).name == DEFAULT_COMPOSER]
    return next(iter([*named, *ranked]), None)


def _row(benchmark: Benchmark, outcome: Outcome, baseline: Outcome | None, samples: int) -> Row:
    figures: dict[str, Estimate] = {}
    against: dict[str, Difference] = {}
    if not outcome.not_run:
        figures = estimates(benchmark, outcome.scored, samples)
        if baseline is not None and outcome is not baseline:
            against = differences(benchmark, outcome.scored, baseline.scored, samples)
    scored = len(outcome.top)
    return Row(
        composer=outcome.composer,
        verified=outcome.verified,
        parameters={**composer_named(outcome.composer).parameters},
        weight=outcome.weight,
        not_run=outcome.not_run,
        scored=scored,
        failed=0 if outcome.not_run else query_count(benchmark) - scored,
        figures=figures,
        against_baseline=against,
        by_kind={} if outcome.not_run else kind_estimates(benchmark, outcome.scored, samples),
    )


def _curve(measured: Measured, fused: str | None) -> tuple[dict[str, float], ...]:
    groups = {query.id: query.group for query in measured.benchmark.queries}
    of_composer = (outcome.failed for outcome in measured.outcomes if outcome.composer == fused)
    failed = [*measured.unusable, *(id_ for failed in of_composer for id_ in failed)]
    return measured.curve.points([groups[id_] for id_ in failed] + [""] * len(measured.benchmark.left_out))


def _failures(measured: Measured) -> tuple[Failure, ...]:
    lines = (line.partition(": ") for line in measured.benchmark.left_out)
    left_out = [Failure(query=place, composer=None, reason=why) for place, _, why in lines]
    unusable = [Failure(query=id_, composer=None, reason=why) for id_, why in measured.unusable.items()]
    own = [
        Failure(query=id_, composer=outcome.composer, reason=why)
        for outcome in measured.outcomes
        if not outcome.verified  # it fails where its composer does
        for id_, why in outcome.failed.items()
    ]
    return (*left_out, *unusable, *own)


# --- how it came about


def _rules(measured: Measured, samples: int) -> tuple[str, ...]:
    return (
        *measured.benchmark.notes,
        *PROTOCOL,
        f"{interval_rule(samples)}; differences are paired, p by flipping signs at random",
    )


def _imaginer(made: Sequence[Imagination], llm: str | None, origins: Counter[str]) -> Imaginer:
    """The account of all imaginations; ``origins`` counts queries by what imagined their target."""
    costs = {each.cost.reply: each.cost for each in made if each.cost is not None}
    failed = [each for each in made if each.target.origin == "fallback"]
    troubles = Counter(general_reason(text) for each in failed for text in each.warnings)
    replies = {each.cost.reply for each in made if each.cost is not None and each.target.origin == "llm"}
    return Imaginer(
        llm=llm,
        queries=by_origin(origins),
        replies=len(replies),
        shared=max(0, origins["llm"] - len(replies)),
        calls=sum(cost.calls for cost in costs.values()),
        input_tokens=sum(cost.input_tokens for cost in costs.values()),
        output_tokens=sum(cost.output_tokens for cost in costs.values()),
        prompts=tuple(sorted({each.prompt for each in made if each.prompt is not None})),
        troubles=dict(sorted(troubles.items())),
    )


def by_origin(origins: Counter[str]) -> dict[str, int]:
    """The counts that are not zero, in a fixed order."""
    return {origin: origins[origin] for origin in ("llm", "rules", "fallback") if origins[origin]}


def _models(components: Components, ran: Sequence[Composer]) -> dict[str, str]:
    """The names of the models that some composer used."""
    models = {"encoder": components.features.space}
    if any(composer.imagines for composer in ran):
        models |= {"captioner": components.captioner_id, "imaginer": components.settings.llm or "rules"}
    if any("drawn" in composer.needs for composer in ran):
        models["image_generator"] = components.image_generator.id
    for composer in ran:
        if isinstance(composer, TrainedComposer):
            models[composer.name] = components.trained_network(composer.name).id
    return models


def evaluate(
    engine: Engine,
    benchmark: Benchmark,
    composers: Sequence[str] | None = None,
    *,
    top: int = TOP,
    samples: int = SAMPLES,
    verify: Verify = 0,
    progress: Progress | None = None,
) -> Report:
    """Measure ``composers`` (None: all) on a benchmark whose pictures are available; ``verify`` as for :class:`Run`.

    ``top`` is how many hits are kept of the queries to look at. A composer that lacks what it needs is reported as not
    run. Raises InvalidRequestError for an unknown composer, NotFoundError where the folder of pictures is not
    available, and CatalogError.
    """
    names = tuple(COMPOSERS) if composers is None else composers
    run = run_on(engine, benchmark, names, top=top, progress=progress, verify=verify)
    return summarise(run, measure(run, samples), samples)
