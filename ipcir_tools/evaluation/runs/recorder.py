"""The engine's imagination for a whole evaluation: no question is asked twice, and all is accounted for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from ipcir_tools.chains.imagination.chain import LLM_FIELD, PROMPT_FIELD
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.evaluation.reports.report import Imaginer

if TYPE_CHECKING:
    from ipcir_tools.engine.components import Components


_TIMES = re.compile(r"\b\d+ (times in a row|s)\b")
"""What differs from one failure to the next of the same kind."""


class AskedOnce:
    """One imagination for all composers.

    So each sees the same one, a failure of the model is not paid for once a composer, and who imagined what is known
    at the end.
    """

    def __init__(self, engine: Components, imagine: Runnable[ImagineRequest, Imagination] | None = None) -> None:
        """``imagine`` stands in for the engine's imagination."""
        self._engine, self._own = engine, imagine
        self._known: dict[tuple[ImagineRequest, str], Future[Imagination]] = {}
        self._lock = Lock()
        self.imagine: Runnable[ImagineRequest, Imagination] = _NewOnly(self._imagine, self._answer)

    def _imagine(self, request: ImagineRequest, config: RunnableConfig) -> Imagination:
        asked = _asked(request, config)
        with self._lock:
            known = self._known.get(asked)
            mine: Future[Imagination] = self._known.setdefault(asked, Future())
        if known is not None:
            return known.result()
        try:
            mine.set_result((self._own or self._engine.imagine).invoke(request, config))
        except BaseException as error:
            with self._lock:
                del self._known[asked]  # what was broken off, not answered, may be asked again
            mine.set_exception(error)
            raise
        return mine.result()

    def _answer(self, request: ImagineRequest, config: RunnableConfig) -> Imagination | None:
        """What is known of a request, without waiting for it."""
        with self._lock:
            known = self._known.get(_asked(request, config))
        return known.result() if known is not None and known.done() else None

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


def _asked(request: ImagineRequest, config: RunnableConfig) -> tuple[ImagineRequest, str]:
    """What makes two questions the same."""
    chosen = config.get("configurable", {})
    return request, f"{chosen.get(PROMPT_FIELD)} {chosen.get(LLM_FIELD)}"


class _NewOnly(RunnableLambda[ImagineRequest, Imagination]):
    """The imagination with a batch that takes no thread for what is known: composers ask the same again and again."""

    def __init__(
        self,
        imagine: Callable[[ImagineRequest, RunnableConfig], Imagination],
        known: Callable[[ImagineRequest, RunnableConfig], Imagination | None],
    ) -> None:
        super().__init__(imagine, name="imagine")
        self._answer = known

    def batch(
        self,
        inputs: list[ImagineRequest],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Imagination]:
        """Each request's imagination; only those that are new run, each once."""
        if return_exceptions or isinstance(config, list):
            return super().batch(inputs, config, return_exceptions=return_exceptions, **kwargs)
        found = {request: self._answer(request, config or {}) for request in inputs}
        new = [request for request, known in found.items() if known is None]
        found |= dict(zip(new, super().batch(new, config, **kwargs), strict=True))
        return [each for each in (found[request] for request in inputs) if each is not None]
