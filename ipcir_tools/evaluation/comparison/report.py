"""A comparison of prompts and models: one frozen value, from which the table, JSON and HTML are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ipcir_tools.evaluation.metrics.statistics import Difference, Estimate
from ipcir_tools.evaluation.reports.report import QueryExample, Ranking, best_means, rounded_json
from ipcir_tools.types import Origin, Value

MAX_HELD_BACK = 0.05
"""The share of an arm's requests that may be held back; where it is more, no difference is shown."""
MAX_BY_RULES = 0.5
"""The share of an arm's targets that the rules may have written in its model's place; where it is more, no difference
is shown, and the arm is not the best of any measure."""


class Traffic(Value):
    """The requests of this run. ``calls + cache_hits = requests``: each of the three is counted by itself.

    A request is one reply that is needed: the first attempt, each retry after an error, each repair of an unusable
    reply, and each attempt at a model that stands in for one that failed. Equal requests of an arm count once.
    """

    requests: int
    """Counted by the imaginer, attempt by attempt."""
    calls: int
    """Counted at the model, each time that it was invoked, whatever the outcome. Where LangChain has a cache of its
    own (``set_llm_cache``), some of these reach no server; such a reply costs no tokens."""
    cache_hits: int
    """Counted where an answer came back without a call: an earlier run had stored it, or an equal request was under
    way."""
    held_back: int
    """Requests that were never sent, because the server had stopped answering, or the image that the prompt needs is
    not available. They are not in ``requests``."""

    @property
    def adds_up(self) -> bool:
        """Whether the three counts agree."""
        return self.calls + self.cache_hits == self.requests


class Replies(Value):
    """The replies to an arm's requests; ``sum(forms) + sum(fallbacks) = questions``."""

    questions: int
    """Different requests: queries with the same caption and the same modification share one."""
    forms: dict[str, int]
    """Usable replies by form: ``json``, a whole object; ``parts``, the whole parts of a broken one; ``text``."""
    repaired: int
    """Usable replies after a second request, which contained the first reply, whichever run made it."""
    refused: int
    """Of the fallbacks, those in which the model declined."""
    fallbacks: dict[str, int]
    """Reasons why the rules replaced the model, with the number of times."""


class Cost(Value):
    """The cost of an arm's replies when they were made, in this run or an earlier one; failed attempts included."""

    calls: int
    input_tokens: int
    output_tokens: int
    """As the server reports them."""
    unknown: int
    """Replies whose tokens are not known, and not in these sums: no server reported them, or they were stored before
    costs were."""
    usd_per_1000_queries: float | None
    unpriced: str
    """Why there is no price; empty where there is one."""


class Latency(Value):
    """Seconds that the usable replies took when they were made, their retries and repairs included."""

    replies: int
    p50: float
    p95: float


class ArmReport(Value):
    """One prompt with one model, or the rules."""

    name: str
    prompt: str | None
    """``imagine.simple@2#HASH8``; None where the rules write."""
    asks_for: str | None
    """The form of reply that the prompt requests: ``json`` or ``text``; None where the rules write."""
    llm: str | None
    scored: int
    failed: int
    """``scored + failed`` is the number of queries."""
    figures: dict[str, Estimate]
    """By the name of the measure. A failed query counts as a miss."""
    against_baseline: dict[str, Difference]
    """Paired differences with the baseline; empty for that one, and where one of the two is ``unmeasured``."""
    queries: dict[str, int]
    """Number of scored queries by origin of the imagination: ``llm``, ``rules``, or ``fallback``."""
    replies: Replies | None
    """This, ``cost``, ``latency`` and ``this_run`` are None where the rules write."""
    cost: Cost | None
    latency: Latency | None
    """None also where no usable reply's time is known."""
    this_run: Traffic | None

    @property
    def by_rules(self) -> int:
        """Scored queries whose target the rules wrote in the model's place."""
        return self.queries.get("fallback", 0)

    @property
    def unmeasured(self) -> bool:
        """Whether the figures are those of the rules, or of too few queries, rather than of the prompt and model."""
        return self.mostly_unsent or self.by_rules > MAX_BY_RULES * self.scored

    @property
    def mostly_unsent(self) -> bool:
        """Whether so many requests were held back (``MAX_HELD_BACK``) that the figures do not measure the prompt."""
        held = self.this_run.held_back if self.this_run is not None else 0
        return self.replies is not None and held > MAX_HELD_BACK * self.replies.questions


class ArmRanking(Ranking):
    """The imagined target of one arm for a query, and the ranking under it."""

    arm: str
    description: str
    origin: Origin


class Disagreement(QueryExample):
    """A query on which the arms differ."""

    caption: str | None
    """The reference's."""
    rankings: tuple[ArmRanking, ...]
    """In the order of the arms."""


class ArmFailure(Value):
    """A query that could not be scored, and why."""

    query: str
    arm: str | None
    """None: under no arm."""
    reason: str


class Comparison(Value):
    """Prompts and models side by side on the same queries."""

    benchmark: str
    queries: int
    gallery: int
    composer: str
    measures: tuple[str, ...]
    baseline: str
    """The arm that the others are compared with: the first."""
    head: tuple[str, ...]
    """One line for each arm with targets that are the rules' instead of its model's: how many, and why."""
    arms: tuple[ArmReport, ...]
    disagreements: tuple[Disagreement, ...]
    failures: tuple[ArmFailure, ...]
    notes: tuple[str, ...]
    """What limits the comparison: no model was named, a price is missing, counts do not agree."""
    rules: tuple[str, ...]
    """How the figures are computed."""
    models: dict[str, str]
    versions: dict[str, str]
    seconds: float
    """Duration of this run."""

    @property
    def best(self) -> dict[str, float]:
        """The highest mean of each measure among the arms that were measured; NaN where there are not two of them."""
        measured = [arm.figures for arm in self.arms if not arm.unmeasured]
        return best_means(self.measures, measured) if len(measured) > 1 else dict.fromkeys(self.measures, math.nan)


def rules_lines(arms: Sequence[ArmReport]) -> tuple[str, ...]:
    """The head of a comparison of these arms."""
    return tuple(_rules_line(arm) for arm in arms if arm.by_rules)


def _rules_line(arm: ArmReport) -> str:
    reasons = list((arm.replies.fallbacks if arm.replies else {}).items())
    why = "; ".join(f"{n:,} x {reason}" for reason, n in reasons[:_REASONS])
    more = f"; and {len(reasons) - _REASONS} other reasons" if len(reasons) > _REASONS else ""
    line = f"{arm.name}: {arm.by_rules:,} of {arm.scored:,} targets are the rules' ({why}{more})"
    return f"{line}. It was hardly measured, so no difference with it is shown" if arm.unmeasured else line


_REASONS = 3
"""Reasons that a line of the head names."""

REPLY_HEADINGS = (
    *("asks for", "questions", "never sent", "whole JSON", "in part", "plain text"),
    *("by rules instead", "refused", "repaired"),
)
COST_HEADINGS = (
    *("requests", "calls", "cache hits", "tokens in", "tokens out"),
    *("$ a 1,000 queries", "p50 seconds", "p95 seconds"),
)
"""The headings of :func:`reply_cells` and :func:`cost_cells`."""


def reply_cells(arm: ArmReport) -> list[str]:
    """The replies of an arm as cells of a table; empty ones for the rules."""
    if (replies := arm.replies) is None:
        return [""] * len(REPLY_HEADINGS)
    forms = (replies.forms.get(form, 0) for form in ("json", "parts", "text"))
    held = arm.this_run.held_back if arm.this_run is not None else 0
    counts = (replies.questions, held, *forms, sum(replies.fallbacks.values()), replies.refused, replies.repaired)
    return [arm.asks_for or "", *(f"{n:,}" for n in counts)]


def cost_cells(arm: ArmReport) -> list[str]:
    """The requests, cost and seconds of an arm as cells of a table; empty ones for the rules."""
    cost, run = arm.cost, arm.this_run
    if cost is None or run is None:
        return [""] * len(COST_HEADINGS)
    counts = (run.requests, run.calls, run.cache_hits)
    tokens = (_tokens(n, cost.unknown) for n in (cost.input_tokens, cost.output_tokens))
    price = "-" if cost.usd_per_1000_queries is None else f"{cost.usd_per_1000_queries:.3f}"
    times = ("-", "-") if arm.latency is None else (f"{arm.latency.p50:.2f}", f"{arm.latency.p95:.2f}")
    return [*(f"{n:,}" for n in counts), *tokens, price, *times]


def _tokens(known: int, unknown: int) -> str:
    return f"{known:,}+" if known and unknown else "-" if unknown else f"{known:,}"


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain JSON values, figures rounded."""
    return rounded_json(comparison)
