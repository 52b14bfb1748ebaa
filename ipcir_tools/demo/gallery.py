"""The wardrobe as files: drawn, put into an engine's gallery, and as a benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.demo.world import references, wardrobe
from ipcir_tools.demo.world.garments import Part
from ipcir_tools.demo.world.truth import violations_in
from ipcir_tools.demo.world.wardrobe import Drawn, Wardrobe
from ipcir_tools.evaluation.benchmarks import Benchmark, Query, SessionBenchmark
from ipcir_tools.evaluation.metrics.metrics import measures
from ipcir_tools.files import replaced
from ipcir_tools.images.files import located
from ipcir_tools.private import private_folder
from ipcir_tools.types import IndexReport

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


def index_drawn(
    engine: Engine, drawn: Sequence[Drawn], folder: Path, progress: Progress
) -> tuple[IndexReport, dict[str, str]]:
    """Draw into ``folder`` what is missing there and index it: the report, and the pictures' ids by file name.

    The models are loaded while the pictures are drawn, once the drawing processes have started.
    """
    with ThreadPoolExecutor(1) as pool:
        for chunk, done in enumerate(draw(list(drawn), folder)):
            progress("drawing", done, len(drawn))
            if chunk == 1:
                pool.submit(lambda: (engine.components.encoder, engine.components.captioner))
    report = engine.index([folder], progress)
    stamps = {Path(path): stamp for path, stamp in engine.catalog.stamps().items()}
    place = located(folder)
    return report, {path.name: stamp.image_id for path, stamp in stamps.items() if path.parent == place}


def draw(pictures: list[Drawn], folder: Path) -> Iterator[int]:
    """Draw the pictures that ``folder`` does not hold yet, as JPEG; yields how many it holds after each chunk."""
    private_folder(folder)
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
    folder: Path, split: Part = "test", families: int = wardrobe.FAMILIES, progress: Progress | None = None
) -> Benchmark:
    """A split of the wardrobe; the pictures that ``folder`` does not hold yet are drawn.

    6 queries and 30 pictures a family, one target a query.
    """
    notes = (f"{families} families, no garment of which was seen in training",)
    return _benchmark("wardrobe", wardrobe.wardrobe(split, families), folder, split, families, notes, progress)


def wardrobe_references_benchmark(
    folder: Path, split: Part = "test", families: int = references.FAMILIES, progress: Progress | None = None
) -> Benchmark:
    """A split of the wardrobe's queries of two references, with pictures of its own; drawn as the wardrobe's are.

    2 queries a family, one target a query: an attribute of the second reference on the first.
    """
    made = references.wardrobe_references(split, families)
    notes = ("the baseline is sum: the modification and both references, weighted by what is meant of each",)
    return _benchmark("wardrobe-references", made, folder, split, families, notes, progress)


def wardrobe_dialogues_benchmark(
    folder: Path, split: Part = "test", dialogues: int = 40, progress: Progress | None = None
) -> SessionBenchmark:
    """Dialogues of two to five rounds over a part of the wardrobe, drawn as the wardrobe is.

    The user looks for one picture, the target of the last round; each round asks for one more change.
    """
    made = wardrobe.wardrobe(split, 0, dialogues)
    sessions = {
        f"{i:04d}": tuple(
            Query(f"{i:04d}-{number}", each.reference, text, (each.turns[-1][1],))
            for number, (text, _) in enumerate(each.turns, 1)
        )
        for i, each in enumerate(made.dialogues)
    }
    made.queries.extend(replace(rounds[-1], id=id_) for id_, rounds in sessions.items())
    notes = ("the target of every round is that of the last one; each round asks for one more change",)
    plain = _benchmark("wardrobe-dialogues", made, folder, split, dialogues, notes, progress)
    return SessionBenchmark(**{each.name: getattr(plain, each.name) for each in fields(plain)}, sessions=sessions)


def _benchmark(
    name: str,
    made: Wardrobe,
    folder: Path,
    split: Part,
    families: int,
    notes: tuple[str, ...],
    progress: Progress | None,
) -> Benchmark:
    """Queries and pictures as a benchmark, the pictures drawn. (Seven parameters, called from two places.)"""
    pictures = folder / f"{name}-{split}-{families}"
    for done in draw(made.pictures, pictures):
        if progress:
            progress("drawing", done, len(made.pictures))
    names = tuple(picture.name for picture in made.pictures)
    several = any(query.others for query in made.queries)
    return Benchmark(
        name=f"{name} {split}",
        queries=tuple(made.queries),
        gallery=names,
        paths={name: name for name in names},
        keeps_reference=False,
        measures=measures("R", 1, 5, 10, 50),
        notes=(
            f"{len(made.queries):,} queries of the wardrobe's {split} part, drawn by the package",
            *notes,
            f"gallery: all {len(names):,} pictures, hard distractors of every query among them",
            "all references are left out of the ranking" if several else "the reference is left out of the ranking",
        ),
        folder=pictures,
        is_test=split == "test",
        violations=violations_in(made.pictures),
    )
