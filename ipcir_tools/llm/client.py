"""Asking a chat model under a deadline: retries, a server that knows no schema, and a breaker for one that is gone."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableSequence

from ipcir_tools.llm.budget import Budget, CircuitBreaker
from ipcir_tools.llm.errors import (
    MAX_ERROR_CHARS,
    DeadlineExceededError,
    NoReplyError,
    asked_pause,
    broken_off,
    is_clumsy,
    is_no_stream,
    is_passing,
    is_rejection,
    is_silence,
    told,
)
from ipcir_tools.llm.timeouts import outcome, overheard, within
from ipcir_tools.text import one_line, shorten

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


FIRST_PAUSE = 0.25
"""Seconds before the second attempt, doubled before each later one, and jittered by half."""

_REASONS = ("finish_reason", "stop_reason", "done_reason", "status")
_CUT_OFF = {"length", "max_tokens", "MAX_TOKENS", "incomplete"}
_WITHHELD = {"content_filter", "refusal", "SAFETY"}

Model = Runnable[Any, Any]
UserInput = Generator[str, None, BaseMessage]
"""What a model has said so far, while it speaks, and then its message."""
Spoken = Generator[str, None, BaseMessage | None]
"""The same, or None where it does not stream."""


@dataclass(frozen=True)
class Answer:
    """What the model said. ``cut_off``: the server stopped it at a token limit."""

    text: str
    cut_off: bool = False


class ChatClient:
    """Asks one chat model, held to a JSON schema where its server can do that (``schema`` None: never)."""

    def __init__(self, llm: BaseChatModel, schema: dict[str, Any] | None, line: CircuitBreaker | None = None) -> None:
        self._llm = llm
        self._structured = _structured(llm, schema)
        self._streams = True
        self._asks_tokens = True
        self._line = line or CircuitBreaker()

    def ask(self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget) -> Answer:
        """The model's answer to ``messages``. Raises ``NoReplyError``, and nothing else for any trouble with the model.
        The model's answer to ``messages``. Raises ``NoReplyError``, and nothing else for any trouble with the model."""
        return outcome(self.asking(messages, config, budget))

    def asking(
        self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, *, stream: bool = False
    ) -> Generator[str, None, Answer]:
        """The same as a generator, which with ``stream`` yields what the model has said so far, while it speaks.

        Where it is asked again, its words begin anew. A model that does not stream says all at once, so that nothing
        is yielded.
        """
        self._line.check()
        if budget.left() <= 0:
            raise NoReplyError("no time was left to ask the language model")
        try:
            message = yield from self._structured_or_plain(messages, config, budget, stream)
        except Exception as error:  # integrations raise whatever their servers make them raise
            self._line.note(silent=is_silence(error))
            raise NoReplyError(told(error, self._llm, budget.seconds), silent=is_silence(error)) from error
        self._line.note(silent=False)
        budget.count_tokens(message)
        return _answer(message)

    def _structured_or_plain(
        self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, stream: bool
    ) -> UserInput:
        if self._structured is None:
            return (yield from self._retried(self._llm, messages, config, budget, stream))
        try:
            return (yield from self._retried(self._structured, messages, config, budget, stream))
        except Exception as error:
            if not is_rejection(error):
                raise
        message = yield from self._retried(self._llm, messages, config, budget, stream)
        self._structured = None  # the same question without a schema was fine, so the schema was what it rejected
        return message

    def _retried(
        self, model: Model, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, stream: bool
    ) -> UserInput:
        attempt = 1
        while True:
            try:
                return (yield from self._once(model, messages, config, budget, stream))
            except Exception as error:
                pause = max(asked_pause(error), FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
                if attempt == budget.attempts or not is_passing(error) or pause >= budget.left():
                    raise
            time.sleep(pause)
            attempt += 1

    def _once(
        self, model: Model, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, stream: bool
    ) -> UserInput:
        try:
            if stream and self._streams and (message := (yield from self._streamed(model, messages, config, budget))):
                return message
            message = _said(model, messages, config, budget)
        except Exception as error:
            if (cut := broken_off(error)) is None:
                raise
            return cut
        self._streams = self._streams and not stream  # it answered, but not as a stream
        return message

    def _streamed(self, model: Model, messages: list[BaseMessage], config: RunnableConfig, budget: Budget) -> Spoken:
        """Its words as they come, with what they cost where the server takes that question; some reject it."""
        telling = _telling(model) if self._asks_tokens else None
        if telling is not None:
            try:
                return (yield from _spoken(telling, messages, config, budget, is_clumsy))
            except Exception as error:
                if not is_rejection(error):
                    raise
        message = yield from _spoken(model, messages, config, budget, is_no_stream)
        self._asks_tokens = self._asks_tokens and message is None  # it streamed as soon as it was not asked that
        return message


def _said(model: Model, messages: list[BaseMessage], config: RunnableConfig, budget: Budget) -> BaseMessage:
    _count(budget)
    message: BaseMessage = within(budget.left(), lambda: model.invoke(messages, config))
    return message


def _telling(model: Model) -> Model | None:
    """The model with its streams asked for their tokens; None where that is its default, or its own choice."""
    llm: Any = model.bound if isinstance(model, RunnableBinding) else model
    if getattr(llm, "stream_usage", True) is not None:
        return None
    telling: Model = llm.model_copy(update={"stream_usage": True})
    return model.model_copy(update={"bound": telling}) if isinstance(model, RunnableBinding) else telling


def _spoken(
    model: Model,
    messages: list[BaseMessage],
    config: RunnableConfig,
    budget: Budget,
    no_stream: Callable[[Exception], bool],
) -> Spoken:
    """Its words so far, each time that it goes on, and then its message; None where nothing came that is a stream."""
    _count(budget)
    said = ""
    chunks: list[BaseMessage] = []
    try:
        for chunk in overheard(budget.left(), lambda: model.stream(messages, config)):
            if said:
                yield said
            chunks.append(chunk)
            said += str(chunk.text)
    except Exception as error:
        if chunks or not no_stream(error):
            raise
    return _ended(reduce(add, chunks)) if chunks else None


def _ended(message: BaseMessage) -> BaseMessage:
    """The message of a stream; without its reason to end it is cut off, and no error says so."""
    told = message.response_metadata
    if told.get("model_provider") == "openai" and not any(key in told for key in _REASONS):
        told["finish_reason"] = "length"
    return message


def _count(budget: Budget) -> None:
    """One call more. Raises ``Overdue`` where there is no time left for it."""
    if budget.left() <= 0:
        raise DeadlineExceededError
    budget.calls += 1


def _structured(llm: BaseChatModel, schema: dict[str, Any] | None) -> Model | None:
    """The model bound to the schema without LangChain's parser behind it; None where it cannot be bound.

    The parser is left out because parsing is ours, and because ``include_raw`` would run the model in an executor's
    thread, which the interpreter waits for at exit.
    """
    if schema is None:
        return None
    try:
        chain = llm.with_structured_output(schema, method="json_schema")
    except (NotImplementedError, ValueError, TypeError):
        return None
    return chain.first if isinstance(chain, RunnableSequence) else None


def _answer(message: BaseMessage) -> Answer:
    """The words of a message, or the arguments of the tool call that a model made instead of answering."""
    reason = next((message.response_metadata[key] for key in _REASONS if key in message.response_metadata), None)
    if refusal := message.additional_kwargs.get("refusal"):
        raise NoReplyError(f"the language model declined ({shorten(one_line(str(refusal)), MAX_ERROR_CHARS)})")
    if reason in _WITHHELD:
        raise NoReplyError("the language model's server withheld the answer (content filter)")
    text = str(message.text)
    if not text.strip() and isinstance(message, AIMessage):
        calls = [json.dumps(call["args"]) for call in message.tool_calls]
        calls += [call["args"] or "" for call in message.invalid_tool_calls]
        text = calls[0] if calls else ""
    return Answer(text, reason in _CUT_OFF)
