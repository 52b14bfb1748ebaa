"""What a report tells beside its main table: kinds of edits, violations, wordings. Each is one table in every form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ipcir_tools.evaluation.metrics.violations import FIRST
from ipcir_tools.evaluation.reports.report import Report


@dataclass(frozen=True)
class Block:
    """A table with its title and what its figures are; the first cell of a row is its name."""

    title: str
    lead: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def blocks(report: Report) -> list[Block]:
    """Those of the report that hold anything."""
    makers: tuple[Callable[[Report], Iterator[Block]], ...] = (_kinds, _violations, _wordings)
    return [block for make in makers for block in make(report)]


def _kinds(report: Report) -> Iterator[Block]:
    if not report.kinds:
        return
    names = list(report.kinds)
    rows = tuple(
        (row.label, *(f"{row.by_kind[name].mean:.1f}" if name in row.by_kind else "" for name in names))
        for row in report.rows
        if row.by_kind
    )
    head = ("composer", *(f"{name} ({n:,})" for name, n in report.kinds.items()))
    lead = f"{report.kind_measure}, percent of the queries whose edit is of a kind (their number); some are of several."
    yield Block("By kind of edit", lead, head, rows)


def _violations(report: Report) -> Iterator[Block]:
    if not report.violations:
        return
    split = any(each.breaks is not None for each in report.violations)
    head = ("composer", "violations", *(("break the edit", "lose what should stay") if split else ()), "queries")
    rows = []
    for each in report.violations:
        parts = [f"{share:.1f}" for share in (each.breaks, each.loses) if share is not None]
        rows.append((each.composer, f"{each.share:.1f}", *parts, f"{each.queries:,}"))
    lead = f"Percent of the first {FIRST} hits that are known to be wrong; a picture may be wrong in both ways."
    if report.least_violations is not None:
        lead += f" The least possible is {report.least_violations:.1f}: the gallery holds no more that fit."
    yield Block("Violations", lead, head, tuple(rows))


def _wordings(report: Report) -> Iterator[Block]:
    if not report.wordings:
        return
    first = report.wordings[0]
    names = ("as written", *(f"wording {i}" for i in range(1, len(first.figures))))
    head = ("composer", *names, "mean", "spread", "worst", "best", "worst / best", "always")
    rows = tuple(
        (
            each.composer,
            *(f"{figure:.1f}" for figure in each.figures),
            *(f"{figure:.1f}" for figure in (each.mean, each.spread, each.worst, each.best)),
            f"{each.ratio:.3f}",
            f"{each.always:.1f}",
        )
        for each in report.wordings
    )
    lead = (
        f"{first.measure} of {first.queries:,} queries in each of their wordings; spread is the standard deviation "
        "over the wordings in points, always counts a query by its worst wording."
    )
    yield Block("Other wordings", lead, head, rows)
