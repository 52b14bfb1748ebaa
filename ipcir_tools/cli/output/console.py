"""The terminal: progress bars with rates, notes, one line for an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

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

from ipcir_tools.text import visible, visible_line

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress


out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class _Rate(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="dim")


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Progress bars on standard error, one for each kind of work, removed when it ends."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks: dict[str, int] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield progress


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
