"""The operations that agents call, each defined once for every face."""

from __future__ import annotations

from typing import Any

from ipcir_tools.agents.tools.images import SHOW_IMAGES
from ipcir_tools.agents.tools.search import COMPOSE_SEARCH, FIND_IMAGES, REFINE_SEARCH
from ipcir_tools.agents.tools.tool import (
    Answer,
    Arguments,
    Brief,
    Operation,
    Picture,
    ToolCallError,
    validation_message,
)
from ipcir_tools.agents.tools.turns import LIST_TURNS, SHOW_TURN
from ipcir_tools.agents.tools.vectors import CAPTION_IMAGE, ENCODE, FUSED_SEARCH, IMAGINE_TARGET

OPERATIONS: dict[str, Operation[Any]] = {
    operation.name: operation
    for operation in (
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
"""Every operation by its name, in the order in which an agent should read them."""

SEEING = frozenset({SHOW_IMAGES.name})
"""The operations that answer with pictures: for models that see, so a face offers them only where that is wanted."""

__all__ = [
    "OPERATIONS",
    "SEEING",
    "Answer",
    "Arguments",
    "Brief",
    "Operation",
    "Picture",
    "ToolCallError",
    "validation_message",
]
