"""Small language models as they are: whatever they write, nothing false is taken for an imagination, and nothing stops.

The server answers with a manner of ``llm_server``; the models of pictures name and find colours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colour_folder import draw, run, use_fake_models
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from llm_server import (
    LLMServer,
    Manner,
    caption_copier,
    contradictory,
    cut,
    example_copier,
    fenced,
    imagining,
    json_in_prose,
    modification_copier,
    once,
    placeholders,
    rambling,
    reply,
    schema_echo,
)
from pytest_httpserver import HTTPServer

from ipcir_tools.agents.dialogue.graph import build_dialogue
from ipcir_tools.engine.engine import Engine
from ipcir_tools.llm import retries
from ipcir_tools.settings import load_settings
from ipcir_tools.types import Reply, SearchResult

TOOL_CALL = {"name": "search", "arguments": {"modification": "?"}, "description": "a search for a blue shirt"}
FALSE: dict[str, Manner] = {
    "tool call": lambda asked: json.dumps(TOOL_CALL),
    "about the task": lambda asked: reply(
        asked, "The target shows the reference with the change applied: a blue shirt"
    ),
    "repetition": lambda asked: reply(asked, "blue shirt collar " * 5),
    "example copier": example_copier,
    "caption copier": caption_copier,
    "modification copier": modification_copier,
    "schema echo": schema_echo,
    "placeholders": placeholders,
    "rambling": rambling,
    "contradictory lists": contradictory,
    "cut in the description": cut(imagining, 22),
    "cut, and the server does not say so": cut(imagining, 22, finish="stop"),
    "cut where the rest reads like a description": cut(imagining, 26, finish="stop"),
}
"""What never imagines."""
TRUE: dict[str, Manner] = {
    "good": imagining,
    "in prose": json_in_prose,
    "in a code fence": fenced(imagining),
    "cut behind the description": cut(imagining, 50),
    **{f"{name}, better when told": once(manner, imagining) for name, manner in FALSE.items()},
}
"""What imagines, at the second try at the latest."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LLMServer]:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    with HTTPServer(threaded=True) as http:
        server = LLMServer(http, imagining)
        monkeypatch.setenv("IPCIR_LLM", "openai:small")
        monkeypatch.setenv("IPCIR_LLM_BASE_URL", server.url)
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Shirts in six colours, three pictures each."""
    use_fake_models(monkeypatch)
    draw(tmp_path / "mine")
    with Engine.open(load_settings(home=tmp_path / "home")) as engine:
        engine.index([tmp_path / "mine"])
    return tmp_path / "home"


@pytest.fixture
def engine(home: Path, server: LLMServer) -> Iterator[Engine]:
    with Engine.open(load_settings(home=home)) as engine:
        yield engine


def red(home: Path) -> Path:
    return home.parent / "mine" / "red-0.png"


def imagined(result: SearchResult) -> tuple[str, str]:
    target = result.turn.imagined
    assert target is not None
    return target.origin, target.description


def stored(engine: Engine) -> list[Reply]:
    return [reply for _, reply in engine.catalog.replies("imagine", limit=100)]


# --- a search and what goes on from it


@pytest.mark.parametrize("manner", FALSE.values(), ids=FALSE)
def test_the_rules_write_where_a_reply_does_not_imagine(engine: Engine, server: LLMServer, home: Path, manner: Manner):
    server.manner = manner
    found = engine.search(red(home), "make it blue")
    assert imagined(found) == ("fallback", "a blue shirt")
    assert Path(str(found.hits[0].source)).name.startswith("blue")
    (warning,) = found.warnings
    assert "the rules wrote the target instead" in warning
    assert len(server.asked) == 2, "one request and one repair"
    assert stored(engine) == []
    after = engine.refine(found.turn.id, "with a collar")
    assert imagined(after) == ("fallback", "a blue shirt with a collar")
    server.manner = imagining
    assert imagined(engine.search(red(home), "make it blue"))[0] == "llm", "nothing of it was kept"
    assert imagined(engine.refine(found.turn.id, "with a collar"))[0] == "llm"


@pytest.mark.parametrize("manner", TRUE.values(), ids=TRUE)
def test_a_reply_that_imagines_is_used(engine: Engine, server: LLMServer, home: Path, manner: Manner):
    server.manner = manner
    found = engine.search(red(home), "make it blue")
    assert imagined(found) == ("llm", "a blue shirt")
    assert imagined(engine.refine(found.turn.id, "with a collar")) == ("llm", "a blue shirt with a collar")


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        (example_copier, "copied from the instructions"),
        (caption_copier, "the caption again, without what was asked for (blue)"),
        (modification_copier, "the request again"),
        (rambling, "no word in common"),
        (placeholders, "a placeholder"),
        (contradictory, '"blue" stands in "add" and in "remove"'),
    ],
)
def test_the_model_and_the_user_are_told_why(
    engine: Engine, server: LLMServer, home: Path, manner: Manner, reason: str
):
    server.manner = manner
    (warning,) = engine.search(red(home), "make it blue").warnings
    told = server.asked[1].texts[-1]
    assert "That reply cannot be used" in told
    assert reason in told
    assert reason in warning


def test_what_an_older_version_kept_is_judged_again(engine: Engine, server: LLMServer, home: Path):
    engine.search(red(home), "make it blue")
    [(key, good)] = engine.catalog.replies("imagine")
    copied = example_copier(server.asked[0])
    assert isinstance(copied, str)
    engine.catalog.put_reply(key, good.model_copy(update={"text": copied}))
    assert imagined(engine.search(red(home), "make it blue")) == ("llm", "a blue shirt")
    assert [reply.text for reply in stored(engine)] == [good.text]
    engine.catalog.put_reply(key, good.model_copy(update={"text": copied}))
    server.manner = rambling
    assert imagined(engine.search(red(home), "make it blue"))[0] == "fallback"
    assert stored(engine) == [], "it is not kept for the next search either"


@pytest.mark.parametrize("prompt", ["imagine.simple", "imagine.ensemble"])
@pytest.mark.parametrize("manner", [caption_copier, modification_copier, rambling, example_copier])
def test_with_every_prompt(engine: Engine, server: LLMServer, home: Path, prompt: str, manner: Manner):
    server.manner = manner
    config: Any = {"configurable": {"imagine_prompt": prompt}}
    assert imagined(engine.search(red(home), "make it blue", config=config)) == ("fallback", "a blue shirt")
    server.manner = imagining
    assert imagined(engine.search(red(home), "make it blue", config=config)) == ("llm", "a blue shirt")


def test_plain_text_that_is_cut_is_no_description(engine: Engine, server: LLMServer, home: Path):
    config: Any = {"configurable": {"imagine_prompt": "imagine.simple"}}
    for text, finish in (("a blue shirt with a collar and two po", "length"), ("a blue shirt with a", "stop")):
        server.manner = cut(lambda asked, text=text: text, len(text), finish)
        assert imagined(engine.search(red(home), "make it blue", config=config)) == ("fallback", "a blue shirt")


def test_while_it_is_written_a_description_may_grow_but_the_result_is_judged(engine: Engine, server: LLMServer):
    from ipcir_tools.chains.imagination.results import ImagineRequest

    server.manner = example_copier
    *growing, last = engine.components.imagine.stream(ImagineRequest("a red shirt", "make it blue"))
    assert growing
    assert (last.target.origin, last.target.description) == ("fallback", "a blue shirt")


# --- the other faces


@pytest.mark.parametrize("manner", FALSE.values(), ids=FALSE)
def test_on_the_command_line(home: Path, server: LLMServer, monkeypatch, capsys, manner: Manner):
    server.manner = manner
    status, out, err = run(monkeypatch, capsys, "search", red(home), "make it blue", "--home", home, "--json")
    assert status == 0, err
    document = json.loads(out)
    assert document["imagined"]["origin"] == "fallback"
    assert document["imagined"]["description"] == "a blue shirt"
    assert any("the rules wrote the target instead" in warning for warning in document["warnings"])


@pytest.mark.parametrize("manner", FALSE.values(), ids=FALSE)
def test_in_a_dialogue(engine: Engine, server: LLMServer, home: Path, manner: Manner):
    server.manner = manner
    dialogue = build_dialogue(engine, checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "1"}}
    reference = next(image.image_id for path, image in engine.catalog.stamps().items() if path.endswith("red-0.png"))
    for message, expected in (("make it blue", "a blue shirt"), ("with a collar", "a blue shirt with a collar")):
        state = dialogue.invoke({"messages": [HumanMessage(message)], "reference": reference}, thread)
        assert state["result"]["imagined"]["origin"] == "fallback"
        assert state["result"]["imagined"]["description"] == expected


@pytest.mark.parametrize("manner", FALSE.values(), ids=FALSE)
def test_in_a_comparison(home: Path, server: LLMServer, monkeypatch, capsys, manner: Manner):
    server.manner = manner
    rows = [{"reference": "red-0.png", "modification": f"in {c}", "targets": [f"{c}-0.png"]} for c in ("blue", "green")]
    queries = home.parent / "mine" / "queries.jsonl"
    queries.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    prompts = ("prompts", "compare", "imagine.structured", "rules", "--benchmark", queries)
    status, out, err = run(monkeypatch, capsys, *prompts, "--home", home, "--json")
    assert status == 0, err
    arms = json.loads(out)["arms"]
    assert [arm["scored"] for arm in arms] == [2, 2]
    assert arms[0]["queries"] == {"fallback": 2}


# --- the cache


def test_replies_are_deleted_by_model_prompt_and_key(
    engine: Engine, server: LLMServer, home: Path, monkeypatch, capsys
):
    for colour in ("blue", "green", "pink"):
        engine.search(red(home), f"make it {colour}")
    key = engine.catalog.replies("imagine")[0][0]
    for arguments, left in (((key[:8],), 2), (("--model", "small", "--prompt", "imagine.structured"), 0)):
        status, out, err = run(monkeypatch, capsys, "cache", "clear", *arguments, "--yes", "--json", "--home", home)
        assert (status, json.loads(out)["deleted"]) == (0, 1 if left else 2), err
        assert len(stored(engine)) == left
