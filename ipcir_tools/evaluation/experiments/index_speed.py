"""How much the index loses against exact search, and what a query takes.

Run it by ``python -m ipcir_tools.evaluation.experiments.index_speed``.

The vectors are drawn: unit vectors around centres, as the pictures of a few kinds are. It is hard where a cluster has
many more members than the graph's walk keeps as candidates (``ef search``): 20,000 vectors in 20 clusters, not in 200.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ipcir_tools.store.chroma import CHOSEN, HnswSettings, NeighbourIndex
from ipcir_tools.types import FloatArray, Value

SETTINGS = (HnswSettings(100, 16, 100), CHOSEN, HnswSettings(200, 32, 400), HnswSettings(400, 48, 400))
"""Chroma's own defaults first."""


class RecallFigures(Value):
    """What was measured of one index; recall is that of the 10 best, a share of 1; times are medians."""

    n: int
    dim: int
    settings: HnswSettings
    recall: float
    """Among Chroma's first 10."""
    recall_rescored: float
    """Among 100 candidates scored again, as the gallery does."""
    query_ms: float
    """Of one search for 100 candidates."""
    exact_ms: float
    """Of scoring all by numpy."""
    build_s: float


def measure_recall(
    n: int,
    dim: int,
    settings: HnswSettings,
    *,
    clusters: int = 200,
    spread: float = 0.4,
    queries: int = 200,
    seed: int = 0,
) -> RecallFigures:
    """Build an index of ``n`` vectors ``[dim]`` and search it for the neighbours of ``queries`` others.

    ``spread`` is the length of the noise beside a centre of length 1.
    """
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(clusters, dim)))
    vectors, probes = (around(centres, m, spread, rng) for m in (n, queries))
    truth = [set(np.argsort(-(vectors @ probe))[:10].tolist()) for probe in probes]
    with tempfile.TemporaryDirectory() as folder:
        index = NeighbourIndex.create(Path(folder) / "index", settings)
        build = seconds(lambda: index.put({str(i): vector for i, vector in enumerate(vectors)}))
        first10 = [index.nearest(probe, 10) for probe in probes]
        first100 = [index.nearest(probe, 100) for probe in probes]
        query = [seconds(partial(index.nearest, probe, 100)) for probe in probes]
        index.close()
    return RecallFigures(
        n=n,
        dim=dim,
        settings=settings,
        recall=_recall(first10, truth),
        recall_rescored=_recall(first100, truth),
        query_ms=1000 * float(np.median(query)),
        exact_ms=1000 * float(np.median([seconds(partial(_ten_best, vectors, probe)) for probe in probes])),
        build_s=build,
    )


def _ten_best(vectors: FloatArray, probe: FloatArray) -> object:
    return np.argpartition(-(vectors @ probe), 10)


def unit(rows: np.ndarray) -> FloatArray:
    """Rows of unit norm."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def around(centres: FloatArray, m: int, spread: float, rng: np.random.Generator) -> FloatArray:
    """``m`` unit vectors around ``centres`` ``[c, d]``."""
    dim = centres.shape[1]
    noise = rng.normal(size=(m, dim)) * spread / np.sqrt(dim)
    return unit(centres[rng.integers(len(centres), size=m)] + noise)


def _recall(found: Sequence[Sequence[str]], truth: Sequence[set[int]]) -> float:
    return float(
        np.mean([len({int(i) for i in got} & best) / len(best) for got, best in zip(found, truth, strict=True)])
    )


def seconds(work: Callable[[], object]) -> float:
    """What ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _table(figures: Sequence[RecallFigures]) -> Table:
    table = Table(
        "n",
        "dim",
        "ef construction",
        "neighbours",
        "ef search",
        "recall@10",
        "of 100 rescored",
        "ms",
        "exact ms",
        "build s",
    )
    for each in figures:
        chosen = each.settings
        table.add_row(
            f"{each.n:,}",
            str(each.dim),
            *(str(value) for value in (chosen.ef_construction, chosen.max_neighbors, chosen.ef_search)),
            *(f"{value:.3f}" for value in (each.recall, each.recall_rescored)),
            *(f"{value:.2f}" for value in (each.query_ms, each.exact_ms)),
            f"{each.build_s:.1f}",
        )
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table for several sizes and settings."""
    parser = argparse.ArgumentParser(
        prog="python -m ipcir_tools.evaluation.experiments.index_speed", description=main.__doc__
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--spread", type=float, default=0.4, help="noise beside a centre of length 1")
    chosen = parser.parse_args(arguments)
    figures = [
        measure_recall(n, chosen.dim, settings, clusters=chosen.clusters, spread=chosen.spread)
        for n in chosen.sizes
        for settings in SETTINGS
    ]
    Console().print(_table(figures))


if __name__ == "__main__":
    main()
