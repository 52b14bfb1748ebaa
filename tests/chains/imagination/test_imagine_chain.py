"""The imagination as a chain: it streams, swaps prompt and model at run time, falls back, shows pictures, is traced."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage
from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ipcir_tools.chains.imagination.chain import build_imagine_chain
from ipcir_tools.chains.imagination.results import ImagineRequest
from ipcir_tools.errors import InvalidRequestError, IPCIRError, ModelUnavailableError, NotFoundError
from ipcir_tools.evaluation.runs.recorder import ImaginationRecorder
from ipcir_tools.fakes import ScriptedChatModel
from ipcir_tools.llm import retries
from ipcir_tools.models.loading import load_llm
from ipcir_tools.prompts import load_prompt
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.langchain_cache import CatalogCache
from ipcir_tools.types import Reply

REQUEST = ImagineRequest("a red dress on a hanger", "make it blue with long sleeves", reference="0123456789abcdef")
DESCRIPTION = "A blue dress with long sleeves on a hanger."
REPLY = {"description": DESCRIPTION, "keep": ["dress"], "add": ["blue"], "remove": ["red"], "alternatives": []}
GOOD = json.dumps(REPLY)
BY_RULES = "a blue dress with long sleeves on a hanger"

Handler = Callable[[dict[str, Any]], Response]


class Server:
    """An OpenAI-compatible server: plays its handlers in order, the last one for ever, and remembers its requests."""

    def __init__(self, http: HTTPServer) -> None:
        self.url = http.url_for("/v1")
        self.handlers: list[Handler] = [speaks(GOOD)]
        self.bodies: list[dict[str, Any]] = []
        http.expect_request("/v1/chat/completions").respond_with_handler(self._respond)

    def _respond(self, request: Request) -> Response:
        self.bodies.append(json.loads(request.data))
        return (self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0])(self.bodies[-1])

    def model(self, name: str = "toy", timeout: float = 5.0) -> BaseChatModel:
        made = load_llm(Settings(llm=name, llm_base_url=self.url, llm_timeout=timeout))
        assert made is not None
        return made

    def chain(self, *handlers: Handler, timeout: float = 5.0, **options: Any) -> Any:
        self.handlers = list(handlers) or self.handlers
        return build_imagine_chain(self.model(timeout=timeout), timeout=timeout, **options)

    @property
    def asked(self) -> list[str]:
        """The models that were asked, in order."""
        return [body["model"] for body in self.bodies]


@pytest.fixture(scope="module")
def http() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as http:
        yield http


@pytest.fixture
def server(http: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback-0123456789")
    monkeypatch.setenv("IPCIR_LLM_BASE_URL", http.url_for("/v1"))
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    http.clear()
    return Server(http)


def event(finish: str | None = None, **delta: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "toy", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


def events(text: str, size: int = 7, end: str | None = "stop") -> Iterator[str]:
    """A reply as a server streams it, a few characters at a time."""
    yield event(role="assistant", content="")
    for i in range(0, len(text), size):
        yield event(content=text[i : i + size])
    if end is not None:
        yield event(finish=end)
        yield "data: [DONE]\n\n"


def whole(text: str | None) -> Response:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "toy", "choices": [choice]}
    return Response(json.dumps(body), content_type="application/json")


def speaks(text: str) -> Handler:
    """Answers in pieces who wants to hear them, and else at once."""
    return lambda body: Response(events(text), content_type="text/event-stream") if body.get("stream") else whole(text)


def fails(status: int, message: str = "no") -> Handler:
    error = {"error": {"message": message, "type": "x", "param": None, "code": None}}
    return lambda body: Response(json.dumps(error), status, content_type="application/json")


def without_schema(handler: Handler) -> Handler:
    return lambda body: fails(400)(body) if "response_format" in body else handler(body)


def grew(parts: list[Any]) -> bool:
    """Whether each description goes on from the one before, in several steps, and none but the last is finished."""
    descriptions = [part.target.description for part in parts]
    longer = all(b.startswith(a) and len(b) > len(a) for a, b in pairwise(descriptions[:-1]))
    return len(descriptions) > 3 and longer and all(part.form is None for part in parts[:-1])


# ---- streaming ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prompt", "reply"), [("imagine.structured", GOOD), ("imagine.simple", DESCRIPTION)])
def test_the_description_grows_and_the_last_part_is_what_invoke_gives(server: Server, prompt: str, reply: str):
    chain = server.chain(speaks(reply), prompt=prompt)
    parts = list(chain.stream(REQUEST))
    assert grew(parts)
    assert parts[-1] == chain.invoke(REQUEST)
    assert parts[-1].target.description == DESCRIPTION
    assert (len(server.bodies), parts[-1].calls, parts[-1].warnings) == (2, 1, ())


async def test_it_streams_in_a_loop_too(server: Server):
    chain = server.chain()
    parts = [part async for part in chain.astream(REQUEST)]
    assert grew(parts)
    assert parts[-1] == await chain.ainvoke(REQUEST)


def test_tokens_are_counted_in_a_stream(server: Server):
    usage = {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "toy", "choices": [], "usage": usage}
    *first, end = events(GOOD)
    sent = [*first, f"data: {json.dumps(chunk)}\n\n", end]
    *_, last = server.chain(lambda body: Response(sent, content_type="text/event-stream")).stream(REQUEST)
    assert (last.cost.calls, last.cost.input_tokens, last.cost.output_tokens) == (1, 40, 7)


def with_error(events: Iterator[str]) -> Iterator[str]:
    """A stream with its tokens before its end."""
    usage = {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "toy", "choices": [], "usage": usage}
    *first, end = events
    yield from (*first, f"data: {json.dumps(chunk)}\n\n", end)


def tells_when_asked(body: dict[str, Any]) -> Response:
    wanted = (body.get("stream_options") or {}).get("include_usage")
    return Response(with_error(events(GOOD)) if wanted else events(GOOD), content_type="text/event-stream")


@pytest.mark.parametrize("prompt", ["imagine.structured", "imagine.simple"])
def test_a_server_of_ones_own_is_asked_for_the_tokens_of_a_stream(server: Server, prompt: str):
    *_, last = server.chain(tells_when_asked, prompt=prompt).stream(REQUEST)
    assert (last.cost.calls, last.cost.input_tokens, last.cost.output_tokens) == (1, 40, 7)
    assert last.cost.tokens_known


def test_a_server_that_does_not_take_that_question_streams_without(server: Server):
    chain = server.chain(lambda body: (fails(400) if "stream_options" in body else speaks(GOOD))(body))
    for calls in (2, 1):
        parts = list(chain.stream(REQUEST))
        assert grew(parts)
        assert (parts[-1].calls, parts[-1].cost.tokens_known) == (calls, False)


async def test_tokens_reach_the_events_of_a_trace(server: Server):
    found = [each async for each in server.chain().astream_events(REQUEST, version="v2")]
    tokens = [each["data"]["chunk"].text for each in found if each["event"] == "on_chat_model_stream"]
    assert "".join(tokens) == GOOD
    assert len(tokens) > 10
    (end,) = [each for each in found if each["event"] == "on_chain_end" and each["name"] == "imagine"]
    assert end["data"]["output"].target.description == DESCRIPTION


class Store(dict[str, Reply]):
    def reply(self, key: str) -> Reply | None:
        return self.get(key)

    def put_reply(self, key: str, reply: Reply) -> None:
        self[key] = reply

    def forget_reply(self, key: str) -> None:
        self.pop(key, None)


def test_what_cannot_be_streamed_comes_at_once(server: Server):
    store = Store()
    chain = server.chain(replies=store)
    assert len(list(chain.stream(REQUEST))) > 3
    (kept,) = chain.stream(REQUEST)
    assert (kept.cached, kept.target.description) == (True, DESCRIPTION)
    (ruled,) = build_imagine_chain(None).stream(REQUEST)
    assert (ruled.target.origin, ruled.target.description) == ("rules", BY_RULES)
    (whole,) = build_imagine_chain(ScriptedChatModel(replies=[GOOD])).stream(REQUEST)
    assert whole.target.description == DESCRIPTION


def test_models_that_stream_without_a_server_stream_here():
    chain = build_imagine_chain(FakeListChatModel(responses=[GOOD]))
    assert grew(list(chain.stream(REQUEST)))


def test_a_server_that_does_not_stream_is_asked_for_all_at_once_from_then_on(server: Server):
    chain = server.chain(lambda body: whole(GOOD))
    assert [part.target.description for part in chain.stream(REQUEST)] == [DESCRIPTION]
    assert [bool(body.get("stream")) for body in server.bodies] == [True, False]
    (again,) = chain.stream(REQUEST)
    assert (again.calls, len(server.bodies)) == (1, 3)


def test_a_server_that_rejects_the_schema_streams_without_it(server: Server):
    chain = server.chain(without_schema(speaks(GOOD)))
    parts = list(chain.stream(REQUEST))
    assert grew(parts)
    assert "response_format" not in server.bodies[-1]
    before = len(server.bodies)
    assert grew(list(chain.stream(REQUEST)))
    assert len(server.bodies) == before + 1


def test_a_stream_that_breaks_off_is_repaired(server: Server):
    half = GOOD[: GOOD.index("sleeves on")]
    server.handlers = [lambda body: Response(events(half, end="length"), content_type="text/event-stream")]
    parts = list(server.chain(*server.handlers, speaks(GOOD)).stream(REQUEST))
    assert parts[-1].target.description == DESCRIPTION
    assert (parts[-1].calls, parts[-1].repairs) == (2, 1)
    lengths = [len(part.target.description) for part in parts]
    assert lengths == sorted(lengths)


def test_a_stream_that_ends_without_its_end_is_not_taken_for_whole(server: Server):
    half = DESCRIPTION[:22]
    cut = [lambda body: Response(events(half, end=None), content_type="text/event-stream")]
    parts = list(server.chain(*cut, speaks(DESCRIPTION), prompt="imagine.simple").stream(REQUEST))
    assert parts[-1].target.description == DESCRIPTION
    assert parts[-1].calls == 2


def test_passing_trouble_is_retried_before_it_streams(server: Server):
    parts = list(server.chain(fails(503), speaks(GOOD)).stream(REQUEST))
    assert grew(parts)
    assert parts[-1].calls == 2


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test is over."""
    over = threading.Event()
    yield over
    over.set()


def test_a_dripping_stream_is_bounded_and_then_left_alone(server: Server, over: threading.Event):
    def drip() -> Iterator[str]:
        yield from events(GOOD[:40], end=None)
        while not over.wait(0.05):
            yield event(content="so ")

    chain = server.chain(lambda body: Response(drip(), content_type="text/event-stream"), timeout=1.0)
    *parts, last = chain.stream(REQUEST)
    assert DESCRIPTION.startswith(parts[-1].target.description[:20])
    assert (last.target.origin, last.target.description) == ("fallback", BY_RULES)
    assert "did not answer in time (1 s allowed)" in last.warnings[0]
    assert last.cost.calls == last.calls == 1
    assert [part.target.origin for part in chain.stream(REQUEST)][-1] == "fallback"
    (left,) = chain.stream(REQUEST)
    assert "gets no request for 60 s" in left.warnings[0]
    assert left.calls == 0


def test_a_stream_that_is_no_longer_read_blocks_nothing(server: Server):
    chain = server.chain()
    begun = chain.stream(REQUEST)
    next(begun)
    assert chain.invoke(REQUEST).target.description == DESCRIPTION
    begun.close()
    assert grew(list(chain.stream(REQUEST)))


async def test_a_loop_may_stop_listening(server: Server):
    chain = server.chain()
    async for part in chain.astream(REQUEST):
        assert DESCRIPTION.startswith(part.target.description)
        break
    assert (await chain.ainvoke(REQUEST)).target.description == DESCRIPTION


# ---- prompt and model at run time -----------------------------------------------------------------------------------


def chosen(**fields: str) -> dict[str, Any]:
    return {"configurable": {f"imagine_{name}": value for name, value in fields.items()}}


def prompt_of(imagination: Any) -> str:
    return str(imagination.prompt).partition("@")[0]


def test_the_fields_are_listed(server: Server):
    assert {spec.id: spec.default for spec in server.chain().config_specs} == {
        "imagine_prompt": "imagine.structured",
        "imagine_llm": None,
    }


def test_it_shows_itself_without_its_secrets_and_says_what_it_takes(server: Server):
    chain = server.chain()
    assert "sk-loopback" not in repr(chain) + str(chain.get_graph().to_json())
    assert chain.get_name() == "imagine"
    takes, gives = str(chain.get_input_jsonschema()), str(chain.get_output_jsonschema())
    assert "'modification'" in takes
    assert "pixels" not in takes
    assert "'warnings'" in gives


def test_a_prompt_is_chosen_for_one_call_or_for_good(server: Server):
    chain = server.chain(speaks(DESCRIPTION))
    simple = chosen(prompt="imagine.simple")
    assert prompt_of(chain.invoke(REQUEST, simple)) == "imagine.simple"
    assert prompt_of(chain.with_config(simple).invoke(REQUEST)) == "imagine.simple"
    assert prompt_of(chain.with_config(configurable=simple["configurable"]).invoke(REQUEST)) == "imagine.simple"
    assert prompt_of(chain.invoke(REQUEST)) == "imagine.structured"
    assert prompt_of([*chain.with_config(simple).stream(REQUEST)][-1]) == "imagine.simple"


async def test_each_item_of_a_batch_has_its_own_choice(server: Server):
    chain = server.chain(speaks(DESCRIPTION))
    configs = [chosen(prompt="imagine.simple"), {}, chosen(llm="rules"), chosen(llm="other")]
    for results in (chain.batch([REQUEST] * 4, configs), await chain.abatch([REQUEST] * 4, configs)):
        prompts = ["imagine.simple", "imagine.structured", "None", "imagine.structured"]
        assert [prompt_of(each) for each in results] == prompts
        assert [each.model for each in results] == ["openai:toy", "openai:toy", None, "openai:other"]
        assert [each.target.origin for each in results] == ["llm", "llm", "rules", "llm"]


def test_a_chain_of_the_rules_can_be_given_a_model(server: Server):
    chain = build_imagine_chain(None)
    assert chain.invoke(REQUEST).target.origin == "rules"
    assert chain.invoke(REQUEST, chosen(llm="openai:other")).model == "openai:other"
    assert server.asked == ["other"]


def test_turns_before_are_refined_whatever_was_chosen(server: Server):
    chain = server.chain()
    first = chain.invoke(REQUEST).target
    later = ImagineRequest("a red dress", "longer", (("make it blue", first),))
    assert prompt_of(chain.invoke(later, chosen(prompt="imagine.ensemble"))) == "refine"


def test_what_is_learnt_of_a_model_is_learnt_for_all_calls(server: Server):
    chain = server.chain(without_schema(speaks(GOOD)))
    calls = [chain.invoke(REQUEST, chosen(prompt="imagine.ensemble", llm="other")).calls for _ in range(3)]
    assert calls == [2, 1, 1]


def test_a_model_that_is_gone_is_left_alone_by_all_prompts(server: Server, over: threading.Event):
    def hang(body: dict[str, Any]) -> Response:
        over.wait(20)
        return whole(GOOD)

    chain = server.chain(hang, timeout=0.3)
    prompts = ("imagine.simple", "imagine.structured", "imagine.ensemble")
    made = [chain.invoke(REQUEST, chosen(prompt=prompt)) for prompt in prompts]
    assert [each.calls for each in made] == [1, 1, 0]
    assert "gets no request" in made[-1].warnings[0]
    assert chain.invoke(REQUEST, chosen(llm="toy")).calls == 1, "by this name another one is meant"
    assert chain.invoke(REQUEST, chosen(llm="openai:toy")).calls == 0


@pytest.mark.parametrize(
    ("fields", "error", "way_out"),
    [
        ({"prompt": "imagine.none"}, NotFoundError, r"imagine\.simple"),
        ({"prompt": "agent"}, InvalidRequestError, "modification"),
        ({"prompt": 7}, InvalidRequestError, "as text"),
        ({"llm": "ollama:llama3"}, ModelUnavailableError, '"rules"'),
        ({"llm": ""}, InvalidRequestError, "as text"),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_way_out(
    server: Server, fields: dict[str, Any], error: type[IPCIRError], way_out: str
):
    chain = server.chain()
    for ask in (chain.invoke, lambda *asked: list(chain.stream(*asked))):
        with pytest.raises(error, match=way_out) as raised:
            ask(REQUEST, chosen(**fields))
        assert "\n" not in str(raised.value)
    good, bad = chain.batch([REQUEST] * 2, [{}, chosen(**fields)], return_exceptions=True)
    assert (good.target.description, type(bad)) == (DESCRIPTION, error)


def test_what_is_no_request_is_refused_in_words(server: Server):
    chain = server.chain()
    for ask in (chain.invoke, lambda request: chain.batch([request]), lambda request: list(chain.stream(request))):
        with pytest.raises(InvalidRequestError, match="takes an ImagineRequest, not NoneType"):
            ask(None)


def test_a_prompt_of_ones_own_is_chosen_by_its_name(server: Server, tmp_path: Path):
    head = "---\nid: mine\nversion: 3\npurpose: To test.\nvariables: {modification: 99}\nreply: text\n---\n"
    (tmp_path / "mine.md").write_text(head + "\n## user\n\nPaint: {modification}\n")
    made = server.chain(speaks(DESCRIPTION), prompts=tmp_path).invoke(REQUEST, chosen(prompt="mine"))
    assert str(made.prompt).startswith("mine@3#")
    assert server.bodies[-1]["messages"][-1]["content"] == "Paint: make it blue with long sleeves"


def test_an_evaluation_asks_once_for_each_choice(server: Server):
    recorder = ImaginationRecorder(server.chain(speaks(DESCRIPTION)))
    configs = [{}, chosen(prompt="imagine.simple"), {}, chosen(prompt="imagine.simple")]
    asked = [prompt_of(recorder.imagine.invoke(REQUEST, config)) for config in configs]
    assert asked == ["imagine.structured", "imagine.simple"] * 2
    assert recorder.calls_reported == len(server.bodies) == 3, "the structured one was repaired"


# ---- models behind a model ------------------------------------------------------------------------------------------


def only(name: str, handler: Handler, others: Handler) -> Handler:
    return lambda body: (handler if body["model"] == name else others)(body)


@pytest.mark.parametrize(
    ("trouble", "why"),
    [(fails(404, "no such model"), "no such model"), (speaks("%$ garbage }{"), "could not be used")],
)
def test_the_next_model_writes_where_one_gives_no_usable_answer(server: Server, trouble: Handler, why: str):
    store = Store()
    chain = server.chain(only("toy", trouble, speaks(GOOD)), fallbacks=[server.model("second")], replies=store)
    made = chain.invoke(REQUEST)
    assert (made.target.origin, made.target.description, made.model) == ("llm", DESCRIPTION, "openai:second")
    (warning,) = made.warnings
    assert why in warning
    assert warning.startswith("openai:toy: ")
    assert warning.endswith("openai:second was asked instead")
    assert made.calls == made.cost.calls == len(server.bodies)
    (reply,) = store.values()
    assert (reply.model, reply.calls) == ("openai:second", 1)


def test_a_kept_reply_of_the_next_model_is_used_and_the_first_is_tried_again(server: Server):
    chain = server.chain(only("toy", fails(404), speaks(GOOD)), fallbacks=[server.model("second")], replies=Store())
    chain.invoke(REQUEST)
    again = chain.invoke(REQUEST)
    assert (again.model, again.cached, again.calls) == ("openai:second", True, 1)
    assert server.asked == ["toy", "second", "toy"]
    server.handlers = [speaks(GOOD)]
    assert chain.invoke(REQUEST).model == "openai:toy"


def test_behind_all_models_are_the_rules(server: Server):
    chain = server.chain(fails(404), fallbacks=[server.model("second"), server.model("third")])
    made = chain.invoke(REQUEST)
    assert (made.target.origin, made.target.description, made.model) == ("fallback", BY_RULES, None)
    assert [text.rpartition("; ")[2] for text in made.warnings] == [
        "openai:second was asked instead",
        "openai:third was asked instead",
        "the rules wrote the target instead",
    ]
    assert server.asked == ["toy", "second", "third"]
    assert made.cost.calls == made.calls == 3


def test_a_model_that_never_answers_leaves_the_next_its_turn(server: Server, over: threading.Event):
    def hang(body: dict[str, Any]) -> Response:
        over.wait(20)
        return whole(GOOD)

    chain = server.chain(only("toy", hang, speaks(GOOD)), timeout=2.0, fallbacks=[server.model("second")])
    parts = list(chain.stream(REQUEST))
    assert (parts[-1].model, len(parts) > 3) == ("openai:second", True)
    assert "(1 s allowed)" in parts[-1].warnings[0]


def test_a_model_that_is_chosen_stands_before_the_fallbacks(server: Server):
    chain = server.chain(only("other", fails(404), speaks(GOOD)), fallbacks=[server.model("second")])
    assert chain.invoke(REQUEST, chosen(llm="other")).model == "openai:second"
    assert server.asked == ["other", "second"]


# ---- prompts that see -----------------------------------------------------------------------------------------------


def uri(colour: str = "red") -> str:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def blocks(server: Server) -> list[dict[str, Any]]:
    return list(server.bodies[-1]["messages"][-1]["content"])


def test_a_vision_prompt_gets_the_reference(server: Server):
    wanted: list[str] = []

    def pictures(id: str) -> str:
        wanted.append(id)
        return uri()

    chain = server.chain(load_reference=pictures)
    chain.invoke(REQUEST)
    assert wanted == [], "a prompt that does not see needs no picture"
    made = chain.invoke(REQUEST, chosen(prompt="imagine.onestage"))
    assert (made.target.description, prompt_of(made)) == (DESCRIPTION, "imagine.onestage")
    assert wanted == [REQUEST.reference]
    words, picture = blocks(server)
    assert "make it blue with long sleeves" in words["text"]
    assert picture == {"type": "image_url", "image_url": {"url": uri()}}


def test_a_picture_that_is_open_already_is_not_opened_again(server: Server):
    chain = server.chain(prompt="imagine.onestage", load_reference=lambda id: pytest.fail("it is open already"))
    chain.invoke(ImagineRequest("a dress", "in blue", reference="A", pixels=Image.new("RGB", (900, 600), "red")))
    data = blocks(server)[1]["image_url"]["url"].removeprefix("data:image/jpeg;base64,")
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (512, 341)


def test_another_picture_is_another_question(server: Server):
    store = Store()
    for colour in ("red", "green", "red"):
        server.chain(prompt="imagine.onestage", load_reference=lambda id, c=colour: uri(c), replies=store).invoke(
            REQUEST
        )
    assert (len(store), len(server.bodies)) == (2, 2)


def gone(id: str) -> str:
    raise NotFoundError("its file is not there any more.")


@pytest.mark.parametrize(
    ("request_", "pictures", "why"),
    [
        (REQUEST, None, "no component here can open it"),
        (REQUEST, gone, "its file is not there any more"),
        (ImagineRequest(REQUEST.caption, REQUEST.modification), gone, "there is none"),
    ],
)
def test_without_a_picture_the_rules_write(server: Server, request_: ImagineRequest, pictures: Any, why: str):
    chain = server.chain(prompt="imagine.onestage", load_reference=pictures, fallbacks=[server.model("second")])
    for made in (chain.invoke(request_), *chain.stream(request_)):
        assert (made.target.origin, made.target.description, made.calls) == ("fallback", BY_RULES, 0)
        (warning,) = made.warnings
        assert why in warning
        assert warning.endswith("the rules wrote the target instead")
    assert server.bodies == []


def test_a_model_that_takes_no_pictures_is_passed_over(server: Server):
    blind = only("toy", fails(400, "image_url is not supported"), speaks(GOOD))
    chain = server.chain(
        blind, prompt="imagine.onestage", load_reference=lambda id: uri(), fallbacks=[server.model("sees")]
    )
    made = chain.invoke(REQUEST)
    assert (made.model, made.target.origin) == ("openai:sees", "llm")
    assert "image_url is not supported" in made.warnings[0]


# ---- traces ---------------------------------------------------------------------------------------------------------


class Tree(BaseCallbackHandler):
    """Records the runs: their paths by name, tags, metadata and how they ended."""

    def __init__(self) -> None:
        self.paths: dict[Any, str] = {}
        self.tags: dict[str, set[str]] = {}
        self.metadata: dict[str, dict[str, Any]] = {}
        self.threads: dict[str, int] = {}
        self.open: set[Any] = set()

    def _begin(self, run_id: Any, parent: Any, name: str, tags: Any, metadata: Any) -> None:
        path = f"{self.paths[parent]} > {name}" if parent else name
        self.paths[run_id] = path
        self.tags[path], self.metadata[path] = set(tags or ()), dict(metadata or {})
        self.threads[path] = threading.get_ident()
        self.open.add(run_id)

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, **more: Any) -> None:
        self._begin(run_id, more.get("parent_run_id"), more["name"], more.get("tags"), more.get("metadata"))

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: Any, **more: Any) -> None:
        self._begin(run_id, more.get("parent_run_id"), more["name"], more.get("tags"), more.get("metadata"))

    def on_chain_end(self, outputs: Any, *, run_id: Any, **more: Any) -> None:
        self.open.discard(run_id)

    on_chain_error = on_llm_end = on_llm_error = on_chain_end

    def shown(self) -> list[str]:
        return sorted(self.paths.values())


async def traced(chain: Any, way: str, config: dict[str, Any] | None = None) -> Tree:
    tree = Tree()
    config = {**(config or {}), "callbacks": [tree]}
    if way == "invoke":
        chain.invoke(REQUEST, config)
    elif way == "ainvoke":
        await chain.ainvoke(REQUEST, config)
    elif way == "stream":
        list(chain.stream(REQUEST, config))
    else:
        assert [part async for part in chain.astream(REQUEST, config)]
    assert tree.open == set(), "every run ends"
    return tree


WAYS = pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])


@WAYS
async def test_a_trace_names_each_question(server: Server, way: str):
    bad = speaks("%$ garbage }{")
    chain = server.chain(only("toy", bad, speaks(GOOD)), fallbacks=[server.model("second")])
    tree = await traced(chain, way)
    models = ["imagine > imagine.fallback", "imagine > imagine.model", "imagine > imagine.repair"]
    assert tree.shown() == ["imagine", *models]
    prompt = load_prompt("imagine.structured")
    about = {"prompt_id": prompt.id, "prompt_version": prompt.version, "prompt_hash": prompt.hash}
    for path in tree.shown():
        assert {"imagine", prompt.id} <= tree.tags[path]
        assert about.items() <= tree.metadata[path].items()
    assert {tree.metadata[path]["origin"] for path in models} == {"llm"}


@WAYS
async def test_a_trace_has_the_origin_of_a_target_without_a_model_call(server: Server, way: str):
    chain = server.chain(replies=Store())
    chain.invoke(REQUEST)
    kept = await traced(chain, way)
    assert kept.shown() == ["imagine", "imagine > imagine.kept"]
    assert kept.metadata["imagine > imagine.kept"]["origin"] == "llm"
    ruled = await traced(chain, way, chosen(llm="rules"))
    assert ruled.shown() == ["imagine", "imagine > imagine.rules"]
    assert (ruled.metadata["imagine > imagine.rules"]["origin"], "prompt_id" in ruled.metadata["imagine"]) == (
        "rules",
        False,
    )
    failed = await traced(server.chain(fails(404)), way)
    assert failed.shown() == ["imagine", "imagine > imagine.fallback", "imagine > imagine.model"]
    assert failed.metadata["imagine > imagine.fallback"]["origin"] == "fallback"


# --- what was kept


def test_a_kept_reply_that_can_be_read_no_longer_is_asked_for_once_more_and_replaced(server: Server):
    store = Store()
    chain = server.chain(replies=store)
    chain.invoke(REQUEST)
    ((key, kept),) = store.items()
    store[key] = kept.model_copy(update={"text": "{{{"})
    assert [chain.invoke(REQUEST).calls for _ in range(2)] == [1, 0]
    assert store[key].text == GOOD


def test_what_langchains_own_cache_gives_costs_nothing(tmp_path: Path):
    with Catalog.open(tmp_path) as catalog:
        usage = {"input_tokens": 30, "output_tokens": 4, "total_tokens": 34}
        replies = {4: AIMessage(GOOD, usage_metadata=usage), 0: AIMessage(GOOD)}  # the second server counts nothing
        for tokens, reply in replies.items():
            model = ScriptedChatModel(replies=[reply], cache=CatalogCache(catalog))
            spent = [build_imagine_chain(model).invoke(REQUEST).cost for _ in range(2)]
            assert model.calls == 1
            assert [cost and cost.output_tokens for cost in spent] == [tokens, 0]
            CatalogCache(catalog).clear()
