"""The benchmark's document: parts, failures, aims, warnings, tables, plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_documents import MACHINE, PARTS, query
from PIL import Image
from rich.console import Console

from ipcir_tools.bench import machine, report
from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.plot import LIMIT, OWN, PEER, draw_plot, panels
from ipcir_tools.bench.process import FailedError
from ipcir_tools.cli.output import bench as output

MODULES = {module: part for part, module in report.MODULES.items()}


def measured(broken: str = "", parts: tuple[str, ...] = tuple(PARTS)) -> dict[str, Any]:
    """The document of a run whose measurements are made up."""

    def call(work: str, say: Any, **arguments: Any) -> Any:
        say("measuring")
        module = work.partition(":")[0]
        if module == "machine":
            return dict(MACHINE)
        if MODULES[module] == broken:
            raise FailedError("there is no room on the disk")
        return PARTS[MODULES[module]]

    return report.run(Plan(folder=Path("/nowhere"), parts=parts), lambda text: None, call)


def test_the_document_has_every_part_under_the_issues_names():
    document = measured()
    assert {"machine", "index", "agreement", "query", "concurrency", "memory", "update", "import_s"} <= document.keys()
    assert {"images_per_s", "bare_forward_per_s", "peer_per_s"} <= document["index"].keys()
    assert {"n", "add_3_s", "resync_s", "open_s"} <= document["update"][0].keys()
    wanted = {"n", "p50_ms", "p95_ms", "recall_at_10", "exact_p50_ms", "chroma_p50_ms"}
    assert all(wanted <= each.keys() for each in document["query"])
    assert document["import_s"] == PARTS["start"]["import_s"]
    assert json.loads(json.dumps(document)) == document


def test_a_part_that_fails_is_told_and_the_others_are_measured():
    document = measured(broken="index")
    assert "index" not in document
    assert document["failures"] == {"index": "there is no room on the disk"}
    assert document["query"] == PARTS["query"]
    assert "index was not measured: there is no room on the disk" in report.warnings(document)
    assert not any("indexing" in goal["name"] for goal in document["goals"])


def test_only_the_parts_that_were_named_are_measured():
    document = measured(parts=("memory",))
    assert document.keys() == {"machine", "memory", "goals", "failures", "plan"}


def goal(document: dict[str, Any], words: str) -> dict[str, Any]:
    return next(each for each in document["goals"] if words in each["name"])


@pytest.mark.parametrize(
    ("words", "value", "aim", "met"),
    [
        ("share of the bare", 0.825, ">= 0.8", True),
        ("times LangChain", 11, ">= 10", True),
        ("open_clip, worst", 0.9995, ">= 0.999", True),
        ("trained weights, worst", 0.998, ">= 0.999", False),
        ("search of 10,000, overhead", 1.8, "<= 2", True),
        ("search of 100,000, overhead", 9, "<= 8", False),
        ("16 callers", 2.5, ">= 2", True),
        ("adding 3", 2.5, "<= 3", True),
        ("opening", 3.5, "<= 3", False),
        ("memory", 1.09, "<= 1.1", True),
    ],
)
def test_aims_are_reckoned_from_the_figures_of_one_run(words, value, aim, met):
    found = goal(measured(), words)
    assert (found["value"], found["goal"], found["met"]) == (value, aim, met)


def test_the_limit_of_a_search_follows_the_faster_peer():
    assert report.overhead_limit(query(10_000, 1.0, 9.0, 9.0)) == 2
    assert report.overhead_limit(query(100_000, 1.0, 12.0, 4.0)) == 8
    assert report.overhead_limit(query(100_000, 1.0, 2.0, 4.0)) == 5


def test_a_busy_machine_is_said(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 2)
    document = measured()
    document["machine"] |= {"load_average": [3.1, 2.0, 1.0], "others": {"index": 0.4, "query": 0.01}}
    first, second = report.warnings(document)
    assert "load 3.1" in first
    assert second.endswith("index 40%")
    document["machine"] |= {"load_average": [0.1, 2.0, 1.0], "others": {"index": None}}
    assert report.warnings(document) == []


@pytest.fixture
def shown(monkeypatch, capsys):
    def show(document: dict[str, Any], width: int = 200) -> str:
        monkeypatch.setattr(output, "out", Console(highlight=False, width=width))
        output.show(document)
        return capsys.readouterr().out

    return show


def test_each_figure_stands_beside_its_peer_and_its_limit(shown):
    lines = [" ".join(line.split()) for line in shown(measured()).splitlines()]
    assert "256 of 1024x768 66 6 (11.0 times) 80 (82%)" in lines
    assert "open_clip as its README shows it 18 peer" in lines
    assert "matrix rate, bfloat16: 900 GFLOP/s 103 limit" in lines
    assert "bare forward pass, bfloat16 80 limit" in lines
    assert "100,000 words known 9 18 9 12 4" in lines
    assert "nearest alone 0.7 12 4 0.998" in lines
    assert "100,000 10 0.5 0.1 1.2" in lines
    assert "16 100 2.5 20 30 30" in lines
    assert "opening, 100,000 pictures to 1,000 3.5 <= 3 no" in lines
    assert any("Test Processor, 2 cores (avx2 avx512_bf16)" in line for line in lines)


def test_a_narrow_terminal_wraps_no_table(shown):
    document = measured()
    for line in shown(document, 80).splitlines():
        assert len(line) <= 80 or line.startswith((" overhead:", "Test Processor", "note:")), line


def test_what_was_not_measured_has_no_table(shown):
    text = shown(measured(broken="query", parts=("query", "memory")))
    assert "Searching" not in text
    assert "query was not measured" in text
    assert "Memory" in text


def test_numbers_have_three_digits():
    assert [output._number(value) for value in (0.0123456, 1.5, 66.04, 123.4, 12_345.6, 0.0)] == [
        *("0.0123", "1.5", "66", "123", "12,346", "0"),
    ]


def test_the_plot_has_a_panel_for_each_part_and_a_bar_for_each_figure(tmp_path):
    document = measured()
    titles = [title for title, _ in panels(document)]
    assert sum("Searching" in title for title in titles) == 2
    draw_plot(document, tmp_path / "bench.png")
    with Image.open(tmp_path / "bench.png") as picture:
        colours = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in picture.convert("RGB").getcolors(2**24)}
    assert {OWN, PEER, LIMIT} <= colours


def test_a_plot_of_nothing_is_a_plot(tmp_path):
    draw_plot(measured(broken="memory", parts=("memory",)), tmp_path / "bench.png")
    assert (tmp_path / "bench.png").exists()
