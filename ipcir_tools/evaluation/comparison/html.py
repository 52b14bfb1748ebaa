"""A comparison as one HTML page that needs nothing else: no script, no other file, every picture inside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ipcir_tools.evaluation.comparison.report import CAME, TOOK, ArmReport, Comparison, Dispute, Side, came, took
from ipcir_tools.evaluation.metrics.statistics import Difference, Estimate
from ipcir_tools.evaluation.reports.charts import bar_svg
from ipcir_tools.evaluation.reports.page import Thumbnail, escape, page, pairs, picture_rules
from ipcir_tools.text import excerpt

_MORE = """
.note{border-left:4px solid var(--b);padding:12px 18px;margin:18px 0 0}
.note p{margin:3px 0}
p.more{margin-top:20px}
td.name,th{white-space:normal}td.name{overflow-wrap:anywhere;min-width:120px}
.side{padding:10px 0 8px}.side+.side{border-top:1px solid var(--line)}
.side .who{display:flex;gap:12px;align-items:baseline}
.side .who b{font-size:14px;overflow-wrap:anywhere}.side .who .rank{margin-left:auto}
.side p{margin:1px 0 5px;font-size:14px;line-height:1.4;overflow-wrap:anywhere}
.side em{font-style:normal;color:var(--bad);font-size:12px}
"""


def comparison_html(comparison: Comparison, thumbnail: Thumbnail, captions: Mapping[str, str] | None = None) -> str:
    """The page. Every text is escaped; each picture is in it once, as a rule of the style sheet.

    ``captions`` are shown in the pictures' places, by their names, where there are no pictures.
    """
    names = dict.fromkeys(
        name
        for each in comparison.disputes
        for name in (each.reference, *each.targets[:1], *(hit for side in each.sides for hit in side.top))
    )
    shown = _Shown({name: f"p{i}" for i, name in enumerate(names)}, captions or {})
    parts = [_head(comparison), _recall(comparison), _work(comparison), _fallbacks(comparison)]
    parts += [_disputes(comparison, shown), _failures(comparison), _fine(comparison)]
    return page(f"{comparison.benchmark}: prompts compared", parts, _MORE + picture_rules(shown.classes, thumbnail))


# --- what was measured


def _head(comparison: Comparison) -> str:
    facts = {"queries": comparison.queries, "in the gallery": comparison.gallery, "arms": len(comparison.arms)}
    items = "".join(f"<div><dt>{name}</dt><dd>{n:,}</dd></div>" for name, n in facts.items())
    said = "".join(f"<p>{escape(note)}</p>" for note in comparison.notes)
    notes = f'<div class="card note">{said}</div>' if said else ""
    return (
        f"<header><h1>{escape(comparison.benchmark)}</h1><p class=lead>The same queries, searched with targets that "
        f"different prompts and models imagined; composer {escape(comparison.composer)}.</p>"
        f"<dl class=facts>{items}</dl>{notes}</header>"
    )


def _recall(comparison: Comparison) -> str:
    main = comparison.measures[0]
    best = {name: max(arm.figures[name].mean for arm in comparison.arms) for name in comparison.measures}
    heads = "".join(f"<th>{escape(head)}</th>" for head in ("prompt", "", *comparison.measures))
    rows = "".join(_arm_row(comparison, arm, best) for arm in comparison.arms)
    return (
        "<h2>What is found</h2><p class=lead>Percent of all queries; below each figure its 95 % interval. Bars show "
        f"{main}. The last column is the difference on the same queries, in points.</p>"
        f'<div class="card wide"><table><thead><tr>{heads}<th>{main} against<br>{escape(comparison.first)}</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _arm_row(comparison: Comparison, arm: ArmReport, best: Mapping[str, float]) -> str:
    main, strong = comparison.measures[0], arm.name == comparison.first
    bar, lead = bar_svg(arm.figures[main], strong=strong), _lead(arm.against_first.get(main), strong)
    figures = "".join(_figure(arm.figures[name], best[name]) for name in comparison.measures)
    kind = " class=base" if strong else ""
    return f"<tr{kind}><td class=name>{escape(arm.name)}</td><td>{bar}</td>{figures}<td>{lead}</td></tr>"


def _figure(figure: Estimate, best: float) -> str:
    kind = " class=best" if figure.mean == best else ""
    return f"<td{kind}>{figure.mean:.1f}<small>{figure.low:.1f} to {figure.high:.1f}</small></td>"


def _lead(lead: Difference | None, first: bool) -> str:
    if lead is None:
        return "<span class=dim>the first</span>" if first else "<span class=down>too little was asked</span>"
    kind = ("up" if lead.mean > 0 else "down") if lead.p < 0.05 else "dim"
    p = "p &lt; 0.001" if lead.p < 0.001 else f"p = {lead.p:.3f}"
    points = f"{lead.mean:+.1f}".replace("-", "−")  # noqa: RUF001 - the sign that is as wide as a plus
    return f"<span class={kind}>{points}</span><small>{p}<br>{lead.better} better, {lead.worse} worse</small>"


# --- what the models did


def _work(comparison: Comparison) -> str:
    by_model = [arm for arm in comparison.arms if arm.replies is not None]
    if not by_model:
        return ""
    return (
        "<h2>What the models did</h2><p class=lead>What came of the questions; equal ones of an arm are one.</p>"
        f"{_cells(by_model, CAME, came)}"
        "<p class='lead more'>What it took. Tokens, price and seconds are those of the replies when they were made; "
        "requests and calls are of this run, in which calls + cache hits = requests.</p>"
        f"{_cells(by_model, TOOK, took)}"
    )


def _cells(arms: Sequence[ArmReport], heads: Sequence[str], cells: Callable[[ArmReport], list[str]]) -> str:
    row = "".join(f"<th>{head}</th>" for head in ("prompt", *heads))
    rows = "".join(
        f"<tr><td class=name>{escape(arm.name)}<small>{escape(arm.prompt or '')}</small></td>"
        f"{''.join(f'<td>{cell}</td>' for cell in cells(arm))}</tr>"
        for arm in arms
    )
    return f'<div class="card wide"><table><thead><tr>{row}</tr></thead><tbody>{rows}</tbody></table></div>'


def _fallbacks(comparison: Comparison) -> str:
    rows = "".join(
        f"<tr><td class=name>{escape(arm.name)}</td><td>{n:,}</td><td class=why>{escape(why)}</td></tr>"
        for arm in comparison.arms
        if arm.replies is not None
        for why, n in arm.replies.fallbacks.items()
    )
    if not rows:
        return ""
    return (
        "<h3>Why the rules wrote in a model's place</h3>"
        f'<div class="card wide"><table><tbody>{rows}</tbody></table></div>'
    )


# --- queries side by side


class _Shown:
    """Pictures by their names, or the words that stand for them."""

    def __init__(self, classes: Mapping[str, str], captions: Mapping[str, str]) -> None:
        self.classes = classes
        self._captions = captions

    def __call__(self, name: str, hit: bool = False) -> str:
        label, mark = escape(excerpt(name)), " hit" if hit else ""
        if name in self._captions:
            return f'<span class="w{mark}" title="{label}">{escape(self._captions[name])}</span>'
        kind = f"p {self.classes[name]}{mark}"
        return f'<span class="{kind}" role="img" aria-label="{label}" title="{label}"></span>'


def _disputes(comparison: Comparison, shown: _Shown) -> str:
    if len(comparison.arms) < 2:
        return ""
    lead = "No query's target stands elsewhere." if not comparison.disputes else "The target's rank differs most here."
    cards = "".join(_dispute(each, shown) for each in comparison.disputes)
    return f"<h2>Where they differ</h2><p class=lead>{lead}</p>{cards}"


def _dispute(dispute: Dispute, shown: _Shown) -> str:
    more = f", one of {len(dispute.targets)}" if len(dispute.targets) > 1 else ""
    told = f"<p class=told>captioned: {escape(dispute.caption)}</p>" if dispute.caption else ""
    sides = "".join(_side(side, dispute, shown) for side in dispute.sides)
    return (
        '<article class="card query"><div class=asked><div class=pair>'
        f"<figure>{shown(dispute.reference)}<figcaption>reference</figcaption></figure>"
        f"<figure>{shown(dispute.targets[0])}<figcaption>target{more}</figcaption></figure></div>"
        f"<p class=said>“{escape(dispute.modification)}”</p>{told}"
        f"<p class=told>query {escape(dispute.query)}</p></div><div class=found>{sides}</div></article>"
    )


def _side(side: Side, dispute: Dispute, shown: _Shown) -> str:
    by = "" if side.origin != "fallback" else " <em>by rules, the model failed</em>"
    hits = "".join(shown(name, name in dispute.targets) for name in side.top)
    return (
        f"<div class=side><div class=who><b>{escape(side.arm)}</b>"
        f'<span class="rank{" one" if side.rank == 1 else ""}">#{side.rank:,}</span></div>'
        f"<p>{escape(side.description)}{by}</p><div class=hits>{hits}</div></div>"
    )


# --- what failed, and how it was made


def _failures(comparison: Comparison) -> str:
    if not comparison.failures:
        return ""
    rows = "".join(
        f"<tr><td>{escape(each.query)}</td><td>{escape(each.arm or 'all')}</td>"
        f"<td class=why>{escape(each.reason)}</td></tr>"
        for each in comparison.failures[:_MOST]
    )
    more = f" The first {_MOST} of {len(comparison.failures):,}." if len(comparison.failures) > _MOST else ""
    return (
        f"<h2>What failed</h2><p class=lead>Each counts as a miss in every figure above.{more}</p>"
        f'<div class="card wide"><table><tbody>{rows}</tbody></table></div>'
    )


_MOST = 50


def _fine(comparison: Comparison) -> str:
    rules = "".join(f"<li>{escape(rule)}</li>" for rule in comparison.rules)
    arms = {arm.name: " by ".join(filter(None, (arm.prompt, arm.llm))) or "no model" for arm in comparison.arms}
    return (
        "<h2>How it was made</h2><div class=fine>"
        f"<section class=card><h3>Rules</h3><ul>{rules}</ul></section>"
        f"<section class=card><h3>Arms</h3>{pairs(arms)}<h3>Models</h3>{pairs(comparison.models)}"
        f"<h3>Versions</h3>{pairs(comparison.versions)}</section></div>"
    )
