"""A server on loopback in a thread, and raw HTTP to it."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ipcir_tools.http_access import LOOPBACK, Access
from ipcir_tools.http_guard import ASGIApp, HttpLimits
from ipcir_tools.http_serving import guarded_server, listen

PATIENCE = 60.0


@contextmanager
def served(app: ASGIApp, limits: HttpLimits | None = None, token: str | None = None, **guard: Any) -> Iterator[int]:
    """The port of an application that is served for the length of a block."""
    with listen(LOOPBACK, 0) as listener:
        port = listener.getsockname()[1]
        server = guarded_server(app, Access(port=port, token=token), limits, **guard)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def until(true: Any) -> None:
    """Wait until something is true."""
    late = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < late, "it never came true"
        time.sleep(0.005)


def connect(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=PATIENCE)


def head(port: int, *lines: str, method: str = "GET", path: str = "/") -> bytes:
    """The head of a request as it is sent."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {LOOPBACK}:{port}", *lines, "", "")).encode()


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    data = b""
    while piece := connection.recv(65_536):
        data += piece
    return data


def status_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1.1 (\d+)", answer)
    assert found, answer
    return int(found[1])


def asked(port: int, *lines: str, body: bytes = b"", **request: str) -> bytes:
    """The answer to a request on a connection of its own."""
    with connect(port) as connection:
        connection.sendall(head(port, "Connection: close", *lines, **request) + body)
        return received(connection)
