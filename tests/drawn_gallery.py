"""Galleries of drawn features, without pictures."""

from __future__ import annotations

import numpy as np

from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.types import FloatArray, ImageRecord

SPACE = "toy/8d"
MANY = 300
"""More pictures than the candidates of a small query."""


def drawn(n: int, seed: int = 0) -> FloatArray:
    """``n`` unit vectors of 8 dimensions."""
    rows = np.random.default_rng(seed).normal(size=(n, 8))
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def path_of(n: int) -> str:
    """The file of the picture with the number ``n``."""
    return f"/{'even' if n % 2 == 0 else 'odd'}/{n}.png"


def fill(catalog: Catalog, vectors: FloatArray, start: int = 0) -> None:
    """Add pictures with these features, numbered from ``start``."""
    ids = [f"{n:016x}" for n in range(start, start + len(vectors))]
    records = [
        ImageRecord(id=id_, source=path_of(n), bytes=n, width=100 + n % 10, height=50, format="png")
        for n, id_ in enumerate(ids, start)
    ]
    stamps = [FileStamp(each.source, each.id, each.bytes, 1) for each in records]
    catalog.add(records, stamps, dict(zip(ids, vectors, strict=True)), SPACE)
