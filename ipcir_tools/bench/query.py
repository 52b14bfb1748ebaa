"""Searches: how long they take and of what, how much is found, beside exact search alone and Chroma alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.bench.galleries import MadeGallery, filters, gallery, modifications, references
from ipcir_tools.bench.peers import ChromaAlone, ExactAlone
from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.process import fresh
from ipcir_tools.bench.timing import Say, in_turns, p50, p95, recall, rounded
from ipcir_tools.bench.vectors import ClusteredVectors
from ipcir_tools.types import FloatArray, Probe

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.types import SearchResult

K = 10
WARM = 5
"""Searches before the first that counts."""
TUNED = 50
"""Queries by which the peer's walk is made just wide enough."""


def measure(plan: Plan, say: Say) -> list[dict[str, Any]]:
    """One document for each size, each measured in a process of its own."""
    found = []
    for n in plan.sizes:
        gallery(plan, n, say)
        found.append(fresh("query:measure_size", say, plan=plan, n=n))
    return found


def measure_size(plan: Plan, n: int, say: Say) -> dict[str, Any]:
    """Composed searches with words that are new and with words that were searched for before; times in milliseconds.

    ``overhead`` is the whole search without what the encoder takes; there is no language model here.
    """
    made = gallery(plan, n, say)
    with made.open() as engine:
        recorder = SearchRecorder(engine)
        ids, matrix = engine.catalog.matrix(engine.catalog.space() or "")
        exact, chroma = ExactAlone(matrix), chroma_alone(made, matrix, say)
        probes = ClusteredVectors(n, matrix.shape[1], plan.seed).queries(plan.queries, plan.seed + 1)
        truth = [exact.nearest(probe, K) for probe in probes]
        chroma_recall = chroma.tune(probes[:TUNED], truth[:TUNED])
        say(f"{n:,}: searching")
        settle(engine)
        pairs = list(zip(references(engine, plan.queries, 1), modifications(plan.queries), strict=True))
        for reference, words in zip(references(engine, WARM, 2), modifications(WARM, 10**6), strict=True):
            recorder.search("warm", reference, words)
        nearest = partial(_nearest, engine)
        alone = in_turns(
            {
                "new": [partial(recorder.search, "new", *pair) for pair in pairs],
                "known": [partial(recorder.search, "known", *pair) for pair in pairs],
                "nearest": [partial(nearest, probe) for probe in probes],
                "exact": [partial(exact.nearest, probe) for probe in probes],
                "chroma": [partial(chroma.nearest, probe) for probe in probes],
            }
        )
        positions = {id_: i for i, id_ in enumerate(ids)}
        found = [[positions[id_] for id_ in nearest(probe)] for probe in probes]
        return {
            "n": n,
            **_times("", recorder.records["known"]),
            **_times("new_words_", recorder.records["new"]),
            "split_ms": _split(recorder.records["new"]),
            "nearest_p50_ms": _ms(alone["nearest"]),
            "recall_at_10": round(recall(found, truth), 4),
            "exact_p50_ms": _ms(alone["exact"]),
            "chroma_p50_ms": _ms(alone["chroma"]),
            "chroma_recall_at_10": round(chroma_recall, 4),
            "chroma_ef_search": chroma.breadth,
            "filters": _filtered(engine, recorder, pairs, probes, exact, positions),
        }


class SearchRecorder:
    """Searches and keeps what each took: seconds in all, in the encoder, and of the parts that the result names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._encoding = 0.0
        self.records: dict[str, list[dict[str, float]]] = {}
        encoder: Any = engine.components.encoder
        encoder.embed_texts = self._timed(encoder.embed_texts)  # this instance's alone

    def search(self, kind: str, reference: str, words: str, where: dict[str, Any] | None = None) -> SearchResult:
        """One search, kept among those of its kind."""
        before, began = self._encoding, time.perf_counter()
        result = self._engine.search(reference, words, k=K, where=where)
        record = {"total": time.perf_counter() - began, "encode": self._encoding - before}
        record |= {name: result.timings[name] for name in ("candidates", "rescoring") if name in result.timings}
        record.setdefault("candidates", result.timings.get("search", 0.0))
        self.records.setdefault(kind, []).append(record)
        return result

    def _timed(self, embed: Callable[[Sequence[str]], FloatArray]) -> Callable[[Sequence[str]], FloatArray]:
        def embed_texts(texts: Sequence[str]) -> FloatArray:
            began = time.perf_counter()
            try:
                return embed(texts)
            finally:
                self._encoding += time.perf_counter() - began

        return embed_texts


def settle(engine: Engine) -> None:
    """Wait until what the engine does in the background after it is opened is done."""
    waiting = getattr(engine.gallery, "wait_until_ready", None)
    if waiting is not None:
        waiting()


def _nearest(engine: Engine, vector: FloatArray, where: dict[str, Any] | None = None) -> list[str]:
    return [id_ for id_, _ in engine.gallery.nearest(Probe(vector), K, where)]


def chroma_alone(made: MadeGallery, matrix: FloatArray, say: Say) -> ChromaAlone:
    """The peer's collection, made where it is not there yet."""
    peer = ChromaAlone(made.folder / "chroma")
    for start in range(peer.count, len(matrix), 5_000):
        say(f"Chroma alone: {start:,} of {len(matrix):,}")
        peer.put(start, matrix[start : start + 5_000])
    return peer


def _filtered(
    engine: Engine,
    recorder: SearchRecorder,
    pairs: Sequence[tuple[str, str]],
    probes: FloatArray,
    exact: ExactAlone,
    positions: Mapping[str, int],
) -> list[dict[str, Any]]:
    """The same with filters that few, some and many pictures pass."""
    made = []
    for share, where in filters():
        rows = np.array(sorted(positions[id_] for id_ in engine.catalog.matching(where)))
        some = slice(0, max(10, len(pairs) // 3))
        kind = f"where {share}"
        alone = in_turns(
            {
                kind: [partial(recorder.search, kind, *pair, where) for pair in pairs[some]],
                "exact": [partial(exact.nearest, probe, K, rows) for probe in probes[some]],
            }
        )
        truth = [exact.nearest(probe, K, rows) for probe in probes[some]]
        found = [[positions[id_] for id_ in _nearest(engine, probe, where)] for probe in probes[some]]
        made.append(
            {
                "share": share,
                **_times("", recorder.records[kind]),
                "exact_p50_ms": _ms(alone["exact"]),
                "recall_at_10": round(recall(found, truth), 4),
            }
        )
    return made


def _times(prefix: str, records: Sequence[Mapping[str, float]]) -> dict[str, float]:
    totals = [record["total"] for record in records]
    overheads = [record["total"] - record["encode"] for record in records]
    return {
        f"{prefix}p50_ms": _ms(totals),
        f"{prefix}p95_ms": rounded(1_000 * p95(totals)),
        f"{prefix}overhead_p50_ms": _ms(overheads),
        f"{prefix}overhead_p95_ms": rounded(1_000 * p95(overheads)),
    }


def _split(records: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Medians of the parts of a search with new words; bookkeeping is all that no other part is."""
    parts = ("encode", "candidates", "rescoring")
    rest = [record["total"] - sum(record.get(part, 0.0) for part in parts) for record in records]
    return {part: _ms([record.get(part, 0.0) for record in records]) for part in parts} | {"bookkeeping": _ms(rest)}


def _ms(values: Sequence[float]) -> float:
    return rounded(1_000 * p50(values))
