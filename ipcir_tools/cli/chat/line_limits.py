"""How far an agent may go over one line: model calls, refused replies in a row, and seconds."""

from __future__ import annotations

import time

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

MAX_CALLS = 12
"""Calls of the model for one line; a search and its words take two, a long comparison of pictures some six."""
MAX_REFUSED = 3
"""Replies in a row of which every tool call was refused."""
MAX_TIMEOUTS = 5
"""Seconds for one line, in units of the time that one call of the model may take."""


class LineLimitError(Exception):
    """The agent went too far over a line; the text says how, on one line."""


class LineLimits:
    """Counts the messages of one line."""

    def __init__(self, seconds: float) -> None:
        """``seconds`` are those of one call of the model."""
        self._seconds = MAX_TIMEOUTS * seconds
        self._ends = time.monotonic() + self._seconds
        self._calls = 0
        self._refused = 0
        self._open = 0
        """Tool calls of the last reply that have no result yet."""
        self._any_done = False

    def count(self, message: AnyMessage) -> None:
        """Count one message. Raises LineLimitError where the agent would go on beyond a limit."""
        if isinstance(message, AIMessage):
            self._count_reply(message)
        elif isinstance(message, ToolMessage):
            self._count_result(message)

    def _count_reply(self, reply: AIMessage) -> None:
        self._calls += 1
        self._open = len(reply.tool_calls) + len(reply.invalid_tool_calls)
        self._any_done = False
        if self._open and self._calls >= MAX_CALLS:
            raise LineLimitError(f"the language model called tools without end ({MAX_CALLS} times for this line)")
        if self._open:
            self._check_time()

    def _count_result(self, result: ToolMessage) -> None:
        self._open -= 1
        self._any_done = self._any_done or result.status != "error"
        if self._open > 0:
            return
        self._refused = 0 if self._any_done else self._refused + 1
        if self._refused >= MAX_REFUSED:
            raise LineLimitError(
                f"the language model called its tools with wrong arguments only ({MAX_REFUSED} times in a row)"
            )
        self._check_time()

    def _check_time(self) -> None:
        if time.monotonic() > self._ends:
            raise LineLimitError(f"the language model came to no end in time ({self._seconds:.3g} s for one line)")
