"""The pictures of a benchmark in the engine's catalog, and their features as one matrix in the gallery's order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ipcir_tools.batches import no_progress
from ipcir_tools.errors import IPCIRError
from ipcir_tools.evaluation.benchmarks import Benchmark, Query, crop_of
from ipcir_tools.files import replaced
from ipcir_tools.images import files as files_module
from ipcir_tools.images import reading
from ipcir_tools.images.pixels import WHOLE
from ipcir_tools.settings import Settings
from ipcir_tools.text import excerpt
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components
    from ipcir_tools.engine.engine import Engine


@dataclass(frozen=True)
class BenchmarkGallery:
    """The pictures of a benchmark that can be found, and their features.

    ``matrix`` is ``[gallery, d]`` float32 of unit norm; rows of unreadable pictures are zero.
    """

    ids: dict[str, str]
    """The catalog's ids by the benchmark's names."""
    files: dict[str, Path]
    """Where each picture is, cut out if it is a part of another picture."""
    unreadable: dict[str, str]
    """Why a picture has no feature, by name."""
    matrix: FloatArray
    broken: tuple[int, ...]
    """Rows of the matrix without a feature."""
    added: int
    """Pictures that were new to the catalog, and so were encoded."""
    seconds: dict[str, float] = field(default_factory=dict, kw_only=True)
    """How long it took to bring the pictures here, by the name of the work."""

    def scores(self, rows: FloatArray) -> FloatArray:
        """``rows`` ``[q, gallery]`` with what cannot be read behind everything else."""
        rows[:, list(self.broken)] = -np.inf
        return rows

    def problem(self, query: Query, benchmark: Benchmark) -> str | None:
        """Why a query cannot be scored; None where nothing is missing."""
        if query.is_blank:
            return "the modification is empty"
        for reference in query.references:
            if reference not in self.ids:
                return f"the reference cannot be used: {self._why(reference)}"
        among = benchmark.gallery if query.gallery is None else query.gallery
        for target in query.targets:
            if target not in self.ids or target not in among:
                return f"the target is not in the gallery: {self._why(target)}"
        return None

    def _why(self, name: str) -> str:
        return f"{excerpt(name)} {self.unreadable.get(name, 'is not among its pictures')}"


def load_gallery(engine: Engine, benchmark: Benchmark, progress: Progress = no_progress) -> BenchmarkGallery:
    """Bring every picture of the benchmark into the catalog. Of what is there already only the file is checked."""
    began = time.perf_counter()
    unreadable: dict[str, str] = {}
    files = {
        name: files_module.located_path(path)
        for name, path in _files(engine.settings, benchmark, progress, unreadable).items()
    }
    present = [path for path in files.values() if path.is_file()]
    report = engine.index(present, progress)
    held, skipped = engine.catalog.stamps(), {skip.source: skip.reason for skip in report.skipped}
    ids: dict[str, str] = {}
    for name, path in files.items():
        text = files_module.path_text(path)
        if name in unreadable:
            continue
        if text in held and text not in skipped and path.is_file():
            ids[name] = held[text].image_id
        else:
            unreadable[name] = f"cannot be read ({skipped.get(text, 'the file does not exist')})"
    matrix, broken = _matrix(engine.components, benchmark.gallery, ids)
    seconds = {"pictures": time.perf_counter() - began}
    return BenchmarkGallery(ids, files, unreadable, matrix, broken, report.added, seconds=seconds)


def catalog_gallery(components: Components) -> BenchmarkGallery:
    """Every image of the catalog's own gallery; the names are the catalog's ids."""
    ids, matrix = components.catalog.matrix(components.features.space)
    return BenchmarkGallery({id_: id_ for id_ in ids}, {}, {}, matrix, broken=(), added=0)


def _matrix(components: Components, gallery: Sequence[str], ids: dict[str, str]) -> tuple[FloatArray, tuple[int, ...]]:
    space = components.features.space
    found = components.catalog.features([ids[name] for name in gallery if name in ids], space)
    d = len(next(iter(found.values()))) if found else 0
    matrix = np.zeros((len(gallery), d), np.float32)
    for row, name in enumerate(gallery):
        if ids.get(name) in found:
            matrix[row] = found[ids[name]]
    return matrix, tuple(row for row, name in enumerate(gallery) if ids.get(name) not in found)


# --- pictures that are parts of others


def _files(settings: Settings, benchmark: Benchmark, progress: Progress, unreadable: dict[str, str]) -> dict[str, Path]:
    """The file of every picture; parts are cut out into the home folder first.

    ``unreadable`` gets those that are outside of their picture, with the reason.
    """
    files = {name: benchmark.file(name) for name in benchmark.paths}
    if not benchmark.boxes:
        return files
    folder = settings.home.expanduser().absolute() / "cut-whole"  # earlier versions cut reduced pictures, in "cut"
    folder.mkdir(parents=True, exist_ok=True)
    for done, name in enumerate(benchmark.boxes, start=1):
        part = folder / f"{name}.png"
        if part.exists() or _cut(settings, benchmark, name, part, unreadable):
            files[name] = part
        progress("cutting", done, len(benchmark.boxes))
    return files


def _cut(settings: Settings, benchmark: Benchmark, name: str, part: Path, unreadable: dict[str, str]) -> bool:
    """Cut one object out, padded with black to a square; False where its picture is unreadable or does not hold it."""
    try:
        whole = reading.load(benchmark.file(name), settings, side=WHOLE)  # the box counts the real pixels
    except IPCIRError:
        return False  # indexing names the same file with its reason
    edges = crop_of(benchmark.boxes[name], (whole.record.width, whole.record.height))
    if edges[0] >= edges[2] or edges[1] >= edges[3]:
        unreadable[name] = f"is outside of its picture, {whole.record.width} x {whole.record.height} pixels"
        return False
    left, top, right, bottom = map(round, edges)
    cut = whole.pixels.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    side = max(cut.size)
    square = Image.new("RGB", (side, side))
    square.paste(cut, ((side - cut.width) // 2, (side - cut.height) // 2))
    with replaced(part) as file:
        square.save(file, "PNG")
    return True
