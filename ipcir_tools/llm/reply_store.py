"""Replies as they are kept and questions as they are traced: the same for every part that asks a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from langchain_core.messages import BaseMessage

from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.chat_model import identity
from ipcir_tools.prompts import Prompt
from ipcir_tools.text import json_digest
from ipcir_tools.types import Reply

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def key_of(messages: Sequence[BaseMessage], llm: BaseChatModel, prompt: Prompt) -> str:
    """What the reply to these messages is kept under: a hash of all that it depends on."""
    said = [[message.type, message.content] for message in messages]
    parts = [said, identity(llm), prompt.tag, prompt.schema_of_reply]
    return json_digest(parts)


def reply_of(text: str, kind: str, model: str, prompt: Prompt, budget: Budget) -> Reply:
    """A reply with what it cost. Tokens that were not told of every answer are not known, and kept as none."""
    return Reply(
        text=text,
        kind=kind,
        model=model,
        prompt=prompt.tag,
        calls=budget.calls,
        repairs=budget.repairs,
        seconds=budget.spent(),
        input_tokens=budget.input_tokens if budget.told else 0,
        output_tokens=budget.output_tokens if budget.told else 0,
        created=datetime.now(UTC).isoformat(),
    )


class ReplyStore(Protocol):
    """Where good replies are kept under a content hash; the catalog is one."""

    def reply(self, key: str) -> Reply | None:
        """The reply under ``key``, or None."""
        ...

    def put_reply(self, key: str, reply: Reply) -> None:
        """Keeps ``reply`` under ``key``, in the place of one that is there."""
        ...
