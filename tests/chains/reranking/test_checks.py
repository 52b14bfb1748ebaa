"""True/false checks of hits by a vision model: which statements are made, how a reply is read, and that failures leave
the order."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from colour_folder import CAPTIONER, ENCODER, chat_completion
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.exceptions import ModelInvalidRequestError
from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ipcir_tools.chains import build_check_chain
from ipcir_tools.chains.reranking.checks import MOST_CHECKS, CheckRequest, checked_order, checks_of
from ipcir_tools.chains.reranking.sheet_reader import ORDER_UNCHANGED
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.replay import replay
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, ScriptedChatModel, colour_name
from ipcir_tools.llm import retries
from ipcir_tools.models import loading
from ipcir_tools.settings import load_settings
from ipcir_tools.types import Hit, ImaginedTarget, Reply

CHECKS = ("It shows blue.", "It does not show dots.", "It shows a shirt.")


def entry(number: Any, *holds: Any) -> dict[str, Any]:
    return {"number": number, "holds": list(holds)}


def reply(*entries: Any) -> str:
    return json.dumps({"pictures": list(entries)})


GOOD = reply(entry(1, True, False, False), entry(2, True, True, True), entry(3, True, True, False))


# --- the statements


def test_the_statements_come_from_the_lists_of_the_imagination():
    target = ImaginedTarget(
        description="a blue shirt with long sleeves", keep=("shirt", "plain"), add=("long sleeves",), remove=("dots",),
        origin="rules",
    )  # fmt: skip
    assert checks_of(target) == (
        "It can be described as: a blue shirt with long sleeves",
        "It shows long sleeves.",
        "It does not show dots.",
        "It shows shirt, plain.",
    )


def test_there_are_a_few_statements_and_at_least_the_description():
    assert checks_of(ImaginedTarget(description="a dog", origin="llm")) == ("It can be described as: a dog",)
    many = ImaginedTarget(description="a", add=("b",) * 9, remove=("c",) * 9, keep=("d",) * 99, origin="llm")
    assert len(checks_of(many)) == MOST_CHECKS


# --- the order


def hits(n: int) -> tuple[Hit, ...]:
    return tuple(Hit(id=f"h{i}", rank=i, score=1 / i, source=f"/{i}.png") for i in range(1, n + 1))


def test_the_share_decides_ties_keep_the_order_and_what_was_not_checked_its_place():
    found = checked_order(hits(5), {1: 1 / 3, 2: 1.0, 4: 1 / 3, 5: 1.0})
    assert [hit.id for hit in found] == ["h2", "h5", "h3", "h1", "h4"]
    assert [hit.rank for hit in found] == [1, 2, 3, 4, 5]
    assert [hit.verified for hit in found] == [1.0, 1.0, None, 1 / 3, 1 / 3]


# --- the chain, over scripted models


def test_the_example_of_the_prompt_fits_no_request():
    example = '{"pictures": [{"number": 1, "holds": [true, true, false, true, false]}]}'
    result = build_check_chain(ScriptedChatModel(replies=[example, example])).invoke(request())
    assert [hit.id for hit in result.hits] == ["h1", "h2", "h3"]
    assert result.calls == 2


def request(n: int = 3, **more: Any) -> CheckRequest:
    def see(id_: str) -> Image.Image:
        return Image.new("RGB", (40, 30), "red")

    return CheckRequest(**{"hits": hits(n), "load_image": see, "checks": CHECKS, **more})


class Store(dict[str, Reply]):
    """Replies by key."""

    def reply(self, key: str) -> Reply | None:
        return self.get(key)

    def put_reply(self, key: str, reply: Reply) -> None:
        self[key] = reply

    def forget_reply(self, key: str) -> None:
        self.pop(key, None)


def test_one_call_shows_the_sheet_and_the_numbered_statements():
    model = ScriptedChatModel(replies=[GOOD])
    result = build_check_chain(model).invoke(request())
    assert [(hit.id, hit.verified) for hit in result.hits] == [("h2", 1.0), ("h3", 2 / 3), ("h1", 1 / 3)]
    assert (result.calls, result.warnings) == (1, ())
    assert result.prompt.startswith("checks@2#")
    (words, sheet) = model.received[0][-1].content
    assert (words["type"], sheet["type"]) == ("text", "image")
    assert "1. It shows blue.\n2. It does not show dots.\n3. It shows a shirt." in words["text"]
    assert model.schemas[0]["title"] == "checks"


WRAPPED = {
    "fenced": f"```json\n{GOOD}\n```",
    "thinking": f"<think>{reply(entry(1, True, True, True))}</think>{GOOD}",
    "words for truth": reply(entry("1", "Yes", "no", "NO"), entry(2, "true", "True", 1), entry("#3", "yes", 1, 0)),
    "a bare list": json.dumps(json.loads(GOOD)["pictures"]),
}


@pytest.mark.parametrize("case", WRAPPED)
def test_a_reply_is_read_however_it_is_wrapped(case):
    result = build_check_chain(ScriptedChatModel(replies=[WRAPPED[case]])).invoke(request())
    assert [hit.id for hit in result.hits] == ["h2", "h3", "h1"]
    assert result.warnings == ()


BAD = {
    "too few": entry(1, True),
    "too many": entry(1, True, True, True, True),
    "no list": {"number": 1, "holds": "true, true, true"},
    "another word": entry(1, True, "perhaps", True),
    "nothing": {"number": 1},
    "an unknown picture": entry(9, True, True, True),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_answer_to_the_statements_is_counted_and_the_hit_keeps_its_place(case):
    said = reply(BAD[case], entry(2, False, False, False), entry(3, True, True, True))
    result = build_check_chain(ScriptedChatModel(replies=[said])).invoke(request())
    assert [hit.id for hit in result.hits] == ["h1", "h3", "h2"]
    assert len(result.warnings) == 2
    assert "1 checks of the language model matched no hit and were ignored" in result.warnings


@given(text=st.text(max_size=200))
def test_no_reply_breaks_it_or_loses_a_hit(text):
    result = build_check_chain(ScriptedChatModel(replies=[text, text])).invoke(request())
    assert {hit.id for hit in result.hits} == {"h1", "h2", "h3"}


TROUBLE: dict[str, list[Any]] = {
    "declines": ["I'm sorry, but I can't help with that."],
    "says nothing twice": ["All look fine.", "Really."],
    "raises": [ModelInvalidRequestError("no pictures here")],
}


@pytest.mark.parametrize("case", TROUBLE)
def test_trouble_with_the_model_leaves_the_order_and_is_a_warning(case):
    result = build_check_chain(ScriptedChatModel(replies=TROUBLE[case])).invoke(request())
    assert result.hits == hits(3)
    assert result.prompt is None
    (warning,) = result.warnings
    assert warning.endswith(ORDER_UNCHANGED)


def test_without_a_model_nothing_is_called():
    result = build_check_chain(None).invoke(request())
    assert result.hits == hits(3)
    assert "no vision model is named" in result.warnings[0]


def test_the_same_again_is_known_and_other_statements_are_not():
    store, model = Store(), ScriptedChatModel(replies=[GOOD, GOOD])
    chain = build_check_chain(model, replies=store)
    first, again = chain.invoke(request()), chain.invoke(request())
    assert (first.hits, again.calls, model.calls) == (again.hits, 0, 1)
    chain.invoke(request(checks=("It shows red.", *CHECKS[1:])))
    assert (model.calls, len(store)) == (2, 2)
    assert {kept.kind for kept in store.values()} == {"verify"}


def test_a_prompt_of_ones_own_must_take_what_there_is(tmp_path):
    text = Path(__file__).parents[3].joinpath("prompts", "checks.md").read_text(encoding="utf-8")
    (tmp_path / "checks.md").write_text(text.replace("checks: 1500", "checks: 1500\n  caption: 100") + "\n{caption}")
    with pytest.raises(InvalidRequestError, match="prompt checks uses caption"):
        build_check_chain(ScriptedChatModel(replies=[]), prompts=tmp_path)


# --- in the engine, over an OpenAI-compatible server


class Server:
    """A vision model that holds the same statements true whatever it is shown: those of the last picture."""

    def __init__(self, http: HTTPServer) -> None:
        self.statements: list[list[str]] = []
        self.answer: Callable[[], Response] | None = None
        http.expect_request("/v1/chat/completions").respond_with_handler(self._respond)

    def _respond(self, request: Request) -> Response:
        (blocks,) = [m["content"] for m in json.loads(request.data)["messages"] if isinstance(m["content"], list)]
        words = blocks[0]["text"]
        self.statements.append(re.findall(r"^\d+\. (.+)$", words, re.MULTILINE))
        assert [block["type"] for block in blocks] == ["text", "image_url"]
        if self.answer is not None:
            return self.answer()
        n = int(re.search(r"<count>\n(\d+)", words)[1])
        wanted = [entry(i, *[i == n] * len(self.statements[-1])) for i in range(1, n + 1)]
        return chat_completion(reply(*wanted))


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: FakeEncoder(name))
    caption = lambda picture: f"a {colour_name(picture)} shirt"  # noqa: E731 - a name for one line
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: ScriptedCaptioner(caption, id=CAPTIONER))
    with HTTPServer(threaded=True) as http:
        named = {"ENCODER": ENCODER, "CAPTIONER": CAPTIONER, "LLM_BASE_URL": http.url_for("/v1"), "VERIFY": "off"}
        for name, value in (named | {"RERANK_LLM": "openai:eyes"}).items():
            monkeypatch.setenv(f"IPCIR_{name}", value)
        yield Server(http)


@pytest.fixture
def engine(server, tmp_path) -> Iterator[Engine]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour, rgb in COLOURS.items():
        Image.new("RGB", (48, 36), rgb).save(folder / f"{colour}.png")
    with Engine.open(load_settings(home=tmp_path / "home")) as engine:
        engine.index([folder])
        yield engine


def red(engine: Engine) -> Path:
    return engine.settings.home.parent / "pictures" / "red.png"


def test_a_search_checks_its_first_hits_and_says_how(engine, server):
    plain = engine.search(red(engine), "in blue", k=5)
    assert server.statements == []
    found = engine.search(red(engine), "in blue", k=5, verify="llm:3")
    assert server.statements == [
        ["It can be described as: a blue shirt", "It shows blue.", "It does not show red.", "It shows shirt."]
    ]
    before = [hit.id for hit in plain.hits]
    assert [hit.id for hit in found.hits] == [before[2], before[0], before[1], *before[3:]]
    assert [hit.verified for hit in found.hits] == [1.0, 0.0, 0.0, None, None]
    assert found.turn.models["verifier"].startswith("openai:eyes (checks@2#")
    assert (found.counts["verified"], found.counts["verify_calls"]) == (3, 1)
    assert found.timings["verify"] > 0
    (kept,) = engine.catalog.reply_counts("verify")
    assert (kept.replies, kept.calls) == (1, 1)


def test_the_same_again_costs_no_call(engine, server):
    first = engine.search(red(engine), "in blue", verify="llm:3")
    again = engine.search(red(engine), "in blue", verify="llm:3")
    assert [hit.id for hit in again.hits] == [hit.id for hit in first.hits]
    assert (len(server.statements), again.counts["verify_calls"]) == (1, 0)


def test_a_refinement_does_not_inherit_it(engine, server):
    first = engine.search(red(engine), "in blue", verify="llm:3").turn
    refined = engine.refine(first.id, "in green")
    assert (refined.turn.query.verify, len(server.statements)) == (0, 1)


def test_words_alone_are_checked_by_the_words(engine, server):
    engine.find("a blue shirt", verify="llm:2")
    assert server.statements == [["It can be described as: a blue shirt"]]


def test_trouble_leaves_the_order_exactly_as_it_was(engine, server):
    server.answer = lambda: Response("no", 400)
    plain = engine.search(red(engine), "in blue", k=5)
    found = engine.search(red(engine), "in blue", k=5, verify="llm:3")
    assert [hit.id for hit in found.hits] == [hit.id for hit in plain.hits]
    assert all(hit.verified is None for hit in found.hits)
    assert found.warnings[-1].endswith(ORDER_UNCHANGED)
    assert "verifier" not in found.turn.models


def test_a_turn_is_replayed_from_its_kept_reply_and_by_no_other_model(engine, server, monkeypatch):
    turn = engine.search(red(engine), "in blue", k=4, verify="llm:3").turn
    assert replay(engine, turn.id).same
    assert len(server.statements) == 1
    monkeypatch.setenv("IPCIR_RERANK_LLM", "openai:another")
    with Engine.open(load_settings(home=engine.settings.home)) as other:
        assert not replay(other, turn.id).same
    assert len(server.statements) == 1, "no other model is shown the pictures"
