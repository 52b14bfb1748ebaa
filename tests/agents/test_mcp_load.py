"""MCP over HTTP on loopback, under load: a language model that does not answer, many callers, callers that leave."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_client import served
from llm_server import Asked, LLMServer, imagining
from mcp import Client
from PIL import Image

from ipcir_tools.agents.lanes import Lane, Lanes
from ipcir_tools.agents.mcp_server import build_server
from ipcir_tools.agents.mcp_transports import http_app
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
PATIENCE = 60
ERAS = ("auto", "legacy")
DEAR = 45


class SlowModel:
    """A language model that answers nothing until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []

    def __call__(self, asked: Asked) -> str:
        self.asked.append(asked.block("modification"))
        self.go.wait(PATIENCE)
        return imagining(asked)


@pytest.fixture
def model() -> Iterator[SlowModel]:
    slow = SlowModel()
    yield slow
    slow.go.set()


@pytest.fixture
def engine(tmp_path: Path, model: SlowModel, make_httpserver: Any) -> Iterator[Engine]:
    make_httpserver.clear()
    server = LLMServer(make_httpserver, model)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for colour in ("red", "blue", "green"):
        Image.new("RGB", (64, 64), COLOURS[colour]).save(pictures / f"{colour}.png")
    models = {"encoder": ENCODER, "captioner": CAPTIONER, "llm": "openai:toy", "llm_base_url": server.url}
    with Engine.open(Settings(home=tmp_path / "home", llm_timeout=2 * PATIENCE, **models)) as engine:
        parts = engine.components
        parts.encoder = FakeEncoder(encoder_id(ENCODER))
        parts.captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} shirt", id=CAPTIONER)
        parts.captioner_id = CAPTIONER
        engine.index([pictures])
        yield engine
        model.go.set()


@contextmanager
def serving(engine: Engine, lanes: Lanes | None = None) -> Iterator[str]:
    with served(http_app(build_server(engine, lanes=lanes))) as port:
        yield f"http://127.0.0.1:{port}/mcp"


def client(url: str, era: str = "auto") -> Client:
    return Client(url, mode=era, read_timeout_seconds=PATIENCE)


async def until(true: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)


def reference(engine: Engine) -> str:
    return next(iter(engine.catalog.stamps().values())).image_id


def dear(engine: Engine, n: int) -> dict[str, Any]:
    return {"reference": reference(engine), "modification": f"in blue, number {n}"}


@pytest.mark.parametrize("era", ERAS)
async def test_cheap_calls_are_answered_while_45_dear_ones_wait(engine, model, era, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    lanes = Lanes()
    with serving(engine, lanes) as url:
        async with client(url, era) as busy, client(url, era) as other:
            waiting = [asyncio.create_task(busy.call_tool("compose_search", dear(engine, n))) for n in range(DEAR)]
            await until(lambda: lanes.dear.calls == DEAR and model.asked)
            for name, arguments in (
                ("list_turns", {}),
                ("describe_gallery", {}),
                ("show_images", {"ids": [reference(engine)], "layout": "thumbnails"}),
            ):
                answer = await other.call_tool(name, arguments)
                assert not answer.is_error, answer.content[0].text
            await other.read_resource(f"ipcir://picture/{reference(engine)}")
            assert not any(task.done() for task in waiting)
            model.go.set()
            answers = await asyncio.gather(*waiting)
        assert [answer.content[0].text for answer in answers if answer.is_error] == []
        assert len({answer.structured_content["turn"] for answer in answers}) == DEAR


async def test_what_is_too_much_is_refused_in_words_at_once(engine, model, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    lanes = Lanes(dear=Lane(2, 3))
    with serving(engine, lanes) as url:
        async with client(url) as one:
            waiting = [asyncio.create_task(one.call_tool("compose_search", dear(engine, n))) for n in range(5)]
            await until(lambda: lanes.dear.calls == 5 and model.asked)
            refused = [await one.call_tool("compose_search", dear(engine, n)) for n in range(5, 20)]
            assert all(each.is_error for each in refused)
            assert "The server is busy" in refused[0].content[0].text
            assert "send it again" in refused[0].content[0].text
            model.go.set()
            assert not any(each.is_error for each in await asyncio.gather(*waiting))
            assert not (await one.call_tool("compose_search", dear(engine, 5))).is_error
    assert len(engine.catalog.turns()) == 6


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_the_client_cancels_is_ended(engine, model, era, monkeypatch):
    """A 2026 client closes the stream of the answer, an older one sends notifications/cancelled: the client library
    does either."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    lanes = Lanes(dear=Lane(1, 1))
    with serving(engine, lanes) as url:
        async with client(url, era) as one:
            running = asyncio.create_task(one.call_tool("compose_search", dear(engine, 1)))
            await until(lambda: model.asked)
            waiting = asyncio.create_task(one.call_tool("compose_search", dear(engine, 2)))
            await until(lambda: lanes.dear.calls == 2)
            for task in (waiting, running):
                task.cancel()
            await asyncio.gather(waiting, running, return_exceptions=True)
            await until(lambda: lanes.dear.calls == 0)  # the model has not answered, and will not
            assert not model.go.is_set()
            assert [each[-1] for each in model.asked] == ["1"]
            model.go.set()
            assert not (await one.call_tool("compose_search", dear(engine, 3))).is_error
    assert [turn.query.modification[-1] for turn in engine.catalog.turns()] == ["3"]


async def test_a_call_whose_client_hangs_up_is_ended(engine, model, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    lanes = Lanes(dear=Lane(1, 0))
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    params = {"name": "compose_search", "arguments": dear(engine, 1), "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": version,
        "mcp-method": "tools/call",
        "mcp-name": "compose_search",
        "content-type": "application/json",
    }
    with serving(engine, lanes) as url:
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            asking = asyncio.create_task(http.post(url, content=json.dumps(body), headers=headers))
            await until(lambda: model.asked or asking.done())
            assert not asking.done(), asking.result().text
            asking.cancel()
        await until(lambda: lanes.dear.calls == 0)
        assert not model.go.is_set()
    assert engine.catalog.turns() == []
