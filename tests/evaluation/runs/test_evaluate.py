"""Evaluations: every query scored or failed with a reason, the curve, killing and going on, tuning."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_folder import CAPTIONER, ENCODER, SHAPES, Tags, caption_of, chat_completion, draw, run, use_fake_models
from PIL import Image
from pytest_httpserver import HTTPServer
from stand_ins import FlatImageGenerator, equipped
from werkzeug import Request, Response

from ipcir_tools.chains.composition.calibrator import Calibrator
from ipcir_tools.composers import ABLATION, COMPOSERS, composer_named
from ipcir_tools.composers.calibration import UNCALIBRATED
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.evaluation.benchmarks import Benchmark, Query, load_jsonl
from ipcir_tools.evaluation.metrics.metrics import Scored, measures
from ipcir_tools.evaluation.reports import report as report_module
from ipcir_tools.evaluation.reports.html import report_html
from ipcir_tools.evaluation.reports.markdown import report_markdown
from ipcir_tools.evaluation.reports.report import MADE, Report, failed_where, report_json
from ipcir_tools.evaluation.runs import examples
from ipcir_tools.evaluation.runs import run as measuring
from ipcir_tools.evaluation.runs.evaluate import evaluate, summarise
from ipcir_tools.evaluation.runs.gallery import BenchmarkGallery, load_gallery
from ipcir_tools.evaluation.runs.outcomes import Measured, Outcome
from ipcir_tools.evaluation.runs.run import Run, run_on
from ipcir_tools.evaluation.runs.submissions import DEPTH, check_submission, submit
from ipcir_tools.evaluation.runs.tune import fitted, grid, refuse_shared, tune
from ipcir_tools.evaluation.runs.wordings import measure_wordings
from ipcir_tools.fakes import COLOURS, ScriptedCaptioner, colour_name
from ipcir_tools.llm import retries
from ipcir_tools.models import loading
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.failure_limit import OUTAGES
from ipcir_tools.types import DEFAULT_COMPOSER, Probe

LOAD_CAPTIONER = loading.load_captioner
"""The real one."""
ASKED = [("red", "blue"), ("red", "green"), ("blue", "red"), ("green", "yellow"), ("blue", "green"), ("orange", "pink")]


def lines(shape: int = 0) -> list[dict[str, Any]]:
    return [
        {"reference": f"{a}-{shape}.png", "modification": f"in {b}", "targets": [f"{b}-{shape}.png"]} for a, b in ASKED
    ]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A user's own pictures with a file of queries beside them."""
    use_fake_models(monkeypatch)
    draw(tmp_path / "mine")
    write(tmp_path / "mine" / "queries.jsonl", lines())
    return tmp_path / "mine"


@pytest.fixture
def engine(folder, tmp_path, monkeypatch):
    # The fake encoder has one scale for texts and pictures: weights mean what they say.
    monkeypatch.setattr(Calibrator, "current", lambda self: UNCALIBRATED)
    with Engine.open(Settings(home=tmp_path / "home")) as opened:
        yield opened


def mine(folder: Path) -> Benchmark:
    return load_jsonl(folder / "queries.jsonl")


def row(report: Report, composer: str) -> Any:
    return next(each for each in report.rows if each.composer == composer)


def lasting(report: Report) -> dict[str, Any]:
    """All of a report but how long it took."""
    return {key: value for key, value in report_json(report).items() if key != "this_run"}


# --- what is measured


def test_every_composer_on_a_folder_of_ones_own(engine, folder):
    engine.index([folder], captions=True)
    report = evaluate(equipped(engine), mine(folder))
    assert [each.composer for each in report.rows] == list(COMPOSERS)
    assert all((each.scored, each.failed, each.not_run) == (len(ASKED), 0, "") for each in report.rows)
    assert row(report, "imagined+reference").figures["R@1"].mean == 100.0
    assert row(report, "reference").figures["R@1"].mean < 50.0
    assert report.baseline == DEFAULT_COMPOSER
    assert report.imaginer.queries == {"rules": len(ASKED)}
    assert report.models["encoder"].startswith(ENCODER)
    assert {"numpy", "torch", "ipcir-tools", "python"} <= set(report.versions)
    assert "the reference is left out of the ranking" in report.rules


def test_every_model_that_was_used_is_named_and_no_other(engine, folder):
    named = {"pic2word": "pic2word@0", "searle": "searle@0", "aligned": "aligned@0"}
    models = evaluate(equipped(engine), mine(folder), [*named, "proxy-image"]).models
    assert models.pop("encoder").startswith(ENCODER)
    assert models == named | {
        "captioner": engine.components.captioner_id,
        "imaginer": "rules",
        "image_generator": "flat",
    }
    assert list(evaluate(engine, mine(folder), ["sum"]).models) == ["encoder"]


def test_a_row_says_how_its_composer_was_set(engine, folder):
    report = evaluate(equipped(engine), mine(folder), ["reference", "ensemble:temperature=0.00123"])
    document = report_json(report)["rows"]
    assert document[0]["parameters"] == {}
    assert document[1]["parameters"] == {"captions": 15, "temperature": 0.00123}, "defaults too, and nothing rounded"
    assert isinstance(document[1]["parameters"]["captions"], int)


def test_what_was_really_made_is_counted_once(engine, folder):
    composers = ["imagined+reference", "proxy-image"]
    first, again = (evaluate(equipped(engine), mine(folder), composers).this_run for _ in range(2))
    made = {what: first[what] for what in MADE}
    pictures, references = len(list(folder.glob("*.png"))), len({a for a, _ in ASKED})
    assert made["image_encodes"] == pictures
    assert made["captions"] == (1 + 15) * references, "one for the one composer, fifteen for the other"
    assert made["text_encodes"] >= len(ASKED)
    assert made["drawings"] == 4 * len({b for _, b in ASKED}), "four of each colour"
    assert made["calls"] == 0
    assert {what: again[what] for what in MADE} == dict.fromkeys(MADE, 0), "all was known"
    other = evaluate(engine, mine(folder), ["sum", "ensemble"]).this_run
    assert (other["captions"], other["text_encodes"] > 0) == (0, True), "captions were known; only what this run made"


def test_differences_are_paired_with_the_default(engine, folder):
    report = evaluate(engine, mine(folder), ["imagined", DEFAULT_COMPOSER])
    lead = row(report, "imagined").against_baseline["R@1"]
    figures = [row(report, name).figures["R@1"].mean for name in ("imagined", DEFAULT_COMPOSER)]
    assert lead.mean == pytest.approx(figures[0] - figures[1])
    assert lead.worse == round(-lead.mean / 100 * len(ASKED))
    assert row(report, DEFAULT_COMPOSER).against_baseline == {}


def test_a_picture_as_good_as_the_target_costs_it_a_rank(engine, folder):
    before = row(evaluate(engine, mine(folder), ["imagined+reference"]), "imagined+reference")
    (folder / "twin.png").write_bytes((folder / "blue-0.png").read_bytes())
    after = row(evaluate(engine, mine(folder), ["imagined+reference"]), "imagined+reference")
    to_blue = sum(b == "blue" for _, b in ASKED)
    assert before.figures["R@1"].mean - after.figures["R@1"].mean == pytest.approx(100 * to_blue / len(ASKED))


def grouped(folder: Path) -> Benchmark:
    """Two of three queries are easy, and both are in one group."""
    names = tuple(sorted(path.name for path in folder.glob("*.png")))
    queries = (
        Query("a", "red-0.png", "in blue", ("blue-0.png",), group="one"),
        Query("b", "red-0.png", "in green", ("green-0.png",), group="one"),
        Query("c", "red-0.png", "in green", ("pink-2.png",), group="two"),
    )
    return Benchmark("by hand", queries, names, {n: n for n in names}, False, measures("R", 1), (), folder)


def test_groups_weigh_the_same(engine, folder):
    report = evaluate(engine, grouped(folder), ["imagined+reference"])
    assert row(report, "imagined+reference").figures["R@1"].mean == 50.0
    assert report.curve[16]["R@1"] == 50.0


def test_a_picture_scores_the_mean_over_the_wordings(engine, folder):
    measuring = run_on(engine, mine(folder), ["imagined"])
    red, blue, green = engine.components.encoder.embed_texts(["red", "blue", "green"])
    found = measuring.scores([[Probe(red), Probe(blue)], [Probe(green)]])
    matrix = measuring.gallery.matrix
    assert found == pytest.approx(np.stack([(matrix @ red + matrix @ blue) / 2, matrix @ green]), abs=1e-6)


def test_every_wording_of_a_query_is_composed(engine, folder):
    asked = Query("a", "red-0.png", "in blue", ("blue-0.png",), paraphrases=("in green",))
    made = dataclasses.replace(mine(folder), queries=(asked,))
    ((_, composed),) = run_on(engine, made, ["modification"]).compose([asked], "modification")
    texts = engine.components.encoder.embed_texts(["in blue", "in green"])
    assert np.stack([each.probe.vector for each in composed]) == pytest.approx(texts, abs=1e-6)


def test_parts_of_pictures_are_cut_out(engine, tmp_path):
    both = Image.new("RGB", (120, 60), COLOURS["red"])
    both.paste(COLOURS["blue"], (60, 0, 120, 60))
    both.save(tmp_path / "both.png")
    box = {"left": (35.0, 0.0, 20.0, 10.0), "right": (98.0, 20.0, 20.0, 20.0)}
    made = Benchmark("parts", (), tuple(box), dict.fromkeys(box, "both.png"), True, (), (), tmp_path, box)
    gallery = load_gallery(engine, made, lambda *_: None)
    opened = {name: Image.open(path) for name, path in gallery.files.items()}
    assert {name: colour_name(picture) for name, picture in opened.items()} == {"left": "red", "right": "blue"}
    assert all(picture.width == picture.height for picture in opened.values())
    assert opened["left"].getpixel((0, 0)) == (0, 0, 0), "padded with black"
    assert gallery.matrix.shape == (2, 64)


def test_a_part_of_a_large_picture_keeps_its_pixels(engine, tmp_path):
    Image.new("RGB", (3000, 2000), COLOURS["red"]).save(tmp_path / "large.jpg")
    box = {"part": (1000.0, 500.0, 100.0, 60.0)}
    made = Benchmark("parts", (), ("part",), {"part": "large.jpg"}, True, (), (), tmp_path, box)
    with Image.open(load_gallery(engine, made).files["part"]) as part:
        assert part.size == (170, 170)


def test_a_box_outside_of_its_picture_is_reported_and_not_cut_to_a_pixel(engine, tmp_path):
    Image.new("RGB", (120, 60), COLOURS["red"]).save(tmp_path / "one.png")
    box = {"inside": (0.0, 0.0, 9.0, 9.0), "right": (500.0, 0.0, 9.0, 9.0), "below": (0.0, 500.0, 9.0, 9.0)}
    made = Benchmark("parts", (), tuple(box), dict.fromkeys(box, "one.png"), True, (), (), tmp_path, box)
    gallery = load_gallery(engine, made, lambda *_: None)
    assert list(gallery.ids) == ["inside"]
    assert gallery.unreadable == dict.fromkeys(["right", "below"], "is outside of its picture, 120 x 60 pixels")
    assert gallery.broken == (1, 2)


def test_what_cannot_be_read_stands_behind_everything(engine):
    gallery = BenchmarkGallery({}, {}, {}, np.zeros((3, 4), np.float32), broken=(1,), added=0)
    assert gallery.scores(np.array([[-0.9, 0.0, 0.1]], np.float32)).tolist() == [
        [pytest.approx(-0.9), -np.inf, pytest.approx(0.1)]
    ]


# --- queries to look at


def test_the_queries_to_look_at_are_chosen_by_the_logarithm_of_the_rank(monkeypatch):
    """From 1 to 64 is further than from 1,000 to 1,900."""
    ranks = {"easy": (1, 1), "near": (1, 64), "far": (1_000, 1_900), "hard": (5_000, 5_000)}
    queries = tuple(Query(name, "a", "in blue", ("b",)) for name in ranks)
    made = Benchmark("by hand", queries, ("a", "b"), {}, True, measures("R", 1), ())
    outcomes = [
        Outcome(
            composer,
            scored={name: Scored(name, (each[i],), each[i]) for name, each in ranks.items()},
            top=dict.fromkeys(ranks, ("b",)),
        )
        for i, composer in enumerate(("sum", "imagined"))
    ]
    monkeypatch.setattr(examples, "EXAMPLES", 1)
    found = examples.examples(Measured(made, outcomes, {}), outcomes, outcomes[0])
    assert {each.kind: each.query for each in found} == {"disputed": "near", "worst": "hard", "best": "easy"}
    assert [each.composer for each in found[0].rankings] == ["sum", "imagined"], "the better one first"


# --- what fails


def test_what_fails_is_reported_and_counts_as_a_miss(engine, folder):
    (folder / "broken.png").write_bytes(b"no picture")
    more = [
        {"reference": "broken.png", "modification": "in blue", "targets": ["blue-0.png"]},
        {"reference": "red-0.png", "modification": "in blue", "targets": ["broken.png"]},
        {"reference": "red-0.png", "modification": "in blue", "targets": ["ghost.png"]},
    ]
    write(folder / "queries.jsonl", lines() + more)
    report = evaluate(engine, mine(folder), ["imagined+reference", "reference"])
    assert report.queries == len(ASKED) + 3
    for each in report.rows:
        assert each.scored + each.failed == report.queries
        assert each.failed == 3
    reasons = {failure.query: failure.reason for failure in report.failures}
    assert "reference cannot be used: broken.png cannot be read" in reasons["7"]
    assert "target is not in the gallery: broken.png" in reasons["8"]
    assert "ghost.png" in reasons["line 9"]
    assert list(report.unreadable) == ["broken.png"]
    assert row(report, "imagined+reference").figures["R@1"].mean == pytest.approx(100 * 6 / 9)
    assert report.curve[16]["R@1"] == pytest.approx(100 * 6 / 9), "in the curve as well"


@pytest.mark.parametrize("said_of_it", ["", " \t\n", "\u200b\u202e"], ids=ascii)
def test_a_blank_query_fails_in_its_own_group(engine, folder, said_of_it):
    names = tuple(sorted(path.name for path in folder.glob("*.png")))
    queries = (
        Query("a", "red-0.png", "in blue", ("blue-0.png",), group="one"),
        Query("b", "red-0.png", said_of_it, ("red-0.png",), group="two"),
        Query("c", "red-0.png", "in green", ("green-0.png",), group="two"),
    )
    made = Benchmark("any loader's", queries, names, {n: n for n in names}, True, measures("R", 10), (), folder)
    report = evaluate(engine, made, ["sum", "reference"])
    assert [(f.query, f.composer, f.reason) for f in report.failures] == [("b", None, "the modification is empty")]
    assert [(each.scored, each.failed) for each in report.rows] == [(2, 1), (2, 1)]
    assert row(report, "sum").figures["R@10"].mean == 75.0


def test_a_picture_that_goes_while_it_runs_fails_its_own_query_alone(engine, folder):
    (folder / "odd.png").write_bytes((folder / "red-1.png").read_bytes() + b" ")
    write(
        folder / "queries.jsonl",
        [*lines(), {"reference": "odd.png", "modification": "in blue", "targets": ["blue-1.png"]}],
    )

    def nervous(picture: Image.Image) -> str:
        if np.asarray(picture).tobytes() == np.asarray(Image.open(folder / "red-1.png")).tobytes():
            raise RuntimeError("out of\nmemory")
        return caption_of(picture)

    engine.components.captioner = ScriptedCaptioner(nervous, id=CAPTIONER)
    report = evaluate(engine, mine(folder), ["sum", "imagined"])
    assert (row(report, "sum").scored, row(report, "sum").failed) == (7, 0)
    assert (row(report, "imagined").scored, row(report, "imagined").failed) == (6, 1)
    assert [(f.query, f.composer, f.reason) for f in report.failures] == [
        ("7", "imagined", "RuntimeError: out of memory")
    ]


def test_a_composer_that_lacks_something_is_not_run_and_spoils_nothing(engine, folder):
    report = evaluate(engine, mine(folder), ["sum", "pic2word", "aligned"])
    assert row(report, "sum").figures
    for name in ("pic2word", "aligned"):
        assert "ipcir train" in row(report, name).not_run
        assert row(report, name).figures == {}
    assert report.baseline == "sum"


def test_a_composer_that_ranked_nothing_is_no_baseline(engine, folder):
    def never(picture: Image.Image) -> str:
        raise RuntimeError("out of memory")

    engine.components.captioner = ScriptedCaptioner(never, id=CAPTIONER)
    report = evaluate(engine, mine(folder), ["imagined+reference", "sum"])
    assert (row(report, "imagined+reference").failed, report.baseline) == (len(ASKED), "sum")
    assert failed_where(report) == f"{len(ASKED)} under imagined+reference"
    alone = evaluate(engine, mine(folder), ["imagined+reference"])
    assert alone.baseline is None
    assert "R@1 against no other" in report_markdown(alone)
    style, _, body = report_html(alone, lambda name: None).partition("</style>")
    assert (bool(style), "baseline" in body) == (True, False)


def test_an_unknown_composer_is_refused_before_anything_is_done(engine, folder):
    with pytest.raises(InvalidRequestError, match="no composer is called"):
        evaluate(engine, mine(folder), ["best"])
    assert engine.catalog.size() == 0


# --- the curve


def test_the_curve_ends_where_its_parts_are(engine, folder):
    report = evaluate(engine, mine(folder), ABLATION)
    assert [point["weight"] for point in report.curve] == [pytest.approx(step / 20) for step in range(21)]
    assert list(report_json(report)["curve"][0]) == ["weight", "R@1", "R@5", "R@10"]
    for weight, composer in ((0.0, "reference"), (0.8, "imagined+reference"), (1.0, "imagined")):
        point = next(point for point in report.curve if point["weight"] == weight)
        for name in ("R@1", "R@5", "R@10"):
            assert point[name] == pytest.approx(row(report, composer).figures[name].mean)
    assert evaluate(engine, mine(folder), ["sum"]).curve == ()


# --- who imagined, and what it cost


class Imaginer:
    """An OpenAI-compatible server that imagines slowly, and counts what it is asked."""

    def __init__(self, http: HTTPServer) -> None:
        self.asked: Counter[str] = Counter()
        self.pause = 0.0
        self.url = http.url_for("/v1")
        self._lock = threading.Lock()
        http.expect_request("/v1/chat/completions").respond_with_handler(self._reply)

    def _reply(self, request: Request) -> Response:
        words = json.loads(request.data)["messages"][-1]["content"]
        with self._lock:
            self.asked[words] += 1
        time.sleep(self.pause)
        asked = words.rpartition("<modification>")[2].partition("</modification>")[0].strip()
        if "pink" in asked:
            return Response("{}", 404)
        imagined = {"description": f"a shirt {asked}", "keep": [], "add": [asked], "remove": [], "alternatives": []}
        return chat_completion(json.dumps(imagined))


@pytest.fixture
def imaginer(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with HTTPServer(threaded=True) as http:
        made = Imaginer(http)
        monkeypatch.setenv("IPCIR_LLM", "openai:m")
        monkeypatch.setenv("IPCIR_LLM_BASE_URL", made.url)
        yield made


def test_the_account_of_the_language_model(engine, folder, imaginer, tmp_path):
    write(folder / "queries.jsonl", [*lines(), lines()[0]])
    with Engine.open(Settings(home=tmp_path / "home")) as asking_engine:
        first = evaluate(asking_engine, mine(folder), ABLATION)
        again = evaluate(asking_engine, mine(folder), ABLATION)
    made = first.imaginer
    assert made.queries == {"llm": 6, "fallback": 1}
    assert (made.replies, made.shared) == (5, 1)
    assert (made.input_tokens, made.output_tokens) == (500, 100)
    assert made.calls == 6
    assert made.prompts[0].startswith("imagine.structured@")
    assert list(made.troubles.values()) == [1]
    assert lasting(again) == lasting(first)
    assert (first.this_run["calls"], again.this_run["calls"]) == (6, 1)
    assert sum(imaginer.asked.values()) == 7, "only what failed is asked for again, once for all composers"


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from colour_folder import CAPTIONER, caption_of
from ipcir_tools.cli import main
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.models import loading
loading.load_encoder = lambda name, **_: FakeEncoder(name)
loading.load_captioner = lambda name, **_: ScriptedCaptioner(caption_of, id=CAPTIONER)
sys.argv = ["ipcir", *sys.argv[1:]]
main.main()
"""


def start(*arguments: object, script: str = KILLED) -> subprocess.Popen[bytes]:
    script = script.format(tests=str(Path(__file__).parents[2]))
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def kept(home: Path) -> int:
    """How many replies are safe, whatever happens."""
    if not (home / "catalog.sqlite").exists():
        return 0
    with Catalog.open(home) as catalog, catalog._read() as connection:
        rows = connection.exec_driver_sql("select count(*) from replies where key not like '%:cost'")
        return int(rows.scalar() or 0)


@pytest.mark.slow
def test_killed_anywhere_it_goes_on_and_reports_the_same(folder, imaginer, tmp_path, monkeypatch, capsys):
    rows = [
        {"reference": f"{a}-{shape}.png", "modification": f"in {b} with a number {n}", "targets": [f"{b}-{shape}.png"]}
        for n in range(12)
        for shape in range(SHAPES)
        for a, b in ASKED[:-1]
    ]
    file = write(folder / "many.jsonl", rows)
    arguments = ("eval", file, "--composers", "sum,imagined,imagined+reference,signed", "--json")
    _, whole, errors = run(monkeypatch, capsys, *arguments, "--home", tmp_path / "whole")
    distinct = len(imaginer.asked)
    assert set(imaginer.asked.values()) == {1}, errors

    imaginer.pause, chance = 0.02, random.Random(os.environ.get("IPCIR_TEST_SEED", "0"))
    for share in sorted(chance.uniform(0.02, 0.9) for _ in range(2)):
        imaginer.asked.clear()
        before = kept(tmp_path / "home")
        process = start(*arguments, "--home", tmp_path / "home")
        while process.poll() is None and before + sum(imaginer.asked.values()) < share * distinct:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        time.sleep(0.2)  # what it had asked for last comes in
        assert max(imaginer.asked.values(), default=1) == 1
        assert sum(imaginer.asked.values()) <= distinct - before
    imaginer.asked.clear()
    before, imaginer.pause = kept(tmp_path / "home"), 0.0
    _, resumed, errors = run(monkeypatch, capsys, *arguments, "--home", tmp_path / "home")
    assert 0 < before < distinct
    assert sum(imaginer.asked.values()) == distinct - before, "nothing that was kept is asked for again"
    documents = [json.loads(each) for each in (whole, resumed)]
    assert documents[0].pop("this_run")["calls"] > documents[1].pop("this_run")["calls"]
    assert documents[0] == documents[1]


# --- submissions


def hidden(folder: Path, server: Any, n: int = 55) -> Benchmark:
    """Queries whose truth a server keeps; every picture is in the gallery and, but the reference, in the subset."""
    gallery = {}
    for i in range(n):
        Image.new("RGB", (16, 16), (i, 255 - i, i)).save(folder / f"{i:012d}.png")
        gallery[str(i)] = f"{i:012d}.png"
    queries = tuple(Query(str(i), str(i), "in red", (), subset=tuple(map(str, range(10, 15)))) for i in range(3))
    return Benchmark("mine", queries, tuple(gallery), gallery, server == "CIRCO", (), (), folder, server=server)


def test_a_submission_names_fifty_pictures_a_query(engine, tmp_path, folder):
    made = hidden(folder, "CIRCO")
    report = evaluate(engine, made, ["sum"])
    assert (report.measures, row(report, "sum").scored, report.examples) == ((), 3, ())
    (path,) = submit(run_on(engine, made, ["sum"], top=DEPTH).measure(), tmp_path / "out" / "circo.json")
    written = json.loads(path.read_text())
    assert list(written) == ["0", "1", "2"]
    assert all(len(set(ids)) == 50 for ids in written.values())


def test_both_files_of_a_submission_are_written_or_none(engine, tmp_path, folder):
    measured = run_on(engine, hidden(folder, "CIRR"), ["sum"], top=DEPTH).measure()
    paths = submit(measured, tmp_path / "out" / "cirr.json")
    assert [path.name for path in paths] == ["cirr.json", "cirr-subset.json"]
    assert [json.loads(path.read_text())["metric"] for path in paths] == ["recall", "recall_subset"]
    measured.outcomes[0].top_of_subset.clear()
    with pytest.raises(InvalidRequestError, match="3 queries have no pictures"):
        submit(measured, tmp_path / "other" / "cirr.json")
    assert not (tmp_path / "other").exists()


def test_who_takes_a_submission_is_no_matter_of_the_name(engine, folder):
    check_submission(hidden(folder, "CIRCO"))
    for name in ("CIRCO test", "CIRR mine", "queries"):
        with pytest.raises(InvalidRequestError, match="No server takes submissions for " + name):
            check_submission(dataclasses.replace(mine(folder), name=name))


def test_a_submission_is_written_of_what_was_measured(folder, tmp_path, monkeypatch, capsys):
    for i in range(55):
        Image.new("RGB", (16, 16), (i, 255 - i, i)).save(folder / f"{i:012d}.jpg")
    items = [{"id": i, "reference_img_id": i, "relative_caption": "in red"} for i in range(3)]
    (folder / "test.json").write_text(json.dumps(items))
    composed: list[str] = []
    once = Run.compose

    def counted(self: Run, block: Any, composer: str) -> Any:
        composed.append(composer)
        return once(self, block, composer)

    monkeypatch.setattr(Run, "compose", counted)
    status, out, err = run(
        monkeypatch, capsys, "eval", "circo", "--split", "test", "--folder", folder, "--pictures", folder,
        "--composers", "sum,reference", "--submission", tmp_path / "new" / "sum.json", "--home", tmp_path / "home",
    )  # fmt: skip
    assert status == 0, err
    assert composed == ["sum", "reference"], "each once"
    assert "made by this run: " in out
    written = json.loads((tmp_path / "new" / "sum.json").read_text())
    assert {id_: len(names) for id_, names in written.items()} == {"0": 50, "1": 50, "2": 50}


def test_what_was_measured_is_shown_before_the_submission_is_refused(folder, tmp_path, monkeypatch, capsys):
    for i in range(55):
        Image.new("RGB", (16, 16), (i, 255 - i, i)).save(folder / f"{i:012d}.jpg")
    (folder / f"{1:012d}.jpg").write_bytes(b"no picture")
    items = [{"id": i, "reference_img_id": i, "relative_caption": "in red"} for i in range(3)]
    (folder / "test.json").write_text(json.dumps(items))
    status, out, err = run(
        monkeypatch, capsys, "eval", "circo", "--split", "test", "--folder", folder, "--pictures", folder,
        "--composers", "sum", "--submission", tmp_path / "sum.json", "--home", tmp_path / "home",
        "--markdown", tmp_path / "report.md",
    )  # fmt: skip
    assert status == 2
    assert "1 query has no pictures: 1; the server takes whole files only" in " ".join(err.split())
    assert not (tmp_path / "sum.json").exists()
    assert re.search(r"\n sum +0\.50 +1 *\n", out), "the table, with the failed query"
    assert "queries that failed: 1 under every composer" in out
    assert f"written: {tmp_path / 'report.md'}" in out
    assert "the truth is hidden" in out
    assert "of nothing" not in out


# --- tuning


def test_tuning_finds_what_the_curve_shows_and_finds_it_again(engine, folder):
    start = "imagined+reference:weight=0.1"
    tuned = tune(engine, mine(folder), start)
    report = evaluate(engine, mine(folder), [start, tuned.composer])
    assert (tuned.measure, tuned.queries, tuned.failed) == ("R@1", len(ASKED), 0)
    assert tuned.before == row(report, start).figures["R@1"].mean < tuned.after
    assert tuned.after == row(report, tuned.composer).figures["R@1"].mean
    assert tuned.after == pytest.approx(max(point["R@1"] for point in report.curve))
    assert tune(engine, mine(folder), start) == tuned


def test_what_is_tuned_is_the_mean_over_the_groups(engine, folder):
    tuned = tune(engine, grouped(folder), "imagined+reference", "R@1")
    assert tuned.before == 50.0, "two of three queries are found, and one of two groups"


def test_the_largest_parameter_can_be_tuned(engine, folder):
    assert max(grid(composer_named("discount:b=1000000"), "b")) == 1_000_000
    assert tune(engine, mine(folder), "discount:b=1000000").parameters["b"] <= 1_000_000


def test_among_equals_the_better_ranks_decide(engine, folder):
    """R@50 is 100 whatever the weight, so that only the mean reciprocal rank can tell."""
    tuned = tune(engine, mine(folder), "imagined+reference:weight=0.1", "R@50")
    assert (tuned.before, tuned.after) == (100.0, 100.0)
    assert tuned.parameters["weight"] > 0.1
    before, after = evaluate(engine, mine(folder), ["imagined+reference:weight=0.1", tuned.composer]).rows
    assert before.figures["R@1"].mean < after.figures["R@1"].mean == 100.0


@pytest.mark.parametrize("name", COMPOSERS)
def test_only_values_that_a_parameter_may_have_are_tried(name):
    composer = composer_named(name)
    for parameter in fitted(composer):
        tried = grid(composer, parameter)
        assert len(set(tried)) > 5
        assert [composer.with_options({parameter: value}).parameters[parameter] for value in tried] == tried
    if name == "ensemble":
        assert min(grid(composer, "temperature")) > 0


@pytest.mark.parametrize("composer", ["discount", "signed", "ast", "semantic-delta", "proxy-image"])
def test_every_parameter_can_be_tuned_and_never_for_the_worse(engine, folder, composer):
    tuned = tune(equipped(engine), mine(folder), composer, "mAP@5")
    assert tuned.after >= tuned.before
    report = evaluate(engine, mine(folder), [tuned.composer])
    assert report.rows[0].figures["mAP@5"].mean == pytest.approx(tuned.after)


def test_what_cannot_be_tuned(engine, folder):
    with pytest.raises(InvalidRequestError, match=r"measured on CIRR test1, .* on a validation part"):
        tune(engine, dataclasses.replace(mine(folder), name="CIRR test1", is_test=True), "sum")
    with pytest.raises(InvalidRequestError, match="no parameter to fit"):
        tune(engine, mine(folder), "imagined")
    with pytest.raises(InvalidRequestError, match="is not measured by 'R@7'; there are: R@1"):
        tune(engine, mine(folder), "sum", "R@7")


def test_a_test_of_ones_own_is_never_seen(folder, tmp_path):
    draw(tmp_path / "test", ("red", "blue", "green"))
    copied = {"reference": "red-0.png", "modification": "In  BLUE", "targets": ["green-1.png"]}
    rows = {"words": copied, "target": {"reference": "red-0.png", "modification": "bluer", "targets": ["blue-0.png"]}}
    for rows_of_test in rows.values():
        test = load_jsonl(write(tmp_path / "test" / "test.jsonl", [rows_of_test]))
        with pytest.raises(InvalidRequestError, match="1 of the queries of queries are in test as well"):
            refuse_shared(mine(folder), test, Settings())
    other = {"reference": "blue-1.png", "modification": "in red", "targets": ["red-1.png"]}
    refuse_shared(mine(folder), load_jsonl(write(tmp_path / "test" / "test.jsonl", [other])), Settings())


# --- the command line


def test_a_file_of_ones_own_at_the_command_line(folder, tmp_path, monkeypatch, capsys, home):
    file, page, text = folder / "queries.jsonl", tmp_path / "out" / "report.html", tmp_path / "report.md"
    status, out, err = run(monkeypatch, capsys, "eval", file, "--json", "--html", page, "--markdown", text)
    assert status == 0, err
    document = json.loads(out)
    assert [each["composer"] for each in document["rows"]] == [*ABLATION, DEFAULT_COMPOSER]
    assert {"curve", "examples", "failures", "rules", "versions", "this_run"} <= set(document)
    assert any(kept.name.startswith("queries-") for kept in (home / ".ipcir" / "eval").iterdir())
    tags = Tags()
    tags.feed(page.read_text(encoding="utf-8"))
    assert tags.open == []
    assert tags.seen["article"] == len(document["examples"])
    assert "| imagined+reference | 0.80 |" in text.read_text(encoding="utf-8")

    status, out, _ = run(monkeypatch, capsys, "eval", file, "--composers", "imagined+reference,sum:weight=0.9")
    assert status == 0
    assert "sum:weight=0.9" in out
    status, out, _ = run(monkeypatch, capsys, "tune", file, "--composer", "sum", "--json")
    assert json.loads(out)["composer"].startswith("sum")


@pytest.mark.parametrize("option", ["--html", "--markdown", "--submission"])
def test_a_run_that_fails_leaves_no_folder_behind(folder, tmp_path, monkeypatch, capsys, option):
    far = tmp_path / "far" / "away" / "report.x"
    for bench in (tmp_path / "none.jsonl", folder / "queries.jsonl"):
        if bench.exists() and option != "--submission":
            (folder / "queries.jsonl").write_text("no query")
        status, _, err = run(monkeypatch, capsys, "eval", bench, option, far, "--home", tmp_path / "home")
        assert (status, err.count("error:")) == (2, 1)
        assert not (tmp_path / "far").exists()
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file" / "below" / "x", tmp_path / "far" / ("x" * 300)):
        status, _, err = run(monkeypatch, capsys, "eval", folder / "queries.jsonl", option, wrong)
        assert status == 2
        assert "cannot be written" in " ".join(err.split())
        assert not (tmp_path / "far").exists()


def test_a_report_that_was_there_stays_where_the_run_fails(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "report.html").write_text("the last one")
    status, _, _ = run(monkeypatch, capsys, "eval", tmp_path / "none.jsonl", "--html", tmp_path / "report.html")
    assert (status, (tmp_path / "report.html").read_text()) == (2, "the last one")


def test_two_reports_cannot_have_one_file(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "x").mkdir()
    pairs = ((tmp_path / "r", tmp_path / "r"), (tmp_path / "r", tmp_path / "x" / ".." / "r"))
    for html, markdown in pairs:
        status, _, err = run(
            monkeypatch, capsys, "eval", folder / "queries.jsonl", "--html", html, "--markdown", markdown
        )
        assert (status, (tmp_path / "r").exists()) == (2, False)
        assert "is named for two outputs" in " ".join(err.split())


def test_a_benchmark_without_its_pictures_says_how_to_name_them_and_where_to_get_them(
    folder, tmp_path, monkeypatch, capsys
):
    items = [{"id": 0, "reference_img_id": 0, "relative_caption": "in red", "gt_img_ids": [1], "target_img_id": 1}]
    (tmp_path / "val.json").write_text(json.dumps(items))
    status, _, err = run(monkeypatch, capsys, "eval", "circo", "--folder", tmp_path, "--home", tmp_path / "home")
    assert status == 2
    line = " ".join(err.split())
    assert "name the folder with --pictures" in line
    assert "get them from cocodataset.org" in line


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("eval", "nothing"), "There is no benchmark 'nothing'"),
        (("eval", "cirr"), "--folder FOLDER"),
        (
            ("eval", "circo", "--folder", ".", "--split", "train"),
            "circo is 'val' or 'test': there is no 'train'",
        ),
        (("eval", "wardrobe", "--composers", "best"), "no composer is called 'best'"),
        (("eval", "none.jsonl"), "none.jsonl is missing"),
        (("tune", "wardrobe", "--part", "test"), "tune on a validation part"),
        (("tune", "cirr", "--folder", ".", "--split", "test1"), "tune on a validation part"),
        (("tune", "circo", "--folder", ".", "--split", "test"), "tune on a validation part"),
    ],
)
def test_what_the_command_line_refuses(monkeypatch, capsys, arguments, why):
    status, out, err = run(monkeypatch, capsys, *arguments)
    assert (status, out) == (2, "")
    assert why in " ".join(err.split())


def test_the_wardrobe_with_every_composer(tmp_path, monkeypatch, capsys):
    page = tmp_path / "wardrobe.html"
    monkeypatch.setenv("IPCIR_CAPTIONS", "1")
    status, out, err = run(
        monkeypatch, capsys, "eval", "wardrobe", "--families", 1, "--composers", "all", "--json", "--html", page,
        "--home", tmp_path / "home",
    )  # fmt: skip
    assert status == 0, err
    document = json.loads(out)
    assert (document["queries"], document["gallery"]) == (6, 30)
    rows = {each["composer"]: each for each in document["rows"]}
    assert list(rows) == list(COMPOSERS)
    assert all(each["scored"] == 6 for each in rows.values() if not each["not_run"])
    assert {name for name, each in rows.items() if each["not_run"]} <= {"pic2word", "searle", "aligned"}
    assert rows["imagined+reference"]["figures"]["R@10"]["mean"] > rows["modification"]["figures"]["R@10"]["mean"]
    assert page.read_text(encoding="utf-8").count("data:image/jpeg;base64,") > 6


# --- outages, and what captions and drawings cost


class Failing(FlatImageGenerator):
    """Draws so many descriptions, then nothing any more; ``ill`` fails whatever is asked in between."""

    def __init__(self, well: int, ill: str = "no such words") -> None:
        super().__init__()
        self.well, self.ill, self.asked = well, ill, 0

    def _draw(self, description: str, seeds: Any, reference: Image.Image | None) -> list[Image.Image]:
        self.asked += 1
        if self.asked > self.well or self.ill in description:
            raise ModelUnavailableError("The image generator is ill.")
        return super()._draw(description, seeds, reference)


def drawn_queries(folder: Path, n: int = 24) -> Benchmark:
    """Queries with a description each."""
    rows = [
        {"reference": "red-0.png", "modification": f"in blue with the number {i}", "targets": ["blue-0.png"]}
        for i in range(n)
    ]
    return load_jsonl(write(folder / "drawn.jsonl", rows))


@pytest.mark.parametrize("well", [0, 1, 10, 19])
def test_an_outage_fails_the_queries_that_it_meets_wherever_they_stand(engine, folder, monkeypatch, well):
    monkeypatch.setattr(measuring, "BLOCK", 8)
    engine.components.image_generator = Failing(well)
    report = evaluate(engine, drawn_queries(folder), ["proxy-image:captions=1", "sum"])
    assert [(each.scored, each.failed, each.not_run) for each in report.rows] == [(well, 24 - well, ""), (24, 0, "")]
    assert all("The image generator is ill" in failure.reason for failure in report.failures)
    assert engine.components.image_generator.asked <= well + 2 * OUTAGES, "what is dead is not asked for every query"
    assert report.this_run["drawings"] == 4 * well, "what was drawn before counts"


def test_after_an_outage_it_goes_on_where_it_was(engine, folder):
    benchmark = drawn_queries(folder)
    engine.components.image_generator = Failing(10)
    evaluate(engine, benchmark, ["proxy-image:captions=1"])
    engine.components.image_generator = Failing(0)
    report = evaluate(engine, benchmark, ["proxy-image:captions=1"])
    assert (report.rows[0].scored, report.rows[0].failed) == (10, 14), (
        "what is known is scored without the image generator"
    )
    engine.components.image_generator = Failing(99)
    report = evaluate(engine, benchmark, ["proxy-image:captions=1"])
    assert (report.rows[0].scored, engine.components.image_generator.asked) == (24, 14)


def test_a_single_failure_is_no_outage(engine, folder):
    engine.components.image_generator = Failing(99, ill="number 7")
    report = evaluate(engine, drawn_queries(folder), ["proxy-image:captions=1"])
    assert [failure.query for failure in report.failures] == ["8"]
    assert report.rows[0].scored == 23


def test_a_composer_without_a_image_generator_or_a_captioner_is_not_run(engine, folder, monkeypatch):
    tried: list[str] = []

    def missing(name: str, **_: Any) -> Any:
        tried.append(name)
        raise ModelUnavailableError("There is no such captioner.")

    monkeypatch.setattr(loading, "load_captioner", missing)
    monkeypatch.setattr(measuring, "BLOCK", 2)
    report = evaluate(engine, mine(folder), ["sum", "imagined", "proxy-image"])
    assert row(report, "sum").scored == len(ASKED)
    assert row(report, "imagined").not_run == "There is no such captioner."
    assert "IPCIR_IMAGE_GENERATOR" in row(report, "proxy-image").not_run
    assert report.failures == ()
    assert len(tried) <= OUTAGES


class Describer:
    """An OpenAI-compatible server that describes pictures slowly; it counts how often it saw each."""

    def __init__(self, http: HTTPServer) -> None:
        self.asked: Counter[str] = Counter()
        self.pause, self.url = 0.0, http.url_for("/v1")
        self._lock = threading.Lock()
        http.expect_request("/v1/chat/completions").respond_with_handler(self._reply)

    def _reply(self, request: Request) -> Response:
        with self._lock:
            self.asked[json.dumps(json.loads(request.data)["messages"])] += 1
        time.sleep(self.pause)
        return chat_completion("a red shirt")


@pytest.fixture
def describer(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with HTTPServer(threaded=True) as http:
        made = Describer(http)
        monkeypatch.setenv("OPENAI_BASE_URL", made.url)
        monkeypatch.setattr(loading, "load_captioner", LOAD_CAPTIONER)
        monkeypatch.setenv("IPCIR_CAPTIONER", "chat:openai:m")
        yield made


def captions_kept(home: Path) -> int:
    if not (home / "catalog.sqlite").exists():
        return 0
    with Catalog.open(home) as catalog:
        return catalog.stored_counts()["captions"]


def test_captions_of_a_chat_model_are_paid_once_whatever_is_killed(folder, describer, tmp_path, monkeypatch, capsys):
    draw(folder, tuple(COLOURS))
    pictures = [
        f"{colour}-{shape}.png" for colour in sorted(set(COLOURS) - {"white", "blue"}) for shape in range(SHAPES)
    ]
    rows = [{"reference": name, "modification": "in blue", "targets": ["blue-0.png"]} for name in pictures]
    home = tmp_path / "home"
    arguments = ("eval", write(folder / "all.jsonl", rows), "--composers", "imagined", "--json", "--home", home)
    describer.pause = 0.1
    process = start(*arguments, script=KILLED.replace("loading.load_captioner =", "_ ="))
    while process.poll() is None and captions_kept(home) < 5:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.2)  # what it had asked for last comes in
    before = captions_kept(home)
    assert 5 <= before < len(pictures), "each is kept when it comes"
    asked, describer.pause = sum(describer.asked.values()), 0.0
    assert asked - before <= 2 * 16, "what is lost was on its way"
    _, out, errors = run(monkeypatch, capsys, *arguments)
    assert sum(describer.asked.values()) - asked == len(pictures) - before, errors
    made = json.loads(out)["this_run"]
    calls = len(pictures) - before
    assert (made["captions"], made["captioner_calls"]) == (calls, calls)
    assert (made["captioner_input_tokens"], made["captioner_output_tokens"]) == (100 * calls, 20 * calls)
    _, out, _ = run(monkeypatch, capsys, *arguments)
    made = json.loads(out)["this_run"]
    assert [made[name] for name in report_module.CAPTIONER_MADE] == [0, 0, 0], "no call was made, and the report has it"


def test_a_captioner_on_this_machine_costs_no_calls(engine, folder):
    made = evaluate(engine, mine(folder), ["imagined"]).this_run
    assert not set(report_module.CAPTIONER_MADE) & set(made)


# --- wordings, negatives, kinds and several references


def test_a_users_own_wordings_negatives_and_kinds_are_reported(engine, folder):
    rows = [
        {
            **line,
            "negatives": [f"{old}-1.png"],
            "kinds": ["replace"],
            "wordings": [f"make it {new}", f"I want it {new}"],
        }
        for line, (old, new) in zip(lines(), ASKED, strict=True)
    ]
    write(folder / "queries.jsonl", rows)
    run = run_on(engine, mine(folder), ["imagined", "reference"])
    measured = run.measure()
    measured.wordings = measure_wordings(run, measured)
    report = summarise(run, measured, samples=50)
    assert report.kinds == {"replace": len(ASKED)}
    imagined = row(report, "imagined")
    assert imagined.by_kind["replace"].mean == imagined.figures["R@1"].mean
    shares = {each.composer: each for each in report.violations}
    assert shares["reference"].share == 10.0, "of ten hits one is known to be wrong: the same colour again"
    assert shares["imagined"].share <= 10.0
    assert (shares["reference"].breaks, report.least_violations) == (None, None)
    assert [(each.composer, len(each.figures)) for each in report.wordings] == [("imagined", 3), ("reference", 3)]
    assert report.wordings[1].spread == 0.0, "the reference alone hears no wording"


def test_several_references_are_composed_together_and_all_left_out(engine, folder):
    other = {"reference": "blue-0.png", "note": "its colour"}
    query = {"reference": ["red-0.png", other], "modification": "in the colour of 2", "targets": ["blue-1.png"]}
    write(folder / "queries.jsonl", [query])
    run = run_on(engine, mine(folder), ["imagined+reference", "sum"], top=50)
    measured = run.measure()
    (imagined,) = measured.imagined.values()
    assert "blue" in imagined[1].target.description
    for outcome in measured.outcomes:
        assert not {"red-0.png", "blue-0.png"} & set(*outcome.top.values())
