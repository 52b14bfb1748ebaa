"""What the command line shows a person: tables that align, progress with rates, one line for an error."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
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

from ipcir_tools.history import Branch, asked, begun, branches
from ipcir_tools.presenting import remarks

if TYPE_CHECKING:
    from ipcir_tools.catalog import Progress
    from ipcir_tools.demo.play import Show
    from ipcir_tools.evaluation.ablation import Ablation
    from ipcir_tools.evaluation.absence import Absence
    from ipcir_tools.evaluation.dialogues import DialogueReport
    from ipcir_tools.indexing import IndexReport
    from ipcir_tools.replaying import Replay
    from ipcir_tools.types import Hit, SearchResult, Turn

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
_MOST_SKIPS = 20
_TURN_ID = 12
"""Characters of a turn's id."""


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
    line = " ".join(str(text).split())
    err.print(f"[bold red]error:[/] {escape(_line(line))}", soft_wrap=True)


def show_index(report: IndexReport) -> None:
    """What indexing did, and every skipped file with its reason."""
    counts = ((name, getattr(report, name)) for name in ("added", "unchanged", "moved", "removed"))
    said = ", ".join(f"{n:,} {name}" for name, n in counts if n) or "nothing to do"
    out.print(f"[bold]{report.seen:,} pictures seen[/]: {said} in {report.seconds:.1f} s")
    if report.skipped:
        out.print(f"[yellow]{len(report.skipped)} skipped:[/]")
        table = Table(box=None, padding=(0, 2), show_header=False)
        for skip in report.skipped[:_MOST_SKIPS]:
            table.add_row(Text(_line(skip.source), overflow="fold"), Text(skip.reason))
        out.print(table)
        if len(report.skipped) > _MOST_SKIPS:
            out.print(f"  and {len(report.skipped) - _MOST_SKIPS} more: --json lists them all")


def show_result(
    result: SearchResult, marked: str | None = None, most: int | None = None, parent: Turn | None = None
) -> None:
    """One search: what was understood, then the ranked pictures, the first ``most`` of them.

    With ``parent``, the turn that it goes on from, picks are told by their ranks there.
    """
    turn = result.turn
    out.print(
        f"[bold]{escape(_line(asked(turn, parent)))}[/]  [dim]turn {turn.id}"
        + (f", after {turn.parent}" if turn.parent else "")
        + "[/]"
    )
    told = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    told.add_column(no_wrap=True)
    told.add_column(overflow="fold")
    if turn.caption is not None:
        told.add_row("  [dim]reference[/]", escape(_line(turn.caption)))
    if turn.imagined is not None:
        by = {"llm": "the language model", "rules": "rules", "fallback": "rules, the model failed"}[
            turn.imagined.origin
        ]
        told.add_row("  [dim]imagined[/]", f"{escape(_line(turn.imagined.description))} [dim](by {by})[/]")
    for warning in (*remarks(result), *result.warnings):
        told.add_row("  [yellow]note[/]", escape(_line(warning)))
    if told.row_count:
        out.print(told)
    if not turn.hits:
        out.print("  no picture matches")
        return
    table = Table(box=None, padding=(0, 1), header_style="dim")
    judged = any(hit.judged for hit in turn.hits[:most])
    for name in ("rank", "score", "image", "text", *(("edit", "keep") if judged else ())):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("id", no_wrap=True, min_width=16)
    table.add_column("picture")  # it alone may shrink: were it no_wrap too, the scores would vanish beside a long name
    for hit in turn.hits[:most]:
        file = Text(
            _line(PurePath(hit.source).name),
            style="bold green" if hit.id == marked else "",
            no_wrap=True,
            overflow="ellipsis",
        )
        scores = [f"{hit.score:.3f}", _score(hit.image_score), _score(hit.text_score)]
        table.add_row(str(hit.rank), *scores, *(_judged(hit) if judged else ()), hit.id, file)
    out.print(table)
    for hit in turn.hits[:most]:
        if hit.judged and hit.judged.reason:
            show_note(f"{hit.rank:>4}", hit.judged.reason)


def show_turns(turns: Sequence[Turn], current: str | None = None) -> None:
    """Turns as trees, oldest first; a star marks the ``current`` one."""
    tree = list(branches(turns))
    best = [_line(PurePath(each.turn.hits[0].source).name) if each.turn.hits else "(none)" for each in tree]
    room = out.width - len("* ") - _TURN_ID - 4 * len("  ")
    names = min(max(map(len, best), default=0), room * 2 // 5)
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("turn", no_wrap=True, min_width=_TURN_ID)
    table.add_column("", min_width=int(current is not None))
    table.add_column("asked", max_width=room - names)
    table.add_column("best hit", max_width=names)
    for branch, name in zip(tree, best, strict=True):
        star = Text("*" if branch.turn.id == current else "", style="bold green")
        table.add_row(branch.turn.id, star, _asked(branch), _cut((name, "dim")))
    out.print(table)


def _asked(branch: Branch) -> Text:
    """A line of the tree: strokes, then the words; a root is bold and names its picture."""
    if branch.turn.parent is not None:
        return _cut((branch.strokes, "dim"), _line(asked(branch.turn, branch.parent)))
    words, picture = begun(branch.turn)
    return _cut((branch.strokes, "dim"), (_line(words), "bold"), (f"  {_line(picture)}", "dim"))


def _cut(*parts: str | tuple[str, str]) -> Text:
    """Text that ends with an ellipsis where its column does."""
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def show_hit(hit: Hit) -> None:
    """One hit with all that is known of it."""
    out.print(f"[bold]{hit.rank}[/]  {hit.id}  [dim]score[/] {hit.score:.3f}")
    out.print(f"  [dim]file   [/] {escape(_line(hit.source))}", soft_wrap=True)
    if hit.caption is not None:
        out.print(f"  [dim]caption[/] {escape(_line(hit.caption))}", soft_wrap=True)
    if hit.judged is not None:
        edit, keep = _judged(hit)
        out.print(f"  [dim]judged [/] edit {edit}, keep {keep}: {escape(_line(hit.judged.reason))}", soft_wrap=True)


def show_replay(replayed: Replay) -> None:
    """Whether a path came out as it was, and what did not."""
    n, found = len(replayed.path), len(replayed.differences)
    said = f"{n} turn{'s' if n > 1 else ''} replayed"
    if replayed.llm_calls:
        said += f", the language model asked {replayed.llm_calls} times"
    if replayed.same:
        out.print(f"[green]no difference[/]: {said}")
        return
    out.print(f"[bold yellow]{found} difference{'s' if found > 1 else ''}[/]: {said}")
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("turn", no_wrap=True, min_width=12)
    table.add_column("what", no_wrap=True)
    for name in ("stored", "now"):
        table.add_column(name, overflow="fold", ratio=1)
    for each in replayed.differences:
        table.add_row(each.turn, each.what, Text(_line(each.stored)), Text(_line(each.now)))
    out.print(table)


def show_welcome(pictures: int, llm: str | None) -> None:
    """How a dialogue begins."""
    who = f"through an agent with {llm}" if llm else "by rules"
    out.print(f"[dim]{pictures:,} pictures, {escape(_line(who))}; help tells what to type, Ctrl-D leaves[/]")


def show_typed(prompt: str, text: str) -> None:
    """A line of a script, as if it had been typed."""
    out.print(f"[bold green]{prompt}[/]{escape(_line(text))}", soft_wrap=True)


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
    out.print(f"  [{style}]{label}[/] {escape(_line(text))}", soft_wrap=True)


def show_words(text: str) -> None:
    """What an agent says, line by line."""
    for line in text.strip().splitlines():
        out.print(Text(_line(line)), style="cyan")


def show_ablation(ablation: Ablation) -> None:
    """The table of the seed paper."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("composer")
    for name in ("text weight", "R@1", "R@5", "R@10"):
        table.add_column(name, justify="right")
    best = {k: max(row.recall[k] for row in ablation.rows) for k in (1, 5, 10)}
    for row in ablation.rows:
        cells = [f"[bold]{value:.1f}[/]" if value == best[k] else f"{value:.1f}" for k, value in row.recall.items()]
        table.add_row(row.composer, "" if row.weight is None else f"{row.weight:.2f}", *cells)
    out.print(table)
    out.print(
        f"  [dim]{ablation.queries} held-out queries, {ablation.gallery:,} pictures, exact ranking, reference left out;"
        f" imagined by {escape(ablation.imaginer)}[/]",
        soft_wrap=True,
    )


def show_dialogues(report: DialogueReport) -> None:
    """Hits after each round, without and with feedback."""
    for what, rounds in (("the picture in mind", report.final), ("the edits so far", report.so_far)):
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


def show_demo(show: Show, home: Path) -> None:
    """The whole demo for a person."""
    show_index(show.index)
    out.print()
    for played in show.dialogue:
        show_result(played.result, played.target, most=5)
        out.print(f"  [green]the right picture is at rank {played.rank}[/]\n")
    for sheet in show.sheets:
        out.print(f"the dialogue as pictures: [bold]{escape(str(sheet))}[/]", soft_wrap=True)
    out.print("\n[bold]Does imagining help, and does the picture help on top?[/]")
    show_ablation(show.ablation)
    out.print(f"  [dim]captions of the references right word for word: {show.right_captions:.1f} %[/]\n")
    place = shlex.quote(str(home))
    first, last = show.dialogue[0].result.turn, show.dialogue[-1].result.turn
    out.print("[bold]Try next[/]")
    for command in (
        f'ipcir search {show.example.reference} "{show.example.modification}" --home {place} --sheet hits.png',
        f'ipcir refine {first.id} "make it sleeveless" --home {place}',
        f'ipcir refine {last.id} "as a jumpsuit" --home {place} --json',
        "ipcir index FOLDER-OF-YOURS --models demo --home my-gallery",
    ):
        out.print(f"  {escape(command)}", soft_wrap=True)


def show_absence(found: Mapping[str, Absence]) -> None:
    """How well requests for what is not there are told apart, a line for each way to take it away."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("taken away")
    for name in ("queries", "AUROC", "text score there", "absent", "told poor there", "absent"):
        table.add_column(name, justify="right")
    for name, each in found.items():
        poor = ("" if share is None else f"{share:.1%}" for share in (each.poor_there, each.poor_absent))
        scores = (f"{score:.3f}" for score in (each.auroc, each.there, each.absent))
        table.add_row(name, f"{each.queries:,}", *scores, *poor)
    out.print(table)


def _line(text: str) -> str:
    """A file name as one line, control characters made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _judged(hit: Hit) -> tuple[str, str]:
    """What a model that saw a hit gave it, of ten."""
    return (f"{hit.judged.edit:g}", f"{hit.judged.preservation:g}") if hit.judged else ("", "")


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"
