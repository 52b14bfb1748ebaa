"""``ipcir mcp`` over stdio and HTTP: the protocol, the loopback interface, one conversation through every transport."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from talk import CONVERSATION, PARENTS, Outcome, open_wardrobe, read

from ipcir_tools.agents.mcp_transports import HOST
from ipcir_tools.agents.toolkit import IPCIRToolkit
from ipcir_tools.agents.tools import TOOLS
from ipcir_tools.cli import main
from ipcir_tools.engine.engine import Engine
from ipcir_tools.settings import Settings

ERAS = ("auto", "legacy")
"""Clients of 2026 call without a handshake, older ones initialize first."""
TIMEOUT = 60


@contextmanager
def started(home: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """``ipcir mcp`` as a process that ends with the block, and by itself if the block hangs."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, *command(home, *more)], text=True, **pipes) as server:
        late = threading.Timer(5 * TIMEOUT, server.kill)
        late.start()
        try:
            yield server
        finally:
            late.cancel()
            server.kill()


def command(home: Path, *more: str) -> list[str]:
    return ["-m", "ipcir_tools.cli.main", "mcp", "--home", str(home), "--models", "demo", *more]


def test_nothing_but_the_protocol_is_on_standard_output(tmp_path):
    who = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    asked = [
        {"id": 1, "method": "initialize", "params": who},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "find_images", "arguments": {"text": "red"}}},
        {"id": 3, "method": "no/such", "params": {}},
    ]
    with started(tmp_path) as server:
        server.stdin.writelines(json.dumps({"jsonrpc": "2.0", **each}) + "\n" for each in asked)
        server.stdin.flush()
        answers = {answer["id"]: answer for answer in (json.loads(server.stdout.readline()) for _ in range(3))}
        rest, _ = server.communicate(timeout=TIMEOUT)  # hangs up
    assert (rest, server.returncode) == ("", 0)
    assert answers[1]["result"]["serverInfo"]["name"] == "ipcir"
    assert "is empty: put pictures into it first" in answers[2]["result"]["content"][0]["text"]
    assert "error" in answers[3]


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[tuple[str, int]]:
    """Where ``ipcir mcp --http`` serves an empty gallery."""
    with started(tmp_path_factory.mktemp("http"), "--http", "--port", "0") as server:
        yield address_of(server)


def address_of(server: subprocess.Popen[str]) -> tuple[str, int]:
    line = server.stderr.readline()
    found = re.search(r"http://([\d.]+):(\d+)/mcp", line)
    assert found, line
    return found[1], int(found[2])


def knock(address: tuple[str, int], **headers: str) -> int:
    """The status of a call to ``/mcp`` with these headers."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    usual = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    connection = http.client.HTTPConnection(*address, timeout=TIMEOUT)
    try:
        connection.request("POST", "/mcp", json.dumps(asked), usual | headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("era", ERAS)
async def test_http_is_served_on_this_machine(address, era):
    assert address[0] == HOST == "127.0.0.1"
    async with Client("http://{}:{}/mcp".format(*address), mode=era, read_timeout_seconds=TIMEOUT) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)
        result = await client.call_tool("find_images", {"text": "red"})
    assert "is empty: put pictures into it first" in result.content[0].text


def test_http_answers_no_web_page(address):
    host = "{}:{}".format(*address)
    assert knock(address) not in (403, 421)
    assert knock(address, Host=f"localhost:{address[1]}") not in (403, 421)
    assert knock(address, Host=f"evil.example:{address[1]}") == 421
    assert knock(address, Host="127.0.0.1:1") == 421
    assert knock(address, Origin="https://evil.example") == 403
    assert knock(address, Origin="http://localhost:3000") == 403
    assert knock(address, Origin=f"http://{host}.evil.example") == 403


def test_an_address_that_other_machines_reach_needs_a_token(tmp_path, monkeypatch, capsys):
    code, output = run_cli(monkeypatch, capsys, "mcp", "--home", str(tmp_path / "a"), "--http", "--host", "0.0.0.0")
    assert code == 2
    assert "Other machines reach 0.0.0.0, so callers must show a token" in output
    assert not (tmp_path / "a").exists()


async def test_with_a_token_only_who_shows_it_is_answered(tmp_path, monkeypatch):
    token = "a-token-of-many-characters"
    monkeypatch.setenv("IPCIR_MCP_TOKEN", token)
    with started(tmp_path, "--http", "--host", "0.0.0.0", "--port", "0") as server:
        address = ("127.0.0.1", address_of(server)[1])
        assert knock(address) == 401
        assert knock(address, Authorization="Bearer something-else-altogether") == 401
        assert knock(address, Authorization=f"Bearer {token}", Host=f"evil.example:{address[1]}") == 421
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:
            transport = streamable_http_client("http://{}:{}/mcp".format(*address), http_client=http)
            async with Client(transport, read_timeout_seconds=TIMEOUT) as client:
                assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_ctrl_c_ends_it_without_a_traceback(tmp_path, transport):
    with started(tmp_path, *(["--http", "--port", "0"] if transport == "http" else [])) as server:
        if transport == "http":
            knock(address_of(server))
        else:
            server.stdin.write('{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
            server.stdin.flush()
            server.stdout.readline()
        server.send_signal(signal.SIGINT)
        assert server.wait(TIMEOUT) in (0, -signal.SIGINT)
        assert server.stderr.read() == ""


def run_cli(monkeypatch, capsys, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["ipcir", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    captured = capsys.readouterr()
    assert captured.out == ""
    return ended.value.code, captured.err


def test_a_port_that_is_taken_is_one_line(address, tmp_path, monkeypatch, capsys):
    taken = str(address[1])
    code, output = run_cli(monkeypatch, capsys, "mcp", "--home", str(tmp_path), "--http", "--port", taken)
    assert code == 2
    assert re.fullmatch(rf"error: Port {taken} cannot be served \(.+\): name another with --port\.\n", output)


def test_without_the_extra_the_command_names_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    for name in ("mcp_server", "mcp_tools", "mcp_resources", "mcp_transports"):
        monkeypatch.delitem(sys.modules, f"ipcir_tools.agents.{name}")
    code, output = run_cli(monkeypatch, capsys, "mcp", "--home", str(tmp_path))
    assert code == 2
    assert "pip install 'ipcir-tools[mcp]'" in output


# --- the same conversation through every door

Call = Callable[[str, dict[str, Any]], Awaitable[Outcome]]
Steps = list[tuple[int | None, list[tuple[str, float]]]]
"""Of each outcome: the outcome that it builds on, and the ids and scores of its hits."""


async def held(call: Call) -> list[Outcome]:
    """The whole conversation; what a model would ask side by side runs side by side."""
    seen: list[Outcome] = []
    for step in CONVERSATION:
        for asked in step.rounds:
            seen += await asyncio.gather(*(call(name, arguments) for name, arguments in asked(seen)))
    return seen


def stored(home: Path, seen: list[Outcome]) -> Steps:
    """What the catalog holds of a conversation."""
    places = {outcome.turn: place for place, outcome in enumerate(seen) if outcome.turn}
    with Engine.open(Settings(home=home)) as engine:
        turns = [engine.catalog.turn(outcome.turn) if outcome.turn else None for outcome in seen]
    assert [tuple(hit.id for hit in turn.hits) if turn else () for turn in turns] == [each.hits for each in seen]
    return [
        (places.get(turn.parent), [(hit.id, hit.score) for hit in turn.hits]) if turn else (None, []) for turn in turns
    ]


async def through_langchain(home: Path) -> list[Outcome]:
    with open_wardrobe(home) as engine:
        tools = {tool.name: tool for tool in IPCIRToolkit(engine=engine).get_tools()}

        async def call(name: str, arguments: dict[str, Any]) -> Outcome:
            message = await tools[name].ainvoke({"name": name, "args": arguments, "id": "1", "type": "tool_call"})
            return read(message.content)

        return await held(call)


async def through_mcp(server: StdioServerParameters | str) -> list[Outcome]:
    async with Client(server, read_timeout_seconds=TIMEOUT) as client:

        async def call(name: str, arguments: dict[str, Any]) -> Outcome:
            result = await client.call_tool(name, arguments)
            return read(result.content[0].text if result.is_error else result.structured_content)

        return await held(call)


@pytest.fixture(scope="module")
def wardrobe(tmp_path_factory) -> Path:
    """A home with a gallery, made by the demo models."""
    home = tmp_path_factory.mktemp("wardrobe")
    open_wardrobe(home).close()
    return home


@pytest.fixture(scope="module")
def by_langchain(wardrobe, tmp_path_factory) -> Steps:
    home = shutil.copytree(wardrobe, tmp_path_factory.mktemp("langchain") / "home")
    return stored(home, asyncio.run(through_langchain(home)))


def test_the_conversation_is_one(by_langchain):
    assert tuple(parent for parent, _ in by_langchain) == PARENTS
    assert [len(hits) for _, hits in by_langchain] == [3, 5, 5, 0, 5, 4, 4, 4]


async def test_over_stdio_it_has_the_hits_that_it_has_through_langchain(wardrobe, by_langchain, tmp_path):
    home = shutil.copytree(wardrobe, tmp_path / "home")
    env = {"OMP_NUM_THREADS": "1", "IPCIR_VERIFY": "off"}
    server = StdioServerParameters(command=sys.executable, args=command(home), env=env)
    assert stored(home, await through_mcp(server)) == by_langchain


async def test_over_http_it_has_the_hits_that_it_has_through_langchain(wardrobe, by_langchain, tmp_path):
    home = shutil.copytree(wardrobe, tmp_path / "home")
    with started(home, "--http", "--port", "0") as server:
        seen = await through_mcp("http://{}:{}/mcp".format(*address_of(server)))
    assert stored(home, seen) == by_langchain


async def listed(client: Client) -> list[str]:
    return [turn["turn"] for turn in (await client.call_tool("list_turns", {})).structured_content["turns"]]


async def test_each_session_over_http_lists_its_own_turns(wardrobe, tmp_path):
    home = shutil.copytree(wardrobe, tmp_path / "home")
    with started(home, "--http", "--port", "0") as server:
        url = "http://{}:{}/mcp".format(*address_of(server))
        one, other = (Client(url, mode="legacy", read_timeout_seconds=TIMEOUT) for _ in range(2))
        async with one, other:
            found = [
                (await each.call_tool("find_images", {"text": "a coat"})).structured_content for each in (one, other)
            ]
            assert [await listed(one), await listed(other)] == [[found[0]["turn"]], [found[1]["turn"]]]
            shown = await one.call_tool("show_turn", {"turn": found[1]["turn"]})
            assert not shown.is_error, "a turn of another session can be named"
