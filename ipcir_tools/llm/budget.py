"""How long and how often a chat model is asked: deadline, attempts, circuit breaker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from ipcir_tools.llm.errors import NoReplyError

ATTEMPTS = 3

BREAK_AFTER = 2
BREAK_FOR = 60.0


@dataclass
class Budget:
    """The time that one model may take, the calls it has made, and the tokens that its server told of their answers."""

    seconds: float
    attempts: int = ATTEMPTS
    """Calls at most for one question; a server that knows no schema is asked the same once more without."""
    calls: int = 0
    repairs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    told: bool = True
    """Whether the tokens of all answers were told."""
    _start: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds left; zero or less when it is over."""
        return self.seconds - self.spent()

    def spent(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._start

    def count_tokens(self, message: BaseMessage) -> None:
        """Add what the server says that a message cost, if it does. What LangChain's cache gave cost nothing."""
        usage: Mapping[str, Any] = (message.usage_metadata if isinstance(message, AIMessage) else None) or {}
        if not usage:
            self.told = False
        if usage.get("total_cost") != 0:  # what LangChain writes into a message that its cache gave
            self.input_tokens += usage.get("input_tokens", 0)
            self.output_tokens += usage.get("output_tokens", 0)


class CircuitBreaker:
    """Whether a model's server answers at all; shared by all who ask that model.

    After ``BREAK_AFTER`` questions in a row to which it did not, it is left alone for ``BREAK_FOR`` seconds, so that a
    gallery of questions does not wait for each of them in turn.
    """

    def __init__(self) -> None:
        self._silent = 0
        self._closed_until = 0.0

    def check(self) -> None:
        """Raises ``NoReplyError`` while the server is left alone."""
        if (pause := self._closed_until - time.monotonic()) > 0:
            why = f"the language model did not answer {self._silent} times in a row and is left alone for {pause:.0f} s"
            raise NoReplyError(why, again_in=pause)

    def note(self, *, silent: bool) -> None:
        """Note whether a question was answered, be it by an error.

        Questions that were under way when the break began do not lengthen it: who waits for its end can rely on it.
        """
        self._silent = self._silent + 1 if silent else 0
        if self._silent >= BREAK_AFTER and self._closed_until <= time.monotonic():
            self._closed_until = time.monotonic() + BREAK_FOR
