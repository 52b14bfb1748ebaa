"""Servers that load, are busy, answer one request at a time, or not at all; and what is sent to them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from langchain_core.messages import HumanMessage
from llm_server import LLMServer, busy, loading, silent, single_slot
from pytest_httpserver import HTTPServer

from ipcir_tools.llm import retries
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.client import ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.proxies import is_loopback, proxy_note
from ipcir_tools.models.loading import load_chat_model
from ipcir_tools.settings import Settings

MESSAGES = [HumanMessage("Hello")]


@pytest.fixture
def server(monkeypatch) -> Iterator[LLMServer]:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.05)
    with HTTPServer(threaded=True) as http:
        yield LLMServer(http, lambda asked: "fine")


def client_of(server: LLMServer, **options: object) -> ChatClient:
    return ChatClient(load_chat_model("m", Settings(llm_base_url=server.url, **options)), None)


def ask(client: ChatClient, seconds: float = 10.0) -> str:
    return client.ask(MESSAGES, {}, Budget(seconds)).text


def test_a_server_that_loads_is_waited_for_and_that_is_said_once(server, caplog):
    server.manner = loading(server.manner, 8)
    with caplog.at_level(logging.WARNING):
        assert ask(client_of(server)) == "fine"
    assert len(server.asked) == 9
    (said,) = [record.getMessage() for record in caplog.records if record.name.startswith("ipcir_tools")]
    assert "busy or loading" in said


def test_a_server_that_never_has_time_is_given_up_after_the_budget(server):
    server.manner = busy
    with pytest.raises(NoReplyError, match="waited for in vain") as raised:
        ask(client_of(server), 0.3)
    assert raised.value.unanswered
    assert len(server.asked) > 1, "it is asked again"


@pytest.mark.parametrize("queues", [True, False])
def test_a_single_slot_answers_all_although_each_has_time_for_one(server, queues):
    server.manner = single_slot(server.manner, 0.2, queues=queues)
    client = client_of(server, llm_concurrency=4, llm_timeout=1.0)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: ask(client, 0.6), range(8))) == ["fine"] * 8


def test_a_silent_server_costs_a_few_timeouts_however_many_wait(server):
    end = Event()
    server.manner = silent(end)
    client = client_of(server, llm_concurrency=2)
    try:
        with ThreadPoolExecutor(8) as pool:
            problems = list(pool.map(lambda _: problem(client, 0.2), range(8)))
    finally:
        end.set()
    assert 2 <= sum("did not answer in time" in each for each in problems) <= 4
    assert sum("gets no request" in each for each in problems) >= 4


def problem(client: ChatClient, seconds: float) -> str:
    with pytest.raises(NoReplyError) as raised:
        ask(client, seconds)
    return str(raised.value)


def test_a_server_that_is_not_there_is_named_with_what_to_do():
    settings = Settings(llm_base_url="http://127.0.0.1:9/v1")
    text = problem(ChatClient(load_chat_model("m", settings), None), 30)
    assert "could not be reached at http://127.0.0.1:9/v1" in text
    assert "refused" in text
    assert "--llm-base-url" in text


# --- what is sent


@pytest.mark.parametrize(("chosen", "sent"), [(None, 2048), (77, 77), (0, None)])
def test_a_reply_has_a_limit_of_tokens(server, chosen, sent):
    ask(client_of(server, llm_max_tokens=chosen))
    assert server.asked[0].body.get("max_tokens") == sent
    assert "max_completion_tokens" not in server.asked[0].body


def test_a_server_on_this_machine_is_reached_without_a_proxy(server, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask(client_of(server)) == "fine"


def test_a_proxy_is_named_without_its_password(monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", "http://me:hush@127.0.0.1:9")
    settings = Settings(llm_base_url="http://models.example/v1")
    text = problem(ChatClient(load_chat_model("m", settings), None), 30)
    assert "through the proxy http://127.0.0.1:9, set by http_proxy" in text
    assert "hush" not in text
    monkeypatch.setenv("no_proxy", "models.example")
    assert proxy_note("http://models.example/v1") == ""


@pytest.mark.parametrize("url", ["http://localhost:1/v1", "http://127.8.0.1/v1", "https://[::1]:8080/v1"])
def test_addresses_of_this_machine(url):
    assert is_loopback(url)
    assert not is_loopback("http://192.168.0.1/v1")
    assert not is_loopback("http://localhost.example/v1")
