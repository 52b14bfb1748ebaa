"""How long and how often a chat model may be called: deadline, attempts, circuit breaker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from ipcir_tools.llm.errors import DeadlineExceededError, NoReplyError
from ipcir_tools.types import token_count

ATTEMPTS = 3

BREAK_AFTER = 2
BREAK_FOR = 60.0


@dataclass
class Budget:
    """The time that one request may take, the calls that were made for it, and the tokens that its server reported."""

    seconds: float
    attempts: int = ATTEMPTS
    """Calls at most for one request; a server that supports no schema gets the same request once more without it."""
    calls: int = 0
    repairs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    tokens_known: bool = True
    """Whether the server reported the tokens of every answer."""
    _start: float = field(default_factory=time.monotonic)
    _excluded: float = 0.0
    _extension: float = 0.0

    def left(self) -> float:
        """Seconds left; zero or less when the time is up."""
        return self.seconds + self._extension - self.elapsed()

    def elapsed(self) -> float:
        """Seconds since the budget was made, without those in which the request waited to be sent."""
        return time.monotonic() - self._start - self._excluded

    def exclude(self, seconds: float) -> None:
        """Do not count so many seconds: the request waited behind others of this process, and was not sent yet."""
        self._excluded += seconds

    def extend(self, seconds: float) -> None:
        """Allow so many seconds more: the server was busy with other requests of this process, and answered them."""
        self._extension += seconds

    def start_call(self) -> float:
        """Count one more call; gives the seconds left for it. Raises ``DeadlineExceededError`` when the time is up."""
        if (left := self.left()) <= 0:
            raise DeadlineExceededError
        self.calls += 1
        return left

    def count_tokens(self, message: BaseMessage) -> None:
        """Add the tokens that the server reported for a message, as far as they are counts. A message from LangChain's
        cache costs none."""
        usage: Mapping[str, Any] = (message.usage_metadata if isinstance(message, AIMessage) else None) or {}
        if usage.get("total_cost") == 0:  # LangChain writes this into a message from its cache
            return
        read, written = token_count(usage.get("input_tokens")), token_count(usage.get("output_tokens"))
        self.tokens_known = self.tokens_known and read is not None and written is not None
        self.input_tokens += read or 0
        self.output_tokens += written or 0


class CircuitBreaker:
    """Stops calls to a server that does not answer; shared by all components that call the same model.

    After ``BREAK_AFTER`` unanswered requests in a row no request is sent for ``BREAK_FOR`` seconds, so that a batch of
    requests does not wait for each timeout in turn.
    """

    def __init__(self) -> None:
        self._unanswered = 0
        self._open_until = 0.0

    def check(self) -> None:
        """Raises ``NoReplyError`` while no request may be sent."""
        if (pause := self._open_until - time.monotonic()) > 0:
            raise NoReplyError(
                f"the language model did not answer {self._unanswered} times in a row "
                f"and gets no request for {pause:.0f} s",
                retry_after=pause,
            )

    def record(self, *, answered: bool) -> None:
        """Record whether the server answered a request, be it by an error.

        Requests that were already sent when the break began do not lengthen it: callers can rely on when it ends.
        """
        self._unanswered = 0 if answered else self._unanswered + 1
        if self._unanswered >= BREAK_AFTER and self._open_until <= time.monotonic():
            self._open_until = time.monotonic() + BREAK_FOR
