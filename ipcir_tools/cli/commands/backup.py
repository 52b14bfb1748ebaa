"""``ipcir backup | restore``: the catalog in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli.options import AsJson, GalleryOptions, print_result, with_options

if TYPE_CHECKING:
    from ipcir_tools.store.backups import Backup

Replace = Annotated[bool, typer.Option("--replace", help="Replace what is there.")]


@with_options
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE")],
    options: GalleryOptions,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Copy the catalog into one file while it is in use: pictures' records, features, captions, replies and turns."""
    from ipcir_tools.store.backups import back_up

    made = back_up(options.settings(), file, replace=replace)
    print_result(as_json, lambda: made.model_dump(mode="json"), lambda: _show(made, "backed up to"))


@with_options
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `ipcir backup` made.", metavar="FILE")],
    options: GalleryOptions,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup into the home folder. A catalog that is there is replaced with --replace alone, and kept."""
    from ipcir_tools.store import backups

    made = backups.restore(options.settings(), file, replace=replace)
    print_result(as_json, lambda: made.model_dump(mode="json"), lambda: _show(made, "restored from"))


def _show(made: Backup, what: str) -> None:
    from rich.markup import escape

    from ipcir_tools.cli.output.console import out
    from ipcir_tools.text import byte_size, visible

    size = f"{made.pictures:,} pictures, {made.turns:,} turns, {byte_size(made.bytes)}"
    out.print(f"{what} [bold]{escape(visible(made.file))}[/]: {size}", soft_wrap=True)
    if made.kept:
        out.print(f"the catalog before is kept as {escape(visible(made.kept))}", soft_wrap=True)
