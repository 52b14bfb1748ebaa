"""What comes of a chat server that misbehaves: bounded in time and bytes, flagged, and the next call is well."""

from __future__ import annotations

import re
import threading
from contextlib import closing
from typing import Any

import pytest
from faulty_servers import GOOD, MODES, RawServer, in_buffers, whole
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

from ipcir_tools.chains.imagination.chain import build_imagine_chain
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.llm import retries, streaming, timeouts
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.call_scope import abandoned_calls
from ipcir_tools.llm.client import ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.http_clients import REPLY_BYTES
from ipcir_tools.models.loading import load_chat_model
from ipcir_tools.settings import Settings


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", "none")


@pytest.mark.parametrize("name", MODES)
def test_a_faulty_server_is_bounded_and_flagged_and_the_next_call_is_well(name):
    mode = MODES[name]
    with closing(RawServer(mode.answer, mode.scheme)) as server, closing(RawServer()) as other:
        server.other = other
        imagine = imagining(server.url, mode.seconds)
        made = asked(imagine, streams=mode.streams)
        if mode.flagged is None:
            assert (made.target.description, made.target.origin, made.warnings) == (GOOD, "llm", ())
            assert 0 <= made.cost.input_tokens + made.cost.output_tokens < 1_000, "what the report adds up"
        else:
            assert made.target.origin == "fallback"
            assert re.search(mode.flagged, "; ".join(made.warnings)), made.warnings
        assert server.sent < 2 * REPLY_BYTES + in_buffers()
        assert other.requests == [], "no request goes to another address"
        if mode.ends:
            assert server.hung_up.wait(5), "the connection is closed when the call is given up"
        assert ended(), "no thread lives on"
        if mode.scheme == "https":
            imagine = imagining(other.url, 10)
        server.answer = whole
        well = asked(imagine, streams=mode.streams)
        assert (well.target.description, well.target.origin) == (GOOD, "llm")


def test_the_table_has_no_fewer_modes_than_the_attack():
    assert len(MODES) >= 31


def imagining(url: str, seconds: float) -> Runnable[ImagineRequest, Imagination]:
    llm = load_chat_model("openai:m", Settings(llm_base_url=url, llm_timeout=seconds))
    return build_imagine_chain(llm, timeout=seconds)


def asked(imagine: Runnable[ImagineRequest, Imagination], *, streams: bool) -> Imagination:
    request = ImagineRequest("a red shirt", "in blue")
    return list(imagine.stream(request))[-1] if streams else imagine.invoke(request)


def ended() -> bool:
    """Whether the threads that read replies end."""
    for thread in threading.enumerate():
        if thread.name == "ipcir-llm":
            thread.join(5)
    return abandoned_calls.running == 0


# --- clients of others, which cannot be stopped


class Endless(BaseChatModel):
    """A model whose client reads on for ever, whatever becomes of its caller."""

    until: Any

    @property
    def _llm_type(self) -> str:
        return "endless"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> ChatResult:
        self.until.wait(60)
        raise TimeoutError


def test_calls_that_cannot_be_ended_are_counted_and_bounded(monkeypatch):
    monkeypatch.setattr(timeouts, "MOST_ABANDONED", 3)
    until = threading.Event()
    try:
        for _ in range(3):
            with pytest.raises(NoReplyError, match="in time"):
                ask(Endless(until=until))
        assert abandoned_calls.running == 3
        with pytest.raises(NoReplyError, match=r"3 calls that were given up have not ended.*Start this program again"):
            ask(Endless(until=until))
        assert abandoned_calls.running == 3
    finally:
        until.set()
    assert ended()
    assert ask(FakeListChatModel(responses=["well"])) == "well"


class Talkative(BaseChatModel):
    """A model whose stream never ends, of a client that reads as fast as it can; ``said`` counts its words."""

    said: Any

    @property
    def _llm_type(self) -> str:
        return "talkative"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> Any:
        while True:
            self.said[0] += 1
            yield ChatGenerationChunk(message=AIMessageChunk("blue " * 100))


def test_a_stream_of_any_client_is_bounded(monkeypatch):
    monkeypatch.setattr(streaming, "REPLY_CHARS", 20_000)
    said = [0]
    llm = Talkative(said=said)
    with pytest.raises(NoReplyError, match="more than 20,000 characters"):
        list(ChatClient(llm, None).ask_streaming([HumanMessage("?")], {}, Budget(20), stream=True))
    assert ended()
    assert 0 < said[0] < 100


def ask(llm: BaseChatModel) -> str:
    return ChatClient(llm, None).ask([HumanMessage("?")], {}, Budget(0.2)).text
