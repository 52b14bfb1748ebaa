"""Stored replies and their keys: the same for every component that calls a chat model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from langchain_core.messages import BaseMessage

from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.chat_model import model_identity
from ipcir_tools.prompts import Prompt
from ipcir_tools.text import json_digest
from ipcir_tools.types import Reply

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def reply_key(messages: Sequence[BaseMessage], llm: BaseChatModel, prompt: Prompt) -> str:
    """The key of the reply to these messages: a hash of all that it depends on."""
    contents = [[message.type, message.content] for message in messages]
    parts = [contents, model_identity(llm), prompt.tag, prompt.reply_schema]
    return json_digest(parts)


def new_reply(text: str, kind: str, model: str, prompt: Prompt, budget: Budget) -> Reply:
    """A reply with its cost. Where the server did not report the tokens of every answer, they are stored as zero."""
    return Reply(
        text=text,
        kind=kind,
        model=model,
        prompt=prompt.tag,
        calls=budget.calls,
        repairs=budget.repairs,
        seconds=budget.elapsed(),
        input_tokens=budget.input_tokens if budget.tokens_known else 0,
        output_tokens=budget.output_tokens if budget.tokens_known else 0,
        created=datetime.now(UTC).isoformat(),
    )


class ReplyStore(Protocol):
    """Stores good replies under a content hash; the catalog is one."""

    def reply(self, key: str) -> Reply | None:
        """The reply under ``key``, or None."""
        ...

    def put_reply(self, key: str, reply: Reply) -> None:
        """Stores ``reply`` under ``key``, replacing one that is there."""
        ...

    def forget_reply(self, key: str) -> None:
        """Deletes the reply under ``key``, where there is one."""
        ...
