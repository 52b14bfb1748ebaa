"""One model with one prompt: the ladder from its reply to a target, and the replies that are kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs

from ipcir_tools.chains.imagination.parsing import (
    BadReplyError,
    Reading,
    RefusedReplyError,
    description_so_far,
    parse_reply,
)
from ipcir_tools.chains.imagination.results import Cost
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.chat_model import NamedChatModel
from ipcir_tools.llm.client import Answer, ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.reply_store import ReplyStore, new_reply, reply_key
from ipcir_tools.llm.timeouts import map_steps
from ipcir_tools.prompts import Prompt
from ipcir_tools.text import sanitize

SHOWN_REPLY_CHARS = 2_000

SECOND_TRY = "a second try failed too"
"""How a reply is told that could not be mended, before the reason in brackets."""

_WANTED = {
    "json": "only the JSON object, in the form described",
    "text": "only the caption of the wanted picture",
}
_NOTES = {
    ("json", "parts"): "the language model's reply was broken off or malformed; its complete parts were used",
    ("json", "text"): "the language model replied in plain text; it was taken as the description",
}


@dataclass(frozen=True)
class Written:
    """A reply that could be used: what it was read as, what was wrong on the way, and what it cost when it was made."""

    reading: Reading
    warnings: tuple[str, ...]
    model: str
    cost: Cost | None
    repairs: int
    seconds: float | None
    """How long it took when it was made, if that is known."""
    kept: bool = False


def paid(key: str, budget: Budget) -> Cost:
    """What was spent under a budget for the reply of that key."""
    return Cost(key, budget.calls, budget.input_tokens, budget.output_tokens, budget.tokens_known)


class Writer:
    """One model that answers one prompt. Safe for many threads."""

    def __init__(self, model: NamedChatModel, prompt: Prompt, replies: ReplyStore | None) -> None:
        self.name = model.name
        self._prompt = prompt
        self._replies = replies
        self._schema = prompt.schema_of_reply
        self._wants = "text" if self._schema is None else "json"
        self._asker = ChatClient(model.llm, self._schema, model.breaker)
        self._llm = model.llm

    def key(self, messages: list[BaseMessage]) -> str:
        """What the reply to these messages is kept under: a hash of all that it depends on."""
        return reply_key(messages, self._llm, self._prompt)

    def kept(self, key: str, about: str) -> Written | None:
        """The kept reply, or None where there is none that can be read."""
        stored = self._replies.reply(key) if self._replies is not None else None
        try:
            reading = None if stored is None else parse_reply(stored.text, plain=True, about=about)
        except BadReplyError:
            return None  # kept by a version that read replies differently: ask again
        if stored is None or reading is None:
            return None
        calls, tokens = stored.calls, (stored.input_tokens, stored.output_tokens)
        cost = None if calls is None else Cost(key, calls, *tokens, told=any(tokens))
        model = stored.model or self.name
        return Written(reading, self._notes(reading), model, cost, stored.repairs or 0, stored.seconds, kept=True)

    def writing(
        self, messages: list[BaseMessage], about: str, config: RunnableConfig, budget: Budget, *, stream: bool
    ) -> Generator[str, None, Written]:
        """Asks, and with ``stream`` yields the description so far. Raises ``NoReplyError``."""
        key = self.key(messages)
        answer, reading, warnings = yield from self._ladder(messages, about, config, budget, stream)
        reply = new_reply(answer.text, "imagine", self.name, self._prompt, budget)
        if self._replies is not None and not answer.cut_off:
            self._replies.put_reply(key, reply)
        told = warnings + self._notes(reading)
        return Written(reading, told, self.name, paid(key, budget), budget.repairs, reply.seconds)

    def _notes(self, reading: Reading) -> tuple[str, ...]:
        note = _NOTES.get((self._wants, reading.form))
        return (note,) if note else ()

    def _ladder(
        self, messages: list[BaseMessage], about: str, config: RunnableConfig, budget: Budget, stream: bool
    ) -> Generator[str, None, tuple[Answer, Reading, tuple[str, ...]]]:
        """The answer that could be used, what it was read as, and what was wrong before. Raises ``NoReplyError``."""
        first = yield from self._said(messages, config, budget, stream)
        try:
            return first, self._read(first, about, plain=self._schema is None), ()
        except BadReplyError as bad:
            problem = str(bad)
        try:
            second = yield from self._mended(messages, first, problem, config, budget, stream)
            reading = self._read(second, about, plain=True)
            return second, reading, (f"the language model needed a second try: {problem}",)
        except (NoReplyError, BadReplyError) as failure:
            return self._as_text(first, about, problem, failure)

    def _said(
        self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, stream: bool
    ) -> Generator[str, None, Answer]:
        so_far = _reader(plain=self._schema is None)
        return map_steps(so_far, self._asker.ask_streaming(messages, config, budget, stream=stream))

    def _mended(
        self,
        messages: list[BaseMessage],
        reply: Answer,
        problem: str,
        config: RunnableConfig,
        budget: Budget,
        stream: bool,
    ) -> Generator[str, None, Answer]:
        """The answer of a model that was shown its reply and what is wrong with it."""
        shown = sanitize(reply.text, SHOWN_REPLY_CHARS) or "(nothing)"
        request = f"That reply cannot be used: {problem}. Answer again with {_WANTED[self._wants]}."
        before, config = budget.calls, merge_configs(config, {"run_name": "imagine.repair"})
        try:
            asked = [*messages, AIMessage(shown), HumanMessage(request)]
            return (yield from self._said(asked, config, budget, stream))
        finally:
            budget.repairs += budget.calls > before

    def _read(self, answer: Answer, about: str, *, plain: bool) -> Reading:
        try:
            return parse_reply(answer.text, plain=plain, cut_off=answer.cut_off, about=about)
        except RefusedReplyError as refusal:
            raise NoReplyError(f"the language model declined ({refusal})") from refusal

    def _as_text(
        self, answer: Answer, about: str, problem: str, failure: Exception
    ) -> tuple[Answer, Reading, tuple[str, ...]]:
        """The first reply as plain text, the last rung before the next model or the rules."""
        again = f"{SECOND_TRY} ({failure})"
        try:
            reading = self._read(answer, about, plain=True)
        except BadReplyError:
            raise NoReplyError(f"the language model's reply could not be used: {problem}; {again}") from failure
        return answer, reading, (again,)


def _reader(*, plain: bool) -> Callable[[str], str | None]:
    """Reads a reply while it grows, not for each character: each time all of it is read."""
    enough = 0.0

    def read(text: str) -> str | None:
        nonlocal enough
        if len(text) < enough:
            return None
        enough = len(text) + min(16, 0.01 * len(text))
        return description_so_far(text, plain=plain)

    return read
