"""What a comparison of prompts and models found: one frozen value that the table, JSON and HTML are written from."""

from __future__ import annotations

from typing import Any

from ipcir_tools.evaluation.metrics.statistics import Difference, Estimate
from ipcir_tools.types import Origin, Value

EXACT = {"p": 4, "seconds": 3, "p50": 3, "p95": 3, "usd": 6, "usd_per_1000_queries": 4}
"""Digits after the point; all other figures have two."""
UNASKED = 0.05
"""The part of an arm's questions that may be held back; where it is more, no difference is told."""


class Traffic(Value):
    """What this run asked of the model. ``calls + cache_hits = requests``: each of the three is counted by itself.

    A request is one reply that was wanted: the question itself, each try again after an error, each repair of a reply
    that could not be used, and each question put to a model that stands in for one that failed. Questions that are the
    same within an arm are one.
    """

    requests: int
    """Counted where they are put: by the imaginer, question by question and try by try."""
    calls: int
    """Counted at the model, each time that it was invoked, whatever came of it. Where LangChain is given a cache of its
    own (``set_llm_cache``), some of these reach no server; such a reply costs no tokens."""
    cache_hits: int
    """Counted where an answer came back that no call was made for: it was kept by an earlier run, or an equal
    question was under way."""
    held_back: int
    """Questions that were never put, because the server had stopped answering, or the picture that the prompt wants to
    see cannot be shown: they are no requests."""

    @property
    def adds_up(self) -> bool:
        """Whether the three counts agree."""
        return self.calls + self.cache_hits == self.requests


class Replies(Value):
    """What became of an arm's questions; ``sum(forms) + sum(fallbacks) = questions``."""

    questions: int
    """Different ones: queries with the same words for the reference and the same request share one."""
    forms: dict[str, int]
    """How the usable replies came: ``json``, a whole object; ``parts``, the whole parts of a broken one; ``text``."""
    repaired: int
    """Usable replies that took a second question, which showed the model its first, whenever they were made."""
    refused: int
    """Of the fallbacks, those in which the model declined."""
    fallbacks: dict[str, int]
    """Why the rules wrote in the model's place, with how often."""


class Cost(Value):
    """What an arm's replies cost when they were made, in this run or an earlier one; failed tries included."""

    calls: int
    input_tokens: int
    output_tokens: int
    """By the server's own account."""
    unknown: int
    """Replies whose tokens are not known, and not in these sums: no server told them, or they were kept before costs
    were."""
    usd_per_1000_queries: float | None
    unpriced: str
    """Why there is no price; empty where there is one."""


class Latency(Value):
    """How long the usable replies took when they were made, their retries and repairs included, in seconds."""

    replies: int
    p50: float
    p95: float


class ArmReport(Value):
    """One prompt with one model, or the rules."""

    name: str
    prompt: str | None
    """``imagine.simple@2#HASH8``; None where the rules write."""
    asks_for: str | None
    """What the prompt wants as a reply: ``json`` or ``text``; None where the rules write."""
    llm: str | None
    scored: int
    failed: int
    """``scored + failed`` is the number of queries."""
    figures: dict[str, Estimate]
    """By the name of the measure. A failed query counts as a miss."""
    against_first: dict[str, Difference]
    """Paired differences with the first arm; empty for that one, and where too little was asked of either."""
    queries: dict[str, int]
    """How many scored queries were imagined by whom: ``llm``, ``rules``, or ``fallback``."""
    replies: Replies | None
    """This, ``cost``, ``latency`` and ``this_run`` are None where the rules write."""
    cost: Cost | None
    latency: Latency | None
    """None also where no usable reply's time is known."""
    this_run: Traffic | None

    @property
    def unasked(self) -> bool:
        """Whether so much was never asked (``UNASKED``) that its figures say nothing of the prompt."""
        held = self.this_run.held_back if self.this_run is not None else 0
        return self.replies is not None and held > UNASKED * self.replies.questions


class Side(Value):
    """What one arm made of a query."""

    arm: str
    description: str
    origin: Origin
    rank: int
    """Of the target."""
    top: tuple[str, ...]
    """The first hits, best first."""


class Dispute(Value):
    """A query on which the arms differ."""

    query: str
    reference: str
    caption: str | None
    modification: str
    targets: tuple[str, ...]
    sides: tuple[Side, ...]
    """In the order of the arms."""


class Miss(Value):
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
    first: str
    """The arm that the others are compared with."""
    arms: tuple[ArmReport, ...]
    disputes: tuple[Dispute, ...]
    failures: tuple[Miss, ...]
    notes: tuple[str, ...]
    """What the reader must know: that no model was named, whose price is missing, what the counts do not hold."""
    rules: tuple[str, ...]
    """How the figures come about."""
    models: dict[str, str]
    versions: dict[str, str]
    seconds: float
    """How long this run took."""


CAME = (
    *("asks for", "questions", "never put", "whole JSON", "in part", "plain text"),
    *("by rules instead", "refused", "repaired"),
)
TOOK = ("requests", "calls", "cache hits", "tokens in", "tokens out", "$ a 1,000 queries", "p50 seconds", "p95 seconds")
"""The heads of :func:`came` and :func:`took`."""


def came(arm: ArmReport) -> list[str]:
    """What came of an arm's questions, as cells; empty ones for the rules."""
    if (replies := arm.replies) is None:
        return [""] * len(CAME)
    forms = (replies.forms.get(form, 0) for form in ("json", "parts", "text"))
    held = arm.this_run.held_back if arm.this_run is not None else 0
    counts = (replies.questions, held, *forms, sum(replies.fallbacks.values()), replies.refused, replies.repaired)
    return [arm.asks_for or "", *(f"{n:,}" for n in counts)]


def took(arm: ArmReport) -> list[str]:
    """What that took, as cells; empty ones for the rules."""
    cost, run = arm.cost, arm.this_run
    if cost is None or run is None:
        return [""] * len(TOOK)
    counts = (run.requests, run.calls, run.cache_hits)
    tokens = (_tokens(n, cost.unknown) for n in (cost.input_tokens, cost.output_tokens))
    price = "-" if cost.usd_per_1000_queries is None else f"{cost.usd_per_1000_queries:.3f}"
    times = ("-", "-") if arm.latency is None else (f"{arm.latency.p50:.2f}", f"{arm.latency.p95:.2f}")
    return [*(f"{n:,}" for n in counts), *tokens, price, *times]


def _tokens(known: int, unknown: int) -> str:
    return f"{known:,}+" if known and unknown else "-" if unknown else f"{known:,}"


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain JSON values, figures rounded."""
    rounded = _rounded(comparison.model_dump(mode="json"), 2)
    assert isinstance(rounded, dict)
    return rounded


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each, EXACT.get(key, digits)) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each, digits) for each in value]
    return round(value, digits) if isinstance(value, float) else value
