"""One model with one prompt: from its reply to an accepted target, by way of a repair request, and stored replies."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs

from ipcir_tools.chains.imagination.acceptance import Acceptance
from ipcir_tools.chains.imagination.parsing import (
    BadReplyError,
    Reading,
    RefusedReplyError,
    description_so_far,
    parse_reply,
)
from ipcir_tools.chains.imagination.results import Cost, ImagineRequest
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.chat_model import NamedChatModel
from ipcir_tools.llm.client import Answer, ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.reply_store import ReplyStore, new_reply, reply_key
from ipcir_tools.llm.timeouts import map_steps
from ipcir_tools.prompts import Prompt
from ipcir_tools.prompts.limits import QUOTED_REPLY_CHARS
from ipcir_tools.text import sanitize

SECOND_TRY = "a second try failed too"
"""Begins the warning about a failed repair; the reason follows in brackets."""

_REPAIR_FORMS = {
    "json": "only the JSON object, in the form described",
    "text": "only the caption of the wanted picture",
}
_WARNINGS = {
    ("json", "parts"): "the language model's reply was incomplete or malformed; its complete parts were used",
    ("json", "text"): "the language model replied in plain text; it was taken as the description",
}


@dataclass(frozen=True)
class PromptReply:
    """A usable reply: what was parsed, the warnings on the way, and what it cost when it was made."""

    reading: Reading
    warnings: tuple[str, ...]
    model: str
    cost: Cost | None
    repairs: int
    seconds: float | None
    """How long it took when it was made, where that is known."""
    text: str | None = None
    """The reply itself; None where the server cut it off."""
    cached: bool = False


def cost_of(key: str, budget: Budget) -> Cost:
    """What was spent of a budget on the reply with that key."""
    return Cost(key, budget.calls, budget.input_tokens, budget.output_tokens, budget.tokens_known)


class PromptedModel:
    """A chat model that answers one prompt, with a store for its replies. Thread-safe."""

    def __init__(self, model: NamedChatModel, prompt: Prompt, replies: ReplyStore | None) -> None:
        self.name = model.name
        self._prompt = prompt
        self._acceptance = Acceptance(prompt)
        self._replies = replies
        self._form = "text" if prompt.reply_schema is None else "json"
        self._client = ChatClient(model.llm, prompt.reply_schema, model.breaker)
        self._llm = model.llm

    def reply_key(self, messages: list[BaseMessage]) -> str:
        """The key under which the reply to these messages is stored: a hash of all that it depends on."""
        return reply_key(messages, self._llm, self._prompt)

    def stored_reply(self, key: str, request: ImagineRequest) -> PromptReply | None:
        """The stored reply, or None where there is none that imagines; one that does not is deleted."""
        if self._replies is None or (stored := self._replies.reply(key)) is None:
            return None
        try:
            reading = self._acceptance.accepted(parse_reply(stored.text, plain=True), request)
        except BadReplyError:  # stored by a version that took more replies for imaginations
            self._replies.forget_reply(key)
            return None
        tokens = (stored.input_tokens, stored.output_tokens)
        return PromptReply(
            reading,
            self._warnings(reading),
            stored.model or self.name,
            None if stored.calls is None else Cost(key, stored.calls, *tokens, tokens_known=any(tokens)),
            stored.repairs or 0,
            stored.seconds,
            stored.text,
            cached=True,
        )

    def generate(
        self,
        messages: list[BaseMessage],
        request: ImagineRequest,
        config: RunnableConfig,
        budget: Budget,
        *,
        stream: bool,
    ) -> Generator[str, None, PromptReply]:
        """Call the model, and with ``stream`` yield the description so far. Raises ``NoReplyError``."""
        key = self.reply_key(messages)
        answer, reading, warnings = yield from self._answer(messages, request, config, budget, stream)
        reply = new_reply(answer.text, "imagine", self.name, self._prompt, budget)
        if self._replies is not None and not answer.cut_off:
            self._replies.put_reply(key, reply)
        return PromptReply(
            reading,
            warnings + self._warnings(reading),
            self.name,
            cost_of(key, budget),
            budget.repairs,
            reply.seconds,
            None if answer.cut_off else reply.text,
        )

    def _warnings(self, reading: Reading) -> tuple[str, ...]:
        warning = _WARNINGS.get((self._form, reading.form))
        return (warning,) if warning else ()

    def _answer(
        self, messages: list[BaseMessage], request: ImagineRequest, config: RunnableConfig, budget: Budget, stream: bool
    ) -> Generator[str, None, tuple[Answer, Reading, tuple[str, ...]]]:
        """The usable answer, the parsed target, and the warnings about the answer before. Raises ``NoReplyError``."""
        first = yield from self._request(messages, config, budget, stream)
        try:
            return first, self._parse(first, request, plain=self._form == "text"), ()
        except BadReplyError as bad:
            problem = str(bad)
        try:
            second = yield from self._repair(messages, first, problem, config, budget, stream)
            reading = self._parse(second, request, plain=True)
            return second, reading, (f"the language model needed a second try: {problem}",)
        except (NoReplyError, BadReplyError) as failure:
            return self._as_text(first, request, problem, failure)

    def _request(
        self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, stream: bool
    ) -> Generator[str, None, Answer]:
        so_far = _description_reader(plain=self._form == "text")
        return map_steps(so_far, self._client.ask_streaming(messages, config, budget, stream=stream))

    def _repair(
        self,
        messages: list[BaseMessage],
        reply: Answer,
        problem: str,
        config: RunnableConfig,
        budget: Budget,
        stream: bool,
    ) -> Generator[str, None, Answer]:
        """The answer of a model that is shown its reply and the problem with it."""
        quoted = sanitize(reply.text, QUOTED_REPLY_CHARS) or "(nothing)"
        request = f"That reply cannot be used: {problem}. Answer again with {_REPAIR_FORMS[self._form]}."
        before, config = budget.calls, merge_configs(config, {"run_name": "imagine.repair"})
        try:
            extended = [*messages, AIMessage(quoted), HumanMessage(request)]
            return (yield from self._request(extended, config, budget, stream))
        finally:
            budget.repairs += budget.calls > before

    def _parse(self, answer: Answer, request: ImagineRequest, *, plain: bool) -> Reading:
        """The parsed answer, if it imagines. Raises ``BadReplyError``, and ``NoReplyError`` for a refusal."""
        try:
            return self._acceptance.accepted(parse_reply(answer.text, plain=plain, cut_off=answer.cut_off), request)
        except RefusedReplyError as refusal:
            raise NoReplyError(f"the language model declined ({refusal})") from refusal

    def _as_text(
        self, answer: Answer, request: ImagineRequest, problem: str, failure: Exception
    ) -> tuple[Answer, Reading, tuple[str, ...]]:
        """The first reply as plain text, the last resort before the next model or the rules."""
        warning = f"{SECOND_TRY} ({failure})"
        try:
            reading = self._parse(answer, request, plain=True)
        except BadReplyError:
            raise NoReplyError(f"the language model's reply could not be used: {problem}; {warning}") from failure
        return answer, reading, (warning,)


def _description_reader(*, plain: bool) -> Callable[[str], str | None]:
    """A function that parses a growing reply; it skips most of the steps, for each one parses the whole text."""
    next_length = 0.0

    def read(text: str) -> str | None:
        nonlocal next_length
        if len(text) < next_length:
            return None
        next_length = len(text) + min(16, 0.01 * len(text))
        return description_so_far(text, plain=plain)

    return read
