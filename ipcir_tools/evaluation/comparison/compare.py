"""Prompts and models side by side: the same queries, the same composer, another imagination for each arm.

An arm is a prompt with a model; the rules are an arm of their own. A
:class:`~ipcir_tools.evaluation.comparison.runner.ComparisonRunner` measures them. Replies go to the catalog as they
come, so a comparison that was killed continues without paying twice; what failed is requested again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.chains.imagination.chain import LLM_FIELD, PROMPT_FIELD, RULES
from ipcir_tools.chains.imagination.prompting import check
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.comparison import accounting
from ipcir_tools.evaluation.comparison.accounting import Prices
from ipcir_tools.evaluation.comparison.report import UNASKED, ArmReport, Comparison, Dispute, Miss, Replies, Side
from ipcir_tools.evaluation.comparison.runner import ArmOutcome, ComparisonRunner
from ipcir_tools.evaluation.metrics.statistics import SAMPLES
from ipcir_tools.evaluation.runs.evaluate import by_origin, versions
from ipcir_tools.evaluation.runs.figures import PROTOCOL, differences, estimates, interval_rule, query_count
from ipcir_tools.evaluation.runs.recorder import ImaginationRecorder
from ipcir_tools.llm.chat_model import load_llm

if TYPE_CHECKING:
    from ipcir_tools.engine.components import Components
    from ipcir_tools.evaluation.runs.recorder import Imagine
    from ipcir_tools.prompts import Prompt
    from ipcir_tools.settings import Settings


DISPUTES = 12
"""Queries that are shown, those on which the arms differ most."""


@dataclass(frozen=True)
class Arm:
    """One prompt with one model; without either, the rules."""

    name: str
    prompt: Prompt | None = None
    llm: str | None = None


def check_arm(arm: Arm, settings: Settings) -> None:
    """Raises InvalidRequestError for a prompt that no imagination can come of, ModelUnavailableError for a model that
    is none."""
    if arm.prompt is not None and arm.llm is not None:
        check(arm.prompt)
        load_llm(settings.model_copy(update={"llm": arm.llm}))


def imaginer_over(engine: Components) -> Callable[[Arm], Imagine]:
    """What makes the imagination of an arm, with the engine's pictures and kept replies. Raises as ``check_arm``."""

    def imaginer(arm: Arm) -> Imagine:
        if arm.prompt is None or arm.llm is None:
            return engine.imagine.with_config(configurable={LLM_FIELD: RULES})
        check_arm(arm, engine.settings)
        return engine.imagine.with_config(configurable={PROMPT_FIELD: arm.prompt.id, LLM_FIELD: arm.llm})

    return imaginer


def arms_of(prompts: Sequence[Prompt | None], llms: Sequence[str]) -> list[Arm]:
    """Every prompt with every model, each once; None, and the model ``rules``, are the rules.

    Without a model there is nothing but the rules, however many prompts are named.
    """
    named = [llm for llm in dict.fromkeys(llms) if llm != RULES]
    arms: list[Arm] = []
    for prompt in prompts:
        if prompt is None or RULES in llms or not named:
            arms.append(Arm(RULES))
        if prompt is not None:
            arms += [Arm(prompt.id if len(named) == 1 else f"{prompt.id} by {llm}", prompt, llm) for llm in named]
    return list({arm.name: arm for arm in arms}.values())


# --- comparing


@dataclass
class _Result:
    arm: Arm
    outcome: ArmOutcome
    recorder: ImaginationRecorder


def compare(
    runner: ComparisonRunner,
    arms: Sequence[Arm],
    imaginer: Callable[[Arm], Imagine],
    *,
    prices: Prices | None = None,
    disputes: int = DISPUTES,
    samples: int = SAMPLES,
    notes: Sequence[str] = (),
    wait: Callable[[float], None] = time.sleep,
) -> Comparison:
    """Measure every arm on the same queries; ``imaginer`` makes the imagination of each.

    Requests that are held back while a server is left alone are repeated when that is over, ``wait`` having waited for
    it, as long as the server answers in between. ``notes`` are put before the comparison's own. Raises what
    ``imaginer`` raises, before a model is called, ModelUnavailableError where the composer cannot be run, and
    CatalogError. No reply of a model stops it: each is counted.
    """
    began = time.perf_counter()
    recorders = [(arm, ImaginationRecorder(imaginer(arm))) for arm in arms]
    results = [_run_arm(runner, arm, recorder, wait) for arm, recorder in recorders]
    benchmark, first = runner.benchmark, results[0]
    reports = _comparable(_report(benchmark, result, first, prices, samples) for result in results)
    return Comparison(
        benchmark=benchmark.name,
        queries=query_count(benchmark),
        gallery=len(benchmark.gallery),
        composer=runner.composer,
        measures=tuple(measure.name for measure in benchmark.measures),
        first=first.arm.name,
        arms=reports,
        disputes=_disputes(benchmark, results, disputes),
        failures=_failures(benchmark, results),
        notes=(*notes, *_notes(reports, prices)),
        rules=_rules(benchmark, samples),
        models=dict(runner.models),
        versions=versions(),
        seconds=time.perf_counter() - began,
    )


def _run_arm(
    runner: ComparisonRunner, arm: Arm, recorder: ImaginationRecorder, wait: Callable[[float], None]
) -> _Result:
    outcome = runner.run(recorder)
    if recorder.retry(wait):
        outcome = runner.run(recorder)  # every imagination is recorded now
    return _Result(arm, outcome, recorder)


def _report(benchmark: Benchmark, result: _Result, first: _Result, prices: Prices | None, samples: int) -> ArmReport:
    arm, recorder, scored, queries = result.arm, result.recorder, result.outcome.scored, query_count(benchmark)
    imagined, made = result.outcome.imagined, recorder.imaginations
    by_model = arm.prompt is not None and arm.llm is not None
    return ArmReport(
        name=arm.name,
        prompt=arm.prompt.tag if arm.prompt else None,
        asks_for=None if arm.prompt is None else "text" if arm.prompt.schema_of_reply is None else "json",
        llm=arm.llm,
        scored=len(scored),
        failed=queries - len(scored),
        figures=estimates(benchmark, scored, samples),
        against_first={} if result is first else differences(benchmark, scored, first.outcome.scored, samples),
        queries=by_origin(Counter(imagined[id_][1].target.origin for id_ in scored if id_ in imagined)),
        replies=accounting.replies(made) if by_model else None,
        cost=accounting.cost(made, queries, arm.llm, prices) if by_model and arm.llm else None,
        latency=accounting.latency(made) if by_model else None,
        this_run=accounting.traffic(recorder) if by_model else None,
    )


def _comparable(reports: Iterable[ArmReport]) -> tuple[ArmReport, ...]:
    """The reports without the differences with or of an arm of which too little was asked."""
    first, *others = reports
    mute = [arm.model_copy(update={"against_first": {}}) if first.unasked or arm.unasked else arm for arm in others]
    return (first, *mute)


def _failures(benchmark: Benchmark, results: Sequence[_Result]) -> tuple[Miss, ...]:
    """What failed under every arm for the same reason once, and what failed under one alone with its name."""
    lines = (line.partition(": ") for line in benchmark.left_out)
    unusable = [Miss(query=place, arm=None, reason=why) for place, _, why in lines]
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for id_, why in result.outcome.failed.items():
            reasons.setdefault((id_, why), []).append(result.arm.name)
    shared = [Miss(query=id_, arm=None, reason=why) for (id_, why), who in reasons.items() if len(who) == len(results)]
    own = [
        Miss(query=id_, arm=name, reason=why)
        for (id_, why), who in reasons.items()
        for name in who
        if len(who) < len(results)
    ]
    return (*unusable, *shared, *own)


def _disputes(benchmark: Benchmark, results: Sequence[_Result], most: int) -> tuple[Dispute, ...]:
    """The queries whose targets stand furthest apart, by the logarithm of the rank; scored under every arm."""
    queries = [query for query in benchmark.queries if all(query.id in each.outcome.scored for each in results)]
    if not queries:
        return ()
    depth = np.log2([[each.outcome.scored[query.id].main for query in queries] for each in results])
    spread = np.ptp(depth, axis=0)
    order = [int(i) for i in np.argsort(-spread, kind="stable")[:most] if spread[i] > 0]
    return tuple(_dispute(queries[i], results) for i in order)


def _dispute(query: Query, results: Sequence[_Result]) -> Dispute:
    caption = next((each.outcome.imagined[query.id][0] for each in results if query.id in each.outcome.imagined), None)
    return Dispute(
        query=query.id,
        reference=query.reference,
        caption=caption,
        modification=query.modification,
        targets=query.targets,
        sides=tuple(_side(query, each) for each in results if query.id in each.outcome.imagined),
    )


def _side(query: Query, result: _Result) -> Side:
    target = result.outcome.imagined[query.id][1].target
    return Side(
        arm=result.arm.name,
        description=target.description,
        origin=target.origin,
        rank=result.outcome.scored[query.id].main,
        top=result.outcome.top[query.id],
    )


# --- what is told


def _notes(arms: Sequence[ArmReport], prices: Prices | None) -> list[str]:
    notes = []
    for arm in arms:
        if arm.this_run is not None and not arm.this_run.adds_up:
            traffic = arm.this_run
            notes.append(
                f"{arm.name}: the counts do not add up: {traffic.calls:,} calls and {traffic.cache_hits:,} cache hits "
                f"for {traffic.requests:,} requests"
            )
        if arm.this_run is not None and arm.this_run.held_back:
            notes.append(_held_back(arm.name, arm.this_run.held_back, arm.replies, arm.unasked))
        if prices is not None and arm.cost is not None and arm.cost.unpriced:
            notes.append(f"{arm.name} has no price: {arm.cost.unpriced}")
    return notes


def _held_back(name: str, held: int, replies: Replies | None, unasked: bool) -> str:
    of = f" of {replies.questions:,}" if replies is not None else ""
    mute = ", so its figures are largely those of the rules, and no difference is told" if unasked else ""
    return (
        f"{name}: {held:,}{of} questions were never put, because the server had stopped answering, or a picture could "
        f"not be shown; the rules wrote there{mute}. Run it again when the server answers: only what failed is asked"
    )


def not_used(prompts: Sequence[Prompt]) -> str:
    """What is to be said where prompts were named and no model."""
    return (
        "No language model is named, so the rules wrote every target and no prompt was used "
        f"({', '.join(prompt.id for prompt in prompts)} named): name a model with --llm or IPCIR_LLM to compare them."
    )


def _rules(benchmark: Benchmark, samples: int) -> tuple[str, ...]:
    return (
        *benchmark.notes,
        *PROTOCOL,
        f"{interval_rule(samples)}; differences with the first arm are paired, p by flipping signs at random",
        "equal questions of an arm are one; its replies are kept, and asked for again only where they failed",
        "a server that stops answering is left alone for a while and then asked again; where more than "
        f"{UNASKED:.0%} of an arm's questions were never put, no difference with it is told",
        "calls + cache hits = requests in this run, each counted by itself: requests by the imaginer (questions, tries "
        "again, repairs), calls at the model, cache hits where an answer came without a call",
        "tokens, price, repairs and seconds are those of the replies when they were made, whichever run made them; "
        "a + says that the tokens of some replies are not known, a - of all",
    )
