"""How much memory an index run takes, by the number of pictures.

The encoder is a small one, so that tens of thousands of pictures are indexed in a minute: a network adds its own size,
whatever the number of pictures. So growth shows here that a network of a gigabyte would hide.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.bench.pictures import small_jpegs
from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.process import fresh
from ipcir_tools.bench.timing import Say, rounded
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image

SMALL = "python:ipcir_tools.bench.memory:SmallEncoder"
SIDE, DIM = 8, 512


class SmallEncoder(Encoder):
    """Projects pictures of 8x8: as many numbers a picture as ViT-B/32 gives, in no time."""

    def __init__(self) -> None:
        super().__init__(name=SMALL, space=f"{SMALL}/{DIM}d", dim=DIM)
        self._projection = np.random.default_rng(0).normal(size=(3 * SIDE * SIDE, DIM)).astype(np.float32)

    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        small = [np.asarray(image.resize((SIDE, SIDE)), np.float32).reshape(-1) + 1.0 for image in images]
        return np.asarray(np.stack(small) @ self._projection, np.float32)

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        return np.ones((len(texts), DIM), np.float32)


def measure(plan: Plan, say: Say) -> list[dict[str, Any]]:
    """One document for each number of pictures, each in a process of its own."""
    made = []
    for n in plan.memory_sizes:
        folder = plan.folder / "small"
        say(f"{n:,}: writing pictures")
        for start in range(0, n, 1_000):
            files = small_jpegs(folder, range(start, min(start + 1_000, n)))
            files[0][0].parent.mkdir(parents=True, exist_ok=True)
            for path, content in files:
                path.write_bytes(content)
        try:
            made.append(fresh("memory:measure_size", say, plan=plan, n=n))
        finally:
            shutil.rmtree(folder)
    return made


def measure_size(plan: Plan, n: int, say: Say) -> dict[str, Any]:
    """Megabytes: before, at most while pictures were encoded, at most until the index was written as well, and in the
    process that writes the index, where it is one of its own."""
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.settings import Settings

    encoding, said = 0.0, 0.0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal encoding, said
        if what == "indexing":
            encoding = peak_mb()
        if time.monotonic() > said + 2:
            said = time.monotonic()
            say(f"{n:,}: {what} {done:,} of {total:,}")

    home = plan.folder / f"memory-{n}"
    try:
        with Engine.open(Settings(home=home, encoder=SMALL)) as engine:
            SmallEncoder().embed_texts(["a"])
            before, began = peak_mb(), time.perf_counter()
            report = engine.index([plan.folder / "small"], progress)
            took = time.perf_counter() - began
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return {
        "n": n,
        "added": report.added,
        "before_mb": rounded(before),
        "encoding_peak_mb": rounded(encoding, 4),
        "peak_mb": rounded(peak_mb(), 4),
        "index_writer_mb": rounded(peak_mb(children=True), 4),
        "images_per_s": rounded(n / took),
    }


def peak_mb(*, children: bool = False) -> float:
    """The most memory that this process had so far, or the largest of those that it started and that have ended, in
    megabytes."""
    import resource

    most = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)
