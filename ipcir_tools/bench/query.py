"""Searches: how long they take and of what, how much is found, beside exact search alone and Chroma alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.bench.galleries import MadeGallery, filters, gallery, modifications, new_modifications, references
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
ASKED = 20
"""Searches after which the index is open, or is being opened, where it pays."""
WARM = 5
"""Searches before the first that counts."""
PARTS = ("encode", "imagine", "candidates", "rescoring")
TUNED = 50
"""Queries by which the peer's walk is made just wide enough for the package's own recall."""


def measure(plan: Plan, say: Say) -> list[dict[str, Any]]:
    """One document for each size, each measured in a process of its own."""
    found = []
    for n in plan.sizes:
        gallery(plan, n, say)
        found.append(fresh("query:measure_size", say, plan=plan, n=n))
    return found


def measure_size(plan: Plan, n: int, say: Say) -> dict[str, Any]:
    """Composed searches with words that are new and with words that were searched for before; times in milliseconds.

    ``overhead`` is the whole search without what the encoder takes, and without the imagination, which the rules write
    here in a language model's place.
    """
    made = gallery(plan, n, say)
    with made.open() as engine:
        recorder = SearchRecorder(engine)
        ids, matrix = engine.catalog.matrix(engine.catalog.space() or "")
        exact, chroma = ExactAlone(matrix), chroma_alone(made, matrix, say)
        probes = ClusteredVectors(n, matrix.shape[1], plan.seed).queries(plan.queries, plan.seed + 1)
        truth = [exact.nearest(probe, K) for probe in probes]
        settle(engine)
        nearest = partial(_nearest, engine)
        positions = {id_: i for i, id_ in enumerate(ids)}
        found = [[positions[id_] for id_ in nearest(probe)] for probe in probes]
        say(f"{n:,}: tuning Chroma alone to the same recall")
        chroma_recall = chroma.tune(probes[:TUNED], truth[:TUNED], recall(found[:TUNED], truth[:TUNED]))
        say(f"{n:,}: searching")
        pairs = list(zip(references(engine, plan.queries, 1), new_modifications(plan.queries), strict=True))
        for reference, words in zip(references(engine, WARM, 2), modifications(WARM, 10**6), strict=True):
            recorder.search("warm", reference, words)
        alone = in_turns(
            {
                "new": [partial(recorder.search, "new", *pair) for pair in pairs],
                "known": [partial(recorder.search, "known", *pair) for pair in pairs],
                "nearest": [partial(nearest, probe) for probe in probes],
                "exact": [partial(exact.nearest, probe) for probe in probes],
                "chroma": [partial(chroma.nearest, probe) for probe in probes],
            }
        )
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
    """Searches and keeps the seconds of each: in all, in the encoder, and by the parts that the result tells."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._encoding = engine, 0.0
        self._embed = engine.components.encoder.embed_texts
        engine.components.encoder.embed_texts = self._timed  # type: ignore[method-assign]  # in this process alone
        self.records: dict[str, list[dict[str, float]]] = {}

    def search(self, kind: str, reference: str, words: str, where: dict[str, Any] | None = None) -> SearchResult:
        """One search, kept among those of its kind."""
        self._encoding = 0.0
        began = time.perf_counter()
        result = self._engine.search(reference, words, k=K, where=where)
        total = time.perf_counter() - began
        told = {part: result.timings.get(part, 0.0) for part in PARTS[1:]}
        self.records.setdefault(kind, []).append({"total": total, "encode": self._encoding, **told})
        return result

    def _timed(self, texts: Sequence[str]) -> FloatArray:
        began = time.perf_counter()
        try:
            return self._embed(texts)
        finally:
            self._encoding += time.perf_counter() - began


def settle(engine: Engine) -> None:
    """Ask until the index is open, which the engine does in a thread of its own where it pays."""
    ids = engine.catalog.sample_ids(1)
    probe = Probe(engine.catalog.features(ids, engine.catalog.space() or "")[ids[0]])
    for _ in range(ASKED):
        engine.gallery.nearest(probe, K)
    for thread in threading.enumerate():
        if thread.name == "ipcir-index":
            thread.join()


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
    overheads = [record["total"] - record["encode"] - record["imagine"] for record in records]
    return {
        f"{prefix}p50_ms": _ms(totals),
        f"{prefix}p95_ms": rounded(1_000 * p95(totals)),
        f"{prefix}overhead_p50_ms": _ms(overheads),
        f"{prefix}overhead_p95_ms": rounded(1_000 * p95(overheads)),
    }


def _split(records: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Medians of the parts of a search with new words; bookkeeping is all that no other part is."""
    rest = [record["total"] - sum(record[part] for part in PARTS) for record in records]
    return {part: _ms([record[part] for record in records]) for part in PARTS} | {"bookkeeping": _ms(rest)}


def _ms(values: Sequence[float]) -> float:
    return rounded(1_000 * p50(values))
