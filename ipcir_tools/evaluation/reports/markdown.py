"""The report as Markdown: the table, the curve, the failures and how the figures were made."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ipcir_tools.evaluation.reports.blocks import blocks
from ipcir_tools.evaluation.reports.report import ROUNDS_NOTE, Report, Row, failure_lines, made_now
from ipcir_tools.text import visible_line


def report_markdown(report: Report) -> str:
    """The report. No text of a file or a model can end its cell."""
    parts = [f"# {_plain(report.benchmark)}", _summary(report), _table(report), _not_run(report)]
    parts += [f"## {each.title}\n\n{_plain(each.lead)}\n\n{_grid(each.head, each.rows)}" for each in blocks(report)]
    parts += [_rounds(report), _curve(report), _failures(report)]
    parts += [_list("How the figures were made", report.rules), _list("Models and versions", _versions(report))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(report: Report) -> str:
    origins = ", ".join(f"{origin} {n:,}" for origin, n in report.imaginer.queries.items()) or "none"
    return (
        f"{report.queries:,} queries over {report.gallery:,} {report.entries}; imagined targets: {origins}. "
        "Percent of all queries with 95 % intervals; a failed query is a miss."
    )


def _table(report: Report) -> str:
    if not report.measures:
        return "The truth of this part is hidden: send a submission file to its server."
    main = report.measures[0]
    head = ["composer", "weight", *report.measures, f"{main} against {report.baseline or 'no other'}", "p", "failed"]
    return _grid(head, [_row(report, row) for row in report.rows])


def _row(report: Report, row: Row) -> list[str]:
    if row.not_run:
        return [row.label, "not run", *[""] * (len(report.measures) + 3)]
    figures = [row.figures[name] for name in report.measures]
    lead = row.against_baseline.get(report.measures[0])
    return [
        row.label,
        "" if row.weight is None else f"{row.weight:.2f}",
        *(f"{each.mean:.1f} ({each.low:.1f} to {each.high:.1f})" for each in figures),
        f"{lead.mean:+.1f} ({lead.low:+.1f} to {lead.high:+.1f})" if lead else "",
        f"{lead.p:.4f}" if lead else "",
        f"{row.failed:,}",
    ]


def _not_run(report: Report) -> str:
    return _list("Not run", [f"{row.composer}: {row.not_run}" for row in report.rows if row.not_run])


def _rounds(report: Report) -> str:
    if not report.rounds:
        return ""
    rows = [
        [str(each.round), f"{each.sessions:,}", composer, *(f"{figures[name].mean:.1f}" for name in report.measures)]
        for each in report.rounds
        for composer, figures in each.figures.items()
    ]
    grid = _grid(["round", "sessions with it", "composer", *report.measures], rows)
    return f"## After each round\n\n{ROUNDS_NOTE}\n\n{grid}"


def _curve(report: Report) -> str:
    if not report.curve:
        return ""
    names = list(report.curve[0])
    rows = [
        [f"{point[name]:.2f}" if name == "weight" else f"{point[name]:.1f}" for name in names] for point in report.curve
    ]
    return "## Recall by the weight of the text\n\n" + _grid(names, rows)


def _failures(report: Report) -> str:
    return _list("Failures", failure_lines(report))


def _versions(report: Report) -> list[str]:
    imaginer = report.imaginer
    tokens = f"{imaginer.input_tokens:,} tokens in, {imaginer.output_tokens:,} out"
    cost = [f"{imaginer.replies:,} replies, {imaginer.calls:,} calls, {tokens}"] if imaginer.llm else []
    prompts = [f"prompt: {prompt}" for prompt in imaginer.prompts]
    failures = [f"{n:,} x {reason}" for reason, n in imaginer.troubles.items()]
    names = [f"{name}: {value}" for name, value in (report.models | report.versions).items()]
    return [*names, *prompts, *cost, f"made by this run: {made_now(report)}", *failures]


def _list(title: str, items: Sequence[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {_plain(item)}" for item in items) if items else ""


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(_plain, line)) + " |" for line in lines)


def _plain(text: str) -> str:
    """One line in which nothing is markup."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", visible_line(text))
