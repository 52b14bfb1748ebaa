"""Files that something could not be done with, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.console import out
from ipcir_tools.text import visible

if TYPE_CHECKING:
    from ipcir_tools.types import Skip

MOST_SKIPS = 20
"""Files that are shown."""


def show_skips(skipped: Sequence[Skip], what: str) -> None:
    """The first of the files, each with its reason, and how many there are; nothing where there are none."""
    if not skipped:
        return
    out.print(f"[yellow]{len(skipped):,} {what}:[/]")
    table = Table(box=None, padding=(0, 2), show_header=False)
    for skip in skipped[:MOST_SKIPS]:
        table.add_row(Text(visible(skip.source), overflow="fold"), Text(visible(skip.reason)))
    out.print(table)
    if len(skipped) > MOST_SKIPS:
        out.print(f"  and {len(skipped) - MOST_SKIPS:,} more: --json lists them all")
