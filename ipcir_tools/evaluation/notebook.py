"""Reports in a notebook: tables that show themselves, and drawings of what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from ipcir_tools.display.drawing import Drawing, faint, styled
from ipcir_tools.display.notebook import picture_box
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import visible_line

if TYPE_CHECKING:
    from IPython.core.formatters import DisplayFormatter

    from ipcir_tools.evaluation.benchmarks import Benchmark
    from ipcir_tools.evaluation.comparison.report import Comparison
    from ipcir_tools.evaluation.metrics.statistics import Difference, Estimate
    from ipcir_tools.evaluation.reports.report import Report


MOST_LINES = 4
"""Composers in one drawing of rounds: as many as there are colours."""

_Row = tuple[str, "Mapping[str, Estimate]", "Difference | None"]
"""A name, its figures, and its difference to the baseline."""


def report_table(report: Report) -> str:
    """The report as a table: the composers, the best first, each with a bar and its figures."""
    if not report.measures:
        return styled(Markup("<div>{}</div>").format("The truth is hidden: send a submission file to its server."))
    main = report.measures[0]
    ran = sorted((row for row in report.rows if row.figures), key=lambda row: -row.figures[main].mean)
    rows: list[_Row] = [(row.label, row.figures, row.against_baseline.get(main)) for row in ran]
    head = f"{report.queries:,} queries over {report.gallery:,} {report.entries}"
    not_run = (
        Markup("<div class='faint'>{} was not run: {}</div>").format(row.composer, visible_line(row.not_run))
        for row in report.rows
        if row.not_run
    )
    return styled(_head(report.benchmark, head), _table(rows, report.measures, report.baseline, report.best), *not_run)


def comparison_table(comparison: Comparison) -> str:
    """A comparison of prompts and models as a table, in the order of its arms; below it what was hardly measured."""
    rows: list[_Row] = [
        (arm.name, arm.figures, arm.against_baseline.get(comparison.measures[0])) for arm in comparison.arms
    ]
    head = f"{comparison.queries:,} queries over {comparison.gallery:,} pictures"
    table = _table(rows, comparison.measures, comparison.baseline, comparison.best)
    notes = (Markup("<div class='faint'>{}</div>").format(visible_line(note)) for note in comparison.head)
    return styled(_head(comparison.benchmark, head), table, *notes)


def draw_queries(benchmark: Benchmark, most: int = 4) -> Drawing:
    """Some queries, from the first to the last, with the reference, the modification, and the right answer.

    Raises NotFoundError where the benchmark has no pictures.
    """
    known = [query for query in benchmark.queries if query.main]
    chosen = range(min(most, len(known)))
    queries = [known[len(known) * i // len(chosen)] for i in chosen]
    rows = [
        Markup("<div class='run'>{}<div class='arrow'>+</div><div class='node words'>{}</div>{}{}</div>").format(
            _picture(benchmark, query.reference, "reference"),
            visible_line(query.modification),
            Markup("<div class='arrow'>=</div>"),
            _picture(benchmark, query.main, "right answer"),
        )
        for query in queries
    ]
    text = "\n".join(f"{query.reference} + {query.modification!r} = {query.main}" for query in queries)
    return Drawing(styled(Markup("<div class='queries'>{}</div>").format(Markup().join(rows))), text)


def _picture(benchmark: Benchmark, name: str, what: str) -> Markup:
    return Markup("<div class='node'>{}{}</div>").format(picture_box(str(benchmark.file(name))), faint(what))


def draw_curve(report: Report) -> Drawing:
    """Recall by the weight of the text, from the picture alone to the words alone.

    Raises InvalidRequestError without a curve.
    """
    from ipcir_tools.composers import composer_named
    from ipcir_tools.evaluation.reports.charts import curve_svg
    from ipcir_tools.evaluation.reports.report import FUSED

    if not report.curve:
        raise InvalidRequestError(f"The report has no curve: evaluate {FUSED}, too.")
    weight = next((row.weight for row in report.rows if composer_named(row.composer).name == FUSED), None)
    return Drawing(
        styled(curve_svg(report.curve, weight)), f"recall by the weight of the text: {len(report.curve)} points"
    )


def draw_rounds(report: Report, composers: Sequence[str] = (), measure: str | None = None) -> Drawing:
    """What is found after each round of the dialogues, by up to four composers, by default the first of the report.

    Raises InvalidRequestError without rounds, and for a composer or a measure that the report does not have.
    """
    from ipcir_tools.evaluation.reports.charts import rounds_svg

    if not report.rounds:
        raise InvalidRequestError("The report has no rounds: evaluate a benchmark of dialogues.")
    known = list(report.rounds[0].figures)
    names = list(composers or known)[:MOST_LINES]
    measure = measure or report.measures[0]
    _check(names, known, "composer")
    _check([measure], report.measures, "measure")
    return Drawing(styled(rounds_svg(report.rounds, names, measure)), f"{measure} after {len(report.rounds)} rounds")


def draw_kinds(report: Report, composers: Sequence[str] = ()) -> Drawing:
    """What is found by kind of edit, a column each and a row for each composer: the greener, the more.

    Raises InvalidRequestError without kinds, and for a composer that the report does not have.
    """
    rows = {row.label: row.by_kind for row in report.rows if row.by_kind}
    if not rows:
        raise InvalidRequestError("The report has no kinds of edits: the benchmark's queries name none.")
    names = list(composers or rows)
    _check(names, list(rows), "composer")
    head = [Markup("<th>{}<br>{}</th>").format(kind, faint(f"{n:,}")) for kind, n in report.kinds.items()]
    body = [_kinds_row(name, [rows[name].get(kind) for kind in report.kinds]) for name in names]
    lead = Markup("<div class='head'><b>{}</b>{}</div>").format(
        f"{report.kind_measure} by kind of edit", faint("percent; below each kind the number of its queries")
    )
    table = Markup("<div class='wide'><table><tr><th></th>{}</tr>{}</table></div>")
    shown = table.format(Markup().join(head), Markup().join(body))
    return Drawing(styled(lead, shown), f"{len(names)} composers by {len(report.kinds)} kinds of edit")


def _kinds_row(name: str, figures: Sequence[Estimate | None]) -> Markup:
    return Markup("<tr><td>{}</td>{}</tr>").format(name, Markup().join(map(_shade, figures)))


def _shade(estimate: Estimate | None) -> Markup:
    if estimate is None:
        return Markup("<td></td>")
    share = min(max(estimate.mean / 100, 0.0), 1.0)
    green = f"background:color-mix(in srgb,var(--mark) {62 * share:.0f}%,transparent)"
    return Markup("<td style='{}'>{:.0f}</td>").format(green, estimate.mean)


def _check(names: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise InvalidRequestError(f"The report has no {what} {name!r}: name one of {', '.join(known)}.")


def _head(title: str, facts: str) -> Markup:
    return Markup("<div class='head'><b>{}</b>{}</div>").format(visible_line(title), faint(facts))


def _table(rows: Sequence[_Row], measures: Sequence[str], baseline: str | None, best: Mapping[str, float]) -> Markup:
    """A line for each row: its bar, its figures with their intervals on hovering, its difference to the baseline."""
    from ipcir_tools.evaluation.reports.charts import bar_svg

    main = measures[0]
    names = [*([""] * 2), *measures, f"{main} against {baseline or 'no other'}"]
    lines = [Markup("<tr>{}</tr>").format(Markup().join(Markup("<th>{}</th>").format(name) for name in names))]
    for name, figures, lead in rows:
        is_baseline = name == baseline
        bar = bar_svg(figures[main], strong=is_baseline)
        cells = [
            Markup("<td>{}</td><td title='{}'>{}</td>").format(visible_line(name), _interval(figures[main]), bar),
            *(_figure(figures[each], best.get(each)) for each in measures),
            Markup("<td>{}</td>").format(_lead(lead) if lead else ""),
        ]
        kind = Markup(" class='baseline'") if is_baseline else Markup()
        lines.append(Markup("<tr{}>{}</tr>").format(kind, Markup().join(cells)))
    return Markup("<div class='wide'><table>{}</table></div>").format(Markup().join(lines))


def _figure(figure: Estimate, best: float | None) -> Markup:
    kind = Markup(" class='best'") if best is not None and figure.mean >= best else Markup()
    return Markup("<td{} title='{}'>{:.1f}</td>").format(kind, _interval(figure), figure.mean)


def _interval(figure: Estimate) -> str:
    return f"{figure.low:.1f} to {figure.high:.1f}"


def _lead(lead: Difference) -> Markup:
    p = "p < 0.001" if lead.p < 0.001 else f"p = {lead.p:.3f}"
    return Markup("{} {}").format(f"{lead.mean:+.1f}".replace("-", "\N{MINUS SIGN}"), faint(p))


_REPORT = "ipcir_tools.evaluation.reports.report"


def register(formatter: DisplayFormatter) -> None:
    """Let an IPython display formatter show reports and comparisons as tables; nothing of them is imported for it."""
    html, markdown, plain = (formatter.formatters[f"text/{kind}"] for kind in ("html", "markdown", "plain"))
    html.for_type_by_name(_REPORT, "Report", report_table)
    html.for_type_by_name("ipcir_tools.evaluation.comparison.report", "Comparison", comparison_table)
    markdown.for_type_by_name(_REPORT, "Report", _markdown)
    plain.for_type_by_name(_REPORT, "Report", lambda report, printer, _: printer.text(_markdown(report)))


def _markdown(report: Report) -> str:
    from ipcir_tools.evaluation.reports.markdown import report_markdown

    return report_markdown(report)
