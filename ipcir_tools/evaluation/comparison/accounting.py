"""The imagination of one arm of a comparison, watched: what it asked, what was really called, what came back.

Requests, calls and cache hits are counted at three places, so that their agreement says something; see
:class:`~ipcir_tools.evaluation.comparison.report.Traffic`.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import merge_configs
from pydantic import Field

from ipcir_tools.chains.imagination.imaginer import RULES_INSTEAD
from ipcir_tools.chains.imagination.results import Cost as Paid
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.chains.imagination.structured_output import SECOND_TRY
from ipcir_tools.evaluation.comparison.report import Cost, Latency, Replies, Traffic
from ipcir_tools.types import Value


class Price(Value):
    """What a model's server takes, in US dollars for a million tokens."""

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)


Prices = Mapping[str, Price]
"""By the name of the model."""

BREAKS = 2
"""Breaks in a row that are waited for where nothing was answered since the one before; one where nothing ever was."""

_TIMES = re.compile(r"\b\d+ (times in a row|s)\b")
"""What differs from one failure to the next of the same kind."""
_MORE = re.compile(rf"; {SECOND_TRY} \(.*\)(?=; |$)|; {RULES_INSTEAD}$")
"""What comes after the reason of a failure: with it, every pair of two faults would be a kind of its own."""
_REFUSED = ("the language model declined", "withheld the answer")
"""How the imagination tells that a model, or its server, would not answer."""


class _Calls(BaseCallbackHandler):
    """Counts how often chat models are invoked, failed calls and what LangChain's own cache answers included."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = Lock()

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        with self._lock:
            self.count += 1


class Watched:
    """An imagination whose every question and call is counted, and put once. Safe for many threads."""

    def __init__(self, imagine: Runnable[ImagineRequest, Imagination]) -> None:
        self._asked = imagine
        self._calls = _Calls()
        self._lock = Lock()
        self._answers: dict[ImagineRequest, Imagination] = {}
        self._again_at = 0.0
        self.imagine: Runnable[ImagineRequest, Imagination] = RunnableLambda(self._imagine, name="imagine")

    def _imagine(self, request: ImagineRequest, config: RunnableConfig) -> Imagination:
        known = self._answers.get(request)
        return known or self._noted(request, self._asked.invoke(request, self._counted(config)))

    def _counted(self, config: RunnableConfig | None = None) -> RunnableConfig:
        return merge_configs(config, {"callbacks": [self._calls]})

    def _noted(self, request: ImagineRequest, answer: Imagination) -> Imagination:
        with self._lock:
            self._answers[request] = answer
            if answer.retry_after is not None:
                self._again_at = max(self._again_at, time.monotonic() + answer.retry_after)
        return answer

    def ask_again(self, wait: Callable[[float], None]) -> bool:
        """Put what was held back while the server was left alone, once that is over; whether anything was put.

        ``wait`` waits for so many seconds. It goes on while the server answers in between; what is left where it does
        not (``BREAKS``) stays held back.
        """
        put, fruitless = False, 0
        while held := [request for request, answer in self._answers.items() if answer.retry_after is not None]:
            if fruitless == (BREAKS if any(map(_answered, self._answers.values())) else 1):
                break
            wait(max(0.0, self._again_at - time.monotonic()))
            answers = self._asked.batch(held, self._counted())
            for request, answer in zip(held, answers, strict=True):
                self._noted(request, answer)
            fruitless = 0 if any(map(_answered, answers)) else fruitless + 1
            put = put or any(answer.retry_after is None for answer in answers)
        return put

    def traffic(self) -> Traffic:
        """What was asked in this run."""
        answers = self._different()
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
        troubles = Counter(map(_reason, failed))
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

    def latency(self) -> Latency | None:
        """How long the usable replies took when they were made; None where it is not known of any."""
        usable = (answer for answer in self._different() if answer.target.origin == "llm")
        took = [answer.seconds for answer in usable if answer.seconds is not None]
        if not took:
            return None
        p50, p95 = np.quantile(took, [0.5, 0.95])
        return Latency(replies=len(took), p50=float(p50), p95=float(p95))

    def _different(self) -> list[Imagination]:
        """One answer for each different question."""
        with self._lock:
            return [*self._answers.values()]


def _held_back(answer: Imagination) -> bool:
    """Whether nobody was asked: the server is left alone for a while, or the picture cannot be shown."""
    nobody = answer.cost is None or not answer.cost.calls
    return answer.target.origin == "fallback" and not answer.calls and nobody


def _answered(answer: Imagination) -> bool:
    """Whether a server said anything now, be it of no use."""
    return answer.calls > 0 and not answer.no_response


def _reason(answer: Imagination) -> str:
    """Why the rules wrote: the first fault of each model, without what differs from one time to the next."""
    return "; ".join(_TIMES.sub(r"some \1", _MORE.sub("", warning)) for warning in answer.warnings)


def _missing(paid: Mapping[str, Paid], unknown: int) -> str:
    """Why the tokens are not known; empty where they are."""
    if not unknown and not any(each.calls for each in paid.values()):
        return "it was never asked"
    if not unknown and _tokens(paid) == (0, 0):
        return "no reply came"
    if unknown and _tokens(paid) == (0, 0):
        return "the server does not say how many tokens it used"
    return f"the tokens of {unknown:,} replies are not known" if unknown else ""


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
    usd = (read * price.input + written * price.output) / 1e6
    return 1000 * usd / queries if queries else None, ""
