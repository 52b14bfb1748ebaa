"""Reports in a notebook: tables and drawings, in which a text stays a text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from IPython.core.formatters import DisplayFormatter
from PIL import Image
from test_report import EVIL, figure, report, row

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation import draw_curve, draw_kinds, draw_queries, draw_rounds, report_markdown
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import measures
from ipcir_tools.evaluation.notebook import register, report_table
from ipcir_tools.evaluation.reports.report import Round


def rounds(*means: tuple[float, float]) -> tuple[Round, ...]:
    return tuple(
        Round(round=i, sessions=3, figures={"sum": {"R@1": figure(one)}, "edit": {"R@1": figure(other)}})
        for i, (one, other) in enumerate(means, 1)
    )


def test_the_best_composer_is_first_and_the_baseline_stands_out():
    rows = (row("sum", 40), row("imagined+reference", 60), row("aligned", 0, not_run=EVIL))
    html = report_table(report(rows=rows))
    assert re.findall(r"<td>([a-z+]+)</td>", html) == ["imagined+reference", "sum"]
    assert html.count("<tr class='baseline'>") == 1
    assert html.count("class='best'") == 2
    assert "aligned was not run" in html
    assert "<script" not in html


def test_a_hidden_truth_is_said_so():
    assert "hidden" in report_table(report(measures=(), rows=(row("sum", 0),), curve=()))


def test_a_notebook_shows_a_report_as_a_table_and_as_markdown():
    formatter = DisplayFormatter()
    formatter.active_types = ["text/html", "text/markdown"]
    register(formatter)
    data, _ = formatter.format(report())
    words = report_markdown(report())
    assert data == {"text/html": report_table(report()), "text/markdown": words, "text/plain": words}


def test_the_curve_and_the_rounds_are_lines():
    assert draw_curve(report()).html.count("<polyline") == 3
    drawn = draw_rounds(report(rounds=rounds((10, 20), (15, 60), (15, 80))), ["edit", "sum"], "R@1").html
    svg = ElementTree.fromstring(drawn[drawn.index("<svg") : drawn.index("</svg>") + 6])
    names = [each for each in svg.iter("text") if each.attrib["class"] == "name"]
    assert [each.text for each in names] == ["edit 80", "sum 15"]
    assert [each.text for each in svg.iter("text") if each.attrib["class"] == "tick"][5:] == ["1", "2", "3"]
    assert [len(each.attrib["points"].split()) for each in svg.iter("polyline")] == [3, 3]
    ends = [float(each.attrib["cx"]) for each in svg.iter("circle")]
    assert ends[0] == ends[1] == max(float(each.split(",")[0]) for each in svg[-1][0].attrib["points"].split())
    assert "sum from 10.0 to 15.0 %" in svg.attrib["aria-label"]


def test_one_round_is_a_drawing_too():
    assert draw_rounds(report(rounds=rounds((10, 20))), ["edit"], "R@1").html.count("<circle") == 1


def test_kinds_of_edits_are_columns_and_what_a_row_lacks_is_empty():
    rows = tuple(
        row(name, 40).model_copy(update={"by_kind": by_kind})
        for name, by_kind in (("sum", {"add": figure(50)}), ("edit", {"add": figure(80), EVIL: figure(100)}))
    )
    drawn = draw_kinds(report(rows=rows, kinds={"add": 3, EVIL: 1}, kind_measure="R@1"), ["edit", "sum"])
    assert re.findall(r"<td>(edit|sum)</td>", drawn.html) == ["edit", "sum"]
    assert re.findall(r"mark\) (\d+)%", drawn.html) == ["50", "62", "31"]
    assert "<script" not in drawn.html
    assert repr(drawn) == "2 composers by 2 kinds of edit"


@pytest.mark.parametrize(
    ("draw", "why"),
    [
        (lambda: draw_curve(report(curve=())), "no curve: evaluate imagined"),
        (lambda: draw_rounds(report()), "no rounds"),
        (lambda: draw_rounds(report(rounds=rounds((1, 2))), ["edits"]), "no composer 'edits': name one of sum, edit"),
        (lambda: draw_rounds(report(rounds=rounds((1, 2))), measure="R@7"), "no measure 'R@7'"),
        (lambda: draw_kinds(report()), "no kinds"),
    ],
)
def test_what_a_report_does_not_have_is_an_error_that_says_what_it_has(draw, why):
    with pytest.raises(InvalidRequestError, match=why):
        draw()


@pytest.mark.parametrize(("queries", "shown"), [(0, []), (1, [0]), (4, [0, 1, 2, 3]), (12, [0, 3, 6, 9])])
def test_queries_are_shown_from_the_first_to_the_last(tmp_path, queries, shown):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    benchmark = Benchmark(
        name="mine",
        queries=tuple(Query(str(i), "a.png", f"words {i} {EVIL}", ("b.png",)) for i in range(queries)),
        gallery=("a.png", "b.png"),
        paths={"a.png": "a.png", "b.png": "b.png"},
        keeps_reference=False,
        measures=measures("R", 1),
        notes=(),
        folder=tmp_path,
    )
    html = draw_queries(benchmark).html
    assert [int(each) for each in re.findall(r"words (\d+) ", html)] == shown
    assert html.count("<img ") == len(shown), "the right answers' file is gone"
    assert "<script" not in html
