"""One prompt, the models that answer it one after the other, and the rules behind them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import reduce
from operator import add
from threading import Lock

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs

from ipcir_tools.chains.imagination import rules
from ipcir_tools.chains.imagination.prompting import UnavailableImageError, render
from ipcir_tools.chains.imagination.results import Cost, Imagination, ImagineRequest
from ipcir_tools.chains.imagination.structured_output import Writer, Written, paid
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.timeouts import map_steps, run_to_end
from ipcir_tools.llm.tracing import prompt_metadata, trace_step
from ipcir_tools.prompts import Prompt
from ipcir_tools.types import ImaginedTarget, Origin

RULES_INSTEAD = "the rules wrote the target instead"

Growing = Generator[Imagination, None, Imagination]
"""What is imagined so far, and then what came of it."""


class Imaginer:
    """Imagines by one prompt; without ``writers`` the rules write every target. Safe for many threads.

    Each model has its share of the time that is left, so that one that never answers leaves the next its turn.
    """

    def __init__(
        self, prompt: Prompt, writers: Sequence[Writer], timeout: float, pictures: Callable[[str], str] | None
    ) -> None:
        self._prompt = prompt
        self._writers = tuple(writers)
        self._timeout = timeout
        self._pictures = pictures
        self._under_way: dict[str, Future[Imagination]] = {}
        self._lock = Lock()

    def traced(self, config: RunnableConfig | None) -> RunnableConfig:
        """The config under which all of it runs: what a trace shows of it, and of every step inside."""
        if not self._writers:
            return merge_configs(config, {"tags": ["imagine"]})
        prompt = self._prompt
        return merge_configs(config, {"tags": ["imagine", prompt.id], "metadata": prompt_metadata(prompt)})

    def imagine(self, request: ImagineRequest, config: RunnableConfig) -> Imagination:
        """The target. Equal requests that run at the same time share one answer."""
        if not self._writers:
            return Imagination(_by_rules(request, "rules", config), None, (), calls=0, cached=False)
        try:
            messages = render(self._prompt, request, self._pictures)
        except UnavailableImageError as unseen:
            return self._instead(request, (f"{unseen}; {RULES_INSTEAD}",), 0, None, config)
        key = self._writers[0].key(messages)
        return self._shared(key, lambda: run_to_end(self._made(request, messages, config, stream=False)))

    def growing(self, request: ImagineRequest, config: RunnableConfig) -> Growing:
        """The same, while a model writes: first what it has said of the description so far."""
        try:
            messages = render(self._prompt, request, self._pictures) if self._writers else []
        except UnavailableImageError:
            messages = []
        under_way = self._under_way.get(self._writers[0].key(messages)) if messages else None
        if not messages or under_way is not None:
            return self.imagine(request, config)
        return (yield from self._made(request, messages, config, stream=True))

    def _shared(self, key: str, imagine: Callable[[], Imagination]) -> Imagination:
        """``imagine()``, or what an equal request that is under way comes to.

        Streams are not waited for: nobody knows whether they are read to their end.
        """
        with self._lock:
            under_way = self._under_way.get(key)
            mine: Future[Imagination] = self._under_way.setdefault(key, Future())
        if under_way is not None:
            result = under_way.result()
            return replace(result, calls=0, cached=result.target.origin == "llm", repairs=0, seconds=None)
        try:
            mine.set_result(imagine())
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[key]
        return mine.result()

    def _made(
        self, request: ImagineRequest, messages: list[BaseMessage], config: RunnableConfig, *, stream: bool
    ) -> Growing:
        """What the first model that gives a usable answer makes of it, or the rules where none does."""
        about, began = f"{request.caption} {request.modification}", time.monotonic()
        failed: list[Cost] = []
        failures: list[NoReplyError] = []
        warnings: list[str] = []
        repairs = 0
        for i, writer in enumerate(self._writers):
            left = self._timeout - (time.monotonic() - began)
            budget = Budget(left / (len(self._writers) - i))
            try:
                written = yield from self._written(writer, i, messages, about, config, budget, stream)
            except NoReplyError as failure:
                failed.append(paid(writer.key(messages), budget))
                failures.append(failure)
                warnings.append(self._told(i, failure))
                repairs += budget.repairs
                continue
            made = self._of(written, failed, warnings, budget)
            seconds = _since(began) if failed and made.calls else written.seconds
            return replace(made, repairs=repairs + written.repairs, seconds=seconds)
        cost = reduce(add, failed)
        made = self._instead(request, tuple(warnings), cost.calls, cost, config)
        waits = [failure.retry_after for failure in failures if failure.retry_after is not None]
        return replace(
            made,
            repairs=repairs,
            seconds=_since(began) if cost.calls else None,
            silent=all(failure.unanswered for failure in failures),
            again_in=min(waits) if len(waits) == len(failures) else None,
        )

    def _written(
        self,
        writer: Writer,
        place: int,
        messages: list[BaseMessage],
        about: str,
        config: RunnableConfig,
        budget: Budget,
        stream: bool,
    ) -> Generator[Imagination, None, Written]:
        key = writer.key(messages)
        if (kept := writer.kept(key, about)) is not None:
            with trace_step("imagine.kept", config, origin="llm", reply=key):
                return kept
        name = "imagine.fallback" if place else "imagine.model"
        of_model: RunnableConfig = {"run_name": name, "metadata": {"origin": "llm"}}
        steps = writer.writing(messages, about, merge_configs(config, of_model), budget, stream=stream)
        return (yield from map_steps(self._longer(), steps))

    def _longer(self) -> Callable[[str], Imagination | None]:
        """What turns a description so far into what is shown of it: nothing until there is more than before."""
        longest = 0

        def shown(description: str) -> Imagination | None:
            nonlocal longest
            if len(description) <= longest:
                return None
            longest = len(description)
            target = ImaginedTarget(description=description, origin="llm")
            return Imagination(target, self._prompt.tag, (), calls=0, cached=False)

        return shown

    def _told(self, place: int, failure: NoReplyError) -> str:
        names = [writer.name for writer in self._writers]
        who = f"{names[place]}: " if names[1:] else ""
        return f"{who}{failure}; " + (f"{names[place + 1]} was asked instead" if names[place + 1 :] else RULES_INSTEAD)

    def _of(self, written: Written, failed: Sequence[Cost], warnings: Sequence[str], budget: Budget) -> Imagination:
        return Imagination(
            target=written.reading.target,
            prompt=self._prompt.tag,
            warnings=(*warnings, *written.warnings),
            calls=budget.calls + sum(cost.calls for cost in failed),
            cached=written.kept,
            cost=None if written.cost is None else reduce(add, failed, written.cost),
            model=written.model,
            form=written.reading.form,
        )

    def _instead(
        self, request: ImagineRequest, why: tuple[str, ...], calls: int, cost: Cost | None, config: RunnableConfig
    ) -> Imagination:
        """What the rules write in the place of the models."""
        target = _by_rules(request, "fallback", config)
        return Imagination(target, self._prompt.tag, why, calls, cached=False, cost=cost)


def _by_rules(request: ImagineRequest, origin: Origin, config: RunnableConfig) -> ImaginedTarget:
    previous = request.history[-1][1] if request.history else None
    with trace_step("imagine.fallback" if origin == "fallback" else "imagine.rules", config, origin=origin):
        target = rules.imagine_by_rules(request.caption, request.modification, previous)
    return target.model_copy(update={"origin": origin})


def _since(began: float) -> float:
    return time.monotonic() - began
