"""Search results and turns in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.console import out, show_note
from ipcir_tools.cli.output.skips import show_skips
from ipcir_tools.cli.output.turn_tree import Branch, branches, request_line, root_line
from ipcir_tools.display.file_names import distinct_names, fitted_name
from ipcir_tools.display.results import result_notes, verified_text
from ipcir_tools.text import visible
from ipcir_tools.types import hit_marks

if TYPE_CHECKING:
    from ipcir_tools.display.export.export import ExportReport
    from ipcir_tools.engine.replay import Replay
    from ipcir_tools.types import Hit, SearchResult, Turn


_TURN_ID = 12
"""Characters of a turn's id."""


_BY = {"llm": "the language model", "rules": "rules", "fallback": "rules, the model failed", "person": "a person"}


def show_export(report: ExportReport) -> None:
    """How many hits were written where, and those that were not."""
    known = f", {report.known:,} there already" if report.known else ""
    out.print(f"{report.written:,} of {report.hits:,} hits written to {report.to}{known}", markup=False, soft_wrap=True)
    show_skips(report.skipped, "without their picture")


def show_result(
    result: SearchResult, marked: str | None = None, most: int | None = None, parent: Turn | None = None
) -> None:
    """One search: caption, imagination and notes, then the first ``most`` hits.

    With ``parent``, the turn that it refines, picks are shown by their ranks there.
    """
    turn = result.turn
    out.print(
        f"[bold]{escape(visible(request_line(turn, parent)))}[/]  [dim]turn {turn.id}"
        + (f", after {turn.parent}" if turn.parent else "")
        + "[/]"
    )
    details = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    details.add_column(no_wrap=True)
    details.add_column(overflow="fold")
    if turn.caption is not None:
        details.add_row("  [dim]reference[/]", escape(visible(turn.caption)))
    for reference, source in turn.sourced_references if turn.query.others else ():
        name = PurePath(source or reference.id).name + (f": {reference.note}" if reference.note else "")
        details.add_row("  [dim]from[/]", escape(visible(name)))
    if turn.imagined is not None:
        by = _BY[turn.imagined.origin]
        details.add_row("  [dim]imagined[/]", f"{escape(visible(turn.imagined.description))} [dim](by {by})[/]")
    for warning in (*result_notes(result), *result.warnings):
        details.add_row("  [yellow]note[/]", escape(visible(warning)))
    if details.row_count:
        out.print(details)
    if not turn.hits:
        out.print("  no picture matches")
        return
    shown = turn.hits[:most]
    out.print(_hits_table(shown, marked))
    for hit in shown:
        if hit.judged and hit.judged.reason:
            show_note(f"{hit.rank:>4}", hit.judged.reason)


def _hits_table(hits: Sequence[Hit], marked: str | None) -> Table:
    """Hits with their scores; the last column, the picture's file, is the only one that may shrink."""
    judged = any(hit.judged for hit in hits)
    verified = any(hit.verified is not None for hit in hits)
    titles = ["rank", "score", "image", "text", *(["verified"] * verified), *(["edit", "keep"] * judged), "id"]
    rows = [
        [str(hit.rank), f"{hit.score:.3f}", _score(hit.image_score), _score(hit.text_score)]
        + [verified_text(hit)] * verified
        + [*_judgement(hit)] * judged
        + [hit.id]
        for hit in hits
    ]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for title, width in zip(titles, widths, strict=True):
        table.add_column(title, justify="left" if title == "id" else "right", no_wrap=True, min_width=width)
    table.add_column("picture")
    room = out.width - sum(width + 2 for width in [*widths, 0])
    names = distinct_names(hit.source for hit in hits)
    for hit, row in zip(hits, rows, strict=True):
        marks = hit_marks(hit)
        name = fitted_name(visible(names[hit.source]), max(room - len(marks), 12))
        style = "bold green" if hit.id == marked else ""
        table.add_row(*row, _fitted((name, style), (marks, "yellow" if hit.gone else "dim")))
    return table


def show_turns(turns: Sequence[Turn], current: str | None = None, best: Mapping[str, Hit] | None = None) -> None:
    """Turns as trees, oldest first; a star marks the ``current`` one. ``best``: first hits as they are now, by turn."""
    tree = list(branches(turns))
    names = [_best_hit(each.turn, best or {}) for each in tree]
    room = out.width - len("* ") - _TURN_ID - 4 * len("  ")
    width = min(max(map(len, names), default=0), room * 2 // 5)
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("turn", no_wrap=True, min_width=_TURN_ID)
    table.add_column("", min_width=int(current is not None))
    table.add_column("request", max_width=room - width)
    table.add_column("best hit", max_width=width)
    for branch, name in zip(tree, names, strict=True):
        star = Text("*" if branch.turn.id == current else "", style="bold green")
        table.add_row(branch.turn.id, star, _request(branch), _fitted((name, "dim")))
    out.print(table)


def _best_hit(turn: Turn, best: Mapping[str, Hit]) -> str:
    if not turn.hits:
        return "(none)"
    hit = best.get(turn.id, turn.hits[0])
    return visible(PurePath(hit.source).name) + (" (gone)" if hit.gone else "")


def _request(branch: Branch) -> Text:
    """One row of the tree: strokes, then the request; a root is bold and names its reference."""
    if branch.turn.parent is not None:
        return _fitted((branch.strokes, "dim"), visible(request_line(branch.turn, branch.parent)))
    words, picture = root_line(branch.turn)
    return _fitted((branch.strokes, "dim"), (visible(words), "bold"), (f"  {visible(picture)}", "dim"))


def _fitted(*parts: str | tuple[str, str]) -> Text:
    """Text that is cut with an ellipsis at the edge of its column."""
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def show_hit(hit: Hit) -> None:
    """One hit with its file, caption and judgement."""
    out.print(f"[bold]{hit.rank}[/]  {hit.id}  [dim]score[/] {hit.score:.3f}")
    marks = hit_marks(hit)
    out.print(f"  [dim]file   [/] {escape(visible(hit.source))}[yellow]{marks}[/]", soft_wrap=True)
    if hit.caption is not None:
        out.print(f"  [dim]caption[/] {escape(visible(hit.caption))}", soft_wrap=True)
    if hit.verified is not None:
        out.print(f"  [dim]verified[/] {verified_text(hit)}")
    if hit.judged is not None:
        edit, keep = _judgement(hit)
        out.print(
            f"  [dim]judged [/] edit {edit}, keep {keep}: {escape(visible(hit.judged.reason))}",
            soft_wrap=True,
        )


def show_replay(replayed: Replay) -> None:
    """Whether a replay gave the same turns, and each difference."""
    n, found = len(replayed.path), len(replayed.differences)
    summary = f"{n} turn{'s' if n > 1 else ''} replayed"
    if replayed.llm_calls:
        summary += f", the language model called {replayed.llm_calls} times"
    if replayed.same:
        out.print(f"[green]no difference[/]: {summary}")
        return
    out.print(f"[bold yellow]{found} difference{'s' if found > 1 else ''}[/]: {summary}")
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("turn", no_wrap=True, min_width=12)
    table.add_column("what", no_wrap=True)
    for name in ("stored", "now"):
        table.add_column(name, overflow="fold", ratio=1)
    for each in replayed.differences:
        table.add_row(each.turn, each.what, Text(visible(each.stored)), Text(visible(each.now)))
    out.print(table)


def _judgement(hit: Hit) -> tuple[str, str]:
    """A vision model's scores of a hit for edit and preservation, of ten."""
    return (f"{hit.judged.edit:g}", f"{hit.judged.preservation:g}") if hit.judged else ("", "")


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"
