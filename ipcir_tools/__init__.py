"""Composed image retrieval for agents: *this picture, but in blue* -> ranked pictures, turn after turn.

``Engine`` is the door; importing the package loads no model library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipcir_tools.agents.agent import IPCIRMiddleware, build_agent
    from ipcir_tools.agents.toolkit import IPCIRToolkit, compose_search_tool
    from ipcir_tools.embeddings import OpenClipEmbeddings
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.errors import IPCIRError
    from ipcir_tools.retriever import ComposedImageRetriever
    from ipcir_tools.settings import Settings
    from ipcir_tools.types import Hit, ImaginedTarget, SearchResult, Turn


_HOME = {
    "ComposedImageRetriever": "ipcir_tools.retriever",
    "IPCIRMiddleware": "ipcir_tools.agents.agent",
    "IPCIRToolkit": "ipcir_tools.agents.toolkit",
    "OpenClipEmbeddings": "ipcir_tools.embeddings",
    "build_agent": "ipcir_tools.agents.agent",
    "Engine": "ipcir_tools.engine.engine",
    "Hit": "ipcir_tools.types",
    "IPCIRError": "ipcir_tools.errors",
    "ImaginedTarget": "ipcir_tools.types",
    "SearchResult": "ipcir_tools.types",
    "Settings": "ipcir_tools.settings",
    "Turn": "ipcir_tools.types",
    "compose_search_tool": "ipcir_tools.agents.toolkit",
}

__all__ = [
    "ComposedImageRetriever",
    "Engine",
    "Hit",
    "IPCIRError",
    "IPCIRMiddleware",
    "IPCIRToolkit",
    "ImaginedTarget",
    "OpenClipEmbeddings",
    "SearchResult",
    "Settings",
    "Turn",
    "build_agent",
    "compose_search_tool",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line answers at once."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
