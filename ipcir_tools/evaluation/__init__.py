"""Measuring composed retrieval: metrics, runs over benchmarks, speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcir_tools._lazy import lazy_exports

if TYPE_CHECKING:
    from ipcir_tools.evaluation.comparison.arms import Arm
    from ipcir_tools.evaluation.comparison.compare import compare
    from ipcir_tools.evaluation.comparison.html import comparison_html
    from ipcir_tools.evaluation.comparison.runner import ComparisonRunner
    from ipcir_tools.evaluation.notebook import draw_curve, draw_kinds, draw_queries, draw_rounds
    from ipcir_tools.evaluation.reports.html import report_html
    from ipcir_tools.evaluation.reports.markdown import report_markdown
    from ipcir_tools.evaluation.reports.page import thumbnails
    from ipcir_tools.evaluation.runs.evaluate import evaluate
    from ipcir_tools.evaluation.runs.gallery import load_gallery

_MODULES = {
    "Arm": "comparison.arms",
    "ComparisonRunner": "comparison.runner",
    "compare": "comparison.compare",
    "comparison_html": "comparison.html",
    "draw_curve": "notebook",
    "draw_kinds": "notebook",
    "draw_queries": "notebook",
    "draw_rounds": "notebook",
    "evaluate": "runs.evaluate",
    "load_gallery": "runs.gallery",
    "report_html": "reports.html",
    "report_markdown": "reports.markdown",
    "thumbnails": "reports.page",
}

__all__ = [
    "Arm",
    "ComparisonRunner",
    "compare",
    "comparison_html",
    "draw_curve",
    "draw_kinds",
    "draw_queries",
    "draw_rounds",
    "evaluate",
    "load_gallery",
    "report_html",
    "report_markdown",
    "thumbnails",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
