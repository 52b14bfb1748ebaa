"""One prompt, the models that answer it in turn, and the rules as the last resort."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import reduce
from operator import add

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs

from ipcir_tools.chains.imagination import rules
from ipcir_tools.chains.imagination.prompting import UnavailableImageError, render
from ipcir_tools.chains.imagination.results import Cost, Imagination, ImagineRequest
from ipcir_tools.chains.imagination.structured_output import PromptedModel, PromptReply, cost_of
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.timeouts import map_steps, run_to_end
from ipcir_tools.llm.tracing import prompt_metadata, trace_step
from ipcir_tools.once import Once
from ipcir_tools.prompts import Prompt
from ipcir_tools.types import ImaginedTarget, Origin

RULES_INSTEAD = "the rules wrote the target instead"

ImaginationStream = Generator[Imagination, None, Imagination]
"""Yields the imagination as it grows, and returns the complete one."""


class Imaginer:
    """Imagines with one prompt; without ``models`` the rules write every target. Thread-safe.

    Each model gets its share of the time that is left, so that one that never answers leaves time for the next.
    """

    def __init__(
        self,
        prompt: Prompt,
        models: Sequence[PromptedModel],
        timeout: float,
        load_reference: Callable[[str], str] | None,
    ) -> None:
        self._prompt = prompt
        self._models = tuple(models)
        self._timeout = timeout
        self._load_reference = load_reference
        self._in_flight = Once[Imagination]()

    @property
    def has_no_models(self) -> bool:
        """Whether the rules write every target."""
        return not self._models

    def run_config(self, config: RunnableConfig | None) -> RunnableConfig:
        """``config`` with the tags and the metadata that a trace shows, inherited by every step inside."""
        if not self._models:
            return merge_configs(config, {"tags": ["imagine"]})
        prompt = self._prompt
        return merge_configs(config, {"tags": ["imagine", prompt.id], "metadata": prompt_metadata(prompt)})

    def imagine(self, request: ImagineRequest, config: RunnableConfig) -> Imagination:
        """The imagined target. Equal requests that run at the same time share one answer."""
        if not self._models:
            result = _by_rules(request, "rules", config)
            return Imagination(result.target, None, result.warnings, calls=0, cached=False)
        try:
            messages = render(self._prompt, request, self._load_reference)
        except UnavailableImageError as error:
            return self._fallback(request, (f"{error}; {RULES_INSTEAD}",), 0, None, config)
        key = self._models[0].reply_key(messages)
        return self._shared(key, lambda: run_to_end(self._generate(request, messages, config, stream=False)))

    def stream(self, request: ImagineRequest, config: RunnableConfig) -> ImaginationStream:
        """The same, yielding the description so far while a model writes."""
        try:
            messages = render(self._prompt, request, self._load_reference) if self._models else []
        except UnavailableImageError:
            messages = []
        if not messages or self._in_flight.is_making(self._models[0].reply_key(messages)):
            return self.imagine(request, config)
        return (yield from self._generate(request, messages, config, stream=True))

    def _shared(self, key: str, imagine: Callable[[], Imagination]) -> Imagination:
        """``imagine()``, or the result of an equal request in flight.

        Streams are not shared: a caller may stop reading one before its end.
        """
        own = False

        def make() -> Imagination:
            nonlocal own
            own = True
            return imagine()

        result = self._in_flight.get(key, make)
        if own:
            return result
        return replace(result, calls=0, cached=result.target.origin == "llm", repairs=0, seconds=None)

    def _generate(
        self, request: ImagineRequest, messages: list[BaseMessage], config: RunnableConfig, *, stream: bool
    ) -> ImaginationStream:
        """The imagination of the first model with a usable reply, or of the rules where there is none."""
        spent = seconds = 0.0
        failed: list[Cost] = []
        failures: list[NoReplyError] = []
        warnings: list[str] = []
        repairs = 0
        for i, model in enumerate(self._models):
            budget = Budget((self._timeout - spent) / (len(self._models) - i))
            try:
                reply = yield from self._reply(i, messages, request, config, budget, stream)
            except NoReplyError as failure:
                failed.append(cost_of(model.reply_key(messages), budget))
                failures.append(failure)
                warnings.append(self._warning(i, failure))
                repairs += budget.repairs
                spent += budget.seconds - budget.left()
                seconds += budget.elapsed()
                continue
            result = self._imagination(reply, failed, warnings, budget)
            took = seconds + budget.elapsed() if failed and result.calls else reply.seconds
            return replace(result, repairs=repairs + reply.repairs, seconds=took)
        cost = reduce(add, failed)
        waits = [failure.retry_after for failure in failures if failure.retry_after is not None]
        return replace(
            self._fallback(request, tuple(warnings), cost.calls, cost, config),
            repairs=repairs,
            seconds=seconds if cost.calls else None,
            no_response=all(failure.unanswered for failure in failures),
            retry_after=min(waits) if len(waits) == len(failures) else None,
        )

    def _reply(
        self,
        place: int,
        messages: list[BaseMessage],
        request: ImagineRequest,
        config: RunnableConfig,
        budget: Budget,
        stream: bool,
    ) -> Generator[Imagination, None, PromptReply]:
        """The stored reply of the model in that place, or a new one. Raises ``NoReplyError``."""
        model = self._models[place]
        key = model.reply_key(messages)
        if (stored := model.stored_reply(key, request)) is not None:
            with trace_step("imagine.kept", config, origin="llm", reply=key):
                return stored
        name = "imagine.fallback" if place else "imagine.model"
        of_model: RunnableConfig = {"run_name": name, "metadata": {"origin": "llm"}}
        steps = model.generate(messages, request, merge_configs(config, of_model), budget, stream=stream)
        return (yield from map_steps(self._longer_only(), steps))

    def _longer_only(self) -> Callable[[str], Imagination | None]:
        """A function that turns a description so far into an imagination, or None until it is longer than before."""
        longest = 0

        def imagination(description: str) -> Imagination | None:
            nonlocal longest
            if len(description) <= longest:
                return None
            longest = len(description)
            target = ImaginedTarget(description=description, origin="llm")
            return Imagination(target, self._prompt.tag, (), calls=0, cached=False)

        return imagination

    def _warning(self, place: int, failure: NoReplyError) -> str:
        names = [model.name for model in self._models]
        subject = f"{names[place]}: " if names[1:] else ""
        after = f"{names[place + 1]} was asked instead" if names[place + 1 :] else RULES_INSTEAD
        return f"{subject}{failure}; {after}"

    def _imagination(
        self, reply: PromptReply, failed: Sequence[Cost], warnings: Sequence[str], budget: Budget
    ) -> Imagination:
        return Imagination(
            target=reply.reading.target,
            prompt=self._prompt.tag,
            warnings=(*warnings, *reply.warnings),
            calls=budget.calls + sum(cost.calls for cost in failed),
            cached=reply.cached,
            cost=None if reply.cost is None else reduce(add, failed, reply.cost),
            model=reply.model,
            form=reply.reading.form,
            reply=reply.text,
        )

    def _fallback(
        self, request: ImagineRequest, warnings: tuple[str, ...], calls: int, cost: Cost | None, config: RunnableConfig
    ) -> Imagination:
        """The target that the rules write in place of the models."""
        result = _by_rules(request, "fallback", config)
        warnings = (*warnings, *result.warnings)
        return Imagination(result.target, self._prompt.tag, warnings, calls, cached=False, cost=cost)


def _by_rules(request: ImagineRequest, origin: Origin, config: RunnableConfig) -> rules.RulesResult:
    previous = request.history[-1][1] if request.history else None
    with trace_step("imagine.fallback" if origin == "fallback" else "imagine.rules", config, origin=origin):
        others = [(each.caption, each.note) for each in request.others]
        result = rules.imagine_with_warnings(
            request.caption, request.modification, previous, note=request.note, others=others
        )
    return replace(result, target=result.target.model_copy(update={"origin": origin}))
