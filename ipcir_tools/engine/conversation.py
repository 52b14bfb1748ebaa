"""Which conversation a turn belongs to: a thread of LangGraph, a session of an MCP client, or none."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


MAX_ID = 100
"""Characters of a conversation's id; a longer one, which a client may send, is stored as its digest."""


def conversation_id(name: object) -> str | None:
    """The id under which turns of a conversation are stored; None for no name."""
    text = "" if name is None else str(name)
    if len(text) > MAX_ID or not text.isprintable():
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return text or None


def thread_of(config: RunnableConfig | None) -> str | None:
    """The conversation of a run of LangChain or LangGraph: its ``thread_id``; None where it has none."""
    return conversation_id(((config or {}).get("configurable") or {}).get("thread_id"))
