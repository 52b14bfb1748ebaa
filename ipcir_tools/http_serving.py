"""Serving an ASGI application over HTTP with uvicorn, guarded: what uvicorn has no setting for is done here.

uvicorn bounds the size of a request's head and closes idle connections after an answer, but waits for ever for the
first request and for the end of its head, and for clients that do not read their answer. Needs the extra ``mcp``.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any, ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.http_access import LOOPBACK, Access
from ipcir_tools.http_guard import ASGIApp, HttpGuard, HttpLimits

HEAD_BYTES = 16_384
"""Bytes of a request's line and headers at most."""
SHUTDOWN_SECONDS = 3
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_LAST_WORD = 1.0
"""Seconds in which a connection that is closed may take its last bytes."""


def listen(host: str, port: int) -> socket.socket:
    """A socket on a port of an address; port 0 takes a free one. Raises InvalidRequestError."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        where = "" if host == LOOPBACK else f" of {host}"
        raise InvalidRequestError(
            f"Port {port}{where} cannot be served ({reason}): name another with --port."
        ) from error


def guarded_server(app: ASGIApp, access: Access, limits: HttpLimits | None = None, **guard: Any) -> uvicorn.Server:
    """The server of an application behind an ``HttpGuard``; ``run(sockets=[listen(...)])`` serves until Ctrl-C."""
    limits = limits or HttpLimits()
    return uvicorn.Server(
        uvicorn.Config(
            HttpGuard(app, access, limits, **guard),
            http=_protocol(limits),
            h11_max_incomplete_event_size=HEAD_BYTES,
            ws_max_size=limits.body,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="error",
        )
    )


def _protocol(limits: HttpLimits) -> type[asyncio.Protocol]:
    return type("GuardedProtocol", (_GuardedProtocol,), {"limits": limits})


class _GuardedProtocol(H11Protocol):
    """uvicorn's protocol for HTTP/1.1 with a number of connections, and times in which heads come and answers go."""

    limits: ClassVar[HttpLimits]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._hang_up(_FULL)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upgraded = True
        self._watch()
        self._stop_waiting_for_reader()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_waiting_for_reader()
        super().resume_writing()

    def _watch(self) -> None:
        """Let the clock run while a request's head is waited for, and only then."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self._upgraded or self.transport.is_closing():
            if self._late is not None:
                self._late.cancel()
            self._late = None
        elif self._late is None:
            self._late = self.loop.call_later(self.limits.header_seconds, self._hang_up, _LATE)

    def _hang_up(self, last_word: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(last_word)
            self.transport.close()
            self.loop.call_later(_LAST_WORD, self.transport.abort)

    def _stop_waiting_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
        self._unread = None
