"""Benchmarks of composed retrieval: published annotation files, and a user's own, read into one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcir_tools._lazy import lazy_exports

if TYPE_CHECKING:
    from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Box, Query, Session, SessionBenchmark
    from ipcir_tools.evaluation.benchmarks.captions import CaptionBenchmark, load_captions
    from ipcir_tools.evaluation.benchmarks.circled import load_circled
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
    "Session": "benchmark",
    "SessionBenchmark": "benchmark",
    "crop_of": "genecis",
    "load_captions": "captions",
    "load_circled": "circled",
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
    "Session",
    "SessionBenchmark",
    "crop_of",
    "load_captions",
    "load_circled",
    "load_circo",
    "load_cirr",
    "load_fashioniq",
    "load_genecis",
    "load_jsonl",
]


__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
