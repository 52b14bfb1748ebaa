"""Index runs, removals and the folders of the gallery in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.console import out
from ipcir_tools.cli.output.skips import show_skips
from ipcir_tools.display.sentences import without_pictures
from ipcir_tools.text import visible, visible_line

if TYPE_CHECKING:
    from ipcir_tools.engine.watching import WatchBatch
    from ipcir_tools.types import CaptionReport, IndexedFolder, IndexReport, RemovalReport

_MOST_FOLDERS = 50
_MOST_KEPT_OUT = 5


def ask(question: str) -> bool:
    """Whether a person at a terminal says yes; Enter is no."""
    return typer.confirm(visible_line(question), default=False, err=True)


def show_index(report: IndexReport) -> None:
    """The counts of an index run, and every file without a feature or a caption with its reason."""
    counts = ((name, getattr(report, name)) for name in ("added", "unchanged", "moved", "removed"))
    summary = ", ".join(f"{n:,} {name}" for name, n in counts if n) or "nothing to do"
    out.print(f"[bold]{_pictures(report.seen)} seen[/]: {summary} in {report.seconds:.1f} s")
    if nothing := without_pictures(report):
        out.print(f"[yellow]{nothing}[/]")
    _show_missing(report)
    show_skips(report.skipped, "skipped")
    if report.mended:
        out.print(f"[bold]{_pictures(report.mended)}[/] whose feature in the catalog was damaged encoded again")
    if report.damaged:
        out.print(
            f"[yellow]{report.damaged:,} damaged[/]: they lack their last bytes (IPCIR_DAMAGED=refuse skips such)"
        )
    _show_passed_over(report)
    if report.captions is not None:
        _show_captions(report.captions)


def _show_captions(report: CaptionReport) -> None:
    rate = f", {report.made / report.seconds:,.1f} a second" if report.made and report.seconds else ""
    spent = "".join(f", {n:,} {what.replace('_', ' ')}" for what, n in report.spent.items())
    out.print(f"[bold]{_counted(report.made, 'caption')} made[/]{rate}{spent}, {report.known:,} known before")
    show_skips(report.skipped, "without a caption")


def _show_missing(report: IndexReport) -> None:
    for each in report.missing:
        what = "has no picture in it now" if each.empty else "is gone"
        stay, them = ("stays", "it") if each.pictures == 1 else ("stay", "them")
        kept = f": its {_pictures(each.pictures)} {stay}; `ipcir remove` forgets {them}"
        _line(f"{each.path} {what}", "yellow", kept)


def _show_passed_over(report: IndexReport) -> None:
    """What was not looked at, in one line each."""
    _show_counts("left out by patterns", report.excluded_files, report.excluded_folders)
    _show_counts("hidden, passed over", report.hidden_files, report.hidden_folders)
    if report.linked_folders:
        _line("linked folders passed over", "dim", f": {report.linked_folders:,}")
    if report.unknown_files:
        suffixes = ", ".join(f"{n:,} {suffix or 'without one'}" for suffix, n in report.unknown_suffixes.items())
        more = report.unknown_files - sum(report.unknown_suffixes.values())
        _line("other suffixes", "dim", f": {suffixes}{f', {more:,} more' if more else ''}")


def _show_counts(what: str, files: int, folders: int) -> None:
    if files or folders:
        counts = ((files, "file"), (folders, "folder"))
        _line(what, "dim", f": {', '.join(_counted(n, name) for n, name in counts if n)}")


def show_removal(report: RemovalReport) -> None:
    """What left the gallery, and what is kept out from now on."""
    out.print(f"[bold]{_pictures(report.pictures)} removed[/] from the gallery, {_counted(report.files, 'file')}")
    for each in report.kept_out[:_MOST_KEPT_OUT]:
        _line(each.path, "bold", f" is still there: {each.folder} leaves it out from now on, by the pattern")
        _line(f"  {each.pattern}", "dim", "; indexing it by its own name brings it back")
    if len(report.kept_out) > _MOST_KEPT_OUT:
        out.print(f"  and {len(report.kept_out) - _MOST_KEPT_OUT:,} more: --json lists them all")


def show_folders(listed: Sequence[IndexedFolder], size: int) -> None:
    """What the gallery was made from, a line each."""
    out.print(f"[bold]{_pictures(size)}[/] in the gallery")
    if not listed:
        return
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("pictures", "files"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("last indexed", no_wrap=True)
    table.add_column("folder", overflow="fold")
    table.add_column("left out", overflow="fold")
    for each in listed[:_MOST_FOLDERS]:
        path = Text(visible(each.path))
        if each.gone:
            path.append("  gone", style="yellow")
        when = (each.seen or "").replace("T", " ")[:16] or "before folders were kept"
        excluded = Text(visible(" ".join(each.exclude)), style="dim")
        table.add_row(f"{each.pictures:,}", f"{each.files:,}", when, path, excluded)
    out.print(table)
    if len(listed) > _MOST_FOLDERS:
        out.print(f"  and {len(listed) - _MOST_FOLDERS:,} more: --json lists them all")


def _pictures(n: int) -> str:
    return _counted(n, "picture")


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _line(subject: str, style: str, rest: str) -> None:
    out.print(f"[{style}]{escape(visible(subject))}[/]{escape(visible(rest))}", soft_wrap=True)


def show_watching(folders: int) -> None:
    """That the first run is over and changes are waited for."""
    out.print(f"[dim]watching {folders:,} folder{'' if folders == 1 else 's'}; Ctrl-C ends it[/]")


def show_batch(batch: WatchBatch) -> None:
    """One index run of a watcher."""
    if batch.report is not None:
        show_index(batch.report)
    for path in batch.waiting_for:
        _line(path, "yellow", " is gone: its pictures stay, unless `ipcir remove` forgets them; waiting for it")


def show_watched(totals: Mapping[str, int]) -> None:
    """What a watcher did in all."""
    done = ", ".join(f"{totals[name]:,} {name}" for name in ("added", "moved", "removed") if totals[name])
    out.print(f"[bold]watched[/]: {totals['batches']:,} index runs with news, {done or 'nothing changed'}")
