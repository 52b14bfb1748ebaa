"""A comparison as one HTML page that needs no other file and has no script."""

from __future__ import annotations

from collections.abc import Mapping

from ipcir_tools.evaluation.comparison.report import (
    COST_HEADINGS,
    REPLY_HEADINGS,
    Comparison,
    cost_cells,
    reply_cells,
)
from ipcir_tools.evaluation.reports.charts import bar_svg
from ipcir_tools.evaluation.reports.page import Images, Thumbnail, render

_MOST_FAILURES = 50


def comparison_html(comparison: Comparison, thumbnail: Thumbnail, captions: Mapping[str, str] | None = None) -> str:
    """The page. ``captions`` are shown in the images' places, by their names, where there are no images."""
    facts = {"queries": comparison.queries, "in the gallery": comparison.gallery, "arms": len(comparison.arms)}
    by_model = [arm for arm in comparison.arms if arm.replies is not None]
    return render(
        "comparison.html.jinja",
        Images.of(comparison.disagreements, thumbnail, captions),
        comparison=comparison,
        best=comparison.best,
        facts={name: f"{n:,}" for name, n in facts.items()},
        bar=bar_svg,
        reply_headings=REPLY_HEADINGS,
        replies=[(arm, reply_cells(arm)) for arm in by_model],
        cost_headings=COST_HEADINGS,
        costs=[(arm, cost_cells(arm)) for arm in by_model],
        fallbacks=[
            (arm.name, reason, n)
            for arm in comparison.arms
            if arm.replies is not None
            for reason, n in arm.replies.fallbacks.items()
        ],
        most_failures=_MOST_FAILURES,
        arms=[(arm.name, " by ".join(filter(None, (arm.prompt, arm.llm))) or "no model") for arm in comparison.arms],
    )
