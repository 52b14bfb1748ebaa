"""Drawn pictures put into a gallery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.demo.world import wardrobe
from ipcir_tools.demo.world.garments import Part
from ipcir_tools.demo.world.wardrobe import Drawn
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import measures
from ipcir_tools.files import replaced
from ipcir_tools.images.files import located
from ipcir_tools.types import IndexReport

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


def stocked(
    engine: Engine, drawn: Sequence[Drawn], folder: Path, progress: Progress
) -> tuple[IndexReport, dict[str, str]]:
    """Draw into ``folder`` what it lacks and index it: what indexing did, and the pictures' ids by file name."""
    for done in draw(list(drawn), folder):
        progress("drawing", done, len(drawn))
    report = engine.index([folder], progress)
    stamps = {Path(path): stamp for path, stamp in engine.catalog.stamps().items()}
    place = located(folder)
    return report, {path.name: stamp.image_id for path, stamp in stamps.items() if path.parent == place}


def draw(pictures: list[Drawn], folder: Path) -> Iterator[int]:
    """Draw the pictures that ``folder`` does not hold yet, as JPEG; yields how many are there after each chunk."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [picture for picture in pictures if not (folder / picture.name).exists()]
    done = len(pictures) - len(missing)
    yield done
    if not missing:
        return
    chunks = [missing[i : i + 50] for i in range(0, len(missing), 50)]
    with ProcessPoolExecutor(2) as pool:
        for chunk, _ in zip(chunks, pool.map(_draw_chunk, chunks, [folder] * len(chunks)), strict=True):
            done += len(chunk)
            yield done


def _draw_chunk(chunk: list[Drawn], folder: Path) -> None:
    from ipcir_tools.demo.drawing.render import render

    for picture in chunk:
        with replaced(folder / picture.name) as file:
            render(picture.garment, picture.scene).save(file, "JPEG", quality=92, subsampling=0)


def wardrobe_benchmark(
    folder: Path, part: Part = "test", families: int = wardrobe.FAMILIES, progress: Progress | None = None
) -> Benchmark:
    """Draw what ``folder`` does not hold yet; 6 queries and 30 pictures a family, one target a query."""
    made = wardrobe.wardrobe(part, families)
    pictures = folder / f"wardrobe-{part}-{families}"
    for done in draw(made.pictures, pictures):
        if progress:
            progress("drawing", done, len(made.pictures))
    names = tuple(picture.name for picture in made.pictures)
    return Benchmark(
        name=f"wardrobe {part}",
        queries=tuple(
            Query(f"{number:04d}", query.reference, query.modification, (query.target,))
            for number, query in enumerate(made.queries)
        ),
        gallery=names,
        paths={name: name for name in names},
        keeps_reference=False,
        measures=measures("R", 1, 5, 10, 50),
        notes=(
            f"{len(made.queries):,} queries of the wardrobe's {part} part, drawn by the package: {families} families, "
            "no garment of which was seen in training",
            f"gallery: all {len(names):,} pictures, hard distractors of every query among them",
            "the reference is left out of the ranking",
        ),
        folder=pictures,
    )
