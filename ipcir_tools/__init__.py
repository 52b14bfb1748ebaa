"""Composed image retrieval for agents: *this picture, but in blue* -> ranked pictures, turn after turn.

``Engine`` is the entry point; importing the package loads no model library.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ipcir_tools._lazy import lazy_exports

if TYPE_CHECKING:
    from ipcir_tools.agents.agent import IPCIRMiddleware, build_agent
    from ipcir_tools.agents.dialogue.graph import build_dialogue
    from ipcir_tools.agents.toolkit import IPCIRToolkit, compose_search_tool
    from ipcir_tools.composers import Composer, TrainedComposer
    from ipcir_tools.embeddings import OpenClipEmbeddings
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.errors import (
        BadImageError,
        BusyError,
        CatalogError,
        EmptyGalleryError,
        InvalidRequestError,
        IPCIRError,
        ModelUnavailableError,
        NotAllowedError,
        NotFoundError,
        SpaceMismatchError,
    )
    from ipcir_tools.evaluation.benchmarks import (
        Benchmark,
        Query,
        load_circo,
        load_cirr,
        load_fashioniq,
        load_genecis,
        load_jsonl,
    )
    from ipcir_tools.evaluation.runs.evaluate import evaluate
    from ipcir_tools.models.loading import load_captioner, load_encoder, load_image_generator
    from ipcir_tools.prompts import load_prompt
    from ipcir_tools.retriever import ComposedImageRetriever
    from ipcir_tools.search_options import SearchOptions
    from ipcir_tools.settings import Settings
    from ipcir_tools.types import (
        ComposedQuery,
        Hit,
        ImageRecord,
        ImaginedTarget,
        IndexReport,
        Judgement,
        Probe,
        SearchResult,
        Skip,
        Turn,
    )

_MODULES = {
    "BadImageError": "errors",
    "BusyError": "errors",
    "Benchmark": "evaluation.benchmarks",
    "CatalogError": "errors",
    "ComposedImageRetriever": "retriever",
    "ComposedQuery": "types",
    "Composer": "composers",
    "EmptyGalleryError": "errors",
    "Engine": "engine.engine",
    "Hit": "types",
    "IPCIRError": "errors",
    "IPCIRMiddleware": "agents.agent",
    "IPCIRToolkit": "agents.toolkit",
    "ImageRecord": "types",
    "ImaginedTarget": "types",
    "IndexReport": "types",
    "InvalidRequestError": "errors",
    "Judgement": "types",
    "ModelUnavailableError": "errors",
    "NotAllowedError": "errors",
    "NotFoundError": "errors",
    "OpenClipEmbeddings": "embeddings",
    "Probe": "types",
    "Query": "evaluation.benchmarks",
    "SearchOptions": "search_options",
    "SearchResult": "types",
    "Settings": "settings",
    "Skip": "types",
    "SpaceMismatchError": "errors",
    "TrainedComposer": "composers",
    "Turn": "types",
    "build_agent": "agents.agent",
    "build_dialogue": "agents.dialogue.graph",
    "compose_search_tool": "agents.toolkit",
    "evaluate": "evaluation.runs.evaluate",
    "load_captioner": "models.loading",
    "load_circo": "evaluation.benchmarks",
    "load_cirr": "evaluation.benchmarks",
    "load_encoder": "models.loading",
    "load_fashioniq": "evaluation.benchmarks",
    "load_genecis": "evaluation.benchmarks",
    "load_image_generator": "models.loading",
    "load_jsonl": "evaluation.benchmarks",
    "load_prompt": "prompts",
}

__all__ = [
    "BadImageError",
    "Benchmark",
    "BusyError",
    "CatalogError",
    "ComposedImageRetriever",
    "ComposedQuery",
    "Composer",
    "EmptyGalleryError",
    "Engine",
    "Hit",
    "IPCIRError",
    "IPCIRMiddleware",
    "IPCIRToolkit",
    "ImageRecord",
    "ImaginedTarget",
    "IndexReport",
    "InvalidRequestError",
    "Judgement",
    "ModelUnavailableError",
    "NotAllowedError",
    "NotFoundError",
    "OpenClipEmbeddings",
    "Probe",
    "Query",
    "SearchOptions",
    "SearchResult",
    "Settings",
    "Skip",
    "SpaceMismatchError",
    "TrainedComposer",
    "Turn",
    "build_agent",
    "build_dialogue",
    "compose_search_tool",
    "evaluate",
    "load_captioner",
    "load_circo",
    "load_cirr",
    "load_encoder",
    "load_fashioniq",
    "load_genecis",
    "load_image_generator",
    "load_jsonl",
    "load_prompt",
]

_load, __dir__ = lazy_exports(__name__, _MODULES)


def __getattr__(name: str) -> Any:
    """A public name, imported at its first use; in a notebook, results are shown as images from then on."""
    value = _load(name)
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        for module in ("display", "evaluation"):
            import_module(f"ipcir_tools.{module}.notebook").register(shell.display_formatter)
    return value
