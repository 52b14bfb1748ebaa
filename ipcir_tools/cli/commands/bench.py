"""``ipcir bench``: what this machine does, each figure beside its peer and its limit."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from ipcir_tools.cli.options import AsJson, print_result, with_options


@with_options
def bench(
    only: Annotated[
        str | None,
        typer.Option(
            help="Parts with commas between: encode, agreement, index, query, concurrency, update, memory, start, "
            "verify (default: all)."
        ),
    ] = None,
    pictures: Annotated[int, typer.Option(min=4, help="JPEGs of 1024x768 that are indexed.")] = 256,
    sizes: Annotated[
        str | None, typer.Option(help="Sizes of the galleries that are searched (default: 10000,100000).")
    ] = None,
    large: Annotated[bool, typer.Option("--large", help="Search a gallery of 1,000,000 pictures, too.")] = False,
    queries: Annotated[int, typer.Option(min=10, help="Searches of each kind at each size.")] = 150,
    rounds: Annotated[int, typer.Option(min=1, help="How often rates are measured; the median counts.")] = 3,
    encoder: Annotated[
        str, typer.Option(help="open_clip:MODEL/random, such as ViT-L-14, or open_clip:local-dir:PATH.")
    ] = "open_clip:ViT-B-32/random",
    keep: Annotated[
        Path | None,
        typer.Option(help="Folder in which weights, pictures and galleries stay for the next run (default: none do)."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot into this PNG file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure indexing, searching and updating on this machine, beside other ways to do the same.

    Models have their true size and random weights: nothing is downloaded, and no picture of yours is read. All figures
    of one run are of one state of the machine; close other programs before it.
    """
    from ipcir_tools.bench.plan import Plan, parts_named, sizes_of
    from ipcir_tools.bench.plot import draw_plot
    from ipcir_tools.bench.report import run, warnings
    from ipcir_tools.bench.weights import check_encoder
    from ipcir_tools.cli.output import bench as output
    from ipcir_tools.files import check_outputs

    parts, chosen = parts_named(only), sizes_of(sizes, large=large)
    check_encoder(encoder)
    check_outputs(plot)
    with _folder(keep) as folder:
        plan = Plan(
            folder=folder,
            parts=parts,
            encoder=encoder,
            pictures=pictures,
            sizes=chosen,
            queries=queries,
            rounds=rounds,
        )
        output.show_plan(plan)
        with output.saying() as say:
            document = run(plan, say)
    if plot is not None:
        draw_plot(document, plot)
    print_result(as_json, lambda: document, lambda: output.show(document))
    if as_json:
        output.show_warnings(warnings(document))
    if document["failures"]:
        raise typer.Exit(1)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Where everything is made: the folder to keep, or a temporary one that is removed whatever ends the run."""
    from ipcir_tools.files import made_folder

    before = signal.signal(signal.SIGTERM, _leave)
    try:
        if keep is not None:
            yield made_folder(keep, "name another folder with --keep").absolute()
            return
        with tempfile.TemporaryDirectory(prefix="ipcir-bench-") as folder:
            yield Path(folder).resolve()
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, frame: FrameType | None) -> None:
    """End as by Ctrl-C, so that folders and processes are cleaned up."""
    sys.exit(128 + number)
