"""Searches per second with 1, 4 and 16 callers at a time, each with words that nobody has searched for before."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ipcir_tools.bench.galleries import gallery, new_modifications, references
from ipcir_tools.bench.peers import langchain_embeddings
from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.process import fresh
from ipcir_tools.bench.query import K, chroma_alone, settle
from ipcir_tools.bench.timing import Say, p50, p95, rounded
from ipcir_tools.bench.weights import encoder_folder

CALLERS = (1, 4, 16)
SEARCHES = 64
"""In each round, shared by the callers."""


def measure(plan: Plan, say: Say) -> list[dict[str, Any]]:
    """One document for each number of callers, on the smallest gallery, in a process of its own."""
    n = min(plan.sizes)
    gallery(plan, n, say)
    made: list[dict[str, Any]] = fresh("concurrency:measure_callers", say, plan=plan, n=n)
    return made


def measure_callers(plan: Plan, n: int, say: Say) -> list[dict[str, Any]]:
    """The package, and beside it what takes the place of a search with LangChain: ``embed_query``, then Chroma."""
    made = gallery(plan, n, say)
    searches = min(SEARCHES, plan.queries)
    embeddings, _ = langchain_embeddings(encoder_folder(plan.encoder, plan.folder / "weights", plan.seed))
    with made.open() as engine:
        chroma = chroma_alone(made, engine.catalog.matrix(engine.catalog.space() or "")[1], say)
        settle(engine)
        ids = references(engine, searches, 3)
        words = iter(new_modifications(10**5))

        def search(i: int, text: str) -> None:
            engine.search(ids[i], text, k=K)

        def peer(_: int, text: str) -> None:
            chroma.nearest(np.asarray(embeddings.embed_query(text), dtype=np.float32), K)

        works = {"package": search, "peer": peer}
        for work in works.values():
            _load(work, 2, [next(words) for _ in range(4)])
        found: dict[tuple[str, int], list[tuple[float, list[float]]]] = {}
        for number in range(plan.rounds):
            for callers, (name, work) in itertools.product(CALLERS, works.items()):
                say(f"round {number + 1} of {plan.rounds}: {name}, {callers} at a time")
                texts = [next(words) for _ in range(searches)]
                found.setdefault((name, callers), []).append(_load(work, callers, texts))
        return [_document(callers, found, n) for callers in CALLERS]


def _load(work: Callable[[int, str], None], callers: int, texts: list[str]) -> tuple[float, list[float]]:
    """Searches per second, and the seconds of each."""

    def timed(numbered: tuple[int, str]) -> float:
        began = time.perf_counter()
        work(*numbered)
        return time.perf_counter() - began

    began = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        each = list(pool.map(timed, enumerate(texts)))
    return len(texts) / (time.perf_counter() - began), each


def _document(callers: int, found: dict[tuple[str, int], list[tuple[float, list[float]]]], n: int) -> dict[str, Any]:
    rates = {name: p50([rate for rate, _ in found[name, callers]]) for name in ("package", "peer")}
    one = p50([rate for rate, _ in found["package", 1]])
    latencies = [each for _, times in found["package", callers] for each in times]
    return {
        "n": n,
        "callers": callers,
        "searches_per_s": rounded(rates["package"]),
        "times_one_caller": rounded(rates["package"] / one),
        "p50_ms": rounded(1_000 * p50(latencies)),
        "p95_ms": rounded(1_000 * p95(latencies)),
        "peer_per_s": rounded(rates["peer"]),
    }
