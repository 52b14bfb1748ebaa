"""Dialogues of a benchmark played on pictures in plain colours: each round builds on those before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from colour_folder import CAPTIONER, Tags, draw, run, use_fake_models
from likelihood_judge import LikelihoodJudge

from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.engine.engine import Engine
from ipcir_tools.evaluation.benchmarks import SessionBenchmark, load_circled
from ipcir_tools.evaluation.reports.report import Report
from ipcir_tools.evaluation.runs import run as running
from ipcir_tools.evaluation.runs.evaluate import evaluate
from ipcir_tools.models import loading
from ipcir_tools.settings import Settings

COMPOSER = "imagined+reference"


def session(id_: str, target: str, *turns: tuple[str, str]) -> dict[str, Any]:
    return {
        "session_id": id_,
        "subset": "cirr_val",
        "ground_truth_ids": [target],
        "num_turns": len(turns),
        "turns": [
            {"turn": i, "reference_image_id": reference, "relative_caption": text}
            for i, (reference, text) in enumerate(turns, start=1)
        ],
    }


SESSIONS = [
    session("picks", "green-1", ("red-1", "in blue"), ("blue-1", "in green")),  # found in the second round
    session("stays", "yellow-0", ("red-0", "in blue"), ("red-0", "in green"), ("red-0", "in yellow")),  # in the third
    session("short", "green-1", ("blue-1", "in green")),  # found in the first, where it ends
]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    use_fake_models(monkeypatch)
    draw(tmp_path / "img_raw")
    paths = {path.stem: f"./{path.name}" for path in sorted((tmp_path / "img_raw").iterdir())}
    (tmp_path / "split.rc2.val.json").write_text(json.dumps(paths))
    write(tmp_path, SESSIONS)
    return tmp_path


def write(folder: Path, sessions: list[dict[str, Any]]) -> SessionBenchmark:
    (folder / "cirr_val.json").write_text(json.dumps(sessions))
    return load_circled(folder)


@pytest.fixture
def engine(folder):
    with Engine.open(Settings(home=folder / "home")) as opened:
        yield opened


def after_each_round(report: Report, measure: str = "R@1") -> list[float]:
    return [round(each.figures[COMPOSER][measure].mean, 1) for each in report.rounds]


def test_the_figures_after_each_round_and_of_the_last(engine, folder):
    report = evaluate(engine, load_circled(folder), [COMPOSER])
    assert [(each.round, each.sessions) for each in report.rounds] == [(1, 3), (2, 2), (3, 1)]
    assert after_each_round(report) == [33.3, 66.7, 100.0]  # one that has ended keeps its rank
    assert (report.queries, report.rows[0].figures["R@1"].mean, report.rows[0].scored) == (3, 100.0, 3)
    assert {example.query for example in report.examples} == {"picks", "stays", "short"}


def test_a_round_builds_on_those_before_until_another_reference_is_picked(engine, folder, monkeypatch):
    asked: list[ComposeRequest] = []
    real = running.compose_all
    monkeypatch.setattr(running, "compose_all", lambda some, *a, **b: asked.extend(some) or real(some, *a, **b))
    evaluate(engine, load_circled(folder), [COMPOSER])
    words = {request.modification: request.words for request in asked if len(request.history) == 2}
    assert words == {"in yellow": ("in blue", "in green", "in yellow")}
    picked = next(request for request in asked if request.picked)
    assert (picked.words, [step.modification for step in picked.history]) == (("in green",), ["in blue"])


def test_verified_sessions_are_rows_of_their_own(folder, monkeypatch):
    judge = LikelihoodJudge(id=CAPTIONER)
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: judge)
    with Engine.open(Settings(home=folder / "verifying")) as engine:
        report = evaluate(engine, load_circled(folder), [COMPOSER], verify=3)
    assert [row.label for row in report.rows] == [COMPOSER, f"{COMPOSER}, 3 verified"]
    assert all(list(each.figures) == [row.label for row in report.rows] for each in report.rounds)
    assert judge.pairs_scored == 3 * 6  # the first hits of every round of the three sessions


def test_a_session_that_fails_does_so_alone_and_is_a_miss_in_every_round(engine, folder, monkeypatch):
    real = running.compose_all

    def failing(some, *a, **b):
        if any(request.modification == "in green" and request.picked for request in some):
            raise RuntimeError("the model is gone")
        return real(some, *a, **b)

    monkeypatch.setattr(running, "compose_all", failing)
    report = evaluate(engine, load_circled(folder), [COMPOSER])
    assert [(each.query, each.composer) for each in report.failures] == [("picks", COMPOSER)]
    assert report.failures[0].reason == "round 2: RuntimeError: the model is gone"
    assert after_each_round(report) == [33.3, 33.3, 66.7]
    assert report.rows[0].failed == 1


def test_what_cannot_be_played_is_reported_by_its_round(engine, folder):
    blank = session("blank", "green-0", ("red-0", "in blue"), ("blue-0", " "))
    unknown = session("unknown", "green-0", ("nowhere", "in blue"))
    report = evaluate(engine, write(folder, [*SESSIONS, blank, unknown]), [COMPOSER])
    assert {(each.query, each.reason) for each in report.failures} == {
        ("session unknown", "turn 1: reference_image_id: nowhere is not in split.rc2.val.json"),
        ("blank", "round 2: the modification is empty"),
    }
    assert (report.queries, report.rows[0].scored, report.rows[0].failed) == (5, 3, 2)
    assert after_each_round(report) == [20.0, 40.0, 60.0]


def test_the_command_writes_every_form_of_the_report(folder, monkeypatch, capsys):
    page, text = folder / "report.html", folder / "report.md"
    options = ["--folder", folder, "--split", "cirr_val", "--home", folder / "home", "--composers", f"{COMPOSER},sum"]
    status, out, _ = run(monkeypatch, capsys, "eval", "circled", *options, "--json", "--html", page, "--markdown", text)
    document = json.loads(out)
    assert status == 0
    assert (document["benchmark"], document["queries"], document["gallery"]) == ("CIRCLED cirr_val", 3, 18)
    assert [each["figures"][COMPOSER]["R@1"]["mean"] for each in document["rounds"]] == [33.33, 66.67, 100.0]
    assert "| 3 | 1 | imagined+reference | 100.0 |" in text.read_text()
    tags = Tags()
    tags.feed(page.read_text())
    assert not tags.open
    assert "After each round" in page.read_text()
    status, out, _ = run(monkeypatch, capsys, "eval", "circled", *options)
    assert status == 0
    assert "after each round" in out
