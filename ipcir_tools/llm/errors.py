"""What goes wrong between us and a chat model: which errors pass, which do not, and how each is told to a user."""

from __future__ import annotations

import re
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import (
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelTimeoutError,
)
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from pydantic import SecretStr

from ipcir_tools.text import one_line, shorten

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


MAX_ERROR_CHARS = 200

_NO_COMPLETION = (TypeError, LookupError, AttributeError, JSONDecodeError)
"""What a client trips over when a server sends something else than a completion."""


class NoReplyError(Exception):
    """No usable answer from the model; the text says why in plain words, without secrets, on one line.

    ``silent``: its server said nothing at all. ``again_in``: it was not asked, because its server is left alone for so
    many seconds yet.
    """

    def __init__(self, why: str, *, silent: bool = False, again_in: float | None = None) -> None:
        super().__init__(why)
        self.silent = silent
        self.again_in = again_in


class DeadlineExceededError(Exception):
    """The budget ran out before the model answered."""


def told(error: Exception, llm: BaseChatModel, seconds: float) -> str:
    """Why there is no answer, for a user; ``seconds`` were allowed."""
    if isinstance(error, DeadlineExceededError | ModelTimeoutError):
        return f"the language model did not answer in time ({seconds:.3g} s allowed)"
    if isinstance(error, ModelConnectionError | ConnectionError):
        return f"the language model's server could not be reached ({_line(error, llm)})"
    if isinstance(error, ModelAuthenticationError):
        names = ", ".join(getattr(llm, "lc_secrets", {}).values()) or "the key"
        return f"the language model's server did not accept the API key, check {names} ({_line(error, llm)})"
    if isinstance(error, _NO_COMPLETION):
        return "the language model's server sent something that is no chat completion"
    return f"the language model's server reported an error ({_line(error, llm)})"


def _line(error: Exception, llm: BaseChatModel) -> str:
    text = one_line(str(error)) or type(error).__name__
    for secret in _secrets(llm):
        text = text.replace(secret, "***")
    text = re.sub(r"(?<=//)[^/@\s]+@|(?<=bearer )\S+|\bsk-[\w*-]{6,}", "***", text, flags=re.IGNORECASE)
    return shorten(text, MAX_ERROR_CHARS)


def _secrets(llm: BaseChatModel) -> list[str]:
    values = [getattr(llm, name, None) for name in type(llm).model_fields]
    return [text for value in values if isinstance(value, SecretStr) and (text := value.get_secret_value())]


def is_silence(error: Exception) -> bool:
    """Whether the server said nothing at all."""
    return isinstance(error, DeadlineExceededError | ModelConnectionError | ModelTimeoutError | ConnectionError)


def is_passing(error: Exception) -> bool:
    """Whether the same question may be answered in a moment."""
    if isinstance(error, ModelError):
        return error.is_retryable
    status = _status(error)
    return isinstance(error, ConnectionError) or (status is not None and (status == 429 or status >= 500))


def is_rejection(error: Exception) -> bool:
    """Whether the server does not take a request of this form."""
    return isinstance(error, ModelInvalidRequestError) or _status(error) in (400, 422)


def is_clumsy(error: Exception) -> bool:
    """Whether a client tripped over a server that does not stream; said of an error before anything came."""
    return isinstance(error, (*_NO_COMPLETION, ValueError, AssertionError, NotImplementedError))


def is_no_stream(error: Exception) -> bool:
    """Whether the server, or the client, cannot stream; said of an error before anything came."""
    return is_clumsy(error) or is_rejection(error)


def broken_off(error: Exception) -> AIMessage | None:
    """The message inside the errors that OpenAI's client raises where a structured answer ended early."""
    kind = type(error).__name__
    if kind == "ContentFilterFinishReasonError":
        return AIMessage("", response_metadata={"finish_reason": "content_filter"})
    if kind != "LengthFinishReasonError":
        return None
    completion = getattr(error, "completion", None)
    choices = getattr(completion, "choices", None) or []
    text = choices[0].message.content if choices else None
    spent = _spent(getattr(completion, "usage", None))
    return AIMessage(text or "", response_metadata={"finish_reason": "length"}, usage_metadata=spent)


def _spent(usage: Any) -> UsageMetadata | None:
    """OpenAI's account of the tokens as LangChain writes it; paid for is what was cut off too."""
    if usage is None:
        return None
    read, written = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def asked_pause(error: Exception) -> float:
    """Seconds that the server asked to be left alone for (its Retry-After header), else zero."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return max(0.0, float(headers.get("retry-after", 0)))
    except ValueError:
        return 0.0
