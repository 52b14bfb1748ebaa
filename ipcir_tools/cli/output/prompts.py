"""Output of ``ipcir prompts`` for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.console import err, out
from ipcir_tools.cli.output.evaluation import format_p, print_whole

if TYPE_CHECKING:
    from pathlib import Path

    from ipcir_tools.evaluation.comparison.report import ArmReport, Comparison
    from ipcir_tools.prompts import Prompt


def show_prompts(known: Sequence[Prompt], faults: Sequence[Mapping[str, str]]) -> None:
    """One prompt a line with its purpose below, then the files that cannot be used and their faults."""
    longest = max((len(prompt.id) for prompt in known), default=0)
    for prompt in known:
        reply = "text" if prompt.reply_schema is None else "JSON"
        takes = ", ".join([*prompt.variables, *(f"picture {name}" for name in prompt.pictures)]) or "nothing"
        source = "[green]your own[/]" if prompt.own else "the package's"
        out.print(
            f"[bold]{escape(prompt.id):<{longest}}[/]  [dim]@{prompt.version} #{prompt.hash}[/]  {source}  "
            f"[dim]takes[/] {escape(takes)}  [dim]gives[/] {reply}",
            soft_wrap=True,
        )
        out.print(Padding(Text(prompt.purpose, style="dim"), (0, 0, 0, longest + 2)))
    for fault in faults:
        out.print(f"[yellow]{escape(fault['id'])} cannot be used:[/] {escape(fault['fault'])}", soft_wrap=True)


def show_tag(prompt: Prompt) -> None:
    """The prompt's tag, on standard error: standard output holds only the file."""
    source = "your own" if prompt.own else "the package's"
    err.print(f"[bold]{escape(prompt.tag)}[/] [dim]({source})[/]", soft_wrap=True)


def show_messages(messages: Sequence[tuple[str, Any]]) -> None:
    """Each message below its role."""
    for role, content in messages:
        out.print(f"[bold reverse] {role} [/]")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            out.print(_block(block), markup=False, soft_wrap=True)
        out.print()


def _block(block: Mapping[str, Any]) -> str:
    if block["type"] == "text":
        return str(block["text"])
    return f"[picture: {block['mime_type']}, {len(block['base64']) * 3 // 4:,} bytes]"


# --- try


def show_tries(document: Mapping[str, Any]) -> None:
    """The imagined target and the cost of each call."""
    if document["note"]:
        out.print(f"[yellow]note[/] {escape(document['note'])}", soft_wrap=True)
    tries = document["tries"]
    for number, each in enumerate(tries, start=1):
        head = f"try {number} of {len(tries)}, " if len(tries) > 1 else ""
        source = document["prompt"] or "by rules"
        out.print(f"[bold]{head}{escape(source)}[/]  [dim]{escape(_cost_line(each))}[/]", soft_wrap=True)
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("  [dim]caption[/]", Text(document["caption"] or "(none)"))
        table.add_row("  [dim]modification[/]", Text(document["modification"]))
        table.add_row("  [dim]imagined[/]", Text(each["imagined"]["description"], style="bold"))
        for name in ("keep", "add", "remove", "alternatives"):
            if each["imagined"][name]:
                table.add_row(f"  [dim]{name}[/]", Text("; ".join(each["imagined"][name])))
        for warning in each["warnings"]:
            table.add_row("  [yellow]warning[/]", Text(warning))
        out.print(table)


def _cost_line(each: Mapping[str, Any]) -> str:
    if each["origin"] == "rules":
        return "no model was called"
    form = {"json": "a whole JSON object", "parts": "part of a JSON object", "text": "plain text"}
    calls = f"{each['calls']} call{'s' if each['calls'] != 1 else ''}"
    known = each["input_tokens"] is not None
    tokens = f"{each['input_tokens']:,} tokens in, {each['output_tokens']:,} out" if known else "tokens not known"
    return f"{form.get(each['form'], 'no usable reply')}, {calls}, {tokens}, {each['seconds'] or 0:.2f} s"


# --- compare


def show_comparison(comparison: Comparison, written: Sequence[Path] = ()) -> None:
    """What was found, what the models did for it, and the queries on which the arms differ most."""
    from ipcir_tools.evaluation.comparison.report import COST_HEADINGS, REPLY_HEADINGS, cost_cells, reply_cells

    out.print(f"[bold]{escape(comparison.benchmark)}[/] [dim]composer {escape(comparison.composer)}[/]")
    for line in comparison.head:
        out.print(f"[yellow]by rules[/] {escape(line)}", soft_wrap=True)
    print_whole(_recall(comparison))
    main = comparison.measures[0]
    out.print(
        f"  [dim]{comparison.queries:,} queries, {comparison.gallery:,} in the gallery; percent of all queries, a "
        f"failed one is a miss; interval and difference (in points, to {escape(comparison.baseline)}) are of {main}[/]",
        soft_wrap=True,
    )
    by_model = [arm for arm in comparison.arms if arm.replies is not None]
    if by_model:
        table = Table(box=None, padding=(0, 1), header_style="dim", show_header=True)
        table.add_column("what the models did", no_wrap=True)
        for arm in by_model:
            table.add_column(arm.name, justify="right", no_wrap=True)
        cells = [[*reply_cells(arm), *cost_cells(arm)] for arm in by_model]
        for row in zip((*REPLY_HEADINGS, *COST_HEADINGS), *cells, strict=True):
            table.add_row(*map(Text, row))
        print_whole(table)
    for note in comparison.notes:
        out.print(f"[yellow]note[/] {escape(note)}", soft_wrap=True)
    _show_fallbacks(comparison)
    _show_failures(comparison)
    _show_disagreements(comparison)
    for path in written:
        out.print(f"written: {path}", markup=False, soft_wrap=True)


def _recall(comparison: Comparison) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("prompt", no_wrap=True)
    for name in ("scored", "failed", *comparison.measures, "interval", "diff", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    main = comparison.measures[0]
    best = comparison.best
    for arm in comparison.arms:
        figures, lead = arm.figures, arm.against_baseline.get(main)
        table.add_row(
            Text(arm.name),
            f"{arm.scored:,}",
            f"{arm.failed:,}",
            *(Text(f"{figures[k].mean:.1f}", style="bold" if _leads(arm, k, best[k]) else "") for k in best),
            Text(f"{figures[main].low:.1f}-{figures[main].high:.1f}", style="dim"),
            f"{lead.mean:+.1f}" if lead else _no_difference(comparison, arm),
            Text(format_p(lead.p) if lead else "", style="dim"),
        )
    return table


def _no_difference(comparison: Comparison, arm: ArmReport) -> Text:
    """Why none is shown: the arm's model, or that of the baseline, was hardly asked."""
    baseline = comparison.arms[0]
    why = "unsent" if arm.mostly_unsent or baseline.mostly_unsent else "by rules"
    return Text("" if arm is baseline else why, style="yellow")


def _leads(arm: ArmReport, measure: str, best: float) -> bool:
    return not arm.unmeasured and arm.figures[measure].mean == best


def _show_fallbacks(comparison: Comparison) -> None:
    for arm in comparison.arms:
        for why, n in list(arm.replies.fallbacks.items())[:_MOST] if arm.replies else ():
            out.print(f"  [yellow]{escape(arm.name)}[/] {n:,} x {escape(why)}", soft_wrap=True)


def _show_failures(comparison: Comparison) -> None:
    if comparison.failures:
        out.print(f"[yellow]{len({each.query for each in comparison.failures}):,} queries failed:[/]")
    for each in comparison.failures[:_MOST]:
        under = f" under {each.arm}" if each.arm else ""
        out.print(f"  {each.query}{under}: {each.reason}", markup=False, soft_wrap=True)
    if len(comparison.failures) > _MOST:
        out.print(f"  and {len(comparison.failures) - _MOST} more: --json lists them all")


def _show_disagreements(comparison: Comparison) -> None:
    if not comparison.disagreements:
        return
    out.print("[bold]where they differ most[/] [dim](rank of the target)[/]")
    for each in comparison.disagreements[:_MOST]:
        out.print(f"  {escape(each.caption or each.reference)} [bold]+ {escape(each.modification)}[/]", soft_wrap=True)
        table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        for ranking in each.rankings:
            by = " (by rules, the model failed)" if ranking.origin == "fallback" else ""
            table.add_row(Text(f"    {ranking.arm}"), f"#{ranking.rank:,}", Text(ranking.description + by))
        out.print(table)


_MOST = 6
