"""The dialogue graph as chat windows and servers drive it: messages in place of answers, empty inputs, a context."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colour_folder import draw, use_fake_models
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from ipcir_tools.agents.dialogue.graph import Dialogue, build_dialogue
from ipcir_tools.agents.dialogue.nodes import HOW_TO_ANSWER
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import ScriptedChatModel
from ipcir_tools.models import loading
from ipcir_tools.settings import Settings

THREAD: Any = {"configurable": {"thread_id": "1"}}
NO_PICTURE_IS_SO_WIDE = {"width": {"$gt": 5_000}}


@pytest.fixture
def engine(tmp_path, monkeypatch) -> Iterator[Engine]:
    use_fake_models(monkeypatch)
    draw(tmp_path / "pictures")
    with Engine.open(Settings(home=tmp_path / "home", k=3)) as engine:
        engine.index([tmp_path / "pictures"])
        yield engine


@pytest.fixture
def dialogue(engine) -> Dialogue:
    return build_dialogue(engine, checkpointer=InMemorySaver())


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)], **more}


def id_of(engine: Engine, name: str) -> str:
    return next(stamp.image_id for path, stamp in engine.catalog.stamps().items() if Path(path).name == name)


def colours(state: dict[str, Any]) -> set[str]:
    return {Path(hit["source"]).name.split("-")[0] for hit in state["result"]["hits"]}


def said(state: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message.type, message.text.split("\n")[0]) for message in state["messages"]]


# --- a message in the place of the answer


def test_a_message_in_place_of_the_answer_keeps_the_edits_before_and_answers(engine, dialogue):
    first = dialogue.invoke(says("in blue", reference=id_of(engine, "red-0.png")), THREAD)
    dialogue.invoke(says("something else"), THREAD)
    state = dialogue.invoke(says("with stripes"), THREAD)
    assert (state["result"]["parent"], state["result"]["modification"]) == (first["turn"], "with stripes")
    assert state["result"]["imagined"]["description"] == "a blue striped shirt"


@pytest.mark.parametrize("answer", ["red-0.png", "make it blue"])
def test_a_picture_sent_as_a_message_answers_which_picture_was_meant(engine, dialogue, answer):
    red = id_of(engine, "red-0.png")
    asked = dialogue.invoke(says("make it blue"), THREAD)
    assert asked["clarification"]["why"] == "no reference"
    reply = says(red) if answer == "red-0.png" else says(answer, reference=red)
    state = dialogue.invoke(reply, THREAD)
    assert (state["result"]["reference"], state["result"]["modification"]) == (red, "make it blue")


def test_yes_as_a_message_drops_the_filter_and_keeps_the_words(engine, dialogue):
    given = says("in blue", reference=id_of(engine, "red-0.png"), where=NO_PICTURE_IS_SO_WIDE)
    assert dialogue.invoke(given, THREAD)["clarification"]["why"] == "filter"
    state = dialogue.invoke(says("yes"), THREAD)
    assert (state["result"]["modification"], colours(state)) == ("in blue", {"blue"})


def test_show_them_as_a_message_keeps_what_was_found(engine, dialogue):
    dialogue.invoke(says("in blue", reference=id_of(engine, "red-0.png")), THREAD)
    asked = dialogue.invoke(says("with a submarine"), THREAD)
    state = dialogue.invoke(says("show them"), THREAD)
    assert state["turn"] == asked["clarification"]["turn"]


def test_a_message_that_starts_over_starts_over(engine, dialogue):
    dialogue.invoke(says("in blue", reference=id_of(engine, "red-0.png")), THREAD)
    dialogue.invoke(says("something else"), THREAD)
    state = dialogue.invoke(says("find a green shirt"), THREAD)
    assert (state["result"]["parent"], state["result"]["reference"], colours(state)) == (None, None, {"green"})


@pytest.mark.parametrize("resumed", [True, False])
def test_the_question_stands_in_the_messages_before_its_answer_and_after(engine, dialogue, resumed):
    dialogue.invoke(says("in blue", reference=id_of(engine, "red-0.png")), THREAD)
    asked = dialogue.invoke(says("something else"), THREAD)
    question = asked["__interrupt__"][0].value["question"]
    assert said(asked)[-2:] == [("human", "something else"), ("ai", question)]
    state = dialogue.invoke(Command(resume="in green") if resumed else says("in green"), THREAD)
    assert said(state)[-4:-1] == [("human", "something else"), ("ai", question), ("human", "in green")]


# --- what is no answer leaves the question open


@pytest.fixture
def asked(engine, dialogue) -> dict[str, Any]:
    """A dialogue whose second edit, "and with a submarine", no picture shows: its question is open."""
    dialogue.invoke(says("in blue", reference=id_of(engine, "red-0.png")), THREAD)
    return dialogue.invoke(says("and with a submarine"), THREAD)


@pytest.mark.parametrize("resumed", [True, False])
@pytest.mark.parametrize(
    ("remark", "answer"),
    [
        ("thank you", "You are welcome."),
        ("how many pictures are there?", "The gallery holds"),
        ("what do you mean?", "This finds pictures"),
        ("I don't know", "That names nothing"),
        ("help", "This finds pictures"),
    ],
)
def test_a_remark_is_answered_and_the_question_stays_open(dialogue, asked, remark, answer, resumed):
    before = asked["__interrupt__"][0].value
    for _ in range(2):
        state = dialogue.invoke(Command(resume=remark) if resumed else says(remark), THREAD)
        again = state["__interrupt__"][0].value
        assert (again["why"], again["turn"]) == ("no match", before["turn"])
        assert again["question"].startswith(answer)
        assert again["question"].endswith(f"\n{before['question']}")
        assert [message.text for message in state["messages"][-2:]] == [remark, again["question"]]
    state = dialogue.invoke(Command(resume="show them") if resumed else says("show them"), THREAD)
    assert state["turn"] == before["turn"], "the edit is not lost"


@pytest.mark.parametrize("resumed", [True, False])
@pytest.mark.parametrize("reply", ["and a hat", "Also with stripes", "with stripes as well"])
def test_what_adds_goes_on_from_the_edit_that_raised_the_question(dialogue, asked, reply, resumed):
    state = dialogue.invoke(Command(resume=reply) if resumed else says(reply), THREAD)
    assert (state["result"]["parent"], state["result"]["modification"]) == (asked["clarification"]["turn"], reply)
    assert "submarine" in state["result"]["imagined"]["description"]
    assert not [each for each in state["result"]["warnings"] if "was replaced" in each]


@pytest.mark.parametrize("resumed", [True, False])
def test_other_words_replace_the_edit_and_the_result_says_so(dialogue, asked, resumed):
    state = dialogue.invoke(Command(resume="in green") if resumed else says("in green"), THREAD)
    assert (state["result"]["parent"], colours(state)) == (asked["turn"], {"green"})
    note = 'the edit before, "and with a submarine", was replaced'
    assert note in state["result"]["warnings"]
    assert note in state["messages"][-1].text
    assert note not in dialogue.invoke(says("in blue"), THREAD)["result"]["warnings"], "said once"


@pytest.mark.parametrize("resumed", [True, False])
@pytest.mark.parametrize("reply", ["no", "No, thanks.", "never mind", "forget it"])
def test_no_drops_the_edit(dialogue, asked, reply, resumed):
    state = dialogue.invoke(Command(resume=reply) if resumed else says(reply), THREAD)
    assert "__interrupt__" not in state
    assert state["messages"][-1].text == 'The edit "and with a submarine" is dropped: say what should be different.'
    assert state["turn"] == asked["turn"]
    state = dialogue.invoke(says("in green"), THREAD)
    assert (state["result"]["parent"], colours(state)) == (asked["turn"], {"green"})


def test_no_to_a_first_edit_keeps_the_picture(engine, dialogue):
    red = id_of(engine, "red-0.png")
    dialogue.invoke(says("with a submarine", reference=red), THREAD)
    assert "is dropped" in dialogue.invoke(says("no"), THREAD)["messages"][-1].text
    assert dialogue.invoke(says("in green"), THREAD)["result"]["reference"] == red


@pytest.mark.parametrize("value", [{"x": 1}, "", "  ", ["in blue"], {"text": ["in blue"]}, True])
def test_what_cannot_be_read_is_no_answer(engine, dialogue, asked, value):
    turns = engine.turns()
    state = dialogue.invoke(Command(resume=value), THREAD)
    assert state["__interrupt__"][0].value["question"].startswith(HOW_TO_ANSWER)
    assert engine.turns() == turns
    assert colours(dialogue.invoke(Command(resume={"text": "in green"}), THREAD)) == {"green"}


# --- what the answer says


def test_the_answer_is_written_for_people(engine, dialogue):
    state = dialogue.invoke(says("in blue", reference=id_of(engine, "red-0.png")), THREAD)
    lines = state["messages"][-1].text.split("\n")
    assert lines[0] == '3 pictures for "in blue", starting from red-0.png:'
    assert lines[1] == "Looked for: a blue shirt"
    assert [line.split(".")[0] for line in lines[2:]] == ["1", "2", "3"]
    assert state["turn"] not in state["messages"][-1].text, "ids are in the result, for programs"


def test_nothing_in_a_name_or_a_caption_becomes_markup(engine, dialogue, tmp_path):
    odd = tmp_path / "![x](http:evil)<b>`.png"
    (tmp_path / "pictures" / "red-0.png").rename(odd)
    engine.index([tmp_path / "pictures", odd])
    engine.catalog.put_captions({id_of(engine, odd.name): "a [red](http:evil) <shirt>"}, "other")
    text = dialogue.invoke(says("a red shirt"), THREAD)["messages"][-1].text
    assert "(x)(http:evil)" in text
    assert not set("[]<>`") & set(text)


# --- nothing to do


def test_an_input_without_a_message_runs_nothing(engine, dialogue):
    assert dialogue.invoke({"messages": []}, THREAD) == {"messages": []}
    dialogue.invoke(says("a red shirt"), THREAD)
    before, turns = dialogue.get_state(THREAD).values, engine.turns()
    for nothing in ({}, {"messages": []}, {"messages": [], "k": 1}):
        dialogue.invoke(nothing, THREAD)
        state = dialogue.get_state(THREAD).values
        assert (state["messages"], state["turn"]) == (before["messages"], before["turn"])
    assert engine.turns() == turns
    assert dialogue.invoke({"messages": [AIMessage("hello")]}, {"configurable": {"thread_id": "2"}}).keys() == {
        "messages"
    }


def test_an_open_question_stays_open_through_an_empty_input(engine, dialogue):
    dialogue.invoke(says("in blue", reference=id_of(engine, "red-0.png")), THREAD)
    asked = dialogue.invoke(says("something else"), THREAD)
    again = dialogue.invoke({}, THREAD)
    assert again["__interrupt__"][0].value == asked["__interrupt__"][0].value
    assert again["messages"] == asked["messages"]
    assert colours(dialogue.invoke(Command(resume="in green"), THREAD)) == {"green"}


# --- the run-time context


def test_the_context_of_a_run_chooses_how_many_and_whether_to_ask(engine, dialogue):
    red = id_of(engine, "red-0.png")
    state = dialogue.invoke(says("in blue", reference=red), THREAD, context={"k": 1, "composer": "imagined"})
    assert len(state["result"]["hits"]) == 1
    assert engine.catalog.turn(state["turn"]).query.composer == "imagined"
    assert len(dialogue.invoke(says("in green", k=2), THREAD, context={"k": 1})["result"]["hits"]) == 2
    state = dialogue.invoke(says("something else"), THREAD, context={"ask": False})
    assert "__interrupt__" not in state
    assert "Unclear: " in state["messages"][-1].text
    silent = build_dialogue(engine, ask=False, checkpointer=InMemorySaver())
    asked = silent.invoke(says("something else", reference=red), THREAD, context={"ask": True})
    assert asked["__interrupt__"]


def test_the_context_of_a_run_chooses_the_model(engine, dialogue, monkeypatch):
    model = ScriptedChatModel(replies=['{"description": "a blue silk shirt"}'] * 4)
    monkeypatch.setattr(loading, "load_llm", lambda settings: model if settings.llm == "python:mine" else None)
    given = says("in blue", reference=id_of(engine, "red-0.png"))
    state = dialogue.invoke(given, THREAD, context={"llm": "python:mine", "prompt": "imagine.simple"})
    assert state["result"]["imagined"]["description"] == "a blue silk shirt"
    assert engine.catalog.turn(state["turn"]).prompt.startswith("imagine.simple@")
    other: Any = {"configurable": {"thread_id": "2"}}
    assert dialogue.invoke(given, other)["result"]["imagined"]["description"] == "a blue shirt", (
        "the next run has its own"
    )


@pytest.mark.parametrize(
    ("context", "says_so"),
    [
        ({"mood": "good"}, "The context has no field 'mood': there are ask, k,"),
        ({"k": 0}, "k is 0"),
        ({"k": "many"}, "k must be a whole number"),
        ({"composer": "nope"}, "nope"),
        ({"llm": "nope:x"}, "nope"),
        ({"prompt": "nope"}, "nope"),
    ],
)
def test_a_wrong_context_is_answered_in_one_line(engine, dialogue, context, says_so):
    state = dialogue.invoke(says("in blue", reference=id_of(engine, "red-0.png")), THREAD, context=context)
    assert says_so in state["messages"][-1].text
    assert "\n" not in state["messages"][-1].text
    assert state["result"] is None
