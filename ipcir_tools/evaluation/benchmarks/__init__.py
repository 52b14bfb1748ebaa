"""Benchmarks of composed retrieval: published annotation files, and a user's own, read into one shape."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Box, Query
    from ipcir_tools.evaluation.benchmarks.captions import CaptionBenchmark, load_captions
    from ipcir_tools.evaluation.benchmarks.circo import load_circo
    from ipcir_tools.evaluation.benchmarks.cirr import load_cirr
    from ipcir_tools.evaluation.benchmarks.fashioniq import load_fashioniq
    from ipcir_tools.evaluation.benchmarks.genecis import crop_of, load_genecis
    from ipcir_tools.evaluation.benchmarks.jsonl import load_jsonl

_MODULES = {
    "Benchmark": "benchmark",
    "Box": "benchmark",
    "CaptionBenchmark": "captions",
    "Query": "benchmark",
    "crop_of": "genecis",
    "load_captions": "captions",
    "load_circo": "circo",
    "load_cirr": "cirr",
    "load_fashioniq": "fashioniq",
    "load_genecis": "genecis",
    "load_jsonl": "jsonl",
}

__all__ = [
    "Benchmark",
    "Box",
    "CaptionBenchmark",
    "Query",
    "crop_of",
    "load_captions",
    "load_circo",
    "load_cirr",
    "load_fashioniq",
    "load_genecis",
    "load_jsonl",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that the command line can read the registry at once."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
