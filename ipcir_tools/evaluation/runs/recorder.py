"""The imagination of a whole run: equal requests are imagined once, and every imagination and call is recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import merge_configs

from ipcir_tools.chains.imagination.chain import LLM_FIELD, PROMPT_FIELD
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest

Imagine = Runnable[ImagineRequest, Imagination]
BREAKS = 2
"""Pauses in a row that are waited for although no server answered since the one before; one where none ever did."""

_Key = tuple[ImagineRequest, tuple[tuple[str, Any], ...]]
"""A request with the prompt and the model that its configuration chooses."""
_VARYING = re.compile(r"\b\d+ (times in a row|s)\b")
"""What differs from one failure to the next of the same kind."""


class ImaginationRecorder:
    """One imagination for a whole run, safe for many threads.

    Every composer gets the same imagination for a request, a failure of the model is paid for once, and what was
    requested, called and returned is known at the end.
    """

    def __init__(self, imagine: Imagine | Callable[[], Imagine]) -> None:
        """``imagine`` may be a function that gives the imagination when it is first needed."""
        self._source = imagine
        self._calls = _CallCounter()
        self._known: dict[_Key, Future[Imagination]] = {}
        self._retry_at = 0.0
        self._lock = Lock()
        self.imagine: Imagine = _OnlyNew(self._imagine, self._recorded)

    @property
    def imaginations(self) -> list[Imagination]:
        """One imagination for each different request, in the order in which they were requested."""
        return list(self._finished().values())

    @property
    def calls_reported(self) -> int:
        """Calls of models in this run, by the account of the imaginations."""
        return sum(each.calls for each in self.imaginations)

    @property
    def calls_counted(self) -> int:
        """Calls of models in this run, counted where chat models are invoked."""
        return self._calls.count

    def retry(self, wait: Callable[[float], None]) -> bool:
        """Repeat the requests that were held back while the circuit breaker was open; whether any was sent.

        ``wait`` waits for so many seconds. It goes on as long as the server answers in between; what is left when it
        no longer does (``BREAKS``) stays held back.
        """
        sent, fruitless = False, 0
        while held := [key for key, made in self._finished().items() if made.retry_after is not None]:
            if fruitless == (BREAKS if any(map(_answered, self.imaginations)) else 1):
                break
            wait(max(0.0, self._retry_at - time.monotonic()))
            made = self._repeat(held)
            fruitless = 0 if any(map(_answered, made)) else fruitless + 1
            sent = sent or any(each.retry_after is None for each in made)
        return sent

    def _repeat(self, keys: list[_Key]) -> list[Imagination]:
        made: list[Imagination] = []
        for chosen in dict.fromkeys(chosen for _, chosen in keys):
            some = [key for key in keys if key[1] == chosen]
            config = self._counted({"configurable": dict(chosen)})
            found = self._resolved().batch([request for request, _ in some], config)
            for key, imagination in zip(some, found, strict=True):
                future: Future[Imagination] = Future()
                future.set_result(self._record(imagination))
                with self._lock:
                    self._known[key] = future
            made += found
        return made

    def _imagine(self, request: ImagineRequest, config: RunnableConfig) -> Imagination:
        key = _key(request, config)
        with self._lock:
            known = self._known.get(key)
            mine: Future[Imagination] = self._known.setdefault(key, Future())
        if known is not None:
            return known.result()
        try:
            mine.set_result(self._record(self._resolved().invoke(request, self._counted(config))))
        except BaseException as error:  # an interrupt, too: it is passed on
            with self._lock:
                del self._known[key]  # what was interrupted may be requested again
            mine.set_exception(error)
            raise
        return mine.result()

    def _recorded(self, request: ImagineRequest, config: RunnableConfig) -> Imagination | None:
        """What is known for a request, without waiting for it."""
        with self._lock:
            known = self._known.get(_key(request, config))
        return known.result() if known is not None and known.done() else None

    def _record(self, imagination: Imagination) -> Imagination:
        if imagination.retry_after is not None:
            with self._lock:
                self._retry_at = max(self._retry_at, time.monotonic() + imagination.retry_after)
        return imagination

    def _finished(self) -> dict[_Key, Imagination]:
        with self._lock:
            known = list(self._known.items())
        return {key: each.result() for key, each in known if each.done() and each.exception() is None}

    def _resolved(self) -> Imagine:
        return self._source if isinstance(self._source, Runnable) else self._source()

    def _counted(self, config: RunnableConfig) -> RunnableConfig:
        return merge_configs(config, {"callbacks": [self._calls]})


def general_reason(warning: str) -> str:
    """A failure without what differs from one time to the next, so that equal ones can be counted."""
    return _VARYING.sub(r"some \1", warning)


def _answered(imagination: Imagination) -> bool:
    """Whether a server answered now, with a usable reply or not."""
    return imagination.calls > 0 and not imagination.no_response


def _key(request: ImagineRequest, config: RunnableConfig) -> _Key:
    chosen = config.get("configurable", {})
    return request, tuple((name, chosen[name]) for name in (PROMPT_FIELD, LLM_FIELD) if chosen.get(name) is not None)


class _CallCounter(BaseCallbackHandler):
    """Counts how often chat models are invoked, failed calls and replies from LangChain's own cache included."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = Lock()

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        with self._lock:
            self.count += 1


class _OnlyNew(RunnableLambda[ImagineRequest, Imagination]):
    """An imagination whose batch takes no thread for what is recorded: composers request the same again and again."""

    def __init__(
        self,
        imagine: Callable[[ImagineRequest, RunnableConfig], Imagination],
        recorded: Callable[[ImagineRequest, RunnableConfig], Imagination | None],
    ) -> None:
        super().__init__(imagine, name="imagine")
        self._recorded = recorded

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
        found = {request: self._recorded(request, config or {}) for request in inputs}
        new = [request for request, known in found.items() if known is None]
        found |= dict(zip(new, super().batch(new, config, **kwargs), strict=True))
        return [each for each in (found[request] for request in inputs) if each is not None]
