"""The tools that agents call, each defined once for LangChain and MCP."""

from __future__ import annotations

from typing import Any

from ipcir_tools.agents.tools.gallery import DESCRIBE_GALLERY, INDEX_PICTURES
from ipcir_tools.agents.tools.images import SHOW_IMAGES
from ipcir_tools.agents.tools.search import COMPOSE_SEARCH, FIND_IMAGES, REFINE_SEARCH
from ipcir_tools.agents.tools.tool import Answer, Brief, CallContext, Picture, Tool, ToolCallError
from ipcir_tools.agents.tools.turns import LIST_TURNS, SHOW_TURN
from ipcir_tools.agents.tools.vectors import CAPTION_IMAGE, ENCODE, FUSED_SEARCH, IMAGINE_TARGET
from ipcir_tools.arguments import Arguments, validation_message
from ipcir_tools.settings import Settings

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
        DESCRIBE_GALLERY,
        SHOW_IMAGES,
    )
}
"""The tools by their names, in the order in which an agent should read them."""


def tools_for(settings: Settings) -> list[Tool[Any]]:
    """The tools that the settings offer to agents: all of ``TOOLS``, and with ``agent_index`` the one that indexes."""
    return [*TOOLS.values(), *([INDEX_PICTURES] if settings.agent_index else [])]


__all__ = [
    "INDEX_PICTURES",
    "TOOLS",
    "Answer",
    "Arguments",
    "Brief",
    "CallContext",
    "Tool",
    "Picture",
    "ToolCallError",
    "tools_for",
    "validation_message",
]
