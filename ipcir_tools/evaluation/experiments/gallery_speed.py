"""What the gallery's parts take, by the number of pictures, on features that are drawn.

Run it by ``python -m ipcir_tools.evaluation.experiments.gallery_speed``: the nearest pictures with and without a
filter, beside scoring all of them and beside Chroma alone, and what it takes to open the gallery and to add three.
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

from ipcir_tools.evaluation.experiments.index_speed import around, seconds, unit
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.held_index import ALWAYS, NEVER, WHERE_IT_PAYS, IndexPolicy
from ipcir_tools.store.index import Gallery
from ipcir_tools.types import FloatArray, ImageRecord, Probe, Value, Where

SPACE = "drawn"
BATCH = 5_000
FILTER: Where = {"folder": "/pictures/even"}
"""One that half of the pictures pass."""


class GalleryFigures(Value):
    """What was measured with ``n`` pictures; searches are medians in milliseconds, for ten hits."""

    n: int
    nearest_ms: float
    filtered_ms: float
    exact_ms: float
    index_ms: float | None
    """Of the index alone, without anything around it."""
    recall: float
    """Of the ten best, a share of 1, against scoring all."""
    recall_filtered: float
    add_s: float
    """Adding three pictures to an open gallery, and finding them."""
    open_s: float
    first_s: float
    """The first search after that."""
    made_s: float
    """Making the gallery; 0 where it was there."""


def measure(home: Path, n: int, dim: int, policy: IndexPolicy, *, clusters: int, queries: int = 100) -> GalleryFigures:
    """Search a gallery of ``n`` features ``[dim]`` drawn around centres for others; made in ``home`` if need be."""
    rng = np.random.default_rng(0)
    centres = unit(rng.normal(size=(clusters, dim)))
    vectors, probes = (around(centres, m, 0.4, rng) for m in (n + 3, queries))
    made = 0.0 if (home / "index").exists() else seconds(partial(_make, home, vectors[:n], policy))
    began = time.perf_counter()
    with Catalog.open(home) as catalog:
        gallery = Gallery.open(catalog, home / "index", policy=policy)
        opened = time.perf_counter() - began
        return _searched(gallery, catalog, vectors[n:], probes, made, opened)


def _make(home: Path, vectors: FloatArray, policy: IndexPolicy) -> None:
    with Catalog.open(home) as catalog:
        for start in range(0, len(vectors), BATCH):
            fill(catalog, vectors[start : start + BATCH], start)
        gallery = Gallery(catalog, home / "index", policy=policy)
        gallery.sync()
        gallery.close()


def _searched(
    gallery: Gallery, catalog: Catalog, new: FloatArray, probes: FloatArray, made: float, opened: float
) -> GalleryFigures:
    n = catalog.size()
    first = seconds(partial(gallery.nearest, Probe(probes[0]), 10))
    for probe in probes[:20]:
        gallery.nearest(Probe(probe), 10)
    if gallery._index._catching_up is not None:
        gallery._index._catching_up.join()
    held = gallery._index.opened
    figures = GalleryFigures(
        n=n,
        nearest_ms=median_ms(lambda probe: gallery.nearest(Probe(probe), 10), probes),
        filtered_ms=median_ms(lambda probe: gallery.nearest(Probe(probe), 10, FILTER), probes),
        exact_ms=median_ms(lambda probe: gallery.exact(Probe(probe), 10), probes),
        index_ms=None if held is None else median_ms(lambda probe: held.index.nearest(probe, 100), probes),
        recall=_recall(gallery, probes, None),
        recall_filtered=_recall(gallery, probes, FILTER),
        add_s=seconds(lambda: _add_three(gallery, catalog, new, n)),
        open_s=opened,
        first_s=first,
        made_s=made,
    )
    gallery.close()
    return figures


def fill(catalog: Catalog, vectors: FloatArray, start: int) -> None:
    """Add pictures with these features to the catalog, numbered from ``start``."""
    ids = [f"{start + i:016x}" for i in range(len(vectors))]
    records = [
        ImageRecord(
            id=id_, source=f"/pictures/{('even', 'odd')[i % 2]}/{i}.jpg", bytes=i, width=4, height=3, format="jpeg"
        )
        for i, id_ in enumerate(ids, start)
    ]
    stamps = [FileStamp(each.source, each.id, each.bytes, 1) for each in records]
    catalog.add(records, stamps, dict(zip(ids, vectors, strict=True)), SPACE)


def _add_three(gallery: Gallery, catalog: Catalog, vectors: FloatArray, n: int) -> None:
    fill(catalog, vectors, n)
    gallery.sync()
    assert gallery.nearest(Probe(vectors[0]), 1)[0][0] == f"{n:016x}"


def _recall(gallery: Gallery, probes: FloatArray, where: Where | None) -> float:
    shares = []
    for probe in probes:
        found, best = (search(Probe(probe), 10, where) for search in (gallery.nearest, gallery.exact))
        shares.append(len({id_ for id_, _ in found} & {id_ for id_, _ in best}) / len(best))
    return float(np.mean(shares))


def median_ms(search: Callable[[FloatArray], object], probes: FloatArray) -> float:
    """The median time of a search."""
    return 1000 * float(np.median([seconds(partial(search, probe)) for probe in probes]))


POLICIES = {"pays": WHERE_IT_PAYS, "never": NEVER, "always": ALWAYS}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--policy", default="pays", choices=list(POLICIES), help="when the index is used")
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="a folder where the galleries stay for the next time")
    chosen = parser.parse_args(arguments)
    table = Table(*GalleryFigures.model_fields)
    with tempfile.TemporaryDirectory() as folder:
        for n in chosen.sizes:
            home = (chosen.keep or Path(folder)) / f"{n}-{chosen.policy}"
            figures = measure(home, n, chosen.dim, POLICIES[chosen.policy], clusters=chosen.clusters)
            values = vars(figures).values()
            table.add_row(*(f"{each:.4g}" if isinstance(each, float) else str(each) for each in values))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
