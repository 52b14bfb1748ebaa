"""The report as JSON, Markdown and HTML: well-formed, whole, and never a way for a text to become markup."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

from ipcir_tools.cli.output.evaluation import show_report
from ipcir_tools.evaluation.metrics.robustness import robustness
from ipcir_tools.evaluation.metrics.statistics import Difference, Estimate
from ipcir_tools.evaluation.metrics.violations import Violations
from ipcir_tools.evaluation.reports.blocks import blocks
from ipcir_tools.evaluation.reports.charts import bar_svg, curve_svg
from ipcir_tools.evaluation.reports.html import report_html
from ipcir_tools.evaluation.reports.markdown import report_markdown
from ipcir_tools.evaluation.reports.page import thumbnails
from ipcir_tools.evaluation.reports.report import (
    ComposerRanking,
    Example,
    Failure,
    Imaginer,
    Report,
    Row,
    failed_where,
    failure_counts,
    failure_lines,
    report_json,
)
from ipcir_tools.settings import Settings

EVIL = '<script>alert("x")</script> & | `*_[a](b)'
CURVE = tuple({"weight": step / 4, "R@1": 10.0 * step, "R@5": 50.0 + step, "R@10": 50.5 + step} for step in range(5))


def figure(mean: float) -> Estimate:
    return Estimate(mean=mean, low=mean - 5, high=mean + 5)


def row(composer: str, mean: float, against: dict[str, Difference] | None = None, not_run: str = "") -> Row:
    return Row(
        composer=composer,
        parameters={"weight": 0.8123456} if composer == "imagined+reference" else {},
        weight=0.8 if composer == "imagined+reference" else None,
        not_run=not_run,
        scored=0 if not_run else 8,
        failed=0 if not_run else 2,
        figures={} if not_run else {"R@1": figure(mean), "R@5": figure(mean + 10)},
        against_baseline=against or {},
    )


def report(**changed: Any) -> Report:
    lead = Difference(mean=-20.0, low=-30.0, high=-10.0, p=0.0123456, better=1, worse=3)
    ranking = ComposerRanking(composer="imagined+reference", rank=1, top=("a.png", EVIL))
    example = Example(
        kind="best", query="q<1>", reference="a.png", modification=EVIL, targets=("b.png", "c.png"), imagined=EVIL,
        rankings=(ranking,),
    )  # fmt: skip
    rows = (row("imagined+reference", 60), row("sum", 40.123456, {"R@1": lead}), row("aligned", 0, not_run=EVIL))
    made: dict[str, Any] = {
        "benchmark": EVIL,
        "queries": 10,
        "gallery": 2_580,
        "keeps_reference": False,
        "measures": ("R@1", "R@5"),
        "baseline": "imagined+reference",
        "rows": rows,
        "failures": (Failure(query="1", composer=None, reason=EVIL), Failure(query="2", composer=None, reason=EVIL)),
        "unreadable": {},
        "imaginer": Imaginer(
            llm=EVIL, queries={"llm": 7, "fallback": 1}, replies=6, shared=1, calls=9, input_tokens=1_200,
            output_tokens=300, prompts=("imagine.structured@1#abc",), troubles={EVIL: 1},
        ),
        "curve": CURVE,
        "examples": (example,),
        "rules": (EVIL,),
        "models": {"encoder": EVIL},
        "versions": {"numpy": "2"},
        "this_run": {"pictures": 1.23456, "calls": 3, "captions": 1_200, "image_encodes": 0, "drawings": 4},
    }  # fmt: skip
    return Report(**{**made, **changed})


def report_of(text: str) -> Report:
    """A report whose every text from a file or a model is ``text``."""
    whole = report().model_dump_json().replace(json.dumps(EVIL)[1:-1], json.dumps(text)[1:-1])
    whole = whole.replace('"q<1>"', json.dumps(text)).replace('"a.png"', json.dumps(text))
    return Report.model_validate(json.loads(whole))


def no_picture(name: str) -> bytes | None:
    return None


class Page(HTMLParser):
    """What a page holds; every tag that is opened must be closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        """The texts of each row of the tables, cell by cell."""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_the_page_is_well_formed_and_needs_nothing_else():
    text = report_html(report(), no_picture)
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not {name for name, _ in page.attributes} & {"src", "href", "onclick", "style"}
    assert "http" not in re.sub(r"data:[^)]*", "", text)


def test_texts_stay_texts():
    text = report_html(report(), no_picture)
    assert "<script" not in text
    words = " ".join(Page(text).words)
    assert words.count('<script>alert("x")</script>') >= 8, "title, request, reasons, rules, models: all shown as it is"
    labels = [value for name, value in Page(text).attributes if name == "aria-label"]
    assert any(value and '<script>alert("x")' in value for value in labels)


@pytest.mark.parametrize("write", [lambda each: report_html(each, no_picture), report_markdown], ids=["html", "md"])
def test_nothing_turns_the_reading_order_or_hides(write):
    """A name such as ``cod<RLO>gnp.exe`` reads as ``codexe.png``."""
    invisible = "\u202e\u2066\u2069\u200f\u200b\ufeff\x00\x07\x1b\x7f\x9b\udcff"
    text = write(report_of(f"cod{invisible}gnp.exe\u2028next"))
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    assert text.count("u202e") >= 6, "escapes show what was there"
    assert "next" in text


def test_what_this_run_made_is_reported():
    for text in (report_html(report(), no_picture), report_markdown(report())):
        assert "3 calls, 1,200 captions, 4 drawings" in text
    assert "made by this run: nothing" in report_markdown(report(this_run={"pictures": 2.0}))


def test_the_page_shows_the_table_the_curve_and_the_queries():
    page = Page(report_html(report(), no_picture))
    words = " ".join(page.words)
    for fact in (
        "60.0",
        "55.0 to 65.0",
        "\N{MINUS SIGN}20.0",
        "p = 0.012",
        "1 better, 3 worse",
        "2,580",
        "not run",
        "one of 2",
        "#1",
    ):
        assert fact in words
    assert (page.tags.count("article"), page.tags.count("polyline")) == (1, 3)


def failing() -> Report:
    """Nineteen lines fail whoever composes, and five more queries under one composer alone."""
    everywhere = [Failure(query=f"line {i}", composer=None, reason="no such picture") for i in range(19)]
    own = [Failure(query=str(i), composer="sum", reason="no such picture") for i in range(5)]
    rows = [row("imagined+reference", 60), row("sum", 40)]
    rows = [each.model_copy(update={"failed": failed}) for each, failed in zip(rows, (19, 24), strict=True)]
    return report(rows=tuple(rows), failures=(*everywhere, *own))


def test_failures_are_listed_by_composer():
    made = failing()
    assert failed_where(made) == "19 under every composer, 5 more under sum"
    assert failure_lines(made) == ["19 x no such picture", "5 x sum: no such picture"]
    assert failed_where(report(failures=made.failures[19:])) == "5 under sum"
    assert failed_where(report(failures=())) == ""


def test_a_page_says_under_which_composer_queries_failed():
    text = report_html(made := failing(), no_picture)
    words = " ".join(" ".join(Page(re.sub(r"<style>.*</style>", "", text, flags=re.S)).words).split())
    assert "failed under every composer 19" in words
    assert words.count("24") == 1, "in the row of sum"
    assert "Queries: 19 under every composer, 5 more under sum." in words
    assert "in every figure above" not in words
    rows = Page(text).rows
    assert rows[-2:] == [["19", "every composer", "no such picture"], ["5", "sum", "no such picture"]]
    assert [(row[0], row[-1]) for row in rows[1:3]] == [("imagined+reference", "19"), ("sum", "24")]
    assert "5 x sum: no such picture" in report_markdown(made)


def test_the_output_names_the_composer_under_which_queries_failed(capsys):
    show_report(failing())
    shown = capsys.readouterr().out
    assert "queries that failed: 19 under every composer, 5 more under sum\n" in shown
    assert "  5 x sum: no such picture\n" in shown
    assert "24 queries" not in shown
    table = [line.split() for line in shown.splitlines()]
    assert [line[-1] for line in table if line and line[0] in ("composer", "imagined+reference", "sum")] == [
        "failed", "19", "24",
    ]  # fmt: skip


def test_what_a_gallery_holds_is_called_by_its_name(capsys):
    made = report(entries="entries of captions")
    show_report(made)
    for text in (report_html(made, no_picture), report_markdown(made), capsys.readouterr().out):
        assert "entries of captions" in text
        assert "2,580 pictures" not in text


def test_each_picture_is_in_the_page_once(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (900, 300), (200, 30, 30)).save(tmp_path / name)
    (tmp_path / "c.png").write_bytes(b"no picture")
    files = {name: tmp_path / name for name in ("a.png", "b.png", "c.png")}
    thumbnail = thumbnails(files, Settings())
    text = report_html(report(), thumbnail)
    assert text.count("data:image/jpeg;base64,") == 2
    assert thumbnail("c.png") is None
    small = thumbnail("a.png")
    assert small is not None
    assert len(small) < 4_000


def test_a_page_of_a_hidden_truth_or_of_nothing():
    hidden = report(measures=(), rows=(row("sum", 0),), curve=(), examples=(), failures=())
    page = Page(report_html(hidden, no_picture))
    assert "hidden" in " ".join(page.words)
    assert page.open == []
    assert "hidden" in report_markdown(hidden)


def test_the_drawings_are_xml_and_labels_do_not_cover_each_other():
    svg = ElementTree.fromstring(curve_svg(CURVE, 0.8))
    names = [float(each.attrib["y"]) for each in svg.iter("text") if each.attrib["class"] == "name"]
    assert len(names) == 3
    assert min(abs(a - b) for i, a in enumerate(names) for b in names[:i]) >= 16
    assert [circle.attrib["cx"] for circle in svg.iter("circle")] == [svg.findall(".//circle")[0].attrib["cx"]] * 3
    bar = ElementTree.fromstring(bar_svg(Estimate(mean=50.0, low=-3.0, high=120.0), strong=True))
    widths = [float(each.attrib["width"]) for each in bar.iter("rect")]
    assert widths[1] == pytest.approx(widths[0] / 2)


SAME = tuple({"weight": step / 4, "R@1": 10.0 * step, "R@5": 10.0 * step, "R@10": 10.0 * step} for step in range(5))
CLOSE = tuple({"weight": step / 4, "R@1": 8.0 + step, "R@5": 10.0 + step, "R@10": 12.0 + step} for step in range(5))
FULL = tuple({"weight": step / 4, "R@1": 99.0, "R@5": 100.0, "R@10": 100.0} for step in range(5))


NONE = tuple({"weight": step / 4, "R@1": 0.0, "R@5": 0.0, "R@10": 0.0} for step in range(5))


@pytest.mark.parametrize("curve", [CURVE, SAME, CLOSE, FULL, NONE], ids=["apart", "one", "close", "top", "bottom"])
def test_no_label_of_the_curve_covers_another(curve):
    svg = ElementTree.fromstring(curve_svg(curve, None))
    boxes = []
    for each in svg.iter("text"):
        x, y = float(each.attrib["x"]), float(each.attrib["y"])
        if each.attrib["class"] == "value":
            assert 8 < y < 286, "in the plot, not on the numbers below it"
            assert x - 15 > 44, "nor on those beside it"
            boxes.append((x - 15, x + 15, y))
        elif each.attrib["class"] == "name":
            boxes.append((x, x + 34, y))
    assert len(boxes) == 6
    for i, (left, right, y) in enumerate(boxes):
        assert 8 < y < 330
        for other_left, other_right, other_y in boxes[:i]:
            assert left >= other_right or right <= other_left or abs(y - other_y) >= 12


def test_json_is_whole_and_rounded():
    document = json.loads(json.dumps(report_json(report())))
    assert Report.model_validate(document).benchmark == EVIL
    assert document["rows"][1]["figures"]["R@1"]["mean"] == 40.12
    assert document["rows"][1]["against_baseline"]["R@1"]["p"] == 0.0123
    assert document["rows"][0]["parameters"] == {"weight": 0.8123456}
    assert document["curve"][1] == {"weight": 0.25, "R@1": 10.0, "R@5": 51.0, "R@10": 51.5}
    assert failure_counts(report()) == [(None, EVIL, 2)]


def test_markdown_keeps_its_columns():
    text = report_markdown(report())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    table = rows[: rows.index(next(line for line in rows if "aligned" in line)) + 1]
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert cells == {8}
    assert "| sum |  | 40.1 (35.1 to 45.1) |" in text
    assert "<script" not in text.replace("\\<script", "")
    assert "2 x \\<script\\>" in text


# --- kinds of edits, violations, wordings


HONEST = {
    "rows": (row("sum", 40.0).model_copy(update={"by_kind": {EVIL: figure(41.5)}}),),
    "kinds": {EVIL: 5},
    "kind_measure": "R@1",
    "violations": (Violations(composer="sum", queries=8, share=72.25, breaks=30.0, loses=None),),
    "least_violations": 60.3,
    "wordings": (robustness("sum, 20 verified", "R@1", [[100.0, 0.0], [100.0, 100.0]]),),
}


def test_what_there_is_beside_the_main_table_is_told_in_every_form(capsys):
    made = report(**HONEST)
    cells = ("41.5", "72.2", "0.500", "sum, 20 verified")
    show_report(made)
    texts = [report_markdown(made), capsys.readouterr().out]
    page = Page(report_html(made, no_picture))
    assert ["sum, 20 verified", "50.0", "100.0", "75.0", "25.0", "50.0", "100.0", "0.500", "50.0"] in page.rows
    for text in texts:
        assert all(cell in text for cell in cells)
        assert "The least possible is 60.3" in text
    found = report_json(made)
    assert (found["violations"][0]["share"], found["wordings"][0]["worst"]) == (72.25, 50.0)
    assert found["rows"][0]["by_kind"][EVIL]["mean"] == 41.5


def test_what_is_not_known_has_no_table():
    assert blocks(report()) == []
