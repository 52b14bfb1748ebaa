"""Prompts and models side by side: the same queries, the same composer, another imagination for each arm.

An arm is a prompt with a model; the rules are an arm of their own. A
:class:`~ipcir_tools.evaluation.comparison.runner.Ground` measures them. Replies go to the catalog as they come, so a
comparison that was killed goes on without paying twice; what failed is asked again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.chains.imagination.chain import LLM_FIELD, PROMPT_FIELD, RULES
from ipcir_tools.chains.imagination.prompting import check
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.comparison.accounting import Prices, Watched
from ipcir_tools.evaluation.comparison.report import UNASKED, ArmReport, Comparison, Dispute, Miss, Replies, Side
from ipcir_tools.evaluation.comparison.runner import Ground, Played
from ipcir_tools.evaluation.metrics.metrics import Measure
from ipcir_tools.evaluation.metrics.statistics import LEVEL, SAMPLES, difference, estimate
from ipcir_tools.evaluation.reports.report import Figure, Lead
from ipcir_tools.evaluation.runs.evaluate import PROTOCOL, versions
from ipcir_tools.models.loading import load_llm

if TYPE_CHECKING:
    from ipcir_tools.engine.components import Components
    from ipcir_tools.evaluation.comparison.runner import Imagine
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
    played: Played
    watched: Watched
    values: dict[str, NDArray[np.float64]]
    """By measure; one value a query, zero for those that failed."""


def compare(
    ground: Ground,
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

    What is held back while a server is left alone is asked again when that is over, ``wait`` having waited for it, as
    long as the server answers in between. ``notes`` are told with the result. Raises what ``imaginer`` raises, before
    anything is asked, ModelUnavailableError where the composer cannot be run, and CatalogError. No reply of a model
    stops it: each is counted.
    """
    began = time.perf_counter()
    watched = [(arm, Watched(imaginer(arm))) for arm in arms]
    results = [_played(ground, arm, each, wait) for arm, each in watched]
    benchmark, first = ground.benchmark, results[0]
    queries = len(benchmark.queries) + len(benchmark.left_out)
    reports = _comparable(_report(benchmark, result, first, queries, prices, samples) for result in results)
    return Comparison(
        benchmark=benchmark.name,
        queries=queries,
        gallery=len(benchmark.gallery),
        composer=ground.composer,
        measures=tuple(measure.name for measure in benchmark.measures),
        first=first.arm.name,
        arms=reports,
        disputes=_disputes(benchmark, results, disputes),
        failures=_failures(benchmark, results),
        notes=(*notes, *_notes(reports, prices)),
        rules=_rules(benchmark, samples),
        models=dict(ground.models),
        versions=versions(),
        seconds=time.perf_counter() - began,
    )


def _played(ground: Ground, arm: Arm, watched: Watched, wait: Callable[[float], None]) -> _Result:
    played = ground.play(watched.imagine)
    if watched.ask_again(wait):
        played = ground.play(watched.imagine)  # which now knows all answers
    values = {measure.name: _values(ground.benchmark, played, measure) for measure in ground.benchmark.measures}
    return _Result(arm, played, watched, values)


def _values(benchmark: Benchmark, played: Played, measure: Measure) -> NDArray[np.float64]:
    found = [played.scored.get(query.id) for query in benchmark.queries]
    values = [0.0 if scored is None else measure.of(scored) for scored in found]
    return np.array(values + [0.0] * len(benchmark.left_out))


def _report(
    benchmark: Benchmark, result: _Result, first: _Result, queries: int, prices: Prices | None, samples: int
) -> ArmReport:
    groups = [query.group for query in benchmark.queries] + [""] * len(benchmark.left_out)
    figures, leads = dict[str, Figure](), dict[str, Lead]()
    for name, values in result.values.items():
        mean = estimate(values, groups, samples=samples)
        figures[name] = Figure(mean=mean.mean, low=mean.low, high=mean.high)
        if result is not first:
            lead = difference(values, first.values[name], groups, samples=samples)
            leads[name] = Lead(
                mean=lead.mean, low=lead.low, high=lead.high, p=lead.p, better=lead.better, worse=lead.worse
            )
    arm, watched, scored = result.arm, result.watched, result.played.scored
    origins = Counter(result.played.told[id_][1].target.origin for id_ in scored if id_ in result.played.told)
    by_model = arm.prompt is not None and arm.llm is not None
    return ArmReport(
        name=arm.name,
        prompt=arm.prompt.tag if arm.prompt else None,
        asks_for=None if arm.prompt is None else "text" if arm.prompt.schema_of_reply is None else "json",
        llm=arm.llm,
        scored=len(scored),
        failed=queries - len(scored),
        figures=figures,
        against_first=leads,
        queries={origin: origins[origin] for origin in ("llm", "rules", "fallback") if origins[origin]},
        replies=watched.replies() if by_model else None,
        cost=watched.cost(queries, arm.llm, prices) if by_model and arm.llm else None,
        latency=watched.latency() if by_model else None,
        this_run=watched.traffic() if by_model else None,
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
        for id_, why in result.played.failed.items():
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
    queries = [query for query in benchmark.queries if all(query.id in each.played.scored for each in results)]
    if not queries:
        return ()
    depth = np.log2([[each.played.scored[query.id].main for query in queries] for each in results])
    spread = np.ptp(depth, axis=0)
    order = [int(i) for i in np.argsort(-spread, kind="stable")[:most] if spread[i] > 0]
    return tuple(_dispute(queries[i], results) for i in order)


def _dispute(query: Query, results: Sequence[_Result]) -> Dispute:
    caption = next((each.played.told[query.id][0] for each in results if query.id in each.played.told), None)
    return Dispute(
        query=query.id,
        reference=query.reference,
        caption=caption,
        modification=query.modification,
        targets=query.targets,
        sides=tuple(_side(query, each) for each in results if query.id in each.played.told),
    )


def _side(query: Query, result: _Result) -> Side:
    target = result.played.told[query.id][1].target
    return Side(
        arm=result.arm.name,
        description=target.description,
        origin=target.origin,
        rank=result.played.scored[query.id].main,
        top=result.played.top[query.id],
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
        f"intervals: {LEVEL:.0%}, {samples:,} bootstrap samples of the queries; differences with the first arm are "
        "paired, p by flipping signs at random",
        "equal questions of an arm are one; its replies are kept, and asked for again only where they failed",
        "a server that stops answering is left alone for a while and then asked again; where more than "
        f"{UNASKED:.0%} of an arm's questions were never put, no difference with it is told",
        "calls + cache hits = requests in this run, each counted by itself: requests by the imaginer (questions, tries "
        "again, repairs), calls at the model, cache hits where an answer came without a call",
        "tokens, price, repairs and seconds are those of the replies when they were made, whichever run made them; "
        "a + says that the tokens of some replies are not known, a - of all",
    )
