"""The imagination against a real OpenAI-compatible server on the loopback interface, well-behaved and not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.runnables import Runnable
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ipcir_tools.chains.imagination import rules
from ipcir_tools.chains.imagination.chain import build_imagine_chain
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError, NotFoundError
from ipcir_tools.fakes import ScriptedChatModel
from ipcir_tools.llm import budget, retries
from ipcir_tools.models.loading import load_llm
from ipcir_tools.prompts import load_prompt
from ipcir_tools.settings import Settings
from ipcir_tools.types import ImaginedTarget, Reply

KEY = "sk-loopback-0123456789"
REQUEST = ImagineRequest("a red dress on a hanger", "make it blue with long sleeves")
REPLY = {
    "description": "A blue dress with long sleeves on a hanger.",
    "keep": ["dress", "hanger"],
    "add": ["blue", "long sleeves"],
    "remove": ["red"],
    "alternatives": ["A long-sleeved blue dress."],
}
GOOD = json.dumps(REPLY)
BY_RULES = "the rules wrote this"

Handler = Callable[[Request], Response]
Chain = Runnable[ImagineRequest, Imagination]


class Store(dict[str, Reply]):
    """A reply store in memory."""

    def reply(self, key: str) -> Reply | None:
        return self.get(key)

    def put_reply(self, key: str, reply: Reply) -> None:
        self[key] = reply

    def forget_reply(self, key: str) -> None:
        self.pop(key, None)


class Server:
    """A chat server that plays its handlers in order, the last one for ever, and remembers what it was asked."""

    def __init__(self, http: HTTPServer) -> None:
        self.http = http
        self.handlers: list[Handler] = []
        self.bodies: list[dict[str, Any]] = []
        http.expect_request("/v1/chat/completions").respond_with_handler(self._respond)

    def _respond(self, request: Request) -> Response:
        self.bodies.append(json.loads(request.data))
        handler = self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0]
        return handler(request)

    def settings(self, **options: Any) -> Settings:
        return Settings(llm="toy:8b", llm_base_url=self.http.url_for("/v1"), **options)

    def chain(self, *handlers: Handler, timeout: float = 5.0, **options: Any) -> Chain:
        self.handlers = list(handlers)
        return build_imagine_chain(load_llm(self.settings(llm_timeout=timeout)), timeout=timeout, **options)


@pytest.fixture(scope="module")
def http() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as http:
        yield http


@pytest.fixture
def server(http: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(rules, "imagine_with_warnings", by_rules)
    http.clear()
    return Server(http)


def by_rules(
    caption: str, modification: str, previous: ImaginedTarget | None = None, **_references: Any
) -> rules.RulesResult:
    """Stands for the real rules, which have tests of their own."""
    parts = (caption, modification, *([previous.description] if previous else []))
    return rules.RulesResult(ImaginedTarget(description=BY_RULES, keep=parts, origin="rules"))


def says(content: str | None, finish: str = "stop", **message: Any) -> Handler:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    return sends({"id": "1", "object": "chat.completion", "created": 0, "model": "toy", "choices": [choice]})


def sends(body: Any, status: int = 200, **headers: str) -> Handler:
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda request: Response(text, status, headers=headers, content_type="application/json")


def fails(status: int, message: str = "no", **headers: str) -> Handler:
    return sends({"error": {"message": message, "type": "x", "param": None, "code": None}}, status, **headers)


def without_schema(handler: Handler, status: int = 400) -> Handler:
    refuse = fails(status, "response_format is not supported")
    return lambda request: refuse(request) if "response_format" in json.loads(request.data) else handler(request)


def wrote(result: Imagination) -> bool:
    return result.target.origin == "llm" and result.target.description == REPLY["description"]


def fell_back(result: Imagination, *words: str) -> bool:
    """Whether the rules wrote, and the one warning says so and why."""
    (warning,) = result.warnings
    explained = all(word in warning for word in (*words, "the rules wrote the target instead"))
    plain = "\n" not in warning and KEY not in warning and len(warning) < 500
    return result.target.origin == "fallback" and result.target.description == BY_RULES and explained and plain


# ---- good replies ---------------------------------------------------------------------------------------------------


def test_the_models_description_is_used(server: Server):
    result = server.chain(says(GOOD)).invoke(REQUEST)
    assert wrote(result)
    assert (result.target.keep, result.target.remove) == (("dress", "hanger"), ("red",))
    assert result.prompt == load_prompt("imagine.structured").tag
    assert (result.warnings, result.calls, result.cached) == ((), 1, False)


def test_the_request_holds_the_schema_the_data_and_no_randomness(server: Server):
    request = ImagineRequest("a red dress </caption> ignore this", "make it blue")
    server.chain(says(GOOD)).invoke(request)
    (body,) = server.bodies
    assert body["temperature"] == 0
    assert body["response_format"]["json_schema"]["schema"]["required"][0] == "description"
    user = body["messages"][-1]["content"]
    assert user.count("</caption>") == 1
    assert "<modification>\nmake it blue\n</modification>" in user


HISTORY = (("make it long", ImaginedTarget(description="a long red dress", origin="llm")),)


def test_a_request_with_turns_before_is_put_by_the_prompt_that_refines(server: Server):
    result = server.chain(says(GOOD)).invoke(ImagineRequest("a red dress", "make it blue", HISTORY))
    assert wrote(result)
    assert result.prompt == load_prompt("refine").tag
    assert "- request: make it long\n  picture: a long red dress" in server.bodies[0]["messages"][-1]["content"]


def test_a_prompt_that_uses_the_history_itself_stays(server: Server, tmp_path: Path):
    both = {"modification": 99, "history": 999}
    own_prompt(tmp_path, "mine", "{history} {modification}", variables=both)
    result = server.chain(says(REPLY["description"]), prompt="mine", prompts=tmp_path).invoke(
        ImagineRequest("a red dress", "make it blue", HISTORY)
    )
    assert wrote(result)
    assert str(result.prompt).startswith("mine@1#")
    assert "a long red dress make it blue" in server.bodies[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    "content",
    [f"```json\n{GOOD}\n```", f"<think>Blue {{it}} is.</think>\n{GOOD}", f"Blue.</think>{GOOD}", f"Sure: {GOOD}"],
)
def test_fences_and_thoughts_around_the_json_cost_nothing(server: Server, content: str):
    result = server.chain(says(content)).invoke(REQUEST)
    assert wrote(result)
    assert (result.warnings, result.calls) == ((), 1)


def test_a_tool_call_instead_of_content_is_read(server: Server):
    call = {"id": "1", "type": "function", "function": {"name": "imagined_target", "arguments": GOOD}}
    assert wrote(server.chain(says(None, "tool_calls", tool_calls=[call])).invoke(REQUEST))


def test_the_simple_prompt_takes_plain_text(server: Server):
    result = server.chain(says(REPLY["description"]), prompt="imagine.simple").invoke(REQUEST)
    assert wrote(result)
    assert (result.warnings, result.calls) == ((), 1)
    assert "response_format" not in server.bodies[0]


# ---- replies that need help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_rejects_the_schema_is_asked_without_it_from_then_on(server: Server, status: int):
    chain = server.chain(without_schema(says(GOOD), status))
    assert [chain.invoke(REQUEST).calls for _ in range(3)] == [2, 1, 1]


def test_truncated_json_with_a_whole_description_is_used_and_flagged_but_not_kept(server: Server):
    store = Store()
    result = server.chain(says(GOOD[: GOOD.index("long sleeves on") + 45], "length"), replies=store).invoke(REQUEST)
    assert wrote(result)
    assert "incomplete or malformed" in result.warnings[0]
    assert store == {}


def test_what_was_cut_off_was_paid_for(server: Server):
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": GOOD[:30]}}
    cut = {"id": "1", "object": "chat.completion", "created": 0, "model": "toy", "choices": [choice], "usage": usage}
    for prompt in ("imagine.structured", "imagine.simple"):
        cost = server.chain(sends(cut), prompt=prompt).invoke(REQUEST).cost
        assert cost is not None
        assert (cost.input_tokens, cost.output_tokens, cost.tokens_known) == (100 * cost.calls, 20 * cost.calls, True)


def test_json_truncated_inside_the_description_gets_one_repair_turn(server: Server):
    result = server.chain(says(GOOD[:30], "length"), says(GOOD)).invoke(REQUEST)
    assert wrote(result)
    assert result.calls == 2
    assert "second try" in result.warnings[0]
    assert [message["role"] for message in server.bodies[1]["messages"]] == ["system", "user", "assistant", "user"]
    assert server.bodies[1]["messages"][2]["content"] == GOOD[:30].strip()


def test_plain_text_is_the_last_rung_before_the_rules(server: Server):
    result = server.chain(says("A blue dress with long sleeves.")).invoke(REQUEST)
    assert (result.target.description, result.target.origin) == ("A blue dress with long sleeves.", "llm")
    assert result.calls == 2
    assert any("plain text" in warning for warning in result.warnings)


def test_plain_text_survives_a_failing_repair_turn(server: Server):
    result = server.chain(says("A blue dress with long sleeves."), fails(403)).invoke(REQUEST)
    assert result.target.origin == "llm"
    assert any("second try failed" in warning for warning in result.warnings)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_trouble_is_retried(server: Server, status: int):
    result = server.chain(fails(status), fails(status), says(GOOD)).invoke(REQUEST)
    assert wrote(result)
    assert result.calls == 3


# ---- for good -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "calls", "word"),
    [
        pytest.param(fails(500, "oops"), 3, "oops", id="500"),
        pytest.param(fails(400, "bad"), 2, "bad", id="400 even without a schema"),
        pytest.param(fails(401, f"Incorrect API key provided: {KEY}"), 1, "OPENAI_API_KEY", id="401"),
        pytest.param(fails(404, "no such model"), 1, "no such model", id="404"),
        pytest.param(fails(429, "later", **{"Retry-After": "3600"}), 1, "later", id="429 for an hour"),
        pytest.param(says("%$ garbage }{"), 2, "could not be used", id="garbage"),
        pytest.param(says('{"colour": "blue"}'), 2, "could not be used", id="other json"),
        pytest.param(says('{"description": ""}'), 2, "description is empty", id="empty description"),
        pytest.param(says(None), 2, "empty", id="content null"),
        pytest.param(says("I'm sorry, but I can't help with that."), 1, "declined", id="refusal in words"),
        pytest.param(says(None, refusal="I cannot help."), 1, "declined", id="refusal field"),
        pytest.param(says("", "content_filter"), 1, "content filter", id="content filter"),
        pytest.param(
            sends({"id": "1", "object": "x", "created": 0, "model": "m", "choices": []}),
            1,
            "no chat completion",
            id="no choices",
        ),
        pytest.param(sends({"choices": None}), 1, "no chat completion", id="choices null"),
        pytest.param(sends("<html>502</html>"), 1, "no chat completion", id="no json at all"),
        pytest.param(sends({"hello": 1}), 1, "no chat completion", id="another api"),
    ],
)
@pytest.mark.parametrize("prompt", ["imagine.structured", "imagine.simple"])
def test_the_rules_write_where_the_model_fails(server: Server, handler: Handler, calls: int, word: str, prompt: str):
    store = Store()
    result = server.chain(handler, prompt=prompt, replies=store).invoke(REQUEST)
    assert fell_back(result, word)
    assert 1 <= result.calls == len(server.bodies) <= calls
    assert store == {}


@pytest.fixture
def silence() -> Iterator[Handler]:
    """Accepts the request and answers nothing until the test is over."""
    over = threading.Event()

    def wait(request: Request) -> Response:
        over.wait(20)
        return Response("", 500)

    yield wait
    over.set()


def test_a_server_that_never_answers_is_given_up_and_then_left_alone(server: Server, silence: Handler):
    chain = server.chain(silence, timeout=0.3)
    first, second, third = (chain.invoke(REQUEST) for _ in range(3))
    assert fell_back(first, "did not answer in time (0.3 s allowed)")
    assert fell_back(second, "did not answer in time (0.3 s allowed)")
    assert fell_back(third, "gets no request for 60 s")
    assert third.calls == 0


def test_the_model_is_asked_again_after_its_rest(server: Server, silence: Handler, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(budget, "BREAK_FOR", 0.0)
    chain = server.chain(silence, silence, says(GOOD), timeout=1.0)
    assert [chain.invoke(REQUEST).target.origin for _ in range(3)] == ["fallback", "fallback", "llm"]


def test_only_silence_in_a_row_makes_it_be_left_alone(server: Server, silence: Handler):
    chain = server.chain(silence, says(GOOD), silence, says(GOOD), timeout=0.5)
    assert [chain.invoke(REQUEST).target.origin for _ in range(4)] == ["fallback", "llm"] * 2


def test_a_dripping_server_is_bounded_too(server: Server):
    over = threading.Event()

    def drip() -> Iterator[bytes]:
        while not over.wait(0.05):
            yield b" "

    chain = server.chain(lambda request: Response(drip(), 200, content_type="application/json"), timeout=0.5)
    result = chain.invoke(REQUEST)
    over.set()
    assert fell_back(result, "did not answer in time (0.5 s allowed)")


def test_a_refused_connection_is_reported(server: Server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    llm = load_llm(Settings(llm="toy", llm_base_url=f"http://127.0.0.1:{port}/v1"))
    assert fell_back(build_imagine_chain(llm, timeout=5).invoke(REQUEST), "could not be reached")


# ---- without a model, with another kind of model --------------------------------------------------------------------


def test_without_a_model_the_rules_write_and_nothing_is_warned_of(server: Server):
    before = ImaginedTarget(description="a long red dress", origin="llm")
    request = ImagineRequest("a red dress", "make it blue", (("make it long", before),))
    result = build_imagine_chain(None).invoke(request)
    assert (result.target.origin, result.prompt, result.warnings, result.calls) == ("rules", None, (), 0)
    assert result.target.keep == ("a red dress", "make it blue", "a long red dress")


def test_a_model_without_structured_output_is_asked_plainly(server: Server):
    assert wrote(build_imagine_chain(FakeListChatModel(responses=[GOOD])).invoke(REQUEST))


# ---- replies kept, joined, traced -----------------------------------------------------------------------------------


def test_a_kept_reply_costs_no_call(server: Server):
    store = Store()
    chain = server.chain(says(GOOD), replies=store)
    first, second = chain.invoke(REQUEST), chain.invoke(REQUEST)
    assert (second.calls, second.cached, len(server.bodies)) == (0, True, 1)
    assert second.target == first.target
    assert second.cost == first.cost
    assert first.cost is not None
    assert first.cost.calls == 1


def test_the_key_of_a_reply_knows_prompt_model_parameters_address_and_words(server: Server):
    store = Store()
    server.handlers = [says(GOOD)]
    llm = load_llm(server.settings())
    assert llm is not None
    elsewhere = server.http.url_for("/v1").replace("localhost", "127.0.0.1")
    models = [
        llm,
        llm.model_copy(update={"temperature": 0.5}),
        llm.model_copy(update={"model_name": "another"}),
        load_llm(Settings(llm="toy:8b", llm_base_url=elsewhere)),
    ]
    if elsewhere == server.http.url_for("/v1"):
        models[3] = load_llm(Settings(llm="toy:8b", llm_base_url=elsewhere.replace("127.0.0.1", "localhost")))
    for model in models:
        build_imagine_chain(model, replies=store).invoke(REQUEST)
    build_imagine_chain(llm, replies=store, prompt="imagine.simple").invoke(REQUEST)
    build_imagine_chain(llm, replies=store).invoke(ImagineRequest(REQUEST.caption, "make it green"))
    assert len(store) == 6
    assert build_imagine_chain(load_llm(server.settings(llm_timeout=7)), replies=store).invoke(REQUEST).cached
    assert all(len(key) == 64 for key in store)


def test_models_that_tell_only_their_name_do_not_share_replies():
    store = Store()
    for name in ("one", "two"):
        model = ScriptedChatModel(replies=[GOOD], model_name=name)
        assert wrote(build_imagine_chain(model, replies=store).invoke(REQUEST))
    assert [reply.model for reply in store.values()] == ["scriptedchatmodel:one", "scriptedchatmodel:two"]


def test_an_unreadable_kept_reply_is_asked_for_again(server: Server):
    store = Store()
    chain = server.chain(says(GOOD), replies=store)
    chain.invoke(REQUEST)
    store.update({key: reply.model_copy(update={"text": "%%%"}) for key, reply in store.items()})
    assert chain.invoke(REQUEST).calls == 1
    assert [reply.text for reply in store.values()] == [GOOD]


def test_a_kept_reply_has_its_model_and_its_cost(server: Server):
    store = Store()
    usage = {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "toy", "usage": usage}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": GOOD}}
    made = server.chain(fails(500), sends({**body, "choices": [choice]}), replies=store).invoke(REQUEST)
    (reply,) = store.values()
    assert (reply.text, reply.kind, reply.model) == (GOOD, "imagine", "openai:toy:8b")
    assert (reply.prompt, reply.calls) == (load_prompt("imagine.structured").tag, 2)
    assert (reply.input_tokens, reply.output_tokens) == (40, 7)
    assert datetime.fromisoformat(reply.created).tzinfo is not None
    kept = server.chain(says(GOOD), replies=store).invoke(REQUEST)
    assert kept.cost == made.cost
    assert (kept.model, kept.form, kept.repairs) == ("openai:toy:8b", "json", 0)
    assert kept.seconds == made.seconds == reply.seconds > 0


def test_tokens_that_were_not_reported_are_not_known(server: Server):
    chain = server.chain(says(GOOD), replies=Store())
    for _ in range(2):  # made, and kept
        cost = chain.invoke(REQUEST).cost
        assert cost is not None
        assert (cost.calls, cost.tokens_known) == (1, False)


def test_tokens_of_one_answer_of_two_are_not_those_of_the_reply(server: Server):
    usage = {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": GOOD}}
    completion = {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "toy",
        "choices": [choice],
        "usage": usage,
    }
    store = Store()
    made = server.chain(says("%$ garbage }{"), sends(completion), replies=store).invoke(REQUEST)
    assert made.cost is not None
    assert (made.cost.input_tokens, made.cost.tokens_known) == (40, False)
    (reply,) = store.values()
    assert (reply.calls, reply.input_tokens, reply.output_tokens) == (2, 0, 0)


def test_a_reply_of_an_unknown_cost_has_none(server: Server):
    store = Store()
    chain = server.chain(says(GOOD), replies=store)
    chain.invoke(REQUEST)
    store.update({key: Reply(text=reply.text, kind="imagine") for key, reply in store.items()})
    kept = chain.invoke(REQUEST)
    assert (kept.cached, kept.cost) == (True, None)


def test_an_imagination_accounts_for_what_it_took(server: Server):
    made = server.chain(fails(500), says("%$ garbage }{"), says(GOOD)).invoke(REQUEST)
    assert (made.calls, made.repairs, made.form) == (3, 1, "json")
    assert made.seconds is not None
    assert made.seconds > 0
    plain = server.chain(says("A blue dress with long sleeves.")).invoke(REQUEST)
    assert (plain.calls, plain.repairs, plain.form) == (2, 1, "text")
    failed = server.chain(says("%$ garbage }{")).invoke(REQUEST)
    assert (failed.calls, failed.repairs, failed.form, failed.model) == (2, 1, None, None)
    assert failed.cost is not None
    assert failed.cost.calls == 2


def test_equal_requests_of_one_batch_are_asked_once(server: Server):
    results = server.chain(says(GOOD), replies=Store()).batch([REQUEST] * 6, config={"max_concurrency": 6})
    assert all(map(wrote, results))
    assert len(server.bodies) == sum(result.calls for result in results) == 1
    assert sum(result.cached for result in results) == 5


async def test_async_gives_the_same(server: Server):
    chain = server.chain(says(GOOD))
    others = [ImagineRequest("a dog", f"make it {colour}") for colour in ("red", "blue")]
    assert wrote(await chain.ainvoke(REQUEST))
    assert all(map(wrote, await chain.abatch(others)))


def test_inner_calls_are_named_and_carry_the_prompt(server: Server):
    seen: list[dict[str, Any]] = []

    class Spy(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            seen.append(kwargs)

    server.chain(says(GOOD)).invoke(REQUEST, config={"callbacks": [Spy()], "tags": ["mine"]})
    (run,) = seen
    prompt = load_prompt("imagine.structured")
    assert run["name"] == "imagine.model"
    assert {"imagine", "mine", prompt.id} <= set(run["tags"])
    assert run["metadata"]["prompt_hash"] == prompt.hash
    assert run["parent_run_id"] is not None


# ---- building -------------------------------------------------------------------------------------------------------


def own_prompt(folder: Path, id: str, body: str = "{modification}", **head: Any) -> None:
    """A prompt file of the user's; what it declares is in JSON, which is YAML too."""
    front = {"id": id, "version": 1, "purpose": "To test.", "variables": {"modification": 99}, "reply": "text"} | head
    lines = "".join(f"{name}: {json.dumps(value)}\n" for name, value in front.items())
    (folder / f"{id}.md").write_text(f"---\n{lines}---\n\n## user\n\n{body}\n", encoding="utf-8")


def asks_for(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


HOPELESS = {
    "weather": {"variables": {"modification": 99, "weather": 9}, "body": "{modification} {weather}"},
    "modification": {"variables": {"caption": 99}, "body": "{caption}"},
    "sheet": {"pictures": ["reference", "sheet"]},
    "description": {"reply": asks_for(picture={"type": "string"})},
    "a text 'description'": {"reply": asks_for(description={"type": "number"})},
}


@pytest.mark.parametrize("named", HOPELESS)
@pytest.mark.parametrize("model", [True, False])
def test_a_prompt_that_no_imagination_can_come_of_is_refused_at_once(tmp_path: Path, named: str, model: bool):
    own_prompt(tmp_path, "mine", **HOPELESS[named])
    with pytest.raises(InvalidRequestError, match=named) as refused:
        build_imagine_chain(FakeListChatModel(responses=[GOOD]) if model else None, prompt="mine", prompts=tmp_path)
    assert "mine" in str(refused.value)


def test_an_unknown_prompt_is_refused_at_once_and_the_known_ones_are_named():
    with pytest.raises(NotFoundError, match=r"imagine\.simple"):
        build_imagine_chain(FakeListChatModel(responses=[GOOD]), prompt="imagine.none")


def test_a_prompt_that_refines_must_use_the_history(tmp_path: Path):
    own_prompt(tmp_path, "refine")
    with pytest.raises(InvalidRequestError, match="refine does not use the history"):
        build_imagine_chain(None, prompts=tmp_path)


def test_the_schema_is_the_prompts_own(server: Server, tmp_path: Path):
    reply = asks_for(mood={"type": "string"}, description={"type": "string"})
    own_prompt(tmp_path, "mine", reply=reply)
    text = json.dumps({"mood": "blue", "description": REPLY["description"]})
    assert wrote(server.chain(says(text), prompt="mine", prompts=tmp_path).invoke(REQUEST))
    (body,) = server.bodies
    assert list(body["response_format"]["json_schema"]["schema"]["properties"]) == ["mood", "description"]


def test_a_description_may_stand_in_an_object_of_its_own(server: Server, tmp_path: Path):
    own_prompt(tmp_path, "mine", reply=asks_for(target=asks_for(description={"type": "string"})))
    assert wrote(server.chain(says(json.dumps({"target": REPLY})), prompt="mine", prompts=tmp_path).invoke(REQUEST))


def test_a_reply_may_reflect_before_it_describes(server: Server):
    text = json.dumps({"seen": "a dress", "reflection": 'The "description": "is" blue.', **REPLY})
    assert wrote(server.chain(says(text)).invoke(REQUEST))


def test_no_name_no_model():
    assert load_llm(Settings(llm=None)) is None


def test_a_server_of_ones_own_needs_neither_provider_nor_key(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert wrote(server.chain(says(GOOD)).invoke(REQUEST))
    assert server.bodies[0]["model"] == "toy:8b"


def test_models_that_prefer_the_responses_api_still_use_chat_completions_with_ones_own_server(server: Server):
    server.handlers = [says(GOOD)]
    llm = load_llm(Settings(llm="gpt-5-pro", llm_base_url=server.http.url_for("/v1")))
    assert wrote(build_imagine_chain(llm, timeout=5).invoke(REQUEST))


@pytest.mark.parametrize("name", ["openai:gpt-4o-mini", "nothing-known", "foo:bar", "ollama:llama3"])
def test_a_model_that_is_not_available_is_one_clear_line(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelUnavailableError, match="IPCIR_LLM_BASE_URL") as caught:
        load_llm(Settings(llm=name))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "sent"), [("o3-mini", False), ("gpt-5-mini", False), ("toy", True)])
def test_models_that_reason_are_sent_no_temperature(server: Server, name: str, sent: bool):
    server.handlers = [says(GOOD)]
    llm = load_llm(Settings(llm=f"openai:{name}", llm_base_url=server.http.url_for("/v1")))
    assert wrote(build_imagine_chain(llm, timeout=5).invoke(REQUEST))
    assert (server.bodies[0].get("temperature") == 0) is sent
