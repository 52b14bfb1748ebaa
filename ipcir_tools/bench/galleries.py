"""Galleries of any size without encoding: vectors like features, put into the catalog beside files that are there.

Each picture is a small JPEG with content of its own, so that ids, sizes and times in the catalog are those of the files
and an index run finds all unchanged. Dates, folders and captions are there to filter by. A gallery is made once for
each size and kept in the plan's folder while the benchmark runs.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.batches import chunked
from ipcir_tools.bench.pictures import small_jpegs
from ipcir_tools.bench.plan import MOST_FILES, Plan
from ipcir_tools.bench.process import fresh
from ipcir_tools.bench.timing import Say
from ipcir_tools.bench.vectors import ClusteredVectors
from ipcir_tools.bench.weights import encoder_folder, local_name
from ipcir_tools.types import FloatArray, ImageRecord

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.settings import Settings
    from ipcir_tools.store.catalog import FileStamp

CAPTIONER = "transformers:Salesforce/blip-image-captioning-base"
"""Under whose name captions are stored; it is never loaded."""
STEP = 2_000
"""Pictures committed at a time."""
FIRST_DAY = datetime(2005, 1, 1)
DAYS = 7_000
THINGS = ("dress", "coat", "chair", "lamp", "house", "boat", "dog", "cake", "bicycle", "street", "tree", "cup")
COLOURS = ("red", "blue", "green", "white", "black", "yellow", "grey", "brown", "pink", "orange")


@dataclass(frozen=True)
class MadeGallery:
    """A gallery in the plan's folder."""

    n: int
    folder: Path
    encoder: str

    @property
    def home(self) -> Path:
        """Catalog and index."""
        return self.folder / "home"

    @property
    def pictures(self) -> Path:
        """Its files, a thousand to a folder."""
        return self.folder / "pictures"

    @property
    def ready(self) -> Path:
        """Written when it is complete."""
        return self.folder / "ready"

    @property
    def settings(self) -> Settings:
        """The package's default settings for it, without verification."""
        from ipcir_tools.settings import Settings

        return Settings(home=self.home, encoder=self.encoder, captioner=CAPTIONER, verify="off")

    def open(self) -> Engine:
        """The engine over it."""
        from ipcir_tools.engine.engine import Engine

        return Engine.open(self.settings)


def gallery(plan: Plan, n: int, say: Say) -> MadeGallery:
    """The gallery of ``n`` pictures, made in a process of its own where it is not there yet, its index written."""
    weights = encoder_folder(plan.encoder, plan.folder / "weights", plan.seed)
    made = MadeGallery(n, plan.folder / f"gallery-{n}", local_name(weights))
    if not made.ready.is_file():
        fresh("galleries:make", say, plan=plan, n=n, encoder=made.encoder)
    return made


def make(plan: Plan, n: int, encoder: str, say: Say, suffix: str = "") -> None:
    """Make a gallery of ``n`` pictures by an encoder that is loaded only to know its space."""
    from ipcir_tools.models.loading import load_encoder

    made = MadeGallery(n, plan.folder / f"gallery-{n}{suffix}", encoder)
    made.folder.mkdir(parents=True, exist_ok=True)
    with made.open() as engine:
        loaded = load_encoder(encoder, settings=engine.settings)
        vectors = ClusteredVectors(n, loaded.dim, plan.seed)
        engine.components.note_models()
        done = 0
        for block in vectors.blocks(n):
            for rows in chunked(range(len(block)), STEP):
                _add(engine, made, range(done + rows[0], done + rows[-1] + 1), block[rows], loaded.space)
                say(f"gallery of {n:,}: {done + rows[-1] + 1:,}")
            done += len(block)
        say(f"gallery of {n:,}: writing the index")
        if n > MOST_FILES:
            engine.gallery.sync()
        else:
            report = engine.index([made.pictures])
            if report.unchanged != n:
                raise ValueError(f"an index run found {report.unchanged:,} of {n:,} files unchanged")
    made.ready.touch()


def _add(engine: Engine, made: MadeGallery, numbers: range, vectors: FloatArray, space: str) -> None:
    files = small_jpegs(made.pictures, numbers)
    if made.n <= MOST_FILES:
        for folder in {path.parent for path, _ in files}:
            folder.mkdir(parents=True, exist_ok=True)
        for path, content in files:
            path.write_bytes(content)
    ids = [hashlib.sha256(content).hexdigest()[:16] for _, content in files]
    records = [_record(id_, path, len(content), i) for id_, (path, content), i in zip(ids, files, numbers, strict=True)]
    stamps = [_stamp(id_, path, len(content)) for id_, (path, content) in zip(ids, files, strict=True)]
    engine.catalog.add(records, stamps, dict(zip(ids, vectors, strict=True)), space)
    captions = {
        id_: f"a {COLOURS[i % 10]} {THINGS[i // 10 % 12]} number {i}" for id_, i in zip(ids, numbers, strict=True)
    }
    engine.catalog.put_captions(captions, engine.components.captioner_id)


def _record(id_: str, path: Path, size: int, number: int) -> ImageRecord:
    taken = FIRST_DAY + timedelta(days=number * 7919 % DAYS, seconds=number % 86_400)
    return ImageRecord(
        id=id_,
        source=str(path),
        bytes=size,
        width=64,
        height=48,
        format="jpeg",
        taken=taken.isoformat(),
        camera="Bench Camera",
    )


def _stamp(id_: str, path: Path, size: int) -> FileStamp:
    from ipcir_tools.store.catalog import FileStamp

    if not path.exists():
        return FileStamp(str(path), id_, size, 0, 0)
    status = path.stat()
    return FileStamp(str(path), id_, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def filters() -> list[tuple[float, dict[str, Any]]]:
    """Filters by date that a hundredth, a tenth and a half of the pictures pass, with that share."""
    found = []
    for share in (0.01, 0.1, 0.5):
        until = FIRST_DAY + timedelta(days=DAYS * share)
        found.append((share, {"taken": {"$lt": until.date().isoformat()}}))
    return found


def modifications(n: int, first: int = 0) -> list[str]:
    """``n`` modifications that say different things; others for another ``first``."""
    return [
        f"in {COLOURS[i % 10]} with {COLOURS[i // 10 % 10]} {THINGS[i // 100 % 12]}s and {i} stripes"
        for i in range(first, first + n)
    ]


def new_modifications(n: int) -> list[str]:
    """The same, which no earlier run has searched for in a folder that is kept."""
    return modifications(n, 10**7 + time.time_ns() // 10**9 % 10**6 * 1_000)


def references(engine: Engine, n: int, seed: int) -> list[str]:
    """``n`` ids of the gallery's pictures, drawn with repetition."""
    ids = engine.catalog.sample_ids(2_000)
    return [ids[i] for i in np.random.default_rng(seed).integers(0, len(ids), n)]
