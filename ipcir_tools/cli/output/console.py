"""What the command line shows a person: tables that align, progress with rates, one line for an error."""

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
    """Things a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="dim")


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars on standard error, one for each kind of work; nothing is left on the screen that is not a result."""
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


def show_welcome(pictures: int, llm: str | None) -> None:
    """How a dialogue begins."""
    who = f"through an agent with {llm}" if llm else "by rules"
    out.print(f"[dim]{pictures:,} pictures, {escape(visible(who))}; help tells what to type, Ctrl-D leaves[/]")


def show_typed(prompt: str, text: str) -> None:
    """A line of a script, as if it had been typed."""
    out.print(f"[bold green]{prompt}[/]{escape(visible(text))}", soft_wrap=True)


def show_help(lines: Sequence[tuple[str, str]]) -> None:
    """What can be typed, and what it does."""
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for typed, meaning in lines:
        table.add_row(Text(typed), Text(meaning))
    out.print(table)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on standard error while something runs, if a person is there to see it."""
    if not err.is_terminal:
        yield
        return
    with err.status(f"[dim]{escape(what)}[/]"):
        yield


def show_note(label: str, text: str, style: str = "dim") -> None:
    """A word beside the results: a label, and text that may come from anywhere."""
    out.print(f"  [{style}]{label}[/] {escape(visible(text))}", soft_wrap=True)


def show_words(text: str) -> None:
    """What an agent says, line by line."""
    for line in text.strip().splitlines():
        out.print(Text(visible(line)), style="cyan")
