"""What ``ipcir verify`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.console import out
from ipcir_tools.text import visible

if TYPE_CHECKING:
    from ipcir_tools.store.check_report import CheckReport

_SHOWN = 3
"""Examples that are printed of each finding."""


def show_check(report: CheckReport) -> None:
    """A check, a line for each kind of thing that is wrong."""
    looked = ", ".join(f"{n:,} {name}" for name, n in report.looked_at.items() if n)
    out.print(f"[bold]{escape(visible(report.place))}[/]: {looked or 'empty'}", soft_wrap=True)
    if report.findings:
        table = Table(box=None, padding=(0, 1), header_style="dim")
        table.add_column("wrong", justify="right", no_wrap=True)
        table.add_column("mended", justify="right", no_wrap=True)
        table.add_column("part", no_wrap=True)
        table.add_column("what", overflow="fold")
        table.add_column("such as", overflow="fold")
        for each in report.findings:
            examples = "\n".join(visible(text) for text in each.examples[:_SHOWN])
            left = each.count - each.mended
            what = Text(each.what)
            if left and each.way_out:
                what.append(f"\n{each.way_out}", style="dim")
            style = "yellow" if left else "green"
            mended = f"{each.mended:,}" if each.mended else ""
            table.add_row(Text(f"{each.count:,}", style=style), mended, each.part, what, Text(examples, style="dim"))
        out.print(table)
    for note in report.notes:
        out.print(f"[dim]{escape(visible(note))}[/]", soft_wrap=True)
    if not report.findings:
        out.print("[green]all is well[/]")
    elif not report.wrong:
        out.print("[green]all of it is mended[/]")
