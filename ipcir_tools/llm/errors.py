"""Errors of model servers: which are transient, their status codes, and one line without secrets for a user."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_core.exceptions import (
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelTimeoutError,
)
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from pydantic import SecretStr, ValidationError

from ipcir_tools.llm.proxies import is_loopback, proxy_note
from ipcir_tools.text import error_line
from ipcir_tools.types import token_count

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


TRANSIENT_STATUS = {408, 409, 425, 429}
"""HTTP status codes below 500 after which the same request may succeed in a moment."""
UNAUTHORIZED_STATUS = {401, 403}
BUSY_STATUS = {429, 503, 529}
"""The server has no room, or still loads its model: it may be waited for."""
PROXY_STATUS = {407, 502, 503, 504}
"""What a proxy may answer in the server's place."""
REJECTED_STATUS = {400, 422}
"""The server does not take a request of this form."""

_NO_COMPLETION = (TypeError, LookupError, AttributeError, JSONDecodeError)
"""What a client raises when a server sends something other than a completion."""
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@|(?<=bearer )\S+|\bsk-[\w*-]{6,}", re.IGNORECASE)


class NoReplyError(Exception):
    """No usable answer from the model; the text gives the reason on one line, without secrets.

    ``unanswered``: the server did not answer at all. ``retry_after``: no request was sent, because the circuit breaker
    is open for so many more seconds.
    """

    def __init__(self, reason: str, *, unanswered: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.unanswered = unanswered
        self.retry_after = retry_after


class DeadlineExceededError(Exception):
    """The time was up before the model answered."""


class AbandonedCallsError(Exception):
    """So many calls that were given up still run that no further one is begun."""

    def __init__(self, running: int) -> None:
        super().__init__(f"{running} calls that were given up have not ended")
        self.running = running


class OversizedReplyError(Exception):
    """A reply with more bytes than are read, or compressed in a way that cannot be bounded."""


# --- messages


def describe_error(error: Exception, llm: BaseChatModel, seconds: float, address: str = "") -> str:
    """Why there is no answer, for a user; ``seconds`` is the time that the request was given, ``address`` the server's
    base URL where it is known."""
    proxy = proxy_note(address)
    if isinstance(error, DeadlineExceededError | ModelTimeoutError):
        return f"the language model did not answer in time ({seconds:.3g} s allowed{proxy and ';'}{proxy})"
    if isinstance(error, AbandonedCallsError):
        return (
            f"no further request is sent, for {masked_line(error)}: their client cannot be stopped. Start this program "
            "again, or call the server as openai:MODEL with IPCIR_LLM_BASE_URL (--llm-base-url)"
        )
    if (oversized := _oversized(error)) is not None:
        return f"the language model's server sent a reply that is not read to its end ({masked_line(oversized)})"
    line = masked_line(_first_cause(error), _secrets(llm))
    if isinstance(error, ModelConnectionError | ConnectionError):
        at = f" at {masked_line(Exception(address))}" if address else ""
        return f"the language model's server could not be reached{at}{proxy} ({line}); {_way_out(address, proxy)}"
    if isinstance(error, ModelAuthenticationError):
        names = ", ".join(getattr(llm, "lc_secrets", {}).values()) or "the key"
        return f"the language model's server did not accept the API key, check {names} ({line})"
    if isinstance(error, (*_NO_COMPLETION, ValidationError, UnicodeDecodeError, RecursionError)):
        return "the language model's server sent something that is no chat completion"
    if (place := redirected_to(error)) is not None:
        return (
            f"the language model's server sent the request on to {place}, which is not followed: if you trust it, "
            "name it in IPCIR_LLM_BASE_URL (--llm-base-url)"
        )
    through = proxy if status_code(error) in PROXY_STATUS else ""
    if is_busy(error):
        return f"the language model's server had no time{through}, and was waited for in vain ({line})"
    return f"the language model's server reported an error{through} ({line})"


def _way_out(address: str, proxy: str) -> str:
    if proxy:
        return "check the proxy, or name the server in NO_PROXY"
    if is_loopback(address):
        return "start it, or check IPCIR_LLM_BASE_URL (--llm-base-url)"
    return "check the network, and IPCIR_LLM_BASE_URL (--llm-base-url)"


def _first_cause(error: BaseException) -> BaseException:
    """What a connection failed by: clients wrap it in errors that say no more than that there was one."""
    if not isinstance(error, ModelConnectionError):
        return error
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _oversized(error: BaseException | None) -> OversizedReplyError | None:
    """The oversized reply behind an error; clients wrap what is raised while they read."""
    while error is not None and not isinstance(error, OversizedReplyError):
        error = error.__cause__
    return error


def redirected_to(error: BaseException) -> str | None:
    """Scheme and host of a redirect, which no client of ours follows; None for any other error."""
    response = getattr(error, "response", None)
    if (status_code(error) or 0) // 100 != 3 or response is None:
        return None
    try:
        place = urlsplit(response.headers.get("location", ""))
        return f"{place.scheme}://{place.hostname}" if place.hostname else "another address of its own"
    except ValueError:
        return "an address that is none"


def masked_line(error: BaseException, secrets: Sequence[str] = ()) -> str:
    """An error's text on one line, with ``***`` for secrets, passwords in URLs and what looks like a key."""
    text = error_line(error, limit=1_000_000)  # shortened only when no secret can be cut in two
    for secret in secrets:
        text = text.replace(secret, "***")
    return error_line(Exception(_CREDENTIALS.sub("***", text)))


def _secrets(llm: BaseChatModel) -> list[str]:
    values = [getattr(llm, name, None) for name in type(llm).model_fields]
    return [text for value in values if isinstance(value, SecretStr) and (text := value.get_secret_value())]


# --- kinds of errors


def status_code(error: BaseException) -> int | None:
    """The HTTP status code of an error, of whichever client; None where it has none."""
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def retry_after(error: BaseException) -> float:
    """The seconds to wait that the server named in its Retry-After header, as a number or as a date, else zero."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    named = str(headers.get("retry-after", "0"))
    try:
        seconds = float(named)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(named) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):  # TypeError: a date without a time zone
            return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment."""
    if _is_out_of_quota(error) or _oversized(error) is not None:
        return False
    if isinstance(error, ModelError):
        return error.is_retryable
    status = status_code(error)
    if status is None:
        return isinstance(error, ConnectionError)
    return status >= 500 or status in TRANSIENT_STATUS


def is_busy(error: BaseException) -> bool:
    """Whether the server has no room for the request at the moment, or still loads its model."""
    return status_code(error) in BUSY_STATUS and not _is_out_of_quota(error)


def _is_out_of_quota(error: BaseException) -> bool:
    """Whether an account has nothing left to pay with: waiting does not help."""
    return status_code(error) == 429 and "insufficient_quota" in (
        getattr(error, "code", None),
        getattr(error, "type", None),
    )


def is_unanswered(error: Exception) -> bool:
    """Whether the server did not answer at all, or was too busy for as long as it was waited for."""
    silence = DeadlineExceededError | AbandonedCallsError | ModelConnectionError | ModelTimeoutError | ConnectionError
    return is_busy(error) or (isinstance(error, silence) and _oversized(error) is None)


def is_rejection(error: Exception) -> bool:
    """Whether the server does not take a request of this form."""
    return isinstance(error, ModelInvalidRequestError) or status_code(error) in REJECTED_STATUS


def is_malformed(error: Exception) -> bool:
    """Whether a client could not read the stream of a server that does not stream; for errors before any chunk."""
    return isinstance(error, (*_NO_COMPLETION, ValueError, AssertionError, NotImplementedError))


def is_no_stream(error: Exception) -> bool:
    """Whether the server, or the client, cannot stream; for errors before any chunk."""
    return is_malformed(error) or is_rejection(error)


def truncated_message(error: Exception) -> AIMessage | None:
    """The message inside the errors that OpenAI's client raises where a structured answer ended early."""
    kind = type(error).__name__
    if kind == "ContentFilterFinishReasonError":
        return AIMessage("", response_metadata={"finish_reason": "content_filter"})
    if kind != "LengthFinishReasonError":
        return None
    completion = getattr(error, "completion", None)
    choices = getattr(completion, "choices", None) or []
    text = choices[0].message.content if choices else None
    usage = _usage(getattr(completion, "usage", None))
    return AIMessage(text or "", response_metadata={"finish_reason": "length"}, usage_metadata=usage)


def _usage(usage: Any) -> UsageMetadata | None:
    """OpenAI's token counts in LangChain's form; what was cut off is paid for, too."""
    read = token_count(getattr(usage, "prompt_tokens", None))
    written = token_count(getattr(usage, "completion_tokens", None))
    if read is None or written is None:
        return None
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)
