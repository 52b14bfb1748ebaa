"""Chat servers that never end, unpack without end, redirect or fall silent: what is read, sent and kept of them."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from langchain_core.messages import HumanMessage

from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.client import ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.http_clients import REPLY_BYTES
from ipcir_tools.models.loading import load_chat_model
from ipcir_tools.settings import Settings

Answer = Callable[["RawServer", socket.socket], None]


class RawServer:
    """Answers each connection by writing bytes, and knows when its client has hung up."""

    def __init__(self) -> None:
        self.answer: Answer = whole
        self.requests: list[bytes] = []
        self.sent = 0
        self.hung_up = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            self.requests.append(connection.recv(65_536))
            try:
                self.answer(self, connection)
            except OSError:
                self.hung_up.set()

    def write(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        self.sent += len(data)

    def wait_for_the_end(self, connection: socket.socket, seconds: float = 20) -> None:
        """Read until the client closes the connection."""
        connection.settimeout(seconds)
        while connection.recv(4_096):
            pass
        self.hung_up.set()


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def reply(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return json.dumps(
        {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    ).encode()


JSON = "Content-Type: application/json"


def whole(server: RawServer, connection: socket.socket) -> None:
    body = reply("a blue shirt")
    server.write(connection, head(JSON, f"Content-Length: {len(body)}") + body)


def endless(server: RawServer, connection: socket.socket) -> None:
    server.write(connection, head(JSON))
    while True:
        server.write(connection, b" " * 65_536)


def endless_events(server: RawServer, connection: socket.socket) -> None:
    server.write(connection, head("Content-Type: text/event-stream"))
    choice = {"index": 0, "delta": {"content": "blue " * 1_000}, "finish_reason": None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    while True:
        server.write(connection, f"data: {json.dumps(chunk)}\n\n".encode())


def announced(server: RawServer, connection: socket.socket) -> None:
    server.write(connection, head(JSON, "Content-Length: 5000000000"))
    server.wait_for_the_end(connection)


def gzip_bomb(server: RawServer, connection: socket.socket) -> None:
    packed = gzip.compress(b" " * 400_000_000, 9)
    server.write(connection, head(JSON, "Content-Encoding: gzip", f"Content-Length: {len(packed)}") + packed)
    server.wait_for_the_end(connection)


def drip(server: RawServer, connection: socket.socket) -> None:
    server.write(connection, head(JSON))
    while True:
        server.write(connection, b" ")
        time.sleep(0.02)


def silent(server: RawServer, connection: socket.socket) -> None:
    server.wait_for_the_end(connection)


def silent_body(server: RawServer, connection: socket.socket) -> None:
    server.write(connection, head(JSON, "Content-Length: 100") + b"{")
    server.wait_for_the_end(connection)


@pytest.fixture
def server(monkeypatch) -> Iterator[RawServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with closing(RawServer()) as made:
        yield made


def ask(server: RawServer, seconds: float = 20, *, stream: bool = False) -> str:
    client = ChatClient(load_chat_model("openai:m", Settings(llm_base_url=server.url, llm_timeout=seconds)), None)
    steps = client.ask_streaming([HumanMessage("a secret prompt")], {}, Budget(seconds), stream=stream)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return str(end.value.text)


def test_a_reply_of_any_usual_kind_is_read(server):
    assert ask(server) == "a blue shirt"
    server.answer = lambda server, connection: server.write(
        connection, head(JSON, "Content-Encoding: gzip", "Connection: close") + gzip.compress(reply("a red shirt"))
    )
    assert ask(server) == "a red shirt"
    assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize("answer", [endless, announced, gzip_bomb], ids=lambda answer: answer.__name__)
def test_a_reply_that_is_too_long_is_given_up_once(server, answer):
    server.answer = answer
    with pytest.raises(NoReplyError, match=f"more than {REPLY_BYTES:,} bytes") as caught:
        ask(server)
    assert not caught.value.unanswered
    assert len(server.requests) == 1, "it would be as long again"
    assert server.hung_up.wait(5)
    assert server.sent < 2 * REPLY_BYTES + 4_000_000, "what lies in the buffers of the connection may be sent, too"


def test_a_stream_that_never_ends_is_given_up(server):
    server.answer = endless_events
    with pytest.raises(NoReplyError, match="more than"):
        ask(server, stream=True)
    assert server.hung_up.wait(5)
    assert server.sent < 2 * REPLY_BYTES + 4_000_000


def test_compression_that_nobody_asked_for_is_not_unpacked(server):
    server.answer = lambda server, connection: server.write(
        connection, head(JSON, "Content-Encoding: br", "Connection: close") + b"\x00" * 100
    )
    with pytest.raises(NoReplyError, match="compressed as 'br'"):
        ask(server)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_not_followed_and_its_place_is_named(server, status):
    with closing(RawServer()) as other:
        place = other.url.replace("127.0.0.1", "localhost") + "/chat/completions"
        server.answer = lambda server, connection: server.write(
            connection, head(f"Location: {place}", "Content-Length: 0", status=status)
        )
        with pytest.raises(NoReplyError, match="sent the request on to http://localhost, which is not followed"):
            ask(server)
        assert other.requests == []


@pytest.mark.parametrize("answer", [drip, silent, silent_body], ids=lambda answer: answer.__name__)
def test_a_call_that_is_given_up_ends(server, answer):
    server.answer = answer
    with pytest.raises(NoReplyError, match="in time"):
        ask(server, seconds=0.5)
    assert server.hung_up.wait(5), "the connection is closed when the time is up, not when the server ends it"
