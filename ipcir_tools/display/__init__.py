"""Results for people: as text and JSON, in notebooks, as a picture sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcir_tools._lazy import lazy_exports

if TYPE_CHECKING:
    from ipcir_tools.display.search_sheet import Strip, draw_sheet

_MODULES = {
    "Strip": "search_sheet",
    "draw_sheet": "search_sheet",
}

__all__ = [
    "Strip",
    "draw_sheet",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
