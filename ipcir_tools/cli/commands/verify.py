"""``ipcir verify``: the catalog, its features, the index and the files, checked."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ipcir_tools.cli.options import AsJson, GalleryOptions, print_result, require_gallery, with_options

WRONG = 1
"""The exit status where something is wrong still."""


@with_options
def verify(
    options: GalleryOptions,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Mend what is wrong: from what is stored, or again from the pictures' files."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the gallery from its catalog to its files; the exit status is 1 where something is wrong."""
    from ipcir_tools.cli.output.checks import show_check
    from ipcir_tools.cli.output.console import progress_bars
    from ipcir_tools.engine.upkeep import check_gallery

    settings = options.settings()
    require_gallery(settings)
    with progress_bars() as progress:
        report = check_gallery(settings, progress, repair=repair)
    print_result(as_json, lambda: report.model_dump(mode="json") | {"wrong": report.wrong}, lambda: show_check(report))
    if report.wrong:
        sys.exit(WRONG)
