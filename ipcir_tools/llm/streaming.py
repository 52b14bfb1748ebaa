"""Streams of a chat model: the text so far, with the token counts where the server reports them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import reduce
from operator import add
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableBinding
from pydantic import ValidationError

from ipcir_tools.llm.errors import OversizedReplyError

Model = Runnable[Any, Any]
MessageStream = Generator[str, None, BaseMessage]
"""Yields the text of a message so far, each time that it grows, and returns the message."""
OptionalMessageStream = Generator[str, None, BaseMessage | None]
"""The same; returns None where the model does not stream."""

_UNREADABLE = (ValidationError, TypeError, AttributeError)
"""What LangChain raises for a chunk whose token counts are no numbers."""
FINISH_REASONS = ("finish_reason", "stop_reason", "done_reason", "status")


REPLY_CHARS = 2_000_000
"""Characters of a stream at most, of whichever client; one of 2,048 tokens has about ten thousand."""


def bounded(chunks: Iterator[BaseMessage]) -> Iterator[BaseMessage]:
    """The chunks, counted where they are read. Raises OversizedReplyError for more than ``REPLY_CHARS``."""
    left = REPLY_CHARS
    try:
        for chunk in chunks:
            left -= len(str(chunk.text)) + 1
            if left < 0:
                raise OversizedReplyError(f"more than {REPLY_CHARS:,} characters")
            yield chunk
    finally:
        close_stream(chunks)


def close_stream(items: object) -> None:
    """End a generator now, and the connection that it reads: an error's traceback may keep it for long."""
    close = getattr(items, "close", None)
    if callable(close):
        close()


def with_token_usage(model: Model) -> Model | None:
    """The model with token counts requested in its streams; None where that is its default, or its own choice."""
    llm: Any = model.bound if isinstance(model, RunnableBinding) else model
    if getattr(llm, "stream_usage", True) is not None:
        return None
    counting: Model = llm.model_copy(update={"stream_usage": True})
    return model.model_copy(update={"bound": counting}) if isinstance(model, RunnableBinding) else counting


def stream_message(chunks: Iterator[BaseMessage], no_stream: Callable[[Exception], bool]) -> OptionalMessageStream:
    """The text of ``chunks`` so far, each time that it grows, and then the message.

    Returns None for an error before the first chunk for which ``no_stream`` holds. A later chunk that the client cannot
    read, such as one with token counts that are no numbers, ends the message. Raises every other error.
    """
    text = ""
    received: list[BaseMessage] = []
    ended_early = False
    try:
        for chunk in chunks:
            if text:
                yield text
            received.append(chunk)
            text += str(chunk.text)
    except Exception as error:  # integrations raise whatever their servers make them raise
        if not (isinstance(error, _UNREADABLE) if received else no_stream(error)):
            raise
        ended_early = bool(received)
    return _whole(_joined(received), ended_early) if received else None


def _joined(chunks: list[BaseMessage]) -> BaseMessage:
    """The chunks as one message; without their token counts where LangChain cannot add those up."""
    try:
        return reduce(add, chunks)
    except _UNREADABLE:
        return reduce(add, [chunk.model_copy(update={"usage_metadata": None}) for chunk in chunks])


def _whole(message: BaseMessage, ended_early: bool) -> BaseMessage:
    """The message of a stream; one without a finish reason was cut off, although no error was raised."""
    metadata = message.response_metadata
    may_be_cut = ended_early or metadata.get("model_provider") == "openai"
    if may_be_cut and not any(key in metadata for key in FINISH_REASONS):
        metadata["finish_reason"] = "length"
    return message
