"""Calls to a chat model under a deadline: retries, servers without schemas or streams, and a circuit breaker."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig, RunnableSequence

from ipcir_tools.llm.budget import Budget, CircuitBreaker
from ipcir_tools.llm.chat_model import server_address
from ipcir_tools.llm.errors import (
    DeadlineExceededError,
    NoReplyError,
    describe_error,
    is_malformed,
    is_no_stream,
    is_rejection,
    is_unanswered,
    masked_line,
    truncated_message,
)
from ipcir_tools.llm.retries import retrying
from ipcir_tools.llm.slots import Slot, slots_of
from ipcir_tools.llm.streaming import (
    FINISH_REASONS,
    MessageStream,
    Model,
    OptionalMessageStream,
    bounded,
    stream_message,
    with_token_usage,
)
from ipcir_tools.llm.timeouts import call_within, iterate_within, run_to_end
from ipcir_tools.text import one_line, shorten

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

log = logging.getLogger(__name__)

_CUT_OFF = {"length", "max_tokens", "MAX_TOKENS", "incomplete"}
_ODD_REPLY = r"Pydantic serializer warnings:"
"""What pydantic prints of a reply with fields of a wrong type; what is made of them is decided here."""
_WITHHELD = {"content_filter", "refusal", "SAFETY"}


@dataclass(frozen=True)
class Answer:
    """The text of the model's answer. ``cut_off``: the server stopped it at a token limit."""

    text: str
    cut_off: bool = False


class ChatClient:
    """Calls one chat model, with a JSON schema where its server supports that (``schema`` None: never).

    Safe for many threads. Clients of the same model share its ``breaker``.
    """

    def __init__(
        self, llm: BaseChatModel, schema: dict[str, Any] | None, breaker: CircuitBreaker | None = None
    ) -> None:
        self._llm = llm
        self._structured = _structured(llm, schema)
        self._streams = True
        self._requests_usage = True
        self._breaker = breaker or CircuitBreaker()
        self._slots = slots_of(llm)
        self._address = server_address(llm)
        self._waits = False
        warnings.filterwarnings("ignore", _ODD_REPLY, UserWarning)

    def ask(self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget) -> Answer:
        """The model's answer to ``messages``. Raises ``NoReplyError``, and nothing else for any trouble with the
        model."""
        return run_to_end(self.ask_streaming(messages, config, budget))

    def ask_streaming(
        self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, *, stream: bool = False
    ) -> Generator[str, None, Answer]:
        """The same as a generator; with ``stream`` it yields the text so far, each time that it grows.

        After a failed attempt the text begins anew. For a model that does not stream nothing is yielded.
        """
        self._breaker.check()
        if budget.left() <= 0:
            raise NoReplyError("no time was left to ask the language model")
        try:
            message = yield from self._structured_or_plain(messages, config, budget, stream)
        except NoReplyError:
            raise
        except Exception as error:  # integrations raise whatever their servers make them raise
            unanswered = is_unanswered(error)
            self._breaker.record(answered=not unanswered)
            reason = describe_error(error, self._llm, budget.seconds, self._address)
            raise NoReplyError(reason, unanswered=unanswered) from error
        self._breaker.record(answered=True)
        self._waits = False
        budget.count_tokens(message)
        return _answer(message)

    def _structured_or_plain(
        self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, stream: bool
    ) -> MessageStream:
        if self._structured is None:
            return (yield from self._retried(self._llm, messages, config, budget, stream))
        try:
            return (yield from self._retried(self._structured, messages, config, budget, stream))
        except Exception as error:  # only a rejection is handled here
            if not is_rejection(error):
                raise
        message = yield from self._retried(self._llm, messages, config, budget, stream)
        self._structured = None  # the same request without a schema succeeded, so it was the schema that was rejected
        return message

    def _retried(
        self, model: Model, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, stream: bool
    ) -> MessageStream:
        busy: list[BaseException] = []

        def waiting(error: BaseException) -> None:
            busy.append(error)
            self._log_wait(error, budget)

        try:
            for attempt in retrying(budget.attempts, budget.left, waiting=waiting):
                with attempt:
                    return (yield from self._attempt(model, messages, config, budget, stream))
        except DeadlineExceededError:
            if busy:  # the time was up between two of its replies
                raise busy[-1] from None
            raise
        raise AssertionError("the last attempt returns or raises")

    def _attempt(
        self, model: Model, messages: list[BaseMessage], config: RunnableConfig, budget: Budget, stream: bool
    ) -> MessageStream:
        try:
            if stream and self._streams and (message := (yield from self._streamed(model, messages, config, budget))):
                return message
            message = self._invoke(model, messages, config, budget)
        except Exception as error:  # only a truncated message is handled here
            if (truncated := truncated_message(error)) is None:
                raise
            return truncated
        self._streams = self._streams and not stream  # it answered, but not as a stream
        return message

    def _streamed(
        self, model: Model, messages: list[BaseMessage], config: RunnableConfig, budget: Budget
    ) -> OptionalMessageStream:
        """The stream, with token counts where the server takes that option; some reject it."""
        counting = with_token_usage(model) if self._requests_usage else None
        if counting is not None:
            try:
                return (yield from self._stream(counting, messages, config, budget, is_malformed))
            except Exception as error:  # only a rejection is handled here
                if not is_rejection(error):
                    raise
        message = yield from self._stream(model, messages, config, budget, is_no_stream)
        self._requests_usage = self._requests_usage and message is None  # it streams without the option
        return message

    def _stream(
        self,
        model: Model,
        messages: list[BaseMessage],
        config: RunnableConfig,
        budget: Budget,
        no_stream: Callable[[Exception], bool],
    ) -> OptionalMessageStream:
        with self._turn(budget) as slot:

            def chunks() -> Iterator[BaseMessage]:
                with self._slots.answering(slot):
                    yield from bounded(model.stream(messages, config))

            received = iterate_within(budget.start_call(), chunks, budget.left)
            return (yield from stream_message(received, no_stream))

    def _invoke(self, model: Model, messages: list[BaseMessage], config: RunnableConfig, budget: Budget) -> BaseMessage:
        with self._turn(budget) as slot:

            def call() -> BaseMessage:
                with self._slots.answering(slot):
                    message: BaseMessage = model.invoke(messages, config)
                    return message

            return call_within(budget.start_call(), call, budget.left)

    @contextmanager
    def _turn(self, budget: Budget) -> Iterator[Slot]:
        """A slot at the server. Raises ``NoReplyError`` where the circuit breaker opened before the first call."""
        with self._slots.slot(budget) as slot:
            if not budget.calls:
                self._breaker.check()
            yield slot

    def _log_wait(self, error: BaseException, budget: Budget) -> None:
        """Say once, until it answers, that the server is waited for."""
        if not self._waits:
            self._waits = True
            line = masked_line(error)
            log.warning(
                "the language model's server is busy or loading (%s): waiting up to %.0f s", line, budget.left()
            )


def _structured(llm: BaseChatModel, schema: dict[str, Any] | None) -> Model | None:
    """The model bound to the schema, without LangChain's parser after it; None where it cannot be bound.

    The parser is left out because replies are parsed more strictly here, and because ``include_raw`` would run the
    model in an executor's thread, which the interpreter waits for at exit.
    """
    if schema is None:
        return None
    try:
        chain = llm.with_structured_output(schema, method="json_schema")
    except (NotImplementedError, ValueError, TypeError):
        return None
    return chain.first if isinstance(chain, RunnableSequence) else None


def _answer(message: BaseMessage) -> Answer:
    """The text of a message, or the arguments of the tool call that a model made instead of answering."""
    metadata = message.response_metadata
    reason = next((metadata[key] for key in FINISH_REASONS if key in metadata), None)
    if refusal := message.additional_kwargs.get("refusal"):
        raise NoReplyError(f"the language model declined ({shorten(one_line(str(refusal)), 200)})")
    if reason in _WITHHELD:
        raise NoReplyError("the language model's server withheld the answer (content filter)")
    text = str(message.text)
    if not text.strip() and isinstance(message, AIMessage):
        calls = [json.dumps(call["args"]) for call in message.tool_calls]
        calls += [call["args"] or "" for call in message.invalid_tool_calls]
        text = calls[0] if calls else ""
    return Answer(text, reason in _CUT_OFF)
