"""A guarded server on loopback, against clients that send slowly, never, or too much. Nothing is timed: a server that
waits for ever fails by the patience of the client."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

import pytest
from http_client import asked, connect, head, received, served, status_of, until

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.http_guard import HttpLimits
from ipcir_tools.http_serving import HEAD_BYTES, listen

TOKEN = "a-token-of-many-characters"
SHORT = HttpLimits(body=1_000, body_seconds=0.1, header_seconds=0.1, write_seconds=0.1, connections=8)


class App:
    """Reads the body and answers; notes what it does."""

    def __init__(self, answer: bytes = b"hello", times: int = 1) -> None:
        self.calls, self.ended = 0, 0
        self._answer, self._times = answer, times

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.calls += 1
        try:
            while (await receive()).get("more_body"):
                pass
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for left in reversed(range(self._times)):
                await send({"type": "http.response.body", "body": self._answer, "more_body": left > 0})
        finally:
            self.ended += 1


def test_an_ordinary_request_is_answered_and_its_connection_kept():
    with served(App()) as port, connect(port) as connection:
        for _ in range(3):
            connection.sendall(head(port))
            assert status_of(connection.recv(65_536)) == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "])
def test_a_head_that_does_not_come_is_given_up(sent):
    with served(App(), SHORT) as port, connect(port) as connection:
        connection.sendall(sent)
        assert status_of(received(connection)) == 408


def test_a_second_head_that_does_not_come_is_given_up():
    with served(App(), SHORT) as port, connect(port) as connection:
        connection.sendall(head(port) + b"GET / HT")
        first, second = received(connection).split(b"HTTP/1.1 408")
        assert status_of(first) == 200
        assert b"Request Timeout" in second


def test_a_head_without_end_is_refused():
    app = App()
    with served(app) as port, connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-A: " + b"a" * (HEAD_BYTES + 1_000))
        assert status_of(received(connection)) == 400
    assert app.calls == 0


def test_a_body_that_does_not_come_is_given_up():
    with served(App(), SHORT) as port, connect(port) as connection:
        connection.sendall(head(port, "Content-Length: 10", method="POST") + b"abc")
        assert status_of(received(connection)) == 408


@pytest.mark.parametrize("length", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
def test_a_large_body_is_refused(length):
    with served(App(), SHORT) as port:
        assert status_of(asked(port, length, method="POST", body=b"7D0\r\n" + b"x" * 2_000 + b"\r\n")) == 413


def test_a_client_that_does_not_read_its_answer_is_given_up():
    app = App(b"x" * 100_000, times=1_000)
    with served(app, SHORT) as port, connect(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(head(port))
        until(lambda: app.ended)


def test_connections_beyond_the_number_are_told_to_come_again():
    with served(App(), HttpLimits(connections=3)) as port, ExitStack() as open_ones:
        held = [open_ones.enter_context(connect(port)) for _ in range(3)]
        for each in held:
            each.sendall(head(port))
            assert status_of(each.recv(65_536)) == 200
        with connect(port) as late:
            answer = received(late)
        assert status_of(answer) == 503
        assert b"Retry-After: 1" in answer
        held[0].close()
        until(lambda: b" 200 " in asked_or_refused(port))


def asked_or_refused(port: int) -> bytes:
    try:
        return asked(port)
    except OSError:  # closed before all was sent
        return b""


def test_names_origins_and_tokens_are_checked():
    with served(App(), token=TOKEN) as port:
        bearer = f"Authorization: Bearer {TOKEN}"
        assert status_of(asked(port, bearer)) == 200
        assert status_of(asked(port)) == 401
        assert status_of(asked(port, bearer, "Origin: http://evil.example")) == 403
        with connect(port) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
            assert status_of(received(connection)) == 421


def test_a_web_socket_outlives_the_time_of_a_head():
    from websockets.sync.client import connect as websocket

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    with served(echo, SHORT) as port, websocket(f"ws://127.0.0.1:{port}/") as opened:
        with connect(port) as other:
            other.sendall(b"GET")
            received(other)  # as long as a head may take
        opened.send("hello")
        assert opened.recv() == "hello"


def test_a_taken_port_is_one_line():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidRequestError, match=f"Port {port} cannot be served"):
            listen("127.0.0.1", port)
