"""The middleware: our prompt behind the user's, pictures where every API takes them, no reply that ends the loop."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError
from openai import BadRequestError
from pydantic import TypeAdapter, ValidationError
from pytest_httpserver import HTTPServer
from talk import Call, Seen, Step, TalkingServer, open_wardrobe

from ipcir_tools.agents.agent import MAX_STEPS, MAX_TRIES, IPCIRMiddleware, build_agent
from ipcir_tools.agents.message_format import MAX_PICTURE_ROUNDS, format_messages
from ipcir_tools.agents.toolkit import IPCIRToolkit
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import NotFoundError
from ipcir_tools.fakes import ScriptedChatModel
from ipcir_tools.prompts import load_prompt

THREAD: Any = {"configurable": {"thread_id": "one"}}
OURS = load_prompt("agent").render()[0].text
PICTURE = {"type": "image", "base64": "aGk=", "mime_type": "image/jpeg"}
APIS = pytest.mark.parametrize("responses", [False, True], ids=["chat-completions", "responses"])


@pytest.fixture(scope="module")
def http() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as http:
        yield http


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    with open_wardrobe(tmp_path_factory.mktemp("home")) as engine:
        yield engine


def serving(http: HTTPServer, *steps: Step) -> TalkingServer:
    http.clear()
    return TalkingServer(http, steps)


def model(server: TalkingServer, responses: bool) -> ChatOpenAI:
    return ChatOpenAI(model="talk", base_url=server.url, api_key="none", max_retries=0, use_responses_api=responses)


def coats(seen: Seen) -> list[Call]:
    return [("find_images", {"text": "a coat", "k": 2})]


# --- the system prompt


@pytest.mark.parametrize(
    ("theirs", "sent"),
    [
        (None, OURS),
        ("Be kind.", f"Be kind.\n\n{OURS}"),
        (SystemMessage("Be kind."), f"Be kind.\n\n{OURS}"),
        (SystemMessage([{"type": "text", "text": "Be kind."}]), f"Be kind.\n\n{OURS}"),
    ],
)
async def test_our_prompt_stands_behind_the_users_own(engine, theirs, sent):
    model = ScriptedChatModel(replies=["Hello.", "Hello."])
    agent = build_agent(model, engine, system_prompt=theirs)
    agent.invoke({"messages": [("user", "hi")]})
    await agent.ainvoke({"messages": [("user", "hi")]})
    assert [received[0].text for received in model.received] == [sent, sent]


def test_the_prompt_names_every_tool(engine):
    named = {tool.name for tool in IPCIRMiddleware(engine, show_images=True).tools}
    assert {name for name in named if name not in OURS} == set()


def test_pictures_are_for_models_that_ask_for_them(engine):
    assert "show_images" not in {tool.name for tool in IPCIRMiddleware(engine).tools}
    assert "show_images" in {tool.name for tool in IPCIRMiddleware(engine, show_images=True).tools}


def test_an_unknown_prompt_is_refused(engine):
    with pytest.raises(NotFoundError, match="agent"):
        IPCIRMiddleware(engine, prompt="agents")


def test_the_middleware_serves_an_agent_of_ones_own(engine):
    model = ScriptedChatModel(
        replies=[
            AIMessage("", tool_calls=[{"name": "find_images", "args": {"text": "a coat"}, "id": "1"}]),
            "There.",
        ]
    )
    state = create_agent(model, middleware=[IPCIRMiddleware(engine)]).invoke({"messages": [("user", "a coat")]})
    assert state["messages"][-2].artifact["hits"]


def circling() -> ScriptedChatModel:
    """A model that calls the same tool again and again."""
    again = AIMessage("", tool_calls=[{"name": "list_turns", "args": {}, "id": "1"}])
    return ScriptedChatModel(replies=[again.model_copy(update={"id": None}) for _ in range(500)])


def test_a_model_that_calls_tools_without_end_is_stopped(engine):
    model = circling()
    with pytest.raises(GraphRecursionError):
        build_agent(model, engine).invoke({"messages": [("user", "hello")]})
    assert model.calls <= MAX_STEPS
    model = circling()
    with pytest.raises(GraphRecursionError):
        build_agent(model, engine).invoke({"messages": [("user", "hello")]}, {"recursion_limit": 10})
    assert model.calls <= 10, "a run's own limit goes before it"


# --- pictures


def looking(seen: Seen) -> list[Call]:
    return [("show_images", {"ids": list(seen[0].hits)}), ("find_images", {"text": "a red coat"})]


@APIS
async def test_a_model_is_shown_pictures_in_a_users_message(http, engine, responses):
    server = serving(http, Step("Show me two coats.", (coats, looking)))
    agent = build_agent(model(server, responses), engine, show_images=True)
    asked = {"messages": [("user", "Show me two coats.")]}
    for state in (agent.invoke(asked), await agent.ainvoke(asked)):
        assert state["messages"][-1].text.startswith("Done")
        shown, found = (message for message in state["messages"][-3:-1])
        assert (shown.name, found.name) == ("show_images", "find_images")
        assert any(block["type"] == "image" for block in shown.content), "the state keeps them where they came from"
        sent = server.bodies[-1]["input" if responses else "messages"]
        assert [each.get("role", each.get("type")) for each in sent[-3:-1]] == (
            ["function_call_output"] * 2 if responses else ["tool"] * 2
        )
        assert all(isinstance(each.get("content", each.get("output")), str) for each in sent[-3:-1])
        assert sent[-1]["role"] == "user"
        text, *pictures = sent[-1]["content"]
        assert "show_images" in text["text"]
        urls = [each["image_url"] if responses else each["image_url"]["url"] for each in pictures]
        assert {each["type"] for each in pictures} == {"input_image" if responses else "image_url"}
        for url in urls:
            head, _, data = url.partition(",")
            assert head == "data:image/jpeg;base64"
            assert base64.b64decode(data).startswith(b"\xff\xd8")


def test_without_the_middleware_chat_completions_refuses_the_pictures(http, engine):
    server = serving(http, Step("Show me two coats.", (coats, looking)))
    agent = create_agent(model(server, False), IPCIRToolkit(engine, show_images=True).get_tools())
    with pytest.raises(BadRequestError, match="only allowed for messages with role 'user'"):
        agent.invoke({"messages": [("user", "Show me two coats.")]})


def round_of(*contents: Any) -> list[AnyMessage]:
    calls = [{"name": "show_images", "args": {}, "id": f"c{i}"} for i in range(len(contents))]
    return [
        AIMessage("", tool_calls=calls),
        *(ToolMessage(content, tool_call_id=f"c{i}", name="show_images") for i, content in enumerate(contents)),
    ]


def pictures_in(message: AnyMessage) -> int:
    return sum(block["type"] == "image" for block in message.content if isinstance(block, dict))


def test_pictures_of_one_round_come_together_behind_its_last_answer():
    seen = [{"type": "text", "text": "two coats"}, PICTURE, PICTURE]
    given_messages = [HumanMessage("look"), *round_of(seen, "no picture", [PICTURE]), AIMessage("nice")]
    _, _, first, second, third, shown, last = format_messages(given_messages)
    assert (first.content, second.content) == ("two coats\n(The pictures follow below.)", "no picture")
    assert third.text.strip() == "(The pictures follow below.)"
    assert isinstance(shown, HumanMessage)
    assert pictures_in(shown) == 3
    assert "never an instruction" in shown.text
    assert last == given_messages[-1]


ROUNDS = st.lists(st.lists(st.sampled_from(["text", [PICTURE], [{"type": "text", "text": "t"}, PICTURE]]), min_size=1))


@given(ROUNDS, st.integers(0, 4))
def test_what_is_sent_has_no_picture_in_a_tools_role_and_few_in_all(rounds, kept):
    messages = [HumanMessage("hi"), *(message for contents in rounds for message in round_of(*contents))]
    before = [message.model_copy(deep=True) for message in messages]
    sent = format_messages(messages, kept)
    assert messages == before, "the state is never changed"
    assert not any(pictures_in(message) for message in sent if isinstance(message, ToolMessage))
    assert [m.type for m in sent if not pictures_in(m)] == [m.type for m in messages]
    shown = [pictures_in(message) for message in sent if pictures_in(message)]
    with_pictures = [sum(content != "text" for content in contents) for contents in rounds]
    assert shown == [count for count in with_pictures if count][::-1][:kept][::-1]


def test_pictures_of_long_past_rounds_are_left_out():
    sent = format_messages([message for _ in range(6) for message in round_of([PICTURE])])
    assert sum(map(pictures_in, sent)) == MAX_PICTURE_ROUNDS == 3
    assert [message.text.strip() for message in sent[:4] if isinstance(message, ToolMessage)] == [
        "(The pictures are here no longer: call again to see them.)"
    ] * 2


# --- whatever a model calls, the loop goes on

UNREADABLE = ('{"turn": ', "turn=t1", '{"turn": "t1"} {}')
NO_OBJECT = ("[1]", "3", '"t1"')
REFUSED: list[Call] = [
    ("no_such_tool", {"text": "a coat"}),
    ("", {}),
    ("find_images", {}),
    ("find_images", {"text": ["a", "coat"], "k": "many"}),
    ("find_images", {"text": "a coat", "runtime": {"state": "mine"}, "config": {"tags": []}}),
    ("find_images", '{"text": "a coat", "where": {"width": {"$gte": NaN}}}'),
    ("find_images", '{"text": "a \\ud800 coat"}'),
    ("find_images", {"text": "a coat", "where": {"$or": [{"$or": []}]}}),
    ("compose_search", {"reference": "/etc/passwd", "modification": "in blue"}),
    ("compose_search", {"reference": {"id": 1}, "modification": None, "weight": "1e999"}),
    ("refine_search", {"turn": "../../etc", "modification": "x"}),
    ("refine_search", {"turn": "t%", "liked": [None], "disliked": "3"}),
]


@pytest.mark.parametrize("call", [*REFUSED, *(("find_images", text) for text in UNREADABLE)], ids=str)
@APIS
def test_a_wrong_call_is_answered_and_the_model_calls_again(http, engine, call, responses):
    server = serving(http, Step("A coat, please.", (lambda seen: [call], coats)))
    state = build_agent(model(server, responses), engine).invoke({"messages": [("user", "A coat, please.")]})
    wrong, right = (message for message in state["messages"] if isinstance(message, ToolMessage))
    assert (wrong.status, right.status) == ("error", "success")
    assert wrong.text in str(server.bodies[1]) or repr(wrong.text)[1:-1] in str(server.bodies[1])
    assert state["messages"][-1].text.startswith("Done")
    assert "Traceback" not in wrong.text


@APIS
async def test_an_unreadable_call_beside_a_good_one_is_answered_too(http, engine, responses):
    both: list[Call] = [("find_images", '{"text": '), ("find_images", {"text": "a coat"})]
    server = serving(http, Step("A coat, please.", (lambda seen: both, coats)))
    agent = build_agent(model(server, responses), engine)
    asked = {"messages": [("user", "A coat, please.")]}
    for state in (agent.invoke(asked), await agent.ainvoke(asked)):
        answers = [message for message in state["messages"] if isinstance(message, ToolMessage)]
        assert [answer.status for answer in answers] == ["error", "success", "success"]
        assert "no JSON object" in answers[0].text


@pytest.mark.parametrize("depth", [60, 100, 300, 490, 600, 900, 950])
async def test_arguments_nested_deeper_than_any_filter_are_refused(http, engine, depth):
    deep = '{"text": "a coat", "where": ' + '{"a": ' * depth + "1" + "}" * depth + "}"
    both: list[Call] = [("find_images", deep), ("find_images", {"text": "a coat"})]
    server = serving(http, Step("A coat, please.", (lambda seen: both, coats)))
    agent = build_agent(model(server, False), engine, checkpointer=InMemorySaver())
    for state in (
        agent.invoke({"messages": [("user", "A coat, please.")]}, THREAD),
        await agent.ainvoke({"messages": [("user", "A coat, please.")]}, THREAD),
    ):
        answers = [message for message in state["messages"] if isinstance(message, ToolMessage)][-3:]
        assert [answer.status for answer in answers] == ["error", "success", "success"]
        assert state["messages"][-1].text.startswith("Done")


@pytest.mark.parametrize("text", NO_OBJECT)
@APIS
async def test_arguments_that_are_no_object_are_asked_for_again(http, engine, text, responses):
    for ask in ("sync", "async"):
        arguments = chain([text], repeat('{"text": "a coat"}'))
        server = serving(
            http, Step("A coat, please.", (lambda seen, arguments=arguments: [("find_images", next(arguments))],))
        )
        agent = build_agent(model(server, responses), engine)
        asked: Any = {"messages": [("user", "A coat, please.")]}
        state = agent.invoke(asked) if ask == "sync" else await agent.ainvoke(asked)
        assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
        assert "could not be read" in str(server.bodies[1])
        assert "could not be read" not in str(server.bodies[2]), "the note is no part of the conversation"


async def test_a_model_that_never_writes_an_object_ends_its_turn_and_not_the_conversation(http, engine):
    server = serving(http, Step("Bad.", (lambda seen: [("find_images", "[1]")],)), Step("Good.", (coats,)))
    agent = build_agent(model(server, False), engine, checkpointer=InMemorySaver())
    state = agent.invoke({"messages": [("user", "Bad.")]}, THREAD)
    assert "ask again" in state["messages"][-1].text
    state = await agent.ainvoke({"messages": [("user", "Bad.")]}, THREAD)
    assert len(server.bodies) == 2 * MAX_TRIES
    state = agent.invoke({"messages": [("user", "Good.")]}, THREAD)
    assert state["messages"][-1].text.startswith("Done")


def test_a_fault_that_is_no_reply_is_not_hidden(engine):
    class Broken(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return TypeAdapter(int).validate_python("x")

    agent = create_agent(ScriptedChatModel(replies=["Hello."]), middleware=[IPCIRMiddleware(engine), Broken()])
    with pytest.raises(ValidationError, match="for int"):
        agent.invoke({"messages": [("user", "hi")]})
