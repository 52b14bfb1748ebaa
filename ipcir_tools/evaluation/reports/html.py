"""The report as one HTML page that needs nothing else: no script, no other file, every picture inside it."""

from __future__ import annotations

from collections.abc import Mapping

from ipcir_tools.composers import composer_named
from ipcir_tools.evaluation.metrics.statistics import Difference, Estimate
from ipcir_tools.evaluation.reports.charts import bar_svg, curve_svg
from ipcir_tools.evaluation.reports.page import Thumbnail, escape, page, pairs, picture_rules
from ipcir_tools.evaluation.reports.report import FUSED, Example, Report, Row, failed_where, failure_counts, made_now

_KINDS = {
    "disputed": ("Most disputed", "The composers agree least on where the target stands."),
    "worst": ("Hardest", "Over all composers the target stands lowest."),
    "best": ("Easiest", "Over all composers the target stands highest."),
}


def report_html(report: Report, thumbnail: Thumbnail, captions: Mapping[str, str] | None = None) -> str:
    """The page. Every text of the report is escaped; each picture is in it once, as a rule of the style sheet.

    ``captions`` are shown in the pictures' places, by their names, where there are no pictures.
    """
    names = dict.fromkeys(
        name
        for example in report.examples
        for name in (example.reference, *example.targets[:1], *(n for each in example.rankings for n in each.top))
    )
    classes = {name: f"p{i}" for i, name in enumerate(names)}
    parts = [
        _head(report),
        _table(report),
        _curve(report),
        _examples(report, classes, captions or {}),
        _failures(report),
        _fine(report),
    ]
    return page(f"{report.benchmark}: composed retrieval measured", parts, picture_rules(classes, thumbnail))


# --- what was measured


def _head(report: Report) -> str:
    by = ", ".join(f"{n:,} by {_BY[origin]}" for origin, n in report.imaginer.queries.items()) or "nothing"
    ran = [row for row in report.rows if not row.not_run]
    everywhere = sum(failure.composer is None for failure in report.failures)
    facts = {"queries": f"{report.queries:,}", report.entries: f"{report.gallery:,}", "composers": f"{len(ran)}"}
    facts |= {"failed under every composer": f"{everywhere:,}"} if everywhere else {}
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    rule = "stays in" if report.keeps_reference else "is left out of"
    return (
        f"<header><h1>{escape(report.benchmark)}</h1><p class=lead>A reference picture and a request for a change: is "
        f"the right picture found? The reference {rule} the ranking. Targets imagined: {escape(by)}"
        f"{f' ({escape(report.imaginer.llm)})' if report.imaginer.llm else ''}.</p>"
        f"<dl class=facts>{items}</dl></header>"
    )


_BY = {"llm": "the language model", "rules": "rules", "fallback": "rules, where the model failed"}


def _table(report: Report) -> str:
    if not report.measures:
        lead = "The truth of this part is hidden: its server scores a submission file."
        return f"<h2>Composers</h2><p class=lead>{lead}</p>"
    main = report.measures[0]
    ran = [row.figures for row in report.rows if not row.not_run]
    best = {name: max((figures[name].mean for figures in ran), default=0.0) for name in report.measures}
    heads = ["composer", "weight", "", *report.measures]
    cells = (
        "".join(f"<th>{escape(head)}</th>" for head in heads)
        + f"<th>{main} against<br>{escape(report.baseline or 'no other')}</th><th>failed</th>"
    )
    rows = "".join(_row(report, row, best) for row in report.rows)
    return (
        "<h2>Composers</h2><p class=lead>Percent of all queries; below each figure its 95 % interval. Bars show "
        f"{main}. Behind the figures stands the difference on the same queries, in points. "
        "A query that failed is a miss.</p>"
        f'<div class="card wide"><table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(report: Report, row: Row, best: Mapping[str, float]) -> str:
    name = f"<td class=name>{escape(row.composer)}</td>"
    if row.not_run:
        span = len(report.measures) + 4
        return f'<tr>{name}<td class=why colspan="{span}">not run: {escape(row.not_run)}</td></tr>'
    weight = "" if row.weight is None else f"{row.weight:.2f}"
    main = report.measures[0]
    bar = bar_svg(row.figures[main], strong=row.composer == report.baseline)
    figures = "".join(_figure(row.figures[each], best[each]) for each in report.measures)
    kind = " class=base" if row.composer == report.baseline else ""
    lead = _lead(row.against_baseline.get(main)) if report.baseline else ""
    failed = f"<td{'' if row.failed else ' class=dim'}>{row.failed:,}</td>"
    return f"<tr{kind}>{name}<td class=dim>{weight}</td><td>{bar}</td>{figures}<td>{lead}</td>{failed}</tr>"


def _figure(figure: Estimate, best: float) -> str:
    kind = " class=best" if figure.mean == best else ""
    return f"<td{kind}>{figure.mean:.1f}<small>{figure.low:.1f} to {figure.high:.1f}</small></td>"


def _lead(lead: Difference | None) -> str:
    if lead is None:
        return "<span class=dim>baseline</span>"
    kind = ("up" if lead.mean > 0 else "down") if lead.p < 0.05 else "dim"
    p = "p &lt; 0.001" if lead.p < 0.001 else f"p = {lead.p:.3f}"
    return (
        f"<span class={kind}>{_signed(lead.mean)}</span><small>{p}<br>{lead.better} better, {lead.worse} worse</small>"
    )


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")  # noqa: RUF001 - the sign that is as wide as a plus


def _curve(report: Report) -> str:
    if not report.curve:
        return ""
    used = next((row.weight for row in report.rows if composer_named(row.composer).name == FUSED), None)
    return (
        f"<h2>What the fusion is worth</h2><p class=lead>{FUSED}: percent of queries whose target is among the first "
        "1, 5 and 10, by the weight of the imagined text. The dots are where each line is highest.</p>"
        f"<div class=card>{curve_svg(report.curve, used)}</div>"
    )


# --- queries as pictures


def _examples(report: Report, classes: Mapping[str, str], captions: Mapping[str, str]) -> str:
    if not report.examples:
        return ""
    parts = ["<h2>Queries to look at</h2>"]
    for kind, (title, lead) in _KINDS.items():
        some = [example for example in report.examples if example.kind == kind]
        if some:
            cards = "".join(_example(example, classes, captions) for example in some)
            parts.append(f"<h3>{title}</h3><p class=lead>{lead}</p>{cards}")
    return "".join(parts)


def _example(example: Example, classes: Mapping[str, str], captions: Mapping[str, str]) -> str:
    def shown(name: str, hit: bool = False) -> str:
        return _picture(name, classes, hit) if name not in captions else _words(name, captions[name], hit)

    told = f"<p class=told>imagined: {escape(example.imagined)}</p>" if example.imagined else ""
    more = f", one of {len(example.targets)}" if len(example.targets) > 1 else ""
    ways = "".join(
        f'<div class=way><b>{escape(each.composer)}</b><span class="rank{" one" if each.rank == 1 else ""}">'
        f"#{each.rank:,}</span><div class=hits>"
        f"{''.join(shown(name, name in example.targets) for name in each.top)}</div></div>"
        for each in example.rankings
    )
    return (
        '<article class="card query"><div class=asked><div class=pair>'
        f"<figure>{shown(example.reference)}<figcaption>reference</figcaption></figure>"
        f"<figure>{shown(example.targets[0])}<figcaption>target{more}</figcaption></figure></div>"
        f"<p class=said>“{escape(example.modification)}”</p>{told}"
        f"<p class=told>query {escape(example.query)}</p></div><div class=found>{ways}</div></article>"
    )


def _picture(name: str, classes: Mapping[str, str], hit: bool = False) -> str:
    label = escape(name)
    kind = f"p {classes[name]} hit" if hit else f"p {classes[name]}"
    return f'<span class="{kind}" role="img" aria-label="{label}" title="{label}"></span>'


def _words(name: str, caption: str, hit: bool) -> str:
    kind = "w hit" if hit else "w"
    return f'<span class="{kind}" title="{escape(name)}">{escape(caption)}</span>'


# --- what failed, and how it was made


def _failures(report: Report) -> str:
    counts = failure_counts(report)
    if not counts:
        return ""
    rows = "".join(
        f"<tr><td>{n:,}</td><td class=why>{escape(name or 'every composer')}</td><td class=why>{escape(why)}</td></tr>"
        for name, why, n in counts
    )
    return (
        f"<h2>What failed</h2><p class=lead>Queries: {escape(failed_where(report))}. Each is a miss in the figures of "
        "the composers under which it failed. The JSON report names the queries.</p>"
        f'<div class="card wide"><table><tbody>{rows}</tbody></table></div>'
    )


def _fine(report: Report) -> str:
    rules = "".join(f"<li>{escape(rule)}</li>" for rule in report.rules)
    made = report.imaginer
    cost = {
        "prompt": ", ".join(made.prompts) or "none",
        "replies": f"{made.replies:,} for {made.queries.get('llm', 0):,} queries",
        "calls": f"{made.calls:,}",
        "tokens": f"{made.input_tokens:,} in, {made.output_tokens:,} out",
    }
    troubles = {f"trouble ({n:,} times)": why for why, n in made.troubles.items()}
    return (
        "<h2>How it was made</h2><div class=fine>"
        f"<section class=card><h3>Rules</h3><ul>{rules}</ul></section>"
        f"<section class=card><h3>Models</h3>{pairs(report.models | (cost if made.llm else {}) | troubles)}"
        f"<h3>Versions</h3>{pairs(report.versions | {'made by this run': made_now(report)})}</section></div>"
    )
