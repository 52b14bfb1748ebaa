"""Turns belong to a conversation where there is one: a thread, a session, or neither."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from colour_folder import draw, use_fake_models
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from ipcir_tools.agents.dialogue.graph import build_dialogue
from ipcir_tools.agents.toolkit import IPCIRToolkit
from ipcir_tools.engine.conversation import conversation_id
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import ScriptedChatModel
from ipcir_tools.settings import Settings


@pytest.fixture
def engine(tmp_path, monkeypatch) -> Iterator[Engine]:
    use_fake_models(monkeypatch)
    draw(tmp_path / "pictures")
    with Engine.open(Settings(home=tmp_path / "home", k=2)) as engine:
        engine.index([tmp_path / "pictures"])
        yield engine


def thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}


def call(name: str, **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": name}])


def turns_named(message: BaseMessage) -> set[str]:
    return set(re.findall(r"\bt[0-9a-f]{11}\b", message.text))


def test_an_agents_list_turns_shows_those_of_its_thread(engine):
    script = [call("find_images", text="a red shirt"), call("list_turns"), AIMessage("done")]
    agent = create_agent(
        ScriptedChatModel(replies=script * 2), IPCIRToolkit(engine).get_tools(), checkpointer=InMemorySaver()
    )
    outside = engine.find("a green shirt").turn.id
    seen = []
    for name in ("anna", "ben"):
        messages = agent.invoke({"messages": [HumanMessage("red, please")]}, thread(name))["messages"]
        found, listed = (turns_named(message) for message in messages if message.type == "tool")
        assert found == listed
        seen.append(found)
    assert seen[0] != seen[1]
    assert {outside, *seen[0], *seen[1]} == {turn.id for turn in engine.turns()}, "outside of them all are listed"


def test_a_dialogues_turns_belong_to_its_thread(engine):
    dialogue = build_dialogue(engine, checkpointer=InMemorySaver())
    turns = {
        name: dialogue.invoke({"messages": [HumanMessage("a red shirt")]}, thread(name))["turn"]
        for name in ("anna", "ben")
    }
    assert {name: [turn.id for turn in engine.in_conversation(name).turns()] for name in turns} == {
        name: [turn] for name, turn in turns.items()
    }


def test_a_conversation_hides_no_turn_that_is_named(engine):
    found = engine.in_conversation("anna").find("a red shirt").turn
    later = engine.in_conversation("ben").refine(found.id, "in blue").turn
    assert later.parent == found.id
    assert engine.in_conversation("ben").turns() == [later]


@pytest.mark.parametrize(("name", "stored"), [(None, None), ("", None), ("anna", "anna"), (7, "7")])
def test_the_name_of_a_conversation_is_its_id(name, stored):
    assert conversation_id(name) == stored


@pytest.mark.parametrize("name", ["x" * 1_000_000, "a\nb", "a\x00b", "\ud800"])
def test_a_name_that_is_long_or_unprintable_is_stored_as_a_digest(name, engine):
    assert re.fullmatch("[0-9a-f]{64}", conversation_id(name) or "")
    turn = engine.in_conversation(name).find("a red shirt").turn
    assert engine.in_conversation(name).turns() == [turn]
