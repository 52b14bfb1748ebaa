"""The wardrobe as a benchmark like any other: drawn into a folder, with its queries and rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.demo import benchmark as wardrobe
from ipcir_tools.demo.world import Part
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics import measures

if TYPE_CHECKING:
    from ipcir_tools.catalog import Progress


def wardrobe_benchmark(
    folder: Path, part: Part = "test", families: int = wardrobe.FAMILIES, progress: Progress | None = None
) -> Benchmark:
    """Draw what ``folder`` does not hold yet; 6 queries and 30 pictures a family, one target a query."""
    made = wardrobe.wardrobe(part, families)
    pictures = folder / f"wardrobe-{part}-{families}"
    for done in wardrobe.draw(made.pictures, pictures):
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
