"""The terminal: progress bars with rates, notes, one line for an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from click import get_current_context
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from ipcir_tools.models.download_report import Download, report_with
from ipcir_tools.text import byte_size, visible, visible_line

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress


out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class _Amount(MofNCompleteColumn):
    """How many of how many; bytes as megabytes."""

    def render(self, task: Task) -> Text:
        if not task.fields.get("bytes"):
            return super().render(task)
        return Text(f"{byte_size(int(task.completed))}/{byte_size(int(task.total or 0))}", style="progress.download")


class _Rate(ProgressColumn):
    """Items per second, or bytes of a download, and the time left."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        rate = byte_size(int(speed)) if task.fields.get("bytes") else f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"
        left = "" if task.finished else f", {timedelta(seconds=int(task.time_remaining or 0))} left"
        return Text(f"{rate}/s{left}", style="dim")


_RUNNING: list[Bars] = []
"""The bars on the screen, which a download joins."""


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Progress bars on standard error, one for each kind of work, removed when it ends."""
    with _bars(err.is_terminal and not _is_for_programs()) as bars:
        tasks: dict[str, int] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield progress


def _is_for_programs() -> bool:
    """Whether the command that runs was called with ``--json``."""
    context = get_current_context(silent=True)
    return context is not None and bool(context.params.get("as_json"))


@contextmanager
def _bars(shown: bool) -> Iterator[Bars]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(),
        _Amount(),
        _Rate(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=err, transient=True, disable=not shown) as bars:
        _RUNNING.append(bars)
        try:
            yield bars
        finally:
            _RUNNING.remove(bars)


def report_downloads(bars: bool = True) -> AbstractContextManager[None]:
    """While the block runs: one line on standard error for each download, and a bar where that is a terminal."""

    @contextmanager
    def report(download: Download) -> Iterator[Callable[[int], None]]:
        err.print(Text(visible_line(str(download))), style="dim", soft_wrap=True)
        with nullcontext(_RUNNING[-1]) if _RUNNING else _bars(bars and err.is_terminal) as shown:
            task = shown.add_task("downloading", total=download.size, completed=download.here, bytes=True)
            yield lambda here: shown.update(task, completed=here)
            shown.remove_task(task)

    return report_with(report)


def show_error(text: str) -> None:
    """One line on standard error."""
    err.print(f"[bold red]error:[/] {escape(visible_line(text))}", soft_wrap=True)


def show_warning(text: str) -> None:
    """One line on standard error, beside an output that another program reads."""
    err.print(f"[yellow]note:[/] {escape(visible_line(text))}", soft_wrap=True)


def show_welcome(pictures: int, llm: str | None) -> None:
    """The first line of a dialogue."""
    who = f"through an agent with {llm}" if llm else "by rules"
    out.print(f"[dim]{pictures:,} pictures, {escape(visible(who))}; type help for help, Ctrl-D to leave[/]")


def show_typed(prompt: str, text: str) -> None:
    """A line of a script, shown as if it were typed."""
    out.print(f"[bold green]{prompt}[/]{escape(visible(text))}", soft_wrap=True)


def show_help(lines: Sequence[tuple[str, str]]) -> None:
    """The lines that can be typed, and their meanings."""
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for typed, meaning in lines:
        table.add_row(Text(typed), Text(meaning))
    out.print(table)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on standard error while something runs, in a terminal only."""
    if not err.is_terminal:
        yield
        return
    with err.status(f"[dim]{escape(what)}[/]"):
        yield


def show_note(label: str, text: str, style: str = "dim") -> None:
    """A labelled note beside the results; the text may come from an untrusted source."""
    out.print(f"  [{style}]{label}[/] {escape(visible(text))}", soft_wrap=True)


def show_words(text: str) -> None:
    """An agent's answer, line by line."""
    for line in text.strip().splitlines():
        out.print(Text(visible(line)), style="cyan")
