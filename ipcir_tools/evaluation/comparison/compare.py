"""Prompts and models side by side: the same queries, the same composer, another imagination for each arm.

Replies go to the catalog as they come, so a comparison that was killed continues without paying twice; what failed is
requested again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ipcir_tools.evaluation.benchmarks import Benchmark
from ipcir_tools.evaluation.comparison import accounting
from ipcir_tools.evaluation.comparison.accounting import Prices
from ipcir_tools.evaluation.comparison.arms import Arm, ArmResult, Imaginer
from ipcir_tools.evaluation.comparison.disagreements import find_disagreements
from ipcir_tools.evaluation.comparison.report import (
    MAX_BY_RULES,
    MAX_HELD_BACK,
    ArmFailure,
    ArmReport,
    Comparison,
    Traffic,
    rules_lines,
)
from ipcir_tools.evaluation.comparison.runner import ComparisonRunner
from ipcir_tools.evaluation.metrics.statistics import SAMPLES
from ipcir_tools.evaluation.runs.evaluate import by_origin, versions
from ipcir_tools.evaluation.runs.figures import PROTOCOL, differences, estimates, interval_rule, query_count
from ipcir_tools.evaluation.runs.recorder import ImaginationRecorder


@dataclass(frozen=True)
class ComparisonOptions:
    """What a comparison may be given besides its arms."""

    prices: Prices | None = None
    disagreements: int = 12
    """Number of queries to show, those on which the arms differ most."""
    samples: int = SAMPLES
    """Bootstrap samples of an interval."""
    notes: tuple[str, ...] = ()
    """Put before the comparison's own notes."""
    wait: Callable[[float], None] = time.sleep
    """Waits so many seconds for a server that stopped answering."""


def compare(
    runner: ComparisonRunner,
    arms: Sequence[Arm],
    imaginer: Imaginer,
    options: ComparisonOptions = ComparisonOptions(),
) -> Comparison:
    """Measure every arm on the same queries; ``imaginer`` makes the imagination of each, the first is the baseline.

    Requests that are held back while a server does not answer are repeated after a wait, as long as the server answers
    in between. A reply that cannot be used stops nothing: each is counted.

    Raises what ``imaginer`` raises, before a model is called, ModelUnavailableError where the composer cannot be run,
    and CatalogError.
    """
    began = time.perf_counter()
    recorders = [(arm, ImaginationRecorder(imaginer(arm))) for arm in arms]
    results = [_run_arm(runner, arm, recorder, options.wait) for arm, recorder in recorders]
    benchmark, baseline = runner.benchmark, results[0]
    reports = comparable(_arm_report(benchmark, result, baseline, options) for result in results)
    return Comparison(
        benchmark=benchmark.name,
        queries=query_count(benchmark),
        gallery=len(benchmark.gallery),
        composer=runner.composer,
        measures=tuple(measure.name for measure in benchmark.measures),
        baseline=baseline.arm.name,
        head=rules_lines(reports),
        arms=reports,
        disagreements=find_disagreements(benchmark, results, options.disagreements),
        failures=_failures(benchmark, results),
        notes=(*options.notes, *_notes(reports, priced=options.prices is not None)),
        rules=_rules(benchmark, options.samples),
        models=dict(runner.models),
        versions=versions(),
        seconds=time.perf_counter() - began,
    )


def _run_arm(
    runner: ComparisonRunner, arm: Arm, recorder: ImaginationRecorder, wait: Callable[[float], None]
) -> ArmResult:
    outcome = runner.run(recorder)
    if recorder.retry(wait):
        outcome = runner.run(recorder)  # every imagination is recorded now
    return ArmResult(arm, outcome, recorder)


def _arm_report(benchmark: Benchmark, result: ArmResult, baseline: ArmResult, options: ComparisonOptions) -> ArmReport:
    arm, scored, queries = result.arm, result.outcome.scored, query_count(benchmark)
    imagined, imaginations = result.outcome.imagined, result.recorder.imaginations
    is_baseline, by_model = result is baseline, arm.prompt is not None and arm.llm is not None
    return ArmReport(
        name=arm.name,
        prompt=arm.prompt.tag if arm.prompt else None,
        asks_for=None if arm.prompt is None else "text" if arm.prompt.reply_schema is None else "json",
        llm=arm.llm,
        scored=len(scored),
        failed=queries - len(scored),
        figures=estimates(benchmark, scored, options.samples),
        against_baseline={}
        if is_baseline
        else differences(benchmark, scored, baseline.outcome.scored, options.samples),
        queries=by_origin(Counter(imagined[id_][1].target.origin for id_ in scored if id_ in imagined)),
        replies=accounting.replies(imaginations) if by_model else None,
        cost=accounting.cost(imaginations, queries, arm.llm, options.prices) if by_model and arm.llm else None,
        latency=accounting.latency(imaginations) if by_model else None,
        this_run=accounting.traffic(result.recorder) if by_model else None,
    )


def comparable(reports: Iterable[ArmReport]) -> tuple[ArmReport, ...]:
    """The reports without the differences with or of an arm that was not measured."""
    baseline, *others = reports
    return (
        baseline,
        *(
            arm.model_copy(update={"against_baseline": {}}) if baseline.unmeasured or arm.unmeasured else arm
            for arm in others
        ),
    )


def _failures(benchmark: Benchmark, results: Sequence[ArmResult]) -> tuple[ArmFailure, ...]:
    """What failed under every arm for the same reason once, and what failed under one alone with its name."""
    lines = (line.partition(": ") for line in benchmark.left_out)
    unusable = [ArmFailure(query=place, arm=None, reason=reason) for place, _, reason in lines]
    arms: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for id_, reason in result.outcome.failed.items():
            arms.setdefault((id_, reason), []).append(result.arm.name)
    shared = [
        ArmFailure(query=id_, arm=None, reason=reason)
        for (id_, reason), names in arms.items()
        if len(names) == len(results)
    ]
    own = [
        ArmFailure(query=id_, arm=name, reason=reason)
        for (id_, reason), names in arms.items()
        for name in names
        if len(names) < len(results)
    ]
    return (*unusable, *shared, *own)


# --- notes and rules


def _notes(arms: Sequence[ArmReport], *, priced: bool) -> list[str]:
    notes = []
    for arm in arms:
        if arm.this_run is not None and not arm.this_run.adds_up:
            notes.append(_mismatch_note(arm.name, arm.this_run))
        if arm.this_run is not None and arm.this_run.held_back:
            notes.append(_held_back_note(arm, arm.this_run.held_back))
        if priced and arm.cost is not None and arm.cost.unpriced:
            notes.append(f"{arm.name} has no price: {arm.cost.unpriced}")
    return notes


def _mismatch_note(name: str, traffic: Traffic) -> str:
    return (
        f"{name}: the counts do not add up: {traffic.calls:,} calls and {traffic.cache_hits:,} cache hits "
        f"for {traffic.requests:,} requests"
    )


def _held_back_note(arm: ArmReport, held: int) -> str:
    of = f" of {arm.replies.questions:,}" if arm.replies is not None else ""
    consequence = (
        ", so its figures are largely those of the rules, and no difference is shown" if arm.mostly_unsent else ""
    )
    return (
        f"{arm.name}: {held:,}{of} questions were never sent, because the server had stopped answering, or an image "
        f"is not available; the rules wrote those targets{consequence}. Run it again when the server answers: only "
        "what failed is requested again"
    )


def _rules(benchmark: Benchmark, samples: int) -> tuple[str, ...]:
    return (
        *benchmark.notes,
        *PROTOCOL,
        f"{interval_rule(samples)}; differences with the first arm are paired, p by flipping signs at random",
        "equal questions of an arm count once; its replies are stored, and requested again only where they failed",
        "a server that stops answering is paused for a while and then tried again; where more than "
        f"{MAX_HELD_BACK:.0%} of an arm's questions were never sent, or more than {MAX_BY_RULES:.0%} of its targets "
        "are the rules', no difference with it is shown",
        "calls + cache hits = requests in this run, each counted by itself: requests by the imaginer (questions, "
        "retries, repairs), calls at the model, cache hits where an answer came without a call",
        "tokens, price, repairs and seconds are those of the replies when they were made, whichever run made them; "
        "a + marks sums that lack the tokens of some replies, a - of all",
    )
