"""A document of the benchmark as it is written, with figures that are easy to reckon with."""

from __future__ import annotations

from typing import Any


def agreement(mean: float, worst: float) -> dict[str, Any]:
    return {
        "mean": mean,
        "worst": worst,
        "centred": 0.999,
        "between_pictures": 0.8,
        "pictures": 72,
        "dtype": "bfloat16",
    }


def query(n: int, p50: float, exact: float, chroma: float) -> dict[str, Any]:
    times = {"p50_ms": p50, "p95_ms": 2 * p50, "overhead_p50_ms": p50, "overhead_p95_ms": 2 * p50}
    return {
        "n": n,
        **times,
        **{f"new_words_{name}": value + 10 for name, value in times.items()},
        "split_ms": {"encode": 10.0, "candidates": 0.5, "rescoring": 0.1, "bookkeeping": 1.2},
        "nearest_p50_ms": 0.7,
        "recall_at_10": 0.998,
        "exact_p50_ms": exact,
        "chroma_p50_ms": chroma,
        "chroma_recall_at_10": 0.991,
        "chroma_ef_search": 100,
        "filters": [{"share": share, **times, "exact_p50_ms": exact, "recall_at_10": 1.0} for share in (0.01, 0.5)],
    }


def callers(number: int, rate: float) -> dict[str, Any]:
    times = {"p50_ms": 20.0, "p95_ms": 30.0, "times_one_caller": rate / 40}
    return {"n": 10_000, "callers": number, "searches_per_s": rate, "peer_per_s": 30.0, **times}


def update(n: int, add: float, opened: float) -> dict[str, float]:
    rest = {"search_after_s": 0.02, "resync_s": 0.2, "add_3_and_resync_s": 0.4, "open_and_find_s": 2 * opened}
    return {"n": n, "add_3_s": add, "open_s": opened, **rest}


def memory(n: int, peak: float) -> dict[str, float]:
    most = {"before_mb": 80.0, "encoding_peak_mb": peak - 5, "peak_mb": peak, "index_writer_mb": 0.0}
    return {"n": n, "added": n, **most, "images_per_s": 500.0}


PARTS: dict[str, Any] = {
    "encode": {
        "encoder": "open_clip:ViT-B-32/random",
        "device": "cpu",
        "dtype": "bfloat16",
        "images_per_s": 70.0,
        "open_clip_per_s": 18.0,
        "bare_bfloat16_per_s": 80.0,
        "bare_float32_per_s": 21.5,
        "gflop_per_image": 8.73,
        "matrix_gflops": {"bfloat16": 900.0, "float32": 240.0},
        "matrix_limit_per_s": {"bfloat16": 103.0, "float32": 27.5},
    },
    "agreement": agreement(0.99995, 0.9995) | {"trained": agreement(0.99992, 0.998)},
    "index": {
        "images_per_s": 66.0,
        "bare_forward_per_s": 80.0,
        "peer_per_s": 6.0,
        "peer": "LangChain's OpenCLIPEmbeddings + langchain-chroma",
        "dtype": "bfloat16",
        "device": "cpu",
        "batch_size": 64,
        "bare_bfloat16_per_s": 80.0,
        "bare_float32_per_s": 21.5,
        "share_of_bare_bfloat16": 0.825,
        "times_peer": 11.0,
        "pictures": 256,
        "large": {"images_per_s": 20.0, "peer_per_s": 2.0, "times_peer": 10.0, "pictures": 32},
    },
    "query": [query(10_000, 1.8, 0.06, 1.0), query(100_000, 9.0, 12.0, 4.0)],
    "concurrency": [callers(1, 40.0), callers(4, 70.0), callers(16, 100.0)],
    "update": [update(1_000, 0.2, 0.02), update(100_000, 0.5, 0.07)],
    "memory": [memory(10_000, 100.0), memory(50_000, 109.0)],
    "start": {
        "python_s": 0.02,
        "import_s": 0.03,
        "import_engine_s": 0.3,
        "help_s": 0.4,
        "cold_search_s": 1.9,
        "n": 1_000,
    },
    "verify": {"without_s": 0.02, "verify_10_s": 2.4, "verified_before_s": 0.5, "captioner": "BLIP-base, random"},
}
MACHINE: dict[str, Any] = {
    "processor": "Test Processor",
    "cores": 2,
    "flags": ["avx2", "avx512_bf16"],
    "memory_gb": 16.0,
    "system": "Linux 6",
    "python": "3.11.7",
    "versions": {"torch": "2.9"},
    "torch_threads": 2,
    "device": "cpu",
    "device_name": None,
}
