"""Prompts and models compared against a real OpenAI-compatible server on the loopback interface, good and bad."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from colour_folder import Tags, draw, run, use_fake_models
from langchain_core.runnables import RunnableLambda
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ipcir_tools.chains.imagination.results import Cost as Paid
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.cli.output.prompts import show_comparison
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks import Benchmark, Query, load_jsonl
from ipcir_tools.evaluation.comparison.accounting import Price, traffic
from ipcir_tools.evaluation.comparison.arms import Arm, ArmResult, build_arms, stored_imaginer
from ipcir_tools.evaluation.comparison.compare import ComparisonOptions, comparable, compare
from ipcir_tools.evaluation.comparison.disagreements import find_disagreements
from ipcir_tools.evaluation.comparison.html import comparison_html
from ipcir_tools.evaluation.comparison.report import Comparison, comparison_json, cost_cells
from ipcir_tools.evaluation.comparison.runner import ArmOutcome, ComparisonRunner, sampled
from ipcir_tools.evaluation.runs.evaluate import evaluate
from ipcir_tools.evaluation.runs.gallery import load_gallery
from ipcir_tools.evaluation.runs.recorder import BREAKS, ImaginationRecorder
from ipcir_tools.llm import budget, retries
from ipcir_tools.prompts import load_prompt
from ipcir_tools.settings import load_settings
from ipcir_tools.types import ImaginedTarget

ASKED = [("red", "blue"), ("red", "green"), ("blue", "red"), ("green", "yellow"), ("blue", "green"), ("orange", "pink")]
N = len(ASKED)
PROMPTS = ("imagine.simple", "imagine.structured")
WRONG = "green on orange and more orange"
"""What one arm imagines for green: taken for an imagination, and nearest to another picture."""

Reply = str | tuple[int, str]
"""The words of a reply, or the status and the words of an error."""


class Server:
    """Imagines out of the request's own words, as ``answer`` makes it say, and counts what it is asked."""

    def __init__(self, http: HTTPServer) -> None:
        self.answer: Callable[[str, bool], Reply] = lambda description, in_json: good(description, in_json)
        self.asked: Counter[str] = Counter()
        self.pause = 0.0
        self.tells: Callable[[str], bool] = lambda asked: True
        self._lock = threading.Lock()
        self.url = http.url_for("/v1")
        http.expect_request("/v1/chat/completions").respond_with_handler(self._respond)

    @property
    def calls(self) -> int:
        return self.asked.total()

    def _respond(self, request: Request) -> Response:
        body = json.loads(request.data)
        messages = [message["content"] for message in body["messages"]]
        asked = messages[1].rpartition("<modification>")[2].partition("</modification>")[0].strip()
        with self._lock:
            self.asked[f"{body['model']}: {json.dumps(messages)}"] += 1
        time.sleep(self.pause)
        reply = self.answer(f"a shirt {asked}", "JSON" in messages[0])
        if not isinstance(reply, str):
            error = {"error": {"message": reply[1], "type": "x", "param": None, "code": None}}
            return Response(json.dumps(error), reply[0], content_type="application/json")
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply}}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        made = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        made |= {"usage": usage} if self.tells(asked) else {}
        return Response(json.dumps(made), content_type="application/json")


def good(description: str, in_json: bool) -> str:
    whole = {"description": description, "keep": ["shirt"], "add": [], "remove": [], "alternatives": []}
    return json.dumps(whole) if in_json else description


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(budget, "BREAK_FOR", 0.5)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with HTTPServer(threaded=True) as http:
        made = Server(http)
        monkeypatch.setenv("IPCIR_LLM_BASE_URL", made.url)
        yield made


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Six queries over eighteen drawn pictures: the colour is the words' part, the layout the picture's."""
    use_fake_models(monkeypatch)
    monkeypatch.setenv("IPCIR_CAPTIONS", "1")  # to calibrate with: the fakes know few of the stock texts' words
    draw(tmp_path / "mine")
    rows = [{"reference": f"{a}-0.png", "modification": f"in {b}", "targets": [f"{b}-0.png"]} for a, b in ASKED]
    write(tmp_path / "mine" / "queries.jsonl", rows)
    return tmp_path / "mine"


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def compared(
    folder: Path, *prompts: str, llms: tuple[str, ...] = ("openai:m",), benchmark: Benchmark | None = None, **more: Any
) -> Comparison:
    """A comparison in a home beside the folder, so that a second one finds the replies of the first."""
    arms = build_arms([None if id == "rules" else load_prompt(id) for id in prompts or PROMPTS], llms)
    with Engine.open(load_settings(home=folder.parent / "home", llm_timeout=more.pop("timeout", 30.0))) as engine:
        measured = benchmark or load_jsonl(folder / "queries.jsonl")
        runner = ComparisonRunner(engine.components, measured, "imagined+reference", load_gallery(engine, measured))
        return compare(runner, arms, stored_imaginer(engine.components), ComparisonOptions(samples=200, **more))


def adds_up(comparison: Comparison) -> None:
    for arm in comparison.arms:
        assert arm.scored + arm.failed == comparison.queries
        assert sum(arm.queries.values()) == arm.scored
        if arm.replies is not None:
            assert arm.this_run.calls + arm.this_run.cache_hits == arm.this_run.requests
            assert sum(arm.replies.forms.values()) + sum(arm.replies.fallbacks.values()) == arm.replies.questions
    assert not [note for note in comparison.notes if "add up" in note]


def made(comparison: Comparison) -> list[tuple[int, int, int]]:
    return [(arm.this_run.requests, arm.this_run.calls, arm.this_run.cache_hits) for arm in comparison.arms]


# --- what is compared


def test_every_prompt_meets_every_model_once():
    one, two = (load_prompt(id) for id in PROMPTS)
    assert [arm.name for arm in build_arms([one, two], ["openai:m"])] == list(PROMPTS)
    both = build_arms([one, None, one], ["openai:a", "openai:b", "openai:a"])
    assert [arm.name for arm in both] == ["imagine.simple by openai:a", "imagine.simple by openai:b", "rules"]
    assert [arm.name for arm in build_arms([one, two], [])] == ["rules"], "prompts that are not used are no arms"
    assert [arm.name for arm in build_arms([one], ["rules", "openai:m"])] == ["rules", "imagine.simple"]


def test_two_prompts_on_a_good_server(folder, server):
    found = compared(folder, prices={"openai:m": Price(input=1.0, output=10.0)})
    adds_up(found)
    assert server.calls == 2 * N
    assert made(found) == [(N, N, 0)] * 2
    simple, structured = found.arms
    assert (simple.replies.forms, structured.replies.forms) == ({"text": N}, {"json": N})
    assert (simple.asks_for, structured.asks_for) == ("text", "json")
    assert simple.prompt.startswith("imagine.simple@")
    assert simple.queries == {"llm": N}
    assert (simple.cost.input_tokens, simple.cost.output_tokens) == (100 * N, 20 * N)
    assert simple.cost.usd_per_1000_queries == pytest.approx(1000 * (100 * 1.0 + 20 * 10.0) / 1e6)
    assert simple.latency.replies == N
    assert 0 < simple.latency.p50 <= simple.latency.p95
    assert simple.figures["R@1"].mean == 100.0
    assert found.disagreements == (), "their targets are the same"


def test_the_same_again_pays_for_nothing_and_finds_the_same(folder, server):
    first = compared(folder)
    again = compared(folder)
    assert server.calls == 2 * N
    adds_up(again)
    assert made(again) == [(N, 0, N)] * 2
    for before, after in zip(first.arms, again.arms, strict=True):
        assert after.figures == before.figures
        assert after.cost == before.cost, "what the replies cost when they were made"
        assert after.replies.forms == before.replies.forms


def test_the_rules_are_what_ipcir_eval_measures_by_rules(folder, server):
    found = compared(folder, "rules", "imagine.simple")
    with Engine.open(load_settings(home=folder.parent / "other")) as engine:
        report = evaluate(engine, load_jsonl(folder / "queries.jsonl"), ["imagined+reference"], samples=200)
    assert found.arms[0].figures == report.rows[0].figures
    assert (found.arms[0].replies, found.arms[0].this_run) == (None, None)
    assert found.baseline == "rules"


def test_where_the_arms_differ(folder, server):
    server.answer = lambda text, in_json: good(text if in_json else text.replace("green", WRONG), in_json)
    found = compared(folder)
    assert {each.modification for each in found.disagreements} == {"in green"}
    for each in found.disagreements:
        assert [ranking.description for ranking in each.rankings] == [f"a shirt in {WRONG}", "a shirt in green"]
        assert each.rankings[1].rank == 1 < each.rankings[0].rank
        assert each.caption == f"a {each.reference.split('-')[0]} shirt"
        assert each.rankings[1].top[0] == each.targets[0]
    lead = found.arms[1].against_baseline["R@1"]
    assert (lead.better, lead.worse) == (2, 0)
    assert lead.mean == pytest.approx(found.arms[1].figures["R@1"].mean - found.arms[0].figures["R@1"].mean)


def test_queries_that_cannot_be_scored_count_for_every_arm(folder, server):
    rows = [*map(json.loads, (folder / "queries.jsonl").read_text().splitlines())]
    (folder / "broken.png").write_bytes(b"no picture")
    rows += [
        {"reference": "broken.png", "modification": "in blue", "targets": ["blue-0.png"]},
        {"reference": "red-0.png", "modification": "in blue", "targets": ["ghost.png"]},
    ]
    write(folder / "queries.jsonl", rows)
    found = compared(folder)
    adds_up(found)
    assert found.queries == N + 2
    assert [(arm.scored, arm.failed) for arm in found.arms] == [(N, 2)] * 2
    assert [each.arm for each in found.failures] == [None, None], "each is listed once"
    assert found.arms[0].figures["R@1"].mean == pytest.approx(100 * N / (N + 2))


def test_a_sample_holds_every_smaller_one(folder):
    queries = tuple(Query(str(n), "red-0.png", f"in blue {n}", ("blue-0.png",)) for n in range(40))
    whole = Benchmark("many", queries, (), {}, False, (), ())
    some = [{query.id for query in sampled(whole, n).queries} for n in (5, 20)]
    assert [len(each) for each in some] == [5, 20]
    assert some[0] < some[1]
    assert "a sample of 5 of the 40" in sampled(whole, 5).notes[-1]
    assert sampled(whole, 40) is whole
    lacking = replace(whole, left_out=("line 7: no target",))
    assert sampled(lacking, 5).left_out == (), "a sample is of what can be used"
    assert sampled(lacking, 40).left_out == lacking.left_out


def results_of(*ranks: tuple[int, ...]) -> tuple[Benchmark, list[ArmResult]]:
    """Arms with the ranks of their targets, query by query."""
    queries = tuple(Query(str(n), "red-0.png", "x", ("blue-0.png",)) for n in range(len(ranks[0])))
    made = Imagination(ImaginedTarget(description="a shirt", origin="llm"), "p", (), 1, cached=False)
    results = []
    for arm in ranks:
        scored = {str(n): SimpleNamespace(main=rank) for n, rank in enumerate(arm)}
        outcome = ArmOutcome(scored, dict.fromkeys(scored, ()), {}, dict.fromkeys(scored, ("a shirt", made)))
        recorder = ImaginationRecorder(RunnableLambda(lambda _: made))
        results.append(ArmResult(Arm("a"), outcome, recorder))
    return Benchmark("b", queries, (), {}, False, (), ()), results


def test_the_arms_differ_most_where_ranks_differ_by_the_largest_factor():
    benchmark, results = results_of((100, 1, 7, 3), (150, 4, 7, 1))
    assert [each.query for each in find_disagreements(benchmark, results, 9)] == ["1", "3", "0"]
    assert [each.query for each in find_disagreements(benchmark, results, 1)] == ["1"]
    assert find_disagreements(benchmark, results[:1], 9) == (), "one arm differs from none"


def test_what_makes_no_comparison_is_refused(folder):
    hidden = Benchmark("CIRR test1", (Query("a", "red-0.png", "x", ()),), (), {}, False, (), ())
    with Engine.open(load_settings(home=folder.parent / "home")) as engine:
        mine = load_jsonl(folder / "queries.jsonl")
        gallery = load_gallery(engine, mine)
        with pytest.raises(InvalidRequestError, match="imagines nothing"):
            ComparisonRunner(engine.components, mine, "sum", gallery)
        with pytest.raises(InvalidRequestError, match="truth of CIRR test1 is hidden"):
            ComparisonRunner(engine.components, hidden, "imagined+reference", gallery)


# --- models that answer badly

GARBAGE = "%$#&@ 42"
CASES: dict[str, tuple[Callable[[str, bool], Reply], dict[str, Any]]] = {
    "in fences": (lambda text, _: f"```json\n{good(text, True)}\n```", {"forms": {"json": N}}),
    "with thoughts": (lambda text, _: f"<think>red {{}}?</think>\n{good(text, True)}", {"forms": {"json": N}}),
    "chatty": (lambda text, _: f"Sure: {good(text, True)} Anything else?", {"forms": {"json": N}}),
    "broken off": (lambda text, _: good(text, True)[:-30], {"forms": {"parts": N}}),
    "plain text": (lambda text, _: text, {"forms": {"text": N}, "calls": 2 * N, "repaired": N}),
    "wrong JSON": (lambda text, _: '{"colour": "blue"}', {"calls": 2 * N, "why": "could not be used"}),
    "garbage": (lambda text, _: GARBAGE, {"calls": 2 * N, "why": "could not be used"}),
    "nothing": (lambda text, _: "", {"calls": 2 * N, "why": "could not be used"}),
    "refusals": (lambda text, _: "I'm sorry, but I can't help.", {"refused": N, "why": "declined"}),
    "500": (lambda text, _: (500, "out of memory"), {"calls": 3 * N, "why": "out of memory"}),
    "401": (lambda text, _: (401, "who are you"), {"why": "API key"}),
    "404": (lambda text, _: (404, "no such model"), {"why": "no such model"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_that_answers_badly_is_counted_and_stops_nothing(folder, server, case):
    server.answer, expected = CASES[case]
    found = compared(folder, "imagine.structured")
    adds_up(found)
    (arm,) = found.arms
    assert (arm.scored, arm.failed) == (N, 0)
    assert arm.this_run.calls == server.calls == expected.get("calls", N)
    assert arm.this_run.cache_hits == 0
    assert arm.replies.forms == expected.get("forms", {})
    assert arm.replies.repaired == expected.get("repaired", 0)
    assert arm.replies.refused == expected.get("refused", 0)
    assert arm.queries == ({"fallback": N} if "why" in expected else {"llm": N})
    assert all(expected["why"] in why for why in arm.replies.fallbacks)
    assert "why" in expected or not arm.replies.fallbacks


def test_a_repair_is_reported(folder, server):
    first = set[str]()

    def answer(text: str, in_json: bool) -> str:
        if text in first:
            return good(text, in_json)
        first.add(text)
        return GARBAGE

    server.answer = answer
    (arm,) = compared(folder, "imagine.structured").arms
    distinct = len({b for _, b in ASKED})
    assert (arm.replies.forms, arm.replies.fallbacks) == ({"json": N}, {})
    assert arm.replies.repaired == distinct
    assert arm.this_run.requests == arm.this_run.calls == server.calls == N + distinct


def test_a_server_that_is_too_slow_is_left_alone(folder, server):
    server.pause = 2.0
    found = compared(folder, "imagine.simple", timeout=0.4)
    (arm,) = found.arms
    adds_up(found)
    assert arm.queries == {"fallback": N}
    assert arm.this_run.calls >= 2
    assert arm.this_run.requests + arm.this_run.held_back == N
    assert "did not answer in time" in " ".join(arm.replies.fallbacks)
    assert arm.latency is None


def test_no_server_answers(folder, server, monkeypatch):
    monkeypatch.setenv("IPCIR_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    found = compared(folder, "imagine.simple", prices={"openai:m": Price(input=1, output=1)})
    (arm,) = found.arms
    adds_up(found)
    assert server.calls == 0
    assert arm.queries == {"fallback": N}
    assert "could not be reached" in " ".join(arm.replies.fallbacks)
    assert arm.cost.usd_per_1000_queries is None
    assert arm.cost.unpriced == "no reply came"
    assert arm.figures == compared(folder, "rules").arms[0].figures, "the rules stood in for it"


def hangs_on_text(text: str, in_json: bool) -> str:
    """Answers in time whom it gives JSON, and hardly ever anybody else."""
    time.sleep(0.0 if in_json else 1.0)
    return good(text, in_json)


def test_no_arm_goes_without_requests_because_of_another(folder, server):
    server.answer = hangs_on_text
    found = compared(folder, timeout=0.4)
    simple, structured = found.arms
    assert simple.queries == {"fallback": N}
    assert structured.replies.forms == {"json": N}, "asked again when the server was called again"
    assert structured.this_run.held_back == 0
    assert not structured.mostly_unsent
    assert (simple.unmeasured, structured.unmeasured, structured.against_baseline) == (True, False, {})
    (line,) = found.head
    assert f"imagine.simple: {N} of {N} targets are the rules'" in line
    assert "did not answer in time" in line
    assert "no difference with it is shown" in line
    assert all(math.isnan(mean) for mean in found.best.values()), "there is no winner of one"


def test_an_arm_without_calls_has_a_note_and_no_difference(folder, server, monkeypatch, capsys):
    monkeypatch.setattr(budget, "BREAK_FOR", 1000.0)
    server.answer = hangs_on_text
    waited: list[float] = []
    prices = {"openai:m": Price(input=1, output=1)}
    found = compared(folder, timeout=0.4, wait=waited.append, prices=prices)
    adds_up(found)
    _, structured = found.arms
    assert 1 <= len(waited) <= 2, "it is not waited for ever"
    assert all(900 < seconds <= 1000 for seconds in waited)
    assert (structured.this_run.held_back, structured.this_run.calls) == (N, 0)
    assert (structured.mostly_unsent, structured.against_baseline) == (True, {})
    assert structured.cost.unpriced == "no request was sent to it"
    (note,) = [note for note in found.notes if note.startswith("imagine.structured: ")]
    assert f"{N} of {N} questions were never sent" in note
    assert "too few requests" in comparison_html(found, lambda name: None)
    show_comparison(found)
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("imagine.structured  ")][
        :1
    ]
    assert row.rstrip().endswith("unsent")


def test_nothing_is_compared_with_a_first_arm_that_was_not_asked(folder, server):
    simple, structured = compared(folder).arms
    assert structured.against_baseline
    silent = simple.model_copy(update={"this_run": simple.this_run.model_copy(update={"held_back": 1})})
    assert comparable([simple, structured]) == (simple, structured)
    assert [arm.against_baseline for arm in comparable([silent, structured])] == [{}, {}]


def test_tokens_that_no_server_tells_are_not_none(folder, server):
    prices = {"openai:m": Price(input=1.0, output=10.0)}
    server.tells = lambda asked: "green" not in asked
    some = sum("green" in b for _, b in ASKED)
    for _ in range(2):  # of the replies that were kept it is not known either
        (arm,) = compared(folder, "imagine.simple", prices=prices).arms
        assert (arm.cost.unknown, arm.cost.input_tokens) == (some, 100 * (N - some))
        assert (arm.cost.usd_per_1000_queries, arm.cost.unpriced) == (
            None,
            f"the tokens of {some} replies are not known",
        )
        assert cost_cells(arm)[3:5] == [f"{100 * (N - some)}+", f"{20 * (N - some)}+"]
    server.tells = lambda asked: False
    (arm,) = compared(folder, "imagine.structured", prices=prices).arms
    assert "does not report how many tokens" in arm.cost.unpriced
    assert cost_cells(arm)[3:6] == ["-", "-", "-"]


def test_failures_are_counted_by_their_first_fault(folder, server):
    seconds = iter([(403, "no"), "", GARBAGE, (404, "gone"), "[]", '{"colour": "red"}'])
    first = set[str]()
    lock = threading.Lock()

    def answer(text: str, in_json: bool) -> Reply:
        with lock:
            number = text.split()[-1]
            if number in first:
                return next(seconds)
            first.add(number)
            return GARBAGE

    server.answer = answer
    rows = [{"reference": "red-0.png", "modification": f"in blue {n}", "targets": ["blue-0.png"]} for n in range(6)]
    write(folder / "queries.jsonl", rows)
    (arm,) = compared(folder, "imagine.structured").arms
    ((why, n),) = arm.replies.fallbacks.items()
    assert n == 6
    assert "could not be used" in why
    assert "second try" not in why


def test_requests_calls_and_hits_of_failures_that_are_shared():
    def fallback(calls: int, paid: Paid | None, **more: Any) -> Imagination:
        target = ImaginedTarget(description="a shirt", origin="fallback")
        return Imagination(target, "p", ("why",), calls, cached=False, cost=paid, **more)

    cost = Paid("key", 1, 0, 0)
    answers = {
        "called": fallback(1, cost),
        "shared": fallback(0, cost),
        "held back": fallback(0, Paid("other", 0, 0, 0), retry_after=5.0),
        "not called": fallback(0, None),
    }
    recorder = ImaginationRecorder(RunnableLambda(lambda request: answers[request.modification]))
    for text in answers:
        recorder.imagine.invoke(ImagineRequest("a shirt", text))
    found = traffic(recorder)
    assert (found.requests, found.cache_hits, found.held_back) == (2, 1, 2)


def test_it_is_waited_for_as_long_as_the_server_answers_in_between():
    """A server that answers one question between two breaks, and in the end none."""
    target = ImaginedTarget(description="a shirt", origin="fallback")
    held = Imagination(target, "p", (), 0, cached=False, cost=Paid("k", 0, 0, 0), retry_after=0.0)
    asked = Imagination(target, "p", (), 1, cached=False, cost=Paid("k", 1, 0, 0))
    script = iter([held] * 6 + [asked, *[held] * 5] + [asked, *[held] * 4] + [held] * 100)
    recorder = ImaginationRecorder(_InTurn(lambda request: next(script)))
    for n in range(6):
        recorder.imagine.invoke(ImagineRequest("a shirt", str(n)))
    waited: list[float] = []
    assert recorder.retry(waited.append)
    assert len(waited) == 2 + BREAKS
    assert traffic(recorder).held_back == 4


class _InTurn(RunnableLambda[ImagineRequest, Imagination]):
    """Takes a batch one by one, in its order."""

    def batch(self, inputs: list[ImagineRequest], config: Any = None, **more: Any) -> list[Imagination]:
        return [self.invoke(each, config) for each in inputs]


def test_only_what_failed_is_asked_again(folder, server):
    server.answer = lambda text, in_json: (404, "no") if "green" in text else good(text, in_json)
    compared(folder, "imagine.simple")
    failing = sum(b == "green" for _, b in ASKED)
    server.answer, before = good, server.calls
    found = compared(folder, "imagine.simple")
    adds_up(found)
    assert server.calls - before == failing
    assert made(found) == [(N, failing, N - failing)]


def test_equal_questions_are_one(folder, server):
    rows = [*map(json.loads, (folder / "queries.jsonl").read_text().splitlines())]
    write(folder / "queries.jsonl", [*rows, *rows])
    found = compared(folder, "imagine.simple")
    adds_up(found)
    assert found.queries == found.arms[0].scored == 2 * N
    assert found.arms[0].replies.questions == server.calls == N


# --- killed, and gone on with

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


@pytest.mark.slow
def test_killed_it_goes_on_without_paying_twice(folder, server, tmp_path, monkeypatch, capsys):
    rows = [
        {"reference": f"{a}-0.png", "modification": f"in {b} number {n}", "targets": [f"{b}-0.png"]}
        for n in range(8)
        for a, b in ASKED
    ]
    file = write(folder / "many.jsonl", rows)
    arguments = ("prompts", "compare", *PROMPTS, "--llm", "openai:m", "--benchmark", file, "--json")
    _, whole, _ = run(monkeypatch, capsys, *arguments, "--home", tmp_path / "whole")
    assert set(server.asked.values()) == {1}
    everything = server.calls

    server.asked.clear()
    server.pause = 0.02
    script = [sys.executable, "-c", KILLED.format(tests=str(Path(__file__).parents[2]))]
    command = [*script, *map(str, arguments), "--home", str(tmp_path / "home")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    while process.poll() is None and server.calls < everything // 2:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.2)  # what it had asked for last comes in
    half, server.pause = server.calls, 0.0
    assert everything // 2 <= half < everything

    status, resumed, errors = run(monkeypatch, capsys, *arguments, "--home", tmp_path / "home")
    assert status == 0, errors
    before, after = json.loads(whole), json.loads(resumed)
    calls = sum(arm["this_run"]["calls"] for arm in after["arms"])
    assert server.calls == half + calls
    assert server.calls - everything <= 16, "no more is asked again than was under way"
    for one, other in zip(before["arms"], after["arms"], strict=True):
        assert other["figures"] == one["figures"]
        assert other["cost"] == one["cost"]
        assert other["replies"] == one["replies"]


# --- as a page, and as JSON

HOSTILE = "in blue</p><script>alert(1)</script> & \"x\" 'y' {z} \N{GREEK SMALL LETTER ALPHA}"


def test_hostile_texts_are_text_on_the_page(folder, server):
    nasty = "a <b onclick=x>blue</b> shirt </article> & more"
    server.answer = lambda text, in_json: good(nasty if in_json else "an orange shirt", in_json)
    rows = [{"reference": "red-0.png", "modification": HOSTILE, "targets": ["blue-0.png"]}]
    write(folder / "queries.jsonl", rows)
    found = compared(folder, notes=("<i>note</i>",))
    assert found.disagreements[0].rankings[1].description == nasty
    page = comparison_html(found, lambda name: None)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert not {"script", "b onclick", "i"} & set(tags.seen)
    assert tags.seen["article"] == 1
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;b onclick=x&gt;" in page


def test_the_report_as_json_is_plain_and_rounded(folder, server):
    document = comparison_json(compared(folder))
    assert json.loads(json.dumps(document)) == document
    arm = document["arms"][1]
    assert arm["against_baseline"]["R@1"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "better": 0, "worse": 0}
    assert {"scored", "failed", "replies", "cost", "latency", "this_run", "queries"} <= set(arm)


# --- at the command line


def test_at_the_command_line(folder, server, tmp_path, monkeypatch, capsys):
    page, prices = tmp_path / "out" / "page.html", tmp_path / "prices.json"
    prices.write_text('{"openai:m": {"input": 0.5, "output": 2}}')
    server.answer = lambda text, in_json: good(text if in_json else text.replace("green", WRONG), in_json)
    arguments = ["prompts", "compare", *PROMPTS, "rules", "--benchmark", folder / "queries.jsonl"]
    arguments += ["--llm", "openai:m", "--llm", "openai:other", "--prices", prices, "--html", page]
    status, out, err = run(monkeypatch, capsys, *arguments, "--json")
    assert status == 0, err
    document = json.loads(out)
    assert [arm["name"] for arm in document["arms"]] == [
        *(f"{id} by openai:{llm}" for id in PROMPTS for llm in ("m", "other")),
        "rules",
    ]
    assert sum(arm["this_run"]["calls"] for arm in document["arms"][:4]) == server.calls == 4 * N
    assert "imagine.simple by openai:other has no price: the price table has no openai:other" in document["notes"]
    text = page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.seen["article"] == len(document["disagreements"]) == 2
    assert text.count("data:image/jpeg;base64,") >= 4

    status, out, _ = run(monkeypatch, capsys, *arguments)
    words = " ".join(out.split())
    assert status == 0
    assert f"requests {N} {N} {N} {N}" in words
    assert f"calls 0 0 0 0 cache hits {N}" in words
    assert "where they differ most" in words


def test_without_a_model_the_rules_run_once_with_a_note(folder, monkeypatch, capsys):
    arguments = ("prompts", "compare", *PROMPTS, "--benchmark", folder / "queries.jsonl", "--queries", 4)
    status, out, err = run(monkeypatch, capsys, *arguments, "--json")
    assert status == 0, err
    document = json.loads(out)
    assert [(arm["name"], arm["prompt"]) for arm in document["arms"]] == [("rules", None)]
    assert document["queries"] == document["arms"][0]["scored"] == 4
    (note,) = document["notes"]
    assert "no prompt was used (imagine.simple, imagine.structured named)" in note
    status, out, _ = run(monkeypatch, capsys, *arguments)
    assert "No language model is named" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("imagine.nope",), "no prompt 'imagine.nope'; there are"),
        (("ask", "--llm", "openai:m"), "an imagination has"),
        (("imagine.simple", "--llm", "nobody:m"), "is not available"),
        (("imagine.simple", "--composer", "reference"), "imagines nothing"),
        (("imagine.simple", "--benchmark", "nothing"), "There is no benchmark 'nothing'"),
        (("imagine.simple", "--prices", "none.json"), "none.json is not a price table"),
        (("imagine.simple", "--prompts", "nowhere"), "nowhere does not exist"),
        (("imagine.simple", "--queries-file", "q.jsonl"), "--gallery CAPTIONS.jsonl"),
        (("imagine.onestage", "--llm", "openai:m", "--queries-file", "q", "--gallery", "g", "--embeddings", "a:b"),
         "needs images"),
    ],
)  # fmt: skip
def test_what_is_refused(folder, server, monkeypatch, capsys, arguments, why):
    given = arguments if "--benchmark" in arguments else (*arguments, "--benchmark", str(folder / "queries.jsonl"))
    given = arguments if "--queries-file" in arguments else given
    monkeypatch.delenv("IPCIR_LLM_BASE_URL")
    status, out, err = run(monkeypatch, capsys, "prompts", "compare", *given)
    assert (status, out) == (2, "")
    assert why in " ".join(err.split())
    assert server.calls == 0


EMBEDDINGS = """
from langchain_core.embeddings import Embeddings
from ipcir_tools.fakes import FakeEncoder

class Mine(Embeddings):
    def embed_documents(self, texts):
        print("somebody else's module talks")
        return FakeEncoder().embed_texts(texts).tolist()
    def embed_query(self, text):
        return self.embed_documents([text])[0]
"""


def test_prompts_are_compared_on_captions_alone(server, tmp_path, monkeypatch, capsys):
    colours = ("red", "blue", "green", "yellow", "orange", "pink")
    write(tmp_path / "g.jsonl", [{"id": c, "captions": [f"a {c} shirt", f"a shirt in {c}"]} for c in colours])
    asked = [{"reference": a, "modification": f"in {b}", "targets": [b]} for a, b in ASKED]
    write(tmp_path / "q.jsonl", asked)
    (tmp_path / "my_embeddings.py").write_text(EMBEDDINGS)
    monkeypatch.chdir(tmp_path)
    server.answer = lambda text, in_json: good(text if in_json else text.replace("green", WRONG), in_json)
    status, out, err = run(
        monkeypatch, capsys, "prompts", "compare", *PROMPTS, "--llm", "openai:m", "--gallery", "g.jsonl",
        "--queries-file", "q.jsonl", "--embeddings", "my_embeddings:Mine", "--html", "page.html", "--json",
    )  # fmt: skip
    assert status == 0, err
    document = json.loads(out)
    assert [arm["scored"] for arm in document["arms"]] == [N, N]
    assert sum(arm["this_run"]["calls"] for arm in document["arms"]) == server.calls == 2 * N
    assert {each["modification"] for each in document["disagreements"]} == {"in green"}
    assert document["disagreements"][0]["caption"].endswith("shirt")
    assert "a green shirt" in Path("page.html").read_text(encoding="utf-8")


def test_a_vision_prompt_gets_the_reference(folder, server, monkeypatch):
    seen: list[Any] = []

    def respond(request: Request) -> Response:
        content = json.loads(request.data)["messages"][-1]["content"]
        seen.append([block["type"] for block in content])
        colour = re.findall(r"in (\w+)\s*</modification>", content[0]["text"])[-1]
        words = good(f"a {colour} shirt", True)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": words}}
        body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        return Response(json.dumps(body), content_type="application/json")

    with HTTPServer(threaded=True) as http:
        http.expect_request("/v1/chat/completions").respond_with_handler(respond)
        monkeypatch.setenv("IPCIR_LLM_BASE_URL", http.url_for("/v1"))
        found = compared(folder, "imagine.onestage")
    adds_up(found)
    assert found.arms[0].queries == {"llm": N}
    assert all(types == ["text", "image_url"] for types in seen)
    assert len(seen) == found.arms[0].this_run.calls
