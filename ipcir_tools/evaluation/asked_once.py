"""The engine's imagination for a whole evaluation: no question is asked twice, and all is accounted for."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import Future
from threading import Lock
from typing import TYPE_CHECKING

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from ipcir_tools.chains.imagine import Imagination, ImagineRequest
from ipcir_tools.evaluation.report import Imaginer

if TYPE_CHECKING:
    from ipcir_tools.engine import Engine

_TIMES = re.compile(r"\b\d+ (times in a row|s)\b")
"""What differs from one failure to the next of the same kind."""


class AskedOnce:
    """One imagination for all composers.

    So each sees the same one, a failure of the model is not paid for once a composer, and who imagined what is known
    at the end.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[ImagineRequest, Future[Imagination]] = {}
        self._lock = Lock()
        self.imagine: Runnable[ImagineRequest, Imagination] = RunnableLambda(self._imagine, name="imagine")

    def _imagine(self, request: ImagineRequest, config: RunnableConfig) -> Imagination:
        with self._lock:
            known = self._known.get(request)
            mine: Future[Imagination] = self._known.setdefault(request, Future())
        if known is not None:
            return known.result()
        try:
            mine.set_result(self._engine.imagine.invoke(request, config))
        except BaseException as error:
            with self._lock:
                del self._known[request]  # what was broken off, not answered, may be asked again
            mine.set_exception(error)
            raise
        return mine.result()

    @property
    def made_now(self) -> int:
        """Calls that were really made in this run."""
        return sum(each.calls for each in self._answers())

    def summary(self, origins: Counter[str]) -> Imaginer:
        """The account; ``origins`` counts queries by who imagined their target."""
        answers = self._answers()
        costs = {each.cost.reply: each.cost for each in answers if each.cost is not None}
        failed = [each for each in answers if each.target.origin == "fallback"]
        troubles = Counter(_TIMES.sub(r"some \1", text) for each in failed for text in each.warnings)
        replies = {each.cost.reply for each in answers if each.cost is not None and each.target.origin == "llm"}
        return Imaginer(
            llm=self._engine.settings.llm,
            queries={origin: origins[origin] for origin in ("llm", "rules", "fallback") if origins[origin]},
            replies=len(replies),
            shared=max(0, origins["llm"] - len(replies)),
            calls=sum(cost.calls for cost in costs.values()),
            input_tokens=sum(cost.input_tokens for cost in costs.values()),
            output_tokens=sum(cost.output_tokens for cost in costs.values()),
            prompts=tuple(sorted({each.prompt for each in answers if each.prompt is not None})),
            troubles=dict(sorted(troubles.items())),
        )

    def _answers(self) -> list[Imagination]:
        with self._lock:
            return [each.result() for each in self._known.values() if each.done() and each.exception() is None]
