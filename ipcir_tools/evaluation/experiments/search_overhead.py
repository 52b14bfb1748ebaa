"""What a search costs beside its models: its time, its SQL statements, and where the time goes.

Run it by ``python -m ipcir_tools.evaluation.experiments.search_overhead``.

The gallery's features are drawn, its files are not there unless ``--files`` makes them, and stand-ins take the place of
encoder and captioner, and the rules that of a language model: the time within them is taken off, and what is left is
the package's own.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import pstats
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sqlalchemy import event

from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.models.captioner import BatchCaptioner
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.loading import load_encoder
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.features import text_key
from ipcir_tools.types import FloatArray, ImageRecord, SearchResult

MODULE = "ipcir_tools.evaluation.experiments.search_overhead"
DIM, CENTRES, SPREAD = 512, 200, 0.6
BLOCK = 5_000
"""Pictures stored at a time."""
COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "grey", "pink", "purple")
GARMENTS = ("dress", "shirt", "coat", "skirt", "jacket", "sweater", "scarf", "hat", "blouse", "cardigan")
PLACES = ("on a street", "on a beach", "in a room", "in a garden", "at a window", "in a shop", "on a chair")


class DrawnEncoder(Encoder):
    """A direction for each text, drawn from it; ``seconds`` is the time within."""

    name = f"python:{MODULE}:drawn_encoder"

    def __init__(self) -> None:
        super().__init__(name=self.name, space=f"{self.name}/{DIM}d-00000000", dim=DIM)
        self.seconds = 0.0
        self.batches = 0

    def _image_batch(self, images: Sequence[object]) -> FloatArray:
        raise ModelUnavailableError("the encoder of this measurement knows the gallery's pictures alone")

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        began = time.perf_counter()
        seeds = (int.from_bytes(text_key(text)[-8:].encode(), "big") for text in texts)
        made = np.stack([np.random.default_rng(seed).standard_normal(DIM, np.float32) for seed in seeds])
        self.seconds += time.perf_counter() - began
        self.batches += 1
        return made


class NoCaptioner(BatchCaptioner):
    """Captions are in the catalog; this one makes none."""

    name = f"python:{MODULE}:no_captioner"

    def __init__(self) -> None:
        super().__init__(id=self.name)

    def _caption_batch(self, images: Sequence[object], n: int) -> list[list[str]]:
        raise ModelUnavailableError("the captioner of this measurement makes no captions")


def drawn_encoder() -> DrawnEncoder:
    """The encoder by its name."""
    return DrawnEncoder()


def no_captioner() -> NoCaptioner:
    """The captioner by its name."""
    return NoCaptioner()


def settings_of(home: Path, **chosen: object) -> Settings:
    """Settings of a drawn gallery."""
    return Settings.model_validate(
        {"home": home, "encoder": DrawnEncoder.name, "captioner": NoCaptioner.name, "verify": "off", **chosen}
    )


def make_gallery(
    home: Path, n: int, *, captions: bool = True, files: bool = False, space: str | None = None, seed: int = 0
) -> None:
    """Put ``n`` drawn pictures straight into a catalog, as a run of indexing would have."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(CENTRES, DIM)))
    folders = [home / "pictures" / f"{year}" / f"{month:02}" for year in range(2015, 2025) for month in range(1, 13)]
    for folder in folders if files else ():
        folder.mkdir(parents=True, exist_ok=True)
    with Catalog.open(home) as catalog:
        for start in range(0, n, BLOCK):
            places = range(start, min(n, start + BLOCK))
            ids = [f"{int(rng.integers(2**63)):016x}" for _ in places]
            paths = [folders[i % len(folders)] / f"IMG_{i:06}.jpg" for i in places]
            for path in paths if files else ():
                path.touch()
            noise = rng.normal(size=(len(ids), DIM)) * SPREAD / np.sqrt(DIM)
            vectors = unit(centres[rng.integers(CENTRES, size=len(ids))] + noise)
            catalog.add(
                [_record(*each) for each in zip(ids, paths, places, strict=True)],
                [FileStamp(str(path), id_, 100_000, 0, 0) for id_, path in zip(ids, paths, strict=True)],
                dict(zip(ids, vectors, strict=True)),
                space or DrawnEncoder().space,
            )
            if captions:
                catalog.put_captions(dict(zip(ids, map(caption_of, places), strict=True)), NoCaptioner.name)


def _record(id_: str, path: Path, place: int) -> ImageRecord:
    taken = f"{path.parent.parent.name}-{path.parent.name}-{1 + place % 28:02}T12:00:00"
    return ImageRecord(
        id=id_,
        source=str(path),
        bytes=100_000,
        width=1024 if place % 3 else 768,
        height=768,
        format="jpeg" if place % 10 else "png",
        taken=taken,
    )


def caption_of(place: int) -> str:
    """A caption; some are there many times."""
    colour, garment, where = (
        words[place // step % len(words)] for words, step in ((COLOURS, 1), (GARMENTS, 10), (PLACES, 100))
    )
    return f"a {colour} {garment} {where}"


def unit(rows: np.ndarray) -> FloatArray:
    """Rows of unit norm."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@contextmanager
def statements(catalog: Catalog) -> Iterator[list[str]]:
    """The SQL statements that are sent within the block, by any thread; BEGIN and COMMIT are none."""
    sent: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    event.listen(catalog._engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(catalog._engine, "before_cursor_execute", note)


Run = Callable[[], SearchResult]


def cases(engine: Engine, ids: Sequence[str]) -> dict[str, Callable[[int], Run]]:
    """The searches that are measured: by name, the i-th of each; another i has other texts."""
    first = engine.search(ids[0], "in blue, with long sleeves").turn.id
    where = {"format": "png"}

    def of(i: int) -> str:
        return ids[i % len(ids)]

    return {
        "find": lambda i: lambda: engine.find(f"a {COLOURS[i % 10]} {GARMENTS[i // 10 % 10]} number {i}"),
        "search": lambda i: lambda: engine.search(of(i), f"in {COLOURS[i % 10]}, with {i} long sleeves"),
        "refine": lambda i: lambda: engine.refine(first, f"and with {i} buttons"),
        "search, filter": lambda i: lambda: engine.search(of(i), f"in {COLOURS[i % 10]} at {i}", where=where),
        "find, k=100": lambda i: lambda: engine.find(f"{i} of a {COLOURS[i % 10]} {GARMENTS[i // 10 % 10]}", k=100),
    }


def measure(engine: Engine, encoder: DrawnEncoder, make: Callable[[int], Run], runs: int) -> dict[str, float]:
    """Medians and 95th percentiles in ms, without encoder and imagination; and SQL statements of one search."""
    figures: dict[str, float] = {}
    make(10_000)()
    for name, offset in (("new texts", 0), ("stored texts", 0)):
        took = []
        for i in range(offset, offset + runs):
            search, inside, began = make(i), encoder.seconds, time.perf_counter()
            imagining = search().timings.get("imagine", 0.0)
            took.append(time.perf_counter() - began - (encoder.seconds - inside) - imagining)
        figures[name], figures[f"{name} p95"] = (1000 * float(np.quantile(took, q)) for q in (0.5, 0.95))
    for name, i in (("SQL, new", 20_000), ("SQL, stored", 20_000)):
        with statements(engine.catalog) as sent:
            make(i)()
        figures[name] = len(sent)
    return figures


def throughput(engine: Engine, callers: int, searches: int) -> float:
    """Searches by words a second, of texts that were never encoded, by so many callers at a time."""
    run = next(_RUNS)

    def call(caller: int) -> None:
        for i in range(searches):
            engine.find(f"a {COLOURS[i % 10]} {GARMENTS[caller % 10]} with {i} buttons, {run} of {caller}")

    with ThreadPoolExecutor(callers) as pool:
        began = time.perf_counter()
        list(pool.map(call, range(callers)))
        return callers * searches / (time.perf_counter() - began)


_RUNS = count(1)


def profile(make: Callable[[int], Run], runs: int, lines: int) -> str:
    """Where the time goes, by the time within each function and what it calls."""
    profiler = cProfile.Profile()
    for i in range(runs):
        search = make(i)
        profiler.enable()
        search()
        profiler.disable()
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("cumulative").print_stats(lines)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of the searches, and with --profile where the time of one of them goes."""
    parser = argparse.ArgumentParser(
        prog="python -m ipcir_tools.evaluation.experiments.search_overhead", description=main.__doc__
    )
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--no-captions", action="store_true")
    parser.add_argument("--files", action="store_true", help="make the pictures' files, empty")
    parser.add_argument("--home", type=Path, help="where the gallery is kept, and taken from where it is there")
    parser.add_argument("--encoder", default=DrawnEncoder.name, help="of 512 numbers, for --callers")
    parser.add_argument("--callers", type=int, help="measure one caller and so many at a time instead")
    parser.add_argument("--profile", metavar="SEARCH", help="find, search, refine ...")
    parser.add_argument("--sql", metavar="SEARCH", help="print the statements of one search")
    parser.add_argument("--lines", type=int, default=60)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        home = chosen.home or Path(folder)
        if not (home / "catalog.sqlite").exists():
            space = load_encoder(chosen.encoder).space
            make_gallery(home, chosen.pictures, captions=not chosen.no_captions, files=chosen.files, space=space)
        with Engine.open(settings_of(home, encoder=chosen.encoder)) as engine:
            engine.gallery.sync()  # as a run of indexing ends
            if chosen.callers:
                _print_throughput(engine, chosen.callers, chosen.runs)
            else:
                _print(engine, chosen)


def _print_throughput(engine: Engine, callers: int, runs: int) -> None:
    throughput(engine, 1, 5)
    for _ in range(2):
        one, many = throughput(engine, 1, runs), throughput(engine, callers, max(1, runs // 4))
        Console().print(f"1 caller {one:.1f} searches/s, {callers} callers {many:.1f}/s: {many / one:.1f} times")


def _print(engine: Engine, chosen: argparse.Namespace) -> None:
    encoder, ids = engine.components.encoder, engine.catalog.sample_ids(200)
    assert isinstance(encoder, DrawnEncoder)
    named = cases(engine, ids)
    if name := chosen.sql:
        named[name](9_999)()
        with statements(engine.catalog) as sent:
            named[name](9_998)()
        for number, statement in zip(count(1), sent, strict=False):
            Console(soft_wrap=True).print(number, " ".join(statement.split())[:300])
        return
    if name := chosen.profile:
        named[name](9_999)()
        Console(soft_wrap=True).print(profile(named[name], chosen.runs, chosen.lines))
        return
    figures = {name: measure(engine, encoder, make, chosen.runs) for name, make in named.items()}
    table = Table("ms", *next(iter(figures.values())))
    for name, found in figures.items():
        table.add_row(name, *(f"{value:.0f}" if "SQL" in what else f"{value:.2f}" for what, value in found.items()))
    Console(width=120).print(table)


if __name__ == "__main__":  # by its own name, under which the stand-ins are loaded
    import_module(MODULE).main()
