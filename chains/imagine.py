"""Caption + modification (+ the turns before) -> the imagined target, by a language model or by the rules.

The ladder: a reply held to a JSON schema; our own reading of whatever came; one repair turn that shows the model its
reply and what is wrong with it; plain text taken as the description; the rules. Trouble with the model never raises:
it is told in ``Imagination.warnings``, and ``target.origin`` says who wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import merge_configs

from ipcir_tools import rules
from ipcir_tools.chains.asking import Answer, Asker, Budget, NoAnswer
from ipcir_tools.chains.llm import load_llm
from ipcir_tools.chains.replies import SCHEMA, BadReply, Reading, RefusedReply, parse_reply
from ipcir_tools.errors import InvalidRequest
from ipcir_tools.prompts import Prompt, capped, load_prompt
from ipcir_tools.types import ImaginedTarget

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Cost", "ImagineRequest", "Imagination", "ReplyStore", "build_imagine_chain", "load_llm"]

HISTORY_TURNS = 6
HISTORY_CHARS = 300
"""The last turns of a dialogue that are shown to the model, and how much of each text in them."""
SHOWN_REPLY_CHARS = 2_000

_REPAIR = {
    "json": "That reply cannot be used: {problem}. Answer again with only the JSON object, in the form described.",
    "text": "That reply cannot be used: {problem}. Answer again with only the caption of the wanted picture.",
}
_NOTES = {
    ("json", "parts"): "the language model's reply was broken off or malformed; its complete parts were used",
    ("json", "text"): "the language model replied in plain text; it was taken as the description",
}
_VARIABLES = {"caption", "modification", "history"}
_COST = ":cost"
_RULES_INSTEAD = "the rules wrote the target instead"


@dataclass(frozen=True)
class ImagineRequest:
    """What is to be imagined. ``history``: (modification, what it gave) of the turns before, root first."""

    caption: str
    modification: str
    history: tuple[tuple[str, ImaginedTarget], ...] = ()


@dataclass(frozen=True)
class Cost:
    """What a reply cost when it was made, however often it was used since."""

    reply: str
    """The key of the reply: equal requests share one."""
    calls: int
    input_tokens: int
    """By the server's own account; 0 where it gives none."""
    output_tokens: int


@dataclass(frozen=True)
class Imagination:
    """An imagined target and how it came about."""

    target: ImaginedTarget
    prompt: str | None
    """``imagine.structured@1#HASH8`` where a prompt was used."""
    warnings: tuple[str, ...]
    """What went wrong, for the user, in plain words."""
    calls: int
    """Model calls made, failed ones included; 0 when cached or by rules."""
    cached: bool
    cost: Cost | None = None
    """None where no model was asked, and for a reply that was kept before costs were."""


class ReplyStore(Protocol):
    """Where good replies are kept under a content hash; the catalog is one."""

    def reply(self, key: str) -> str | None:
        """The reply under ``key``, or None."""
        ...

    def put_reply(self, key: str, reply: str) -> None:
        """Keeps ``reply`` under ``key``; doing it again changes nothing."""
        ...


def build_imagine_chain(
    llm: BaseChatModel | None,
    *,
    prompt: str = "imagine.structured",
    timeout: float = 30.0,
    replies: ReplyStore | None = None,
) -> Runnable[ImagineRequest, Imagination]:
    """The imaginer as a Runnable; without ``llm`` the rules write every target.

    ``timeout`` bounds one whole imagination in seconds, retries and repairs included. Equal requests that run at the
    same time share one answer. Raises ``NotFound`` for an unknown prompt and ``InvalidRequest`` for one that wants
    variables which an imagination does not have.
    """
    if llm is None:
        return RunnableLambda(_by_rules, name="imagine")
    template = load_prompt(prompt)
    if unknown := sorted(set(template.variables) - _VARIABLES):
        raise InvalidRequest(
            f"prompt {prompt} wants {', '.join(unknown)}; an imagination has caption, modification, history"
        )
    if "modification" not in template.variables:
        raise InvalidRequest(f"prompt {prompt} does not use the modification, so it cannot imagine: choose another")
    return RunnableLambda(_Imaginer(llm, template, timeout, replies).imagine, name="imagine")


def _by_rules(request: ImagineRequest) -> Imagination:
    return Imagination(_written_by_rules(request), prompt=None, warnings=(), calls=0, cached=False)


def _written_by_rules(request: ImagineRequest) -> ImaginedTarget:
    previous = request.history[-1][1] if request.history else None
    return rules.imagine_by_rules(request.caption, request.modification, previous)


class _Imaginer:
    def __init__(self, llm: BaseChatModel, prompt: Prompt, timeout: float, replies: ReplyStore | None) -> None:
        self._prompt = prompt
        self._timeout = timeout
        self._replies = replies
        self._schema = SCHEMA if prompt.reply == "json" else None
        self._asker = Asker(llm, self._schema)
        self._model = _identity(llm)
        self._under_way: dict[str, Future[Imagination]] = {}
        self._lock = Lock()

    def imagine(self, request: ImagineRequest, config: RunnableConfig) -> Imagination:
        messages = self._prompt.render(**_values(request, self._prompt))
        key = self._key(messages)
        return self._shared(key, lambda: self._stored_or_asked(request, messages, key, self._traced(config)))

    def _key(self, messages: list[BaseMessage]) -> str:
        said = [[message.type, message.content] for message in messages]
        parts = [said, self._model, self._prompt.tag, self._schema]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def _traced(self, config: RunnableConfig) -> RunnableConfig:
        of_prompt = {
            "prompt_id": self._prompt.id,
            "prompt_version": self._prompt.version,
            "prompt_hash": self._prompt.hash,
        }
        return merge_configs(
            config, {"run_name": "imagine.model", "tags": ["imagine", self._prompt.id], "metadata": of_prompt}
        )

    def _shared(self, key: str, imagine: Callable[[], Imagination]) -> Imagination:
        """``imagine()``, or what an equal request that is under way comes to."""
        with self._lock:
            under_way = self._under_way.get(key)
            mine: Future[Imagination] = self._under_way.setdefault(key, Future())
        if under_way is not None:
            result = under_way.result()
            return replace(result, calls=0, cached=result.target.origin == "llm")
        try:
            mine.set_result(imagine())
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[key]
        return mine.result()

    def _stored_or_asked(
        self, request: ImagineRequest, messages: list[BaseMessage], key: str, config: RunnableConfig
    ) -> Imagination:
        about = f"{request.caption} {request.modification}"
        if (stored := self._stored(key, about)) is not None:
            return self._told(stored, (), calls=0, cached=True, cost=self._stored_cost(key))
        budget = Budget(self._timeout)
        try:
            answer, reading, warnings = self._ladder(messages, about, config, budget)
        except NoAnswer as failure:
            target = _written_by_rules(request).model_copy(update={"origin": "fallback"})
            why = (f"{failure}; {_RULES_INSTEAD}",)
            return Imagination(target, self._prompt.tag, why, budget.calls, cached=False, cost=_cost(key, budget))
        cost = _cost(key, budget)
        if self._replies is not None and not answer.cut_off:
            self._replies.put_reply(key + _COST, json.dumps(asdict(cost)))  # first: a reply never lacks its cost
            self._replies.put_reply(key, answer.text)
        return self._told(reading, warnings, calls=budget.calls, cached=False, cost=cost)

    def _stored(self, key: str, about: str) -> Reading | None:
        stored = self._replies.reply(key) if self._replies is not None else None
        try:
            return None if stored is None else parse_reply(stored, plain=True, about=about)
        except BadReply:
            return None  # kept by a version that read replies differently: ask again

    def _stored_cost(self, key: str) -> Cost | None:
        stored = self._replies.reply(key + _COST) if self._replies is not None else None
        try:
            return None if stored is None else Cost(**json.loads(stored))
        except (ValueError, TypeError):
            return None  # kept by a version that counted differently

    def _ladder(
        self, messages: list[BaseMessage], about: str, config: RunnableConfig, budget: Budget
    ) -> tuple[Answer, Reading, tuple[str, ...]]:
        """The answer that could be used, what it was read as, and what was wrong before. Raises ``NoAnswer``."""
        first = self._asker.ask(messages, config, budget)
        try:
            return first, self._read(first, about, plain=self._schema is None), ()
        except BadReply as bad:
            problem = str(bad)
        try:
            second = self._asker.ask(self._repair(messages, first, problem), config, budget)
            reading = self._read(second, about, plain=True)
            return second, reading, (f"the language model needed a second try: {problem}",)
        except (NoAnswer, BadReply) as failure:
            return self._as_text(first, about, problem, failure)

    def _read(self, answer: Answer, about: str, *, plain: bool) -> Reading:
        try:
            return parse_reply(answer.text, plain=plain, cut_off=answer.cut_off, about=about)
        except RefusedReply as refusal:
            raise NoAnswer(f"the language model declined ({refusal})") from refusal

    def _as_text(
        self, answer: Answer, about: str, problem: str, failure: Exception
    ) -> tuple[Answer, Reading, tuple[str, ...]]:
        """The first reply as plain text, the last rung before the rules."""
        again = f"a second try failed too ({failure})"
        try:
            reading = self._read(answer, about, plain=True)
        except BadReply:
            raise NoAnswer(f"the language model's reply could not be used: {problem}; {again}") from failure
        return answer, reading, (again,)

    def _repair(self, messages: list[BaseMessage], reply: Answer, problem: str) -> list[BaseMessage]:
        shown = capped(reply.text, SHOWN_REPLY_CHARS) or "(nothing)"
        request = _REPAIR[self._prompt.reply].format(problem=problem)
        return [*messages, AIMessage(shown), HumanMessage(request)]

    def _told(
        self, reading: Reading, warnings: tuple[str, ...], *, calls: int, cached: bool, cost: Cost | None
    ) -> Imagination:
        note = _NOTES.get((self._prompt.reply, reading.form))
        return Imagination(reading.target, self._prompt.tag, warnings + ((note,) if note else ()), calls, cached, cost)


def _cost(key: str, budget: Budget) -> Cost:
    return Cost(key, budget.calls, budget.input_tokens, budget.output_tokens)


def _values(request: ImagineRequest, prompt: Prompt) -> dict[str, str]:
    turns = request.history[-HISTORY_TURNS:]
    history = "\n".join(
        f"- request: {capped(modification, HISTORY_CHARS)}\n  picture: {capped(gave.description, HISTORY_CHARS)}"
        for modification, gave in turns
    )
    values = {"caption": request.caption, "modification": request.modification, "history": history or "(none)"}
    return {name: values[name] for name in prompt.variables}


def _identity(llm: BaseChatModel) -> dict[str, Any]:
    """What makes two models give different replies: class, address and parameters; never a key, never a timeout."""
    address = [str(getattr(llm, name)) for name in ("openai_api_base", "base_url") if getattr(llm, name, None)]
    parameters = [llm._identifying_params, llm._get_ls_params()]  # some integrations fill only one of the two
    return {"class": type(llm).__qualname__, "address": address, "parameters": parameters}
