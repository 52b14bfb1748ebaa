"""``ipcir watch``: keep the gallery in step with folders."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ipcir_tools.cli.commands.collection import Captions, Exclude
from ipcir_tools.cli.options import ManyRequestsOptions, with_options

if TYPE_CHECKING:
    from ipcir_tools.engine.watching import WatchBatch, WatchOptions
    from ipcir_tools.settings import Settings


@with_options
def watch(
    folders: Annotated[list[Path], typer.Argument(help="Folders to watch.", metavar="FOLDER...")],
    options: ManyRequestsOptions,
    exclude: Exclude = None,
    captions: Captions = None,
    poll: Annotated[
        bool, typer.Option("--poll", help="Look at all files every few seconds, for network drives.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each batch.")] = False,
) -> None:
    """Index folders, then keep the gallery in step with them until Ctrl-C. A vanished folder is waited for."""
    from ipcir_tools.engine.watching import WatchOptions

    totals: Counter[str] = Counter()
    signal.signal(signal.SIGTERM, _interrupt)  # a service manager ends it as Ctrl-C does
    with suppress(KeyboardInterrupt):
        _watch(folders, options.settings(), WatchOptions(captions, exclude or (), poll), totals, as_json)
    _show_end(totals, as_json)


def _watch(folders: list[Path], settings: Settings, options: WatchOptions, totals: Counter[str], as_json: bool) -> None:
    from ipcir_tools.cli.output.collection import show_watching
    from ipcir_tools.cli.output.console import progress_bars
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.engine.watching import watch as batches_of

    with Engine.open(settings) as engine:
        with progress_bars() as progress:
            batches = batches_of(engine, folders, options, progress=progress)
            first = next(batches)
        _tell(first, totals, as_json)
        if not as_json:
            show_watching(len(folders))
        for batch in batches:
            _tell(batch, totals, as_json)


def _tell(batch: WatchBatch, totals: Counter[str], as_json: bool) -> None:
    from ipcir_tools.cli.output.collection import show_batch

    totals["batches"] += 1
    if batch.report is not None:
        totals.update({name: getattr(batch.report, name) for name in ("added", "moved", "removed")})
    if as_json:
        _print_line(batch.model_dump(mode="json"))
    else:
        show_batch(batch)


def _show_end(totals: Counter[str], as_json: bool) -> None:
    from ipcir_tools.cli.output.collection import show_watched

    if as_json:
        _print_line({"ended": {name: totals[name] for name in ("batches", "added", "moved", "removed")}})
    else:
        show_watched(totals)


def _print_line(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
