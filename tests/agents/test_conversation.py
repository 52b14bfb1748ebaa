"""Five turns with a language model behind a real OpenAI-compatible server: every turn stored, resumed in a new process.

``talk.py`` holds the conversation: search; refine with feedback; an error that the model corrects; undo
and branch; two calls side by side.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from pytest_httpserver import HTTPServer
from talk import CONVERSATION, OUTCOMES, PARENTS, Outcome, Step, TalkingServer, open_wardrobe, read

from ipcir_tools.agents.agent import build_agent
from ipcir_tools.agents.tools import TOOLS, ToolCallError
from ipcir_tools.engine.engine import Engine

THREAD: Any = {"configurable": {"thread_id": "one"}}


@pytest.fixture(scope="module")
def http() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as http:
        yield http


@pytest.fixture
def server(http) -> TalkingServer:
    http.clear()
    return TalkingServer(http)


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    with open_wardrobe(tmp_path_factory.mktemp("home")) as engine:
        yield engine


@pytest.fixture(scope="module")
def by_hand(engine) -> list[Outcome]:
    """The conversation without a model and without LangChain."""
    seen: list[Outcome] = []
    for step in CONVERSATION:
        for asked in step.rounds:
            seen += [read(called(engine, tool, arguments)) for tool, arguments in asked(seen)]
    return seen


def called(engine: Engine, name: str, arguments: Any) -> str:
    tool = TOOLS[name]
    try:
        return tool.call(engine, tool.arguments(**arguments)).text
    except ToolCallError as error:
        return str(error)


def model(url: str) -> ChatOpenAI:
    return ChatOpenAI(model="talk", base_url=url, api_key="none", max_retries=0)


def talk(agent: Any, steps: Sequence[Step]) -> list[AnyMessage]:
    """Say the words of the steps, one after another; all messages of the thread."""
    for step in steps:
        messages: list[AnyMessage] = agent.invoke({"messages": [("user", step.words)]}, THREAD)["messages"]
    return messages


def answers(messages: Sequence[AnyMessage]) -> list[ToolMessage]:
    return [message for message in messages if isinstance(message, ToolMessage)]


def outcomes(messages: Sequence[AnyMessage]) -> dict[str, Outcome]:
    found = [read(message.text) for message in answers(messages)]
    return dict(zip(OUTCOMES, found, strict=True))


def check(messages: Sequence[AnyMessage], engine: Engine, expected: Sequence[Outcome]) -> None:
    """The conversation went as it should, and the catalog holds its turns."""
    seen = outcomes(messages)
    assert [outcome.hits for outcome in seen.values()] == [outcome.hits for outcome in expected]
    turns = {name: engine.catalog.turn(outcome.turn) for name, outcome in seen.items() if outcome.turn}
    assert [name for name in OUTCOMES if name not in turns] == ["error"]
    assert [turn.parent for turn in turns.values()] == [
        None if parent is None else seen[OUTCOMES[parent]].turn
        for name, parent in zip(OUTCOMES, PARENTS, strict=True)
        if name in turns
    ]
    assert turns["striped"].query.liked == (seen["red"].hits[1],)
    assert turns["striped"].query.disliked == (seen["red"].hits[2],)
    assert turns["shorter"].query.reference == seen["striped"].hits[4], "the error names the fifth hit"
    assert turns["plain"].query.reference == turns["red"].query.reference, "the undo went behind that reference"
    assert [message.status for message in answers(messages)] == ["success"] * 3 + ["error"] + ["success"] * 4
    *_, both, green, black, last = messages
    assert isinstance(both, AIMessage)
    assert [call["id"] for call in both.tool_calls] == [green.tool_call_id, black.tool_call_id]
    assert last.text == f"Done: {', '.join(seen['black'].hits)}"


# --- sync, async, and in a new process


def test_five_turns(engine, server, by_hand, tmp_path):
    with SqliteSaver.from_conn_string(str(tmp_path / "state.sqlite")) as saver:
        messages = talk(build_agent(model(server.url), engine, checkpointer=saver), CONVERSATION)
    check(messages, engine, by_hand)
    with SqliteSaver.from_conn_string(str(tmp_path / "state.sqlite")) as saver:
        kept = build_agent(model(server.url), engine, checkpointer=saver).get_state(THREAD).values["messages"]
    assert kept == messages


async def test_five_turns_async(engine, server, by_hand, tmp_path):
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "state.sqlite")) as saver:
        agent = build_agent(model(server.url), engine, checkpointer=saver)
        for step in CONVERSATION:
            state = await agent.ainvoke({"messages": [("user", step.words)]}, THREAD)
    check(state["messages"], engine, by_hand)


@pytest.mark.slow
async def test_a_new_process_goes_on_where_the_old_one_stopped(server, by_hand, tmp_path):
    home, state = tmp_path / "home", tmp_path / "state.sqlite"
    with open_wardrobe(home) as engine:
        async with AsyncSqliteSaver.from_conn_string(str(state)) as saver:
            agent = build_agent(model(server.url), engine, checkpointer=saver)
            for step in CONVERSATION[:3]:
                await agent.ainvoke({"messages": [("user", step.words)]}, THREAD)
    before = len(server.bodies)
    await asyncio.to_thread(_in_a_new_process, home, state, server.url)
    assert server.bodies[before]["messages"][:-1] == server.bodies[before - 1]["messages"] + [_done(by_hand[4])]
    with open_wardrobe(home) as engine, SqliteSaver.from_conn_string(str(state)) as saver:
        agent = build_agent(model(server.url), engine, checkpointer=saver)
        check(agent.get_state(THREAD).values["messages"], engine, by_hand)


def _in_a_new_process(home: Path, state: Path, url: str) -> None:
    code = "import sys, test_conversation as here; here.go_on(*sys.argv[1:])"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[:2]))}
    subprocess.run(
        [sys.executable, "-c", code, str(home), str(state), url], env=environ, check=True, timeout=120, text=True
    )


def go_on(home: str, state: str, url: str) -> None:
    """The last two steps, in a process that knows the folder, the checkpoints and the server, and nothing else."""
    with open_wardrobe(Path(home)) as engine, SqliteSaver.from_conn_string(state) as saver:
        talk(build_agent(model(url), engine, checkpointer=saver), CONVERSATION[3:])


def _done(outcome: Outcome) -> dict[str, str]:
    return {"role": "assistant", "content": f"Done: {', '.join(outcome.hits)}"}


# --- what the model reads, and what each turn costs


def test_the_model_reads_the_error_before_it_corrects_its_call(engine, server):
    talk(build_agent(model(server.url), engine, checkpointer=InMemorySaver()), CONVERSATION[:3])
    wrong, corrected = (json.loads(_last_call(body)["arguments"]) for body in server.bodies[-2:])
    message = server.bodies[-2]["messages"][-1]
    assert (message["role"], wrong["reference"], corrected["reference"]) == ("tool", "9", "5")
    assert "has no hit 9: it has 5" in message["content"]


def _last_call(body: dict[str, Any]) -> dict[str, str]:
    """The call that the last tool message of a request answers."""
    calls: list[dict[str, Any]] = [call for message in body["messages"] for call in message.get("tool_calls") or ()]
    return dict(calls[-1]["function"])


def test_a_refinement_costs_one_call_of_the_language_model_and_no_picture(server, tmp_path):
    with open_wardrobe(tmp_path / "home", llm="openai:talk", llm_base_url=server.url) as engine:
        messages = talk(build_agent(model(server.url), engine, checkpointer=InMemorySaver()), CONVERSATION)
    work = {
        name: message.artifact["timings"]
        for name, message in zip(OUTCOMES, answers(messages), strict=True)
        if message.artifact
    }
    assert work["red"]["llm_calls"] == 1
    for name in ("striped", "shorter", "plain", "green", "black"):
        assert work[name]["image_encodes"] == 0
        assert work[name]["captions_made"] == 0, "the first turn captioned the gallery's sample to calibrate by"
        assert work[name]["llm_calls"] == 1
        assert 1 <= work[name]["text_encodes"] <= 2
    assert len(server.imaginations) == 6
