"""Results for people: as text and JSON, in notebooks, as a picture sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcir_tools._lazy import lazy_exports

if TYPE_CHECKING:
    from ipcir_tools.display.dialogue_drawing import draw_dialogue
    from ipcir_tools.display.map_drawing import draw_map
    from ipcir_tools.display.messages_drawing import draw_messages
    from ipcir_tools.display.search_sheet import Strip, draw_sheet

_MODULES = {
    "Strip": "search_sheet",
    "draw_dialogue": "dialogue_drawing",
    "draw_map": "map_drawing",
    "draw_messages": "messages_drawing",
    "draw_sheet": "search_sheet",
}

__all__ = [
    "Strip",
    "draw_dialogue",
    "draw_map",
    "draw_messages",
    "draw_sheet",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
