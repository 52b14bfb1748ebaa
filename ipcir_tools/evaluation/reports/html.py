"""The report of an evaluation as one HTML page that needs no other file and has no script."""

from __future__ import annotations

from collections.abc import Mapping

from ipcir_tools.composers import composer_named
from ipcir_tools.evaluation.reports.blocks import blocks
from ipcir_tools.evaluation.reports.charts import bar_svg, curve_svg
from ipcir_tools.evaluation.reports.page import Images, Thumbnail, render
from ipcir_tools.evaluation.reports.report import (
    FUSED,
    ROUNDS_NOTE,
    Example,
    Report,
    failed_where,
    failure_counts,
    made_now,
)

_GROUPS = {
    "disputed": ("Most disputed", "The ranks of the target differ most between the composers."),
    "worst": ("Hardest", "Over all composers the target has the lowest ranks."),
    "best": ("Easiest", "Over all composers the target has the highest ranks."),
}
"""Heading and explanation of each kind of example."""
_ORIGINS = {"llm": "the language model", "rules": "rules", "fallback": "rules, where the model failed"}


def report_html(report: Report, thumbnail: Thumbnail, captions: Mapping[str, str] | None = None) -> str:
    """The page. ``captions`` are shown in the images' places, by their names, where there are no images."""
    weight = next((row.weight for row in report.rows if composer_named(row.composer).name == FUSED), None)
    origins = (f"{n:,} by {_ORIGINS[origin]}" for origin, n in report.imaginer.queries.items())
    return render(
        "report.html.jinja",
        Images.of(report.examples, thumbnail, captions),
        report=report,
        best=report.best,
        facts=_facts(report),
        blocks=blocks(report),
        imagined_by=", ".join(origins) or "none",
        bar=bar_svg,
        rounds_note=ROUNDS_NOTE,
        curve=curve_svg(report.curve, weight) if report.curve else None,
        fused=FUSED,
        example_groups=_example_groups(report),
        failures=failure_counts(report),
        failed_where=failed_where(report),
        models=[*report.models.items(), *_imagination_facts(report)],
        versions=[*report.versions.items(), ("made by this run", made_now(report))],
    )


def _facts(report: Report) -> dict[str, str]:
    composers = sum(not row.not_run for row in report.rows)
    failed = sum(failure.composer is None for failure in report.failures)
    facts = {"queries": report.queries, report.entries: report.gallery, "composers": composers}
    facts |= {"failed under every composer": failed} if failed else {}
    return {name: f"{n:,}" for name, n in facts.items()}


def _example_groups(report: Report) -> list[tuple[str, str, list[Example]]]:
    """Heading, explanation and examples of each kind that the report has."""
    groups = [(*texts, [each for each in report.examples if each.kind == kind]) for kind, texts in _GROUPS.items()]
    return [group for group in groups if group[-1]]


def _imagination_facts(report: Report) -> list[tuple[str, str]]:
    """What the language model was used for, and why it was not."""
    imaginer = report.imaginer
    cost = [
        ("prompt", ", ".join(imaginer.prompts) or "none"),
        ("replies", f"{imaginer.replies:,} for {imaginer.queries.get('llm', 0):,} queries"),
        ("calls", f"{imaginer.calls:,}"),
        ("tokens", f"{imaginer.input_tokens:,} in, {imaginer.output_tokens:,} out"),
    ]
    failures = [(f"failed ({n:,} times)", reason) for reason, n in imaginer.troubles.items()]
    return (cost if imaginer.llm else []) + failures
