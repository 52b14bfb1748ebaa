"""The wardrobe: a drawn world with exact truth, the small models trained on it, and the demo that plays in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcir_tools._lazy import lazy_exports

if TYPE_CHECKING:
    from ipcir_tools.demo.gallery import draw, wardrobe_benchmark, wardrobe_dialogues_benchmark
    from ipcir_tools.demo.play import demo_wardrobe

_MODULES = {
    "demo_wardrobe": "play",
    "draw": "gallery",
    "wardrobe_benchmark": "gallery",
    "wardrobe_dialogues_benchmark": "gallery",
}

__all__ = [
    "demo_wardrobe",
    "draw",
    "wardrobe_benchmark",
    "wardrobe_dialogues_benchmark",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
