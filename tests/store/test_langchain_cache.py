"""LangChain's cache in the catalog: LangChain's own suites, then what they leave out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.globals import set_llm_cache
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.content import create_image_block
from langchain_core.outputs import ChatGeneration, Generation
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import AsyncCacheTestSuite, SyncCacheTestSuite
from langgraph.graph.message import add_messages
from pydantic import BaseModel, ValidationError
from sqlalchemy import URL, create_engine
from werkzeug import Request, Response

from ipcir_tools import Engine, Settings
from ipcir_tools.fakes import ScriptedChatModel
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.langchain_cache import CatalogCache, reply_content
from ipcir_tools.types import Reply


@pytest.fixture
def catalog(tmp_path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def cache(catalog) -> CatalogCache:
    return CatalogCache(catalog)


class TestSync(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self, catalog) -> CatalogCache:
        return CatalogCache(catalog)


class TestAsync(AsyncCacheTestSuite):
    @pytest.fixture
    async def cache(self, catalog) -> CatalogCache:
        return CatalogCache(catalog)


# --- what is kept, and under which key

USAGE = {"input_tokens": 30, "output_tokens": 4, "total_tokens": 34}


def message(text: str = "a blue shirt", **more: Any) -> AIMessage:
    return AIMessage(text, usage_metadata=USAGE, response_metadata={"model_name": "gpt-x", "id": "resp_1"}, **more)


def chat(*generations: AIMessage) -> list[ChatGeneration]:
    return [ChatGeneration(message=each) for each in generations]


def test_a_reply_is_kept_with_what_it_cost(catalog, cache):
    before = datetime.now(UTC).isoformat()
    cache.update("prompt", "llm", chat(message()))
    [(_, kept)] = catalog.replies()
    assert (kept.kind, kept.model, kept.prompt) == ("llm", "gpt-x", "")
    assert (kept.calls, kept.input_tokens, kept.output_tokens) == (1, 30, 4)
    assert before <= kept.created <= datetime.now(UTC).isoformat()


@pytest.mark.parametrize(
    ("llm_string", "model"),
    [
        ('{"kwargs": {"model_name": "gpt-x", "temperature": 0.0}}---[(\'stop\', None)]', "gpt-x"),
        ("[('_type', 'y'), ('model', 'llama')]", "llama"),
        ("[('_type', 'scripted')]", ""),
    ],
)
def test_a_model_without_a_name_is_named_by_its_parameters(catalog, cache, llm_string, model):
    cache.update("prompt", llm_string, [Generation(text="a blue shirt")])
    assert [kept.model for _, kept in catalog.replies()] == [model]


def test_several_choices_of_one_call_are_paid_for_once(catalog, cache):
    cache.update("prompt", "llm", chat(message("one"), message("two")))
    assert [kept.input_tokens for _, kept in catalog.replies()] == [30]


def test_neither_prompt_nor_secrets_stand_in_the_catalog(cache, tmp_path):
    model = ChatOpenAI(model="gpt-x", api_key="sk-very-secret", base_url="http://127.0.0.1:9")
    cache.update("what only the user knows", model._get_llm_string(), chat(message()))
    for file in (tmp_path / "home").iterdir():
        assert b"user knows" not in file.read_bytes()
        assert b"very-secret" not in file.read_bytes()


def test_the_key_is_the_whole_prompt_and_all_parameters(cache):
    cache.update("prompt", "llm", chat(message()))
    for prompt, llm_string in (("promp", "tllm"), ("prompt ", "llm"), ("prompt", "llm "), ("llm", "prompt"), ("", "")):
        assert cache.lookup(prompt, llm_string) is None


def test_names_that_langchain_draws_do_not_count(cache):
    def asked(data: str) -> str:
        return dumps([HumanMessage([create_image_block(base64=data, mime_type="image/png")])])

    cache.update(asked("AAAA"), "llm", chat(message()))
    assert asked("AAAA") != asked("AAAA")
    assert cache.lookup(asked("AAAA"), "llm")
    assert cache.lookup(asked("BBBB"), "llm") is None
    quoted = [dumps([HumanMessage(f'"id": "lc_{digit * 36}"')]) for digit in "01"]  # in words they do
    cache.update(quoted[0], "llm", chat(message()))
    assert cache.lookup(quoted[1], "llm") is None


@pytest.mark.parametrize("prompt", ["\ud83d", "a\0b", "", "x" * 1_000_000, "größer 😀"])
def test_any_text_is_a_prompt_and_a_reply(cache, prompt):
    cache.update(prompt, prompt, [Generation(text=prompt)])
    assert cache.lookup(prompt, prompt) == [Generation(text=prompt)]


# --- there and back

CALL = {"name": "search", "args": {"text": "größer", "k": 3}, "id": "call_1", "type": "tool_call"}


@pytest.mark.parametrize(
    "message",
    [
        message("größer\n😀 \ud83d"),
        message([{"type": "text", "text": "a"}, {"type": "reasoning", "reasoning": "b"}]),
        message("", tool_calls=[CALL]),
        message(additional_kwargs={"refusal": None, "deep": [{"lc": 1, "type": "secret", "id": ["HOME"]}]}),
        AIMessage("no account of tokens"),
    ],
    ids=["text", "blocks", "tool call", "what looks like a secret", "bare"],
)
def test_a_message_comes_back_as_it_was(cache, message):
    cache.update("prompt", "llm", chat(message))
    [found] = cache.lookup("prompt", "llm")
    assert type(found) is ChatGeneration
    assert found.message == message


def test_what_is_kept_is_a_copy(cache):
    given = chat(message(id="run-1"))
    cache.update("prompt", "llm", given)
    assert given == chat(message(id="run-1"))
    first, second = (cache.lookup("prompt", "llm") for _ in range(2))
    first[0].message.content = "changed"
    assert (second, cache.lookup("prompt", "llm")) == (chat(message()), chat(message()))


class Coat(BaseModel):
    made: date
    colours: set[str]


def test_a_parsed_answer_is_kept_as_plain_data(cache):
    coat = Coat(made=date(2026, 1, 2), colours={"red"})
    cache.update("prompt", "llm", chat(message(additional_kwargs={"parsed": coat})))
    [found] = cache.lookup("prompt", "llm")
    assert Coat(**found.message.additional_kwargs["parsed"]) == coat


def test_the_latest_update_counts(catalog, cache):
    for text in ("one", "two"):
        cache.update("prompt", "llm", chat(message(text)))
    assert cache.lookup("prompt", "llm") == chat(message("two"))
    assert len(catalog.replies()) == 1


def constructor(*path: str, **kwargs: Any) -> str:
    return json.dumps([{"lc": 1, "type": "constructor", "id": path, "kwargs": kwargs}])


BROKEN = {
    "empty": "",
    "no JSON": "[{",
    "deep": "[" * 100_000,
    "no list": constructor("langchain", "schema", "output", "Generation", text="x")[1:-1],
    "words": '["a blue shirt"]',
    "a secret": '[{"lc": 1, "type": "secret", "id": ["HOME"]}]',
    "no generation": constructor("langchain", "schema", "messages", "AIMessage", content="x"),
    "a class that is not allowed": constructor("langchain", "chat_models", "openai", "ChatOpenAI", model="x"),
    "a module that is not allowed": constructor("os", "system"),
    "wrong arguments": constructor("langchain", "schema", "output", "ChatGeneration", message="x"),
    "odd arguments": '[{"lc": 1, "type": "constructor", "id": ["langchain", "schema", "output", "Generation"],'
    ' "kwargs": []}]',
    "no path": '[{"lc": 1, "type": "constructor", "id": 3}]',
    "what cannot be written": '[{"lc": 1, "type": "not_implemented", "id": ["x"]}]',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_row_is_a_miss_that_the_next_answer_replaces(catalog, cache, text):
    cache.update("prompt", "llm", chat(message()))
    [(key, kept)] = catalog.replies()
    catalog.put_reply(key, kept.model_copy(update={"text": text}))
    assert cache.lookup("prompt", "llm") is None
    cache.update("prompt", "llm", chat(message("again")))
    assert cache.lookup("prompt", "llm") == chat(message("again"))


def test_a_row_that_is_no_reply_is_a_miss(cache, tmp_path):
    cache.update("prompt", "llm", chat(message()))
    with create_engine(URL.create("sqlite", database=str(tmp_path / "home/catalog.sqlite"))).begin() as connection:
        connection.exec_driver_sql("UPDATE replies SET calls = 'many'")
    assert cache.lookup("prompt", "llm") is None


def test_what_cannot_be_read_back_is_not_kept(catalog, cache):
    cache.update("prompt", "llm", [Generation(text="x", generation_info={"object": object()})])
    cache.update("prompt", "llm", chat(ToolMessage("x", tool_call_id="1")))
    assert catalog.replies() == []


def test_clearing_leaves_what_others_keep(catalog, cache):
    ours = Reply(text="a blue shirt", kind="imagine")
    catalog.put_reply("ours", ours)
    cache.update("prompt", "llm", chat(message()))
    cache.clear()
    assert catalog.replies() == [("ours", ours)]
    with pytest.raises(TypeError, match="older"):
        cache.clear(older=3)


# --- under a model


def scripted(cache: CatalogCache | None, *replies: str | AIMessage) -> ScriptedChatModel:
    return ScriptedChatModel(replies=replies, cache=cache)


def test_a_second_engine_makes_no_call(tmp_path):
    settings = Settings(home=tmp_path / "home")
    with Engine.open(settings) as engine:
        first = scripted(engine.cache, message())
        assert first.invoke("in blue").text == "a blue shirt"
        assert engine.cache is engine.cache
    with Engine.open(settings) as engine:
        second = scripted(engine.cache)
        assert second.invoke("in blue").text == "a blue shirt"
    assert (first.calls, second.calls) == (1, 0)


def test_for_all_models_at_once(cache):
    set_llm_cache(cache)
    try:
        model, unwilling = scripted(None, "one"), ScriptedChatModel(replies=["three"], cache=False)
        assert [model.invoke("in blue").text for _ in range(2)] == ["one", "one"]
        assert unwilling.invoke("in blue").text == "three"
    finally:
        set_llm_cache(None)


async def test_asked_in_other_ways(cache):
    model = scripted(cache, "one", "two")
    assert (await model.ainvoke("a")).text == "one"
    assert [each.text for each in model.batch(["a", "b", "a"], config={"max_concurrency": 1})] == ["one", "two", "one"]
    assert [each.text for each in await model.abatch(["b", "a"])] == ["two", "one"]


def test_a_hit_tells_the_tokens_of_then_and_no_cost(catalog, cache):
    model = scripted(cache, message(), "of a server that tells no tokens")
    with get_usage_metadata_callback() as usage:
        asked, again = (model.invoke("in blue") for _ in range(2))
    assert (asked.usage_metadata, again.usage_metadata) == (USAGE, {**USAGE, "total_cost": 0})
    assert usage.usage_metadata["gpt-x"]["input_tokens"] == 2 * 30  # as the docstring warns
    assert sum(count.input_tokens for count in catalog.reply_counts()) == 30
    untold, hit = (model.invoke("in red") for _ in range(2))
    assert (untold.usage_metadata, hit.usage_metadata) == (None, {"total_cost": 0})


def test_two_hits_are_two_messages(cache):
    model = scripted(cache, message())
    answers = [model.invoke("in blue") for _ in range(3)]
    assert answers[0].id
    assert [each.id for each in answers[1:]] == [None, None]
    talk: list[Any] = []
    for each in answers:
        talk = add_messages(talk, [each])
    assert len({each.id for each in talk}) == 3
    assert answers[2].response_metadata["id"] == "resp_1"


ASKING = """
import sys, warnings
from pathlib import Path
from langchain_core.messages import AIMessage
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.fakes import ScriptedChatModel
from ipcir_tools.store.langchain_cache import CatalogCache
warnings.simplefilter("error")  # LangChain's loader is beta, which is nothing to tell a user of the cache
with Catalog.open(Path(sys.argv[1])) as catalog:
    model = ScriptedChatModel(replies=[], cache=CatalogCache(catalog))
    print(model.invoke("in blue").text, model.calls)
"""


def test_a_second_process_makes_no_call(cache, tmp_path):
    model = scripted(cache, "a blue shirt")
    assert (model.invoke("in blue").text, model.calls) == ("a blue shirt", 1)
    command = [sys.executable, "-c", ASKING, str(tmp_path / "home")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "a blue shirt 0\n")


def test_many_at_a_time(catalog, cache):
    def ask(n: int) -> str:
        cache.update(f"prompt {n % 5}", "llm", chat(message(f"reply {n % 5}")))
        return cache.lookup(f"prompt {n % 5}", "llm")[0].text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(60))) == [f"reply {n % 5}" for n in range(60)]
    assert len(catalog.replies()) == 5


# --- with OpenAI's own client, over a server on this machine


@pytest.fixture
def served(httpserver, cache) -> Callable[[], ChatOpenAI]:
    """Models as different programs would make them; ``httpserver.log`` holds their requests."""
    content = json.dumps({"made": "2026-01-02", "colours": ["red"]})
    whole = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    usage = {"prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34}
    head = {"id": "1", "created": 1, "model": "gpt-x-2026"}

    def answer(request: Request) -> Response:
        if not request.get_json().get("stream"):
            return Response(json.dumps({**head, "object": "chat.completion", "choices": [whole], "usage": usage}))
        delta = {"index": 0, "finish_reason": None, "delta": {"role": "assistant", "content": "streamed"}}
        chunk = {**head, "object": "chat.completion.chunk", "choices": [delta]}
        return Response(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n", content_type="text/event-stream")

    httpserver.expect_request("/v1/chat/completions", method="POST").respond_with_handler(answer)
    address = httpserver.url_for("/v1")
    return lambda: ChatOpenAI(model="gpt-x", base_url=address, api_key="none", cache=cache)


def test_a_structured_answer_is_made_of_its_class_again(served, httpserver, catalog):
    coats = [served().with_structured_output(Coat).invoke("in red") for _ in range(2)]
    assert coats == [Coat(made=date(2026, 1, 2), colours={"red"})] * 2
    assert len(httpserver.log) == 1
    assert [(kept.model, kept.input_tokens) for _, kept in catalog.replies()] == [("gpt-x-2026", 30)]


def test_streaming_passes_the_cache_by(served, httpserver, catalog):
    for _ in range(2):
        assert "".join(chunk.text for chunk in served().stream("in red")) == "streamed"
    assert (len(httpserver.log), catalog.replies()) == (2, [])


def test_a_class_is_known_by_its_name_alone(served, httpserver, cache):
    class Answer(BaseModel):
        made: date

    before = served().with_structured_output(Answer).invoke("in red")

    class Answer(BaseModel):
        colours: list[str]

    with pytest.raises(ValidationError):  # the class changed, the reply did not
        served().with_structured_output(Answer).invoke("in red")
    cache.clear()
    assert served().with_structured_output(Answer).invoke("in red").colours == ["red"]
    assert (before.made, len(httpserver.log)) == (date(2026, 1, 2), 2)


# --- for people


def test_the_content_of_a_kept_reply(catalog, cache):
    cache.update("prompt", "llm", chat(message("I look", tool_calls=[CALL]), message("größer\nas it is")))
    cache.update("other", "llm", [Generation(text="plain")])
    texts = {reply_content(kept.text) for _, kept in catalog.replies()}
    assert texts == {'I look\nsearch({"text": "größer", "k": 3})\ngrößer\nas it is', "plain"}


@pytest.mark.parametrize("text", [*BROKEN.values(), "a blue shirt", "3", "null", '[{"kwargs": 3}]'])
def test_what_is_no_such_reply_is_shown_as_it_is(text):
    assert reply_content(text) == text
