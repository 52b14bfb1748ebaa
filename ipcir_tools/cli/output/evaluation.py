"""The output of ``ipcir eval``, ``ipcir tune`` and ``ipcir demo`` in a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.collection import show_index
from ipcir_tools.cli.output.console import out
from ipcir_tools.cli.output.results import show_result
from ipcir_tools.text import excerpt

if TYPE_CHECKING:
    from ipcir_tools.demo.play import DemoResult
    from ipcir_tools.evaluation.experiments.ablation import Ablation
    from ipcir_tools.evaluation.experiments.absence import Absence
    from ipcir_tools.evaluation.experiments.dialogues import DialogueReport
    from ipcir_tools.evaluation.reports.blocks import Block
    from ipcir_tools.evaluation.reports.report import Report, Row
    from ipcir_tools.evaluation.runs.tune import Tuned


_MOST = 8


def show_report(report: Report, written: Sequence[Path] = ()) -> None:
    """The table, what failed, and how it was made."""
    from ipcir_tools.evaluation.reports.blocks import blocks
    from ipcir_tools.evaluation.reports.report import made_now
    from ipcir_tools.text import visible_line

    out.print(f"[bold]{escape(visible_line(report.benchmark))}[/]")
    print_whole(_table(report))
    for row in (row for row in report.rows if row.not_run):
        out.print(
            f"  [yellow]{escape(row.composer)} was not run:[/] {escape(visible_line(row.not_run))}", soft_wrap=True
        )
    if report.rounds:
        _show_rounds(report)
    by = ", ".join(f"{origin} {n:,}" for origin, n in report.imaginer.queries.items()) or "no model"
    out.print(
        f"  [dim]{report.queries:,} queries, {report.gallery:,} {report.entries}, imagined by {by}; "
        f"{escape(_figures_note(report))}[/]",
        soft_wrap=True,
    )
    out.print(f"  [dim]made by this run: {made_now(report)}[/]", soft_wrap=True)
    if not report.curve and not report.rounds:
        out.print("  [dim]no fusion curve: it is that of imagined+reference, which was not run[/]", soft_wrap=True)
    for block in blocks(report):
        _show_block(block)
    _show_failures(report)
    for path in written:
        out.print(f"written: {path}", markup=False, soft_wrap=True)


def _show_block(block: Block) -> None:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for i, name in enumerate(block.head):
        table.add_column(escape(name), justify="right" if i else "left", no_wrap=True)
    for name, *figures in block.rows:
        table.add_row(escape(name), *figures)
    out.print(f"\n[bold]{block.title}[/]")
    print_whole(table)
    out.print(f"  [dim]{escape(block.lead)}[/]", soft_wrap=True)


def _figures_note(report: Report) -> str:
    if not report.measures:
        return "the truth is hidden: --submission writes the file that its server scores"
    note = f"percent of all queries, a failed one is a miss; the interval is of {report.measures[0]}"
    return note + (f", and so is the difference to {report.baseline}, in points" if report.baseline else "")


def _table(report: Report) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("composer", no_wrap=True)
    rest = ("interval", "diff", "p") if report.measures else ()
    for name in ("weight", *report.measures, *rest, "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report.rows:
        if not row.not_run:
            table.add_row(row.label, *_cells(row, report.best, report.measures[:1]))
    return table


def _show_rounds(report: Report) -> None:
    from ipcir_tools.evaluation.reports.report import ROUNDS_NOTE

    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("round", "sessions"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("composer", no_wrap=True)
    for name in report.measures:
        table.add_column(name, justify="right", no_wrap=True)
    for each in report.rounds:
        for composer, figures in each.figures.items():
            cells = [f"{figures[name].mean:.1f}" for name in report.measures]
            table.add_row(str(each.round), f"{each.sessions:,}", composer, *cells)
    out.print("[bold]after each round[/]")
    print_whole(table)
    out.print(f"  [dim]{ROUNDS_NOTE}[/]")


def print_whole(table: Table) -> None:
    """Print a table wider than the terminal if need be, so that no figure is cut off."""
    needed = Measurement.get(out, out.options.update(width=1_000), table).maximum
    Console(file=out.file, width=max(out.width, needed), force_terminal=out.is_terminal, highlight=False).print(table)


def _cells(row: Row, best: dict[str, float], main: Sequence[str]) -> list[Text]:
    cells = [Text("" if row.weight is None else f"{row.weight:.2f}")]
    cells += [Text(f"{row.figures[k].mean:.1f}", style="bold" if row.figures[k].mean == best[k] else "") for k in best]
    for name in main:
        figure, lead = row.figures[name], row.against_baseline.get(name)
        cells.append(Text(f"{figure.low:.1f}-{figure.high:.1f}", style="dim"))
        cells.append(Text(f"{lead.mean:+.1f}" if lead else ""))
        cells.append(Text(format_p(lead.p) if lead else "", style="dim"))
    return [*cells, Text(f"{row.failed:,}", style="yellow" if row.failed else "dim")]


def format_p(p: float) -> str:
    """A p-value with three digits after the point."""
    return "<.001" if p < 0.001 else f"{p:.3f}"


def _show_failures(report: Report) -> None:
    from ipcir_tools.evaluation.reports.report import failed_where, failure_lines
    from ipcir_tools.text import visible_line

    lines = failure_lines(report)
    if lines:
        out.print(f"[yellow]queries that failed: {escape(failed_where(report))}[/]", soft_wrap=True)
    for line in lines[:_MOST]:
        out.print(f"  {visible_line(line)}", markup=False, soft_wrap=True)
    if lines[_MOST:]:
        out.print(f"  and {len(lines) - _MOST} reasons more: --json lists them all")


def show_unusable(unusable: Mapping[str, str]) -> None:
    """The entries of a gallery of captions that cannot be found."""
    if unusable:
        out.print(f"[yellow]{len(unusable):,} of the gallery cannot be used:[/]")
    for name, why in list(unusable.items())[:_MOST]:
        out.print(f"  {excerpt(name)} {why}", markup=False, soft_wrap=True)
    if len(unusable) > _MOST:
        out.print(f"  and {len(unusable) - _MOST} more: --json lists them all")


def show_tuned(tuned: Tuned) -> None:
    """The result of a search for parameters."""
    from ipcir_tools.evaluation.runs.tune import tuned_rows

    table = Table(box=None, padding=(0, 2), show_header=False)
    for name, value in tuned_rows(tuned):
        table.add_row(Text(name, style="dim"), Text(value, overflow="fold"))
    out.print(f"--composers {tuned.composer}", markup=False, soft_wrap=True)  # on one line, to be copied
    out.print(table)


def show_ablation(ablation: Ablation) -> None:
    """The table of the seed paper, and the default's rows."""
    from ipcir_tools.evaluation.reports.report import row_label

    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("composer")
    for name in ("text weight", "R@1", "R@5", "R@10"):
        table.add_column(name, justify="right")
    best = {k: max(row.recall[k] for row in ablation.rows) for k in (1, 5, 10)}
    for row in ablation.rows:
        cells = [f"[bold]{value:.1f}[/]" if value == best[k] else f"{value:.1f}" for k, value in row.recall.items()]
        name = row_label(row.composer, row.verified)
        table.add_row(name, "" if row.weight is None else f"{row.weight:.2f}", *cells)
    out.print(table)
    out.print(
        f"  [dim]{ablation.queries} held-out queries, {ablation.gallery:,} pictures, exact ranking, reference left out;"
        f" imagined by {escape(ablation.imaginer)}[/]",
        soft_wrap=True,
    )


def show_dialogues(report: DialogueReport) -> None:
    """Hits after each round, without and with feedback."""
    for what, rounds in (("the final target", report.final), ("the edits so far", report.so_far)):
        table = Table(box=None, padding=(0, 2), header_style="dim")
        for name in ("round", "Hits@1", "Hits@10", "with feedback: Hits@1", "Hits@10"):
            table.add_column(name, justify="right")
        for plain, judged in zip(rounds.plain, rounds.with_feedback, strict=True):
            cells = [f"{each.hits[k]:.1f}" for each in (plain, judged) for k in (1, 10)]
            table.add_row(str(plain.round), *cells)
        out.print(f"[bold]{what}[/]")
        out.print(table)
    out.print(
        f"  [dim]{report.dialogues} held-out dialogues, {report.gallery:,} pictures, {report.composer}, imagined by "
        f"{escape(report.imaginer)}; percent of all dialogues, a finished one keeps its last rank[/]",
        soft_wrap=True,
    )


def show_demo(result: DemoResult, home: Path) -> None:
    """The whole demo."""
    show_index(result.index)
    out.print()
    for turn in result.dialogue:
        show_result(turn.result, turn.target, most=5)
        out.print(f"  [green]the right picture is at rank {turn.rank}[/]\n")
    for sheet in result.sheets:
        out.print(f"the dialogue as pictures: [bold]{escape(str(sheet))}[/]", soft_wrap=True)
    out.print("\n[bold]Does imagining help, and does the picture help on top?[/]")
    show_ablation(result.ablation)
    out.print(f"  [dim]captions of the references right word for word: {result.right_captions:.1f} %[/]\n")
    place = shlex.quote(str(home))
    first, last = result.dialogue[0].result.turn, result.dialogue[-1].result.turn
    out.print("[bold]Try next[/]")
    for command in (
        f'ipcir search {result.example.reference} "{result.example.modification}" --home {place} --sheet hits.png',
        f'ipcir refine {first.id} "make it sleeveless" --home {place}',
        f'ipcir refine {last.id} "as a jumpsuit" --home {place} --json',
        "ipcir index FOLDER-OF-YOURS --models demo --home my-gallery",
    ):
        out.print(f"  {escape(command)}", soft_wrap=True)


def show_absence(found: Mapping[str, Absence]) -> None:
    """How well requests without a target are recognised, a line for each kind of pictures taken away."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("taken away")
    for name in ("queries", "AUROC", "text score there", "absent", "flagged poor there", "absent"):
        table.add_column(name, justify="right")
    for name, each in found.items():
        poor = ("" if share is None else f"{share:.1%}" for share in (each.poor_there, each.poor_absent))
        scores = (f"{score:.3f}" for score in (each.auroc, each.there, each.absent))
        table.add_row(name, f"{each.queries:,}", *scores, *poor)
    out.print(table)
