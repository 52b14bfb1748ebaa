"""``ipcir export``: the hits of a turn, copied, listed or drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ipcir_tools.cli.commands.show import turn_named
from ipcir_tools.cli.options import AsJson, GalleryOptions, gallery_for, print_result, with_options


@with_options
def export(
    turn: Annotated[str, typer.Argument(help="The turn, as a search printed it, or 'last'.")],
    to: Annotated[
        Path,
        typer.Option(help="A folder to copy the hits into, or a file.csv, .html or .json; nothing is overwritten."),
    ],
    options: GalleryOptions,
    as_json: AsJson = False,
) -> None:
    """Copy the hits of a turn into a folder, in their order; or list them in a file, or draw them on a page."""
    with gallery_for(options) as (engine, _):
        from ipcir_tools.cli.output import results
        from ipcir_tools.display.export.export import export_turn

        report = export_turn(turn_named(engine, turn), to, engine.settings)
    print_result(as_json, lambda: report.model_dump(mode="json"), lambda: results.show_export(report))
    raise typer.Exit(1 if report.skipped else 0)
