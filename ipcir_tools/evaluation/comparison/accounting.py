"""The account of one arm of a comparison: what was requested, what was really called, what came back and its price.

Requests, calls and cache hits are counted at three places, so that their agreement is evidence; see
:class:`~ipcir_tools.evaluation.comparison.report.Traffic`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from ipcir_tools.chains.imagination.imaginer import RULES_INSTEAD
from ipcir_tools.chains.imagination.results import Cost as ReplyCost
from ipcir_tools.chains.imagination.results import Imagination
from ipcir_tools.chains.imagination.structured_output import SECOND_TRY
from ipcir_tools.evaluation.comparison.report import Cost, Latency, Replies, Traffic
from ipcir_tools.evaluation.runs.recorder import ImaginationRecorder, general_reason
from ipcir_tools.types import Value


class Price(Value):
    """What a model's server charges, in US dollars for a million tokens."""

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)


Prices = Mapping[str, Price]
"""By the name of the model."""

_REST = re.compile(rf"; {SECOND_TRY} \(.*\)(?=; |$)|; {RULES_INSTEAD}$")
"""What follows the reason of a failure: with it, every pair of two faults would be a kind of its own."""
_REFUSALS = ("the language model declined", "withheld the answer")
"""Words of the warnings of an imagination whose model, or its server, refused to answer."""


def traffic(recorder: ImaginationRecorder) -> Traffic:
    """What was requested in this run."""
    made = recorder.imaginations
    sent = [each for each in made if not _held_back(each)]
    return Traffic(
        requests=len(sent) + sum(max(0, each.calls - 1) for each in sent),
        calls=recorder.calls_counted,
        cache_hits=sum(each.cached or _failed_with_equal_request(each) for each in made),
        held_back=len(made) - len(sent),
    )


def replies(imaginations: Sequence[Imagination]) -> Replies:
    """What became of the different requests."""
    failed = [each for each in imaginations if each.target.origin == "fallback"]
    usable = [each for each in imaginations if each.target.origin == "llm"]
    reasons = Counter("; ".join(general_reason(_REST.sub("", text)) for text in each.warnings) for each in failed)
    return Replies(
        questions=len(imaginations),
        forms=dict(sorted(Counter(each.form or "" for each in usable).items())),
        repaired=sum(each.repairs > 0 for each in usable),
        refused=sum(any(word in text for word in _REFUSALS for text in each.warnings) for each in failed),
        fallbacks=dict(reasons.most_common()),
    )


def cost(imaginations: Sequence[Imagination], queries: int, llm: str, prices: Prices | None) -> Cost:
    """What the replies cost when they were made; the price is that of ``queries`` queries, a thousandfold."""
    paid = {each.cost.reply: each.cost for each in imaginations if each.cost is not None}
    unknown = sum(each.cost is None for each in imaginations if each.target.origin == "llm")
    unknown += sum(not each.tokens_known for each in paid.values())
    read, written = _tokens(paid)
    usd, why = _price(read, written, queries, llm, prices)
    if prices is not None and llm in prices and (missing := _missing(paid, unknown)):
        usd, why = None, missing
    return Cost(
        calls=sum(each.calls for each in paid.values()),
        input_tokens=read,
        output_tokens=written,
        unknown=unknown,
        usd_per_1000_queries=usd,
        unpriced=why,
    )


def latency(imaginations: Sequence[Imagination]) -> Latency | None:
    """How long the usable replies took when they were made; None where it is not known of any."""
    usable = (each for each in imaginations if each.target.origin == "llm")
    seconds = [each.seconds for each in usable if each.seconds is not None]
    if not seconds:
        return None
    p50, p95 = np.quantile(seconds, [0.5, 0.95])
    return Latency(replies=len(seconds), p50=float(p50), p95=float(p95))


def _held_back(made: Imagination) -> bool:
    """Whether no model was called: the circuit breaker is open, or the image is not available."""
    uncalled = made.cost is None or not made.cost.calls
    return made.target.origin == "fallback" and not made.calls and uncalled


def _failed_with_equal_request(made: Imagination) -> bool:
    """Whether it failed with an equal request that was under way."""
    return made.target.origin == "fallback" and not made.calls and not _held_back(made)


def _missing(paid: Mapping[str, ReplyCost], unknown: int) -> str:
    """Why the tokens are not known; empty where they are."""
    if not unknown and not any(each.calls for each in paid.values()):
        return "no request was sent to it"
    if not unknown and _tokens(paid) == (0, 0):
        return "no reply came"
    if unknown and _tokens(paid) == (0, 0):
        return "the server does not report how many tokens it used"
    return f"the tokens of {unknown:,} replies are not known" if unknown else ""


def _tokens(paid: Mapping[str, ReplyCost]) -> tuple[int, int]:
    return sum(each.input_tokens for each in paid.values()), sum(each.output_tokens for each in paid.values())


def _price(read: int, written: int, queries: int, llm: str, prices: Prices | None) -> tuple[float | None, str]:
    """US dollars for a thousand such queries, or why they are not known."""
    if prices is None:
        return None, "no price table was given"
    if (price := prices.get(llm)) is None:
        return None, f"the price table has no {llm}"
    usd = (read * price.input + written * price.output) / 1e6
    return 1000 * usd / queries if queries else None, ""
