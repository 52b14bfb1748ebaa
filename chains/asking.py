"""Asking a chat model under a deadline: retries, a server that knows no schema, and a breaker for one that is gone."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from json import JSONDecodeError
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.exceptions import (
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelTimeoutError,
)
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSequence
from pydantic import SecretStr

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

ATTEMPTS = 3
FIRST_PAUSE = 0.25
"""Seconds before the second attempt, doubled before each later one, and jittered by half."""
BREAK_AFTER = 2
BREAK_FOR = 60.0
MAX_ERROR_CHARS = 200

_CUT_OFF = {"length", "max_tokens", "MAX_TOKENS"}
_WITHHELD = {"content_filter", "refusal", "SAFETY"}

_T = TypeVar("_T")


class NoAnswer(Exception):
    """No usable answer from the model; the text says why in plain words, without secrets, on one line."""


class Overdue(Exception):
    """The budget ran out before the model answered."""


@dataclass(frozen=True)
class Answer:
    """What the model said. ``cut_off``: the server stopped it at a token limit."""

    text: str
    cut_off: bool = False


@dataclass
class Budget:
    """The time that one imagination may take, the calls it has made, and the tokens of their answers' own account."""

    seconds: float
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    _start: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds left; zero or less when it is over."""
        return self._start + self.seconds - time.monotonic()

    def count_tokens(self, message: BaseMessage) -> None:
        """Add what the server says that a message cost; many say nothing."""
        usage = message.usage_metadata if isinstance(message, AIMessage) else None
        if usage is not None:
            self.input_tokens += usage["input_tokens"]
            self.output_tokens += usage["output_tokens"]


class Asker:
    """Asks one chat model, held to a JSON schema where its server can do that (``schema`` None: never).

    After ``BREAK_AFTER`` questions in a row to which the server did not answer at all, the model is left alone for
    ``BREAK_FOR`` seconds, so that a gallery of questions does not wait for each of them in turn.
    """

    def __init__(self, llm: BaseChatModel, schema: dict[str, Any] | None) -> None:
        self._llm = llm
        self._structured = _structured(llm, schema)
        self._silent = 0
        self._closed_until = 0.0

    def ask(self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget) -> Answer:
        """The model's answer to ``messages``. Raises ``NoAnswer``, and nothing else for any trouble with the model."""
        if (pause := self._closed_until - time.monotonic()) > 0:
            raise NoAnswer(
                f"the language model did not answer {self._silent} times in a row and is left alone for {pause:.0f} s"
            )
        try:
            message = self._structured_or_plain(messages, config, budget)
        except Exception as error:  # integrations raise whatever their servers make them raise
            self._note(silent=isinstance(error, Overdue | ModelConnectionError | ModelTimeoutError | ConnectionError))
            raise NoAnswer(self._why(error, budget)) from error
        self._note(silent=False)
        budget.count_tokens(message)
        return _answer(message)

    def _note(self, *, silent: bool) -> None:
        self._silent = self._silent + 1 if silent else 0
        if self._silent >= BREAK_AFTER:
            self._closed_until = time.monotonic() + BREAK_FOR

    def _structured_or_plain(self, messages: list[BaseMessage], config: RunnableConfig, budget: Budget) -> BaseMessage:
        if self._structured is None:
            return _retried(self._llm, messages, config, budget)
        try:
            return _retried(self._structured, messages, config, budget)
        except Exception as error:
            if not _rejected(error):
                raise
        message = _retried(self._llm, messages, config, budget)
        self._structured = None  # the same question without a schema was fine, so the schema was what it rejected
        return message

    def _why(self, error: Exception, budget: Budget) -> str:
        if isinstance(error, Overdue | ModelTimeoutError):
            return f"the language model did not answer in time ({budget.seconds:g} s allowed)"
        if isinstance(error, ModelConnectionError | ConnectionError):
            return f"the language model's server could not be reached ({self._line(error)})"
        if isinstance(error, ModelAuthenticationError):
            names = ", ".join(getattr(self._llm, "lc_secrets", {}).values()) or "the key"
            return f"the language model's server did not accept the API key, check {names} ({self._line(error)})"
        if isinstance(error, TypeError | LookupError | AttributeError | JSONDecodeError):
            return "the language model's server sent something that is no chat completion"  # what a client trips over
        return f"the language model's server reported an error ({self._line(error)})"

    def _line(self, error: Exception) -> str:
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in _secrets(self._llm):
            text = text.replace(secret, "***")
        text = re.sub(r"(?<=//)[^/@\s]+@|(?<=bearer )\S+|\bsk-[\w*-]{6,}", "***", text, flags=re.IGNORECASE)
        return text if len(text) <= MAX_ERROR_CHARS else text[: MAX_ERROR_CHARS - 1] + "…"


def _structured(llm: BaseChatModel, schema: dict[str, Any] | None) -> Runnable[Any, Any] | None:
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


def _retried(
    model: Runnable[Any, Any], messages: list[BaseMessage], config: RunnableConfig, budget: Budget
) -> BaseMessage:
    attempt = 1
    while True:
        try:
            return _once(model, messages, config, budget)
        except Exception as error:
            pause = max(_asked_pause(error), FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
            if attempt == ATTEMPTS or not _retryable(error) or pause >= budget.left():
                raise
        time.sleep(pause)
        attempt += 1


def _once(
    model: Runnable[Any, Any], messages: list[BaseMessage], config: RunnableConfig, budget: Budget
) -> BaseMessage:
    if budget.left() <= 0:
        raise Overdue
    budget.calls += 1
    try:
        message: BaseMessage = within(budget.left(), lambda: model.invoke(messages, config))
    except Exception as error:
        if (message_or_none := _broken_off(error)) is None:
            raise
        return message_or_none
    return message


def within(seconds: float, call: Callable[[], _T]) -> _T:
    """``call()``, waited for at most ``seconds``. Raises ``Overdue`` after that; the call then ends unheard.

    A client's own timeout bounds each read, not the whole answer: a server may drip a byte a second for ever. The
    thread is a daemon, so it never holds up the interpreter's exit.
    """
    done: Future[_T] = Future()
    context = copy_context()

    def work() -> None:
        try:
            done.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            done.set_exception(error)

    Thread(target=work, name="ipcir-llm", daemon=True).start()
    if not wait([done], timeout=seconds).done:
        raise Overdue
    return done.result()


def _answer(message: BaseMessage) -> Answer:
    """The words of a message, or the arguments of the tool call that a model made instead of answering."""
    reason = next(
        (
            message.response_metadata[k]
            for k in ("finish_reason", "stop_reason", "done_reason")
            if k in message.response_metadata
        ),
        None,
    )
    if refusal := message.additional_kwargs.get("refusal"):
        raise NoAnswer(f"the language model declined ({' '.join(str(refusal).split())[:MAX_ERROR_CHARS]})")
    if reason in _WITHHELD:
        raise NoAnswer("the language model's server withheld the answer (content filter)")
    text = str(message.text)
    if not text.strip() and isinstance(message, AIMessage):
        calls = [json.dumps(call["args"]) for call in message.tool_calls]
        calls += [call["args"] or "" for call in message.invalid_tool_calls]
        text = calls[0] if calls else ""
    return Answer(text, reason in _CUT_OFF)


def _broken_off(error: Exception) -> AIMessage | None:
    """The message inside the errors that OpenAI's client raises where a structured answer ended early."""
    kind = type(error).__name__
    if kind == "ContentFilterFinishReasonError":
        return AIMessage("", response_metadata={"finish_reason": "content_filter"})
    if kind != "LengthFinishReasonError":
        return None
    choices = getattr(getattr(error, "completion", None), "choices", None) or []
    text = choices[0].message.content if choices else None
    return AIMessage(text or "", response_metadata={"finish_reason": "length"})


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _retryable(error: Exception) -> bool:
    if isinstance(error, ModelError):
        return error.is_retryable
    status = _status(error)
    return isinstance(error, ConnectionError) or (status is not None and (status == 429 or status >= 500))


def _rejected(error: Exception) -> bool:
    return isinstance(error, ModelInvalidRequestError) or _status(error) in (400, 422)


def _asked_pause(error: Exception) -> float:
    """Seconds that the server asked to be left alone for (its Retry-After header), else zero."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return max(0.0, float(headers.get("retry-after", 0)))
    except ValueError:
        return 0.0


def _secrets(llm: BaseChatModel) -> list[str]:
    values = [getattr(llm, name, None) for name in type(llm).model_fields]
    return [text for value in values if isinstance(value, SecretStr) and (text := value.get_secret_value())]
