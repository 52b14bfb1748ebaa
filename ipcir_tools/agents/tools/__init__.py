"""The tools that agents call, each defined once for LangChain and MCP."""

from __future__ import annotations

from typing import Any

from ipcir_tools.agents.tools.images import SHOW_IMAGES
from ipcir_tools.agents.tools.search import COMPOSE_SEARCH, FIND_IMAGES, REFINE_SEARCH
from ipcir_tools.agents.tools.tool import Answer, Brief, CallContext, Picture, Tool, ToolCallError
from ipcir_tools.agents.tools.turns import LIST_TURNS, SHOW_TURN
from ipcir_tools.agents.tools.vectors import CAPTION_IMAGE, ENCODE, FUSED_SEARCH, IMAGINE_TARGET
from ipcir_tools.arguments import Arguments, validation_message

TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        COMPOSE_SEARCH,
        REFINE_SEARCH,
        FIND_IMAGES,
        CAPTION_IMAGE,
        IMAGINE_TARGET,
        ENCODE,
        FUSED_SEARCH,
        SHOW_TURN,
        LIST_TURNS,
        SHOW_IMAGES,
    )
}
"""Every tool by its name, in the order in which an agent should read them."""

__all__ = [
    "TOOLS",
    "Answer",
    "Arguments",
    "Brief",
    "CallContext",
    "Tool",
    "Picture",
    "ToolCallError",
    "validation_message",
]
