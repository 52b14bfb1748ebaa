"""A gallery that changes: three new pictures, nothing new, opening it again; by the gallery's size."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.bench.galleries import MadeGallery, gallery, modifications, references
from ipcir_tools.bench.pictures import PHOTO, draw_pictures, with_comment
from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.process import fresh
from ipcir_tools.bench.query import K, settle
from ipcir_tools.bench.timing import Say, p50, rounded, seconds
from ipcir_tools.types import Probe

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine

NEW = 3
"""Pictures that are added."""


def measure(plan: Plan, say: Say) -> list[dict[str, Any]]:
    """One document for each size; galleries are opened in turns, each time in a process of its own."""
    sizes = plan.update_sizes
    for n in sizes:
        gallery(plan, n, say)
    opened: dict[int, list[dict[str, float]]] = {n: [] for n in sizes}
    for number in range(plan.rounds):
        for n in sizes:
            say(f"round {number + 1} of {plan.rounds}: opening {n:,}")
            opened[n].append(fresh("updates:measure_opening", say, plan=plan, n=n))
    return [
        {
            "n": n,
            **fresh("updates:measure_adding", say, plan=plan, n=n),
            **{name: rounded(p50([each[name] for each in opened[n]])) for name in opened[n][0]},
        }
        for n in sizes
    ]


def measure_opening(plan: Plan, n: int, say: Say) -> dict[str, float]:
    """Seconds to open a gallery, and then to its first ten pictures; all is imported before."""
    import chromadb  # noqa: F401 - so that its import is not counted
    import numpy as np

    from ipcir_tools.engine.engine import Engine

    settings = gallery(plan, n, say).settings
    vector = np.full(_dim(settings.home), 1.0, np.float32)
    probe = Probe(vector / np.linalg.norm(vector))
    began = time.perf_counter()
    with Engine.open(settings) as engine:
        opened = time.perf_counter()
        engine.gallery.nearest(probe, K)
        found = time.perf_counter()
    return {"open_s": opened - began, "open_and_find_s": found - began}


def _dim(home: Path) -> int:
    from ipcir_tools.store.catalog import Catalog

    with Catalog.open(home) as catalog:
        ids = catalog.sample_ids(1)
        return len(catalog.features(ids, catalog.space() or "")[ids[0]])


def measure_adding(plan: Plan, n: int, say: Say) -> dict[str, float]:
    """Seconds of an index run over a folder of three new pictures, and over all files with nothing and three new.

    The models are loaded before. The search after the three shows what was left for it to do.
    """
    made = gallery(plan, n, say)
    photos = [path.read_bytes() for path in draw_pictures(plan.folder / "photos", NEW, PHOTO, plan.seed)]
    beside, within = made.folder / "beside", made.pictures / "new"
    with made.open() as engine:
        engine.components.encoder.embed_texts(["a"])
        settle(engine)
        search = _searches(engine)
        search()
        times: dict[str, list[float]] = {}
        try:
            for number in range(plan.rounds):
                say(f"{n:,}: round {number + 1} of {plan.rounds}")
                _add(photos, beside / str(number))
                _keep(times, "add_3_s", lambda: engine.index([beside / str(number)]))  # noqa: B023 - called here
                _keep(times, "search_after_s", search)
                _keep(times, "resync_s", lambda: engine.index([made.pictures]))
                _add(photos, within / str(number))
                _keep(times, "add_3_and_resync_s", lambda: engine.index([made.pictures]))
        finally:
            _restore(engine, made, beside, within)
    return {name: rounded(p50(values)) for name, values in times.items()}


def _searches(engine: Engine) -> Callable[[], object]:
    """A search whose words are new each time it is called."""
    reference, words = references(engine, 1, 4)[0], iter(modifications(10_000, 3 * 10**6))
    return lambda: engine.search(reference, next(words), k=K)


def _add(photos: list[bytes], folder: Path) -> None:
    """Write pictures that no run has seen before."""
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was ended
    folder.mkdir(parents=True)
    for i, photo in enumerate(photos):
        (folder / f"{i}.jpg").write_bytes(with_comment(photo, f"{time.time_ns()} {i}"))


def _keep(times: dict[str, list[float]], name: str, work: Callable[[], object]) -> None:
    times.setdefault(name, []).append(seconds(work))


def _restore(engine: Engine, made: MadeGallery, *folders: Path) -> None:
    """Take the new pictures out again, for the measurements that follow."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    known = [folder for folder in engine.catalog.folders() if folder.startswith(str(folders[0]))]
    engine.remove(known) if known else None
    engine.index([made.pictures])
