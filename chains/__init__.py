"""The LangChain runnables that the engine is made of: imagination, composition and reranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcir_tools._lazy import lazy_exports

if TYPE_CHECKING:
    from ipcir_tools.chains.composition.chain import build_compose_chain
    from ipcir_tools.chains.imagination.chain import build_imagine_chain
    from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
    from ipcir_tools.chains.reranking.chain import build_check_chain, build_rerank_chain

_MODULES = {
    "Imagination": "imagination.results",
    "ImagineRequest": "imagination.results",
    "build_check_chain": "reranking.chain",
    "build_compose_chain": "composition.chain",
    "build_imagine_chain": "imagination.chain",
    "build_rerank_chain": "reranking.chain",
}

__all__ = [
    "Imagination",
    "ImagineRequest",
    "build_check_chain",
    "build_compose_chain",
    "build_imagine_chain",
    "build_rerank_chain",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
