"""Streams of a chat model: the text so far, with the token counts where the server reports them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import reduce
from operator import add
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableBinding

Model = Runnable[Any, Any]
MessageStream = Generator[str, None, BaseMessage]
"""Yields the text of a message so far, each time that it grows, and returns the message."""
OptionalMessageStream = Generator[str, None, BaseMessage | None]
"""The same; returns None where the model does not stream."""

FINISH_REASONS = ("finish_reason", "stop_reason", "done_reason", "status")


def with_token_usage(model: Model) -> Model | None:
    """The model with token counts requested in its streams; None where that is its default, or its own choice."""
    llm: Any = model.bound if isinstance(model, RunnableBinding) else model
    if getattr(llm, "stream_usage", True) is not None:
        return None
    counting: Model = llm.model_copy(update={"stream_usage": True})
    return model.model_copy(update={"bound": counting}) if isinstance(model, RunnableBinding) else counting


def stream_message(chunks: Iterator[BaseMessage], no_stream: Callable[[Exception], bool]) -> OptionalMessageStream:
    """The text of ``chunks`` so far, each time that it grows, and then the message.

    Returns None for an error before the first chunk for which ``no_stream`` holds; raises every other error.
    """
    text = ""
    received: list[BaseMessage] = []
    try:
        for chunk in chunks:
            if text:
                yield text
            received.append(chunk)
            text += str(chunk.text)
    except Exception as error:  # integrations raise whatever their servers make them raise
        if received or not no_stream(error):
            raise
    return _whole(reduce(add, received)) if received else None


def _whole(message: BaseMessage) -> BaseMessage:
    """The message of a stream; one without a finish reason was cut off, although no error was raised."""
    metadata = message.response_metadata
    if metadata.get("model_provider") == "openai" and not any(key in metadata for key in FINISH_REASONS):
        metadata["finish_reason"] = "length"
    return message
