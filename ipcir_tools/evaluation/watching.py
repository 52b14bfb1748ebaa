"""The imagination of one arm of a comparison, watched: what it asked, what was really called, what came back.

Requests, calls and cache hits are counted at three places, so that their agreement says something; see
:class:`~ipcir_tools.evaluation.comparison.Traffic`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import merge_configs
from pydantic import Field

from ipcir_tools.chains.imagine import Cost as Paid
from ipcir_tools.chains.imagine import Imagination, ImagineRequest
from ipcir_tools.evaluation.comparison import Cost, Latency, Replies, Traffic
from ipcir_tools.types import Value


class Price(Value):
    """What a model's server takes, in US dollars for a million tokens."""

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)


Prices = Mapping[str, Price]
"""By the name of the model."""

_TIMES = re.compile(r"\b\d+ (times in a row|s)\b")
"""What differs from one failure to the next of the same kind."""
_REFUSED = ("the language model declined", "withheld the answer")
"""How the imagination tells that a model, or its server, would not answer."""


class _Calls(BaseCallbackHandler):
    """Counts how often chat models are invoked, failed calls included."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = Lock()

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        with self._lock:
            self.count += 1


class Watched:
    """An imagination whose every question and call is counted. Safe for many threads."""

    def __init__(self, imagine: Runnable[ImagineRequest, Imagination]) -> None:
        self._asked = imagine
        self._calls = _Calls()
        self._lock = Lock()
        self._answers: list[tuple[ImagineRequest, Imagination]] = []
        self.imagine: Runnable[ImagineRequest, Imagination] = RunnableLambda(self._imagine, name="imagine")

    def _imagine(self, request: ImagineRequest, config: RunnableConfig) -> Imagination:
        answer = self._asked.invoke(request, merge_configs(config, {"callbacks": [self._calls]}))
        with self._lock:
            self._answers.append((request, answer))
        return answer

    def traffic(self) -> Traffic:
        """What was asked in this run."""
        answers = [answer for _, answer in self._answers]
        put = [answer for answer in answers if not _held_back(answer)]
        return Traffic(
            requests=len(put) + sum(max(0, answer.calls - 1) for answer in put),
            calls=self._calls.count,
            cache_hits=sum(answer.cached or _shared(answer) for answer in answers),
            held_back=len(answers) - len(put),
        )

    def replies(self) -> Replies:
        """What became of the different questions."""
        different = self._different()
        failed = [answer for answer in different if answer.target.origin == "fallback"]
        usable = [answer for answer in different if answer.target.origin == "llm"]
        troubles = Counter(_TIMES.sub(r"some \1", "; ".join(answer.warnings)) for answer in failed)
        return Replies(
            questions=len(different),
            forms=dict(sorted(Counter(answer.form or "" for answer in usable).items())),
            repaired=sum(answer.repairs > 0 for answer in usable),
            refused=sum(_refused(answer) for answer in failed),
            fallbacks=dict(troubles.most_common()),
        )

    def cost(self, queries: int, llm: str, prices: Prices | None) -> Cost:
        """What the replies cost when they were made; the price is that of ``queries`` queries, a thousandfold."""
        different = self._different()
        paid = {answer.cost.reply: answer.cost for answer in different if answer.cost is not None}
        unknown = sum(answer.cost is None for answer in different if answer.target.origin == "llm")
        read, written = _tokens(paid)
        usd, why = _price(read, written, queries, llm, prices)
        if unknown and usd is not None:
            usd, why = None, f"the tokens of {unknown:,} replies are not known"
        return Cost(
            calls=sum(each.calls for each in paid.values()),
            input_tokens=read,
            output_tokens=written,
            unknown=unknown,
            usd_per_1000_queries=usd,
            unpriced=why,
        )

    def latency(self) -> Latency | None:
        """How long the usable replies took when they were made; None where it is not known of any."""
        usable = (answer for answer in self._different() if answer.target.origin == "llm")
        took = [answer.seconds for answer in usable if answer.seconds is not None]
        if not took:
            return None
        p50, p95 = np.quantile(took, [0.5, 0.95])
        return Latency(replies=len(took), p50=float(p50), p95=float(p95))

    def _different(self) -> list[Imagination]:
        """One answer for each different question; of equal ones that for which the model was called."""
        with self._lock:
            return [*dict(sorted(self._answers, key=lambda each: each[1].calls)).values()]


def _held_back(answer: Imagination) -> bool:
    """Whether nobody was asked: the server is left alone for a while, or the picture cannot be shown."""
    nobody = answer.cost is None or not answer.cost.calls
    return answer.target.origin == "fallback" and not answer.calls and nobody


def _shared(answer: Imagination) -> bool:
    """Whether it failed with an equal question that was under way."""
    return answer.target.origin == "fallback" and not answer.calls and not _held_back(answer)


def _refused(answer: Imagination) -> bool:
    return any(word in text for word in _REFUSED for text in answer.warnings)


def _tokens(paid: Mapping[str, Paid]) -> tuple[int, int]:
    return sum(each.input_tokens for each in paid.values()), sum(each.output_tokens for each in paid.values())


def _price(read: int, written: int, queries: int, llm: str, prices: Prices | None) -> tuple[float | None, str]:
    """US dollars for a thousand such queries, or why they are not known."""
    if prices is None:
        return None, "no price table was given"
    if (price := prices.get(llm)) is None:
        return None, f"the price table has no {llm}"
    if not read and not written:
        return None, "the server does not say how many tokens it used"
    usd = (read * price.input + written * price.output) / 1e6
    return 1000 * usd / queries if queries else None, ""
