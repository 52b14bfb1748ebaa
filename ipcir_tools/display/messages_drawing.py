"""A conversation for a notebook: what people, models and tools said, as bubbles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from ipcir_tools.display.drawing import Drawing, faint, styled
from ipcir_tools.text import shorten

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


_LIMIT = 700
"""Characters of a message."""
_NAMES = {"human": "user", "ai": "the model", "tool": "tool"}


def draw_messages(messages: Sequence[BaseMessage]) -> Drawing:
    """LangChain messages in their order; a call of a tool is written as a call, ``refine_search(turn=...)``."""
    said = [(message.type, _who(message), _body(message)) for message in messages]
    parts = (Markup("<div class='said {}'>{}{}</div>").format(kind, faint(who), text) for kind, who, text in said)
    return Drawing(styled(*parts), "\n".join(f"{who}: {text}" for _, who, text in said))


def _who(message: BaseMessage) -> str:
    name = _NAMES.get(message.type, message.type)
    return f"{name} {message.name} answers" if message.type == "tool" and message.name else name


def _body(message: BaseMessage) -> str:
    calls = [_call(call["name"], call["args"]) for call in getattr(message, "tool_calls", [])]
    text = "\n".join([*([message.text.strip()] if message.text.strip() else []), *calls])
    return shorten("".join(c if c.isprintable() or c == "\n" else " " for c in text), _LIMIT)


def _call(name: str, arguments: dict[str, object]) -> str:
    return f"{name}({', '.join(f'{key}={json.dumps(value, ensure_ascii=False)}' for key, value in arguments.items())})"
