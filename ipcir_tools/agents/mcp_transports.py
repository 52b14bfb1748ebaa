"""The MCP server over stdio and over HTTP."""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipcir_tools.agents.mcp_server import build_server
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.http_access import LOOPBACK, Access, check_access
from ipcir_tools.http_guard import HttpLimits

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.applications import Starlette

    from ipcir_tools.settings import Settings


log = logging.getLogger(__name__)

HOST, PORT = LOOPBACK, 8765
"""Where HTTP is served where nothing else is said."""
SESSIONS = 1_000
"""Sessions of clients of 2025 at a time; each ends after ``SESSION_SECONDS`` without a request."""
SESSION_SECONDS = 1_800


def serve(settings: Settings, *, http: bool = False, host: str = HOST, port: int = PORT) -> None:
    """Serve until the client closes the connection (stdio), or until Ctrl-C (HTTP).

    Nothing but the protocol is written to standard output.

    Raises the typed errors of ``Engine.open``, and InvalidRequestError where the port is taken, or where other machines
    reach the address and there is no token.
    """
    from ipcir_tools.engine.engine import Engine

    if http:
        check_access(host, _token(settings))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with Engine.open(settings) as engine, suppress(KeyboardInterrupt):
        server = build_server(engine)
        if http:
            _serve_http(server, settings, host, port)
        else:
            _serve_stdio(server)


def _serve_stdio(server: MCPServer[Any]) -> None:
    if sys.stdin is None:
        raise InvalidRequestError(
            "Standard input is closed, and MCP needs it: start the command otherwise, or use --http."
        )
    if sys.stdin.isatty():
        sys.stderr.write("Serving MCP to the client that starts this command; by hand there is only Ctrl-C.\n")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # else Ctrl-C waits for the next line on standard input
    try:
        server.run("stdio")
    except* BrokenPipeError:
        log.warning("The client closed the connection before it had its answer.")


def http_app(server: MCPServer[Any]) -> Starlette:
    """The server as an ASGI application at ``/mcp``, to be served behind an ``HttpGuard``, which checks what the
    library's own settings would."""
    from mcp.server.transport_security import TransportSecuritySettings

    return server.streamable_http_app(
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        max_request_body_size=HttpLimits().body,
        max_sessions=SESSIONS,
        session_idle_timeout=SESSION_SECONDS,
    )


def _serve_http(server: MCPServer[Any], settings: Settings, host: str, port: int) -> None:
    from ipcir_tools.http_serving import guarded_server, listen

    with listen(host, port) as listener:
        access = Access(host, listener.getsockname()[1], _token(settings), settings.server_names)
        sys.stderr.write(f"Serving MCP at {access.url}/mcp until Ctrl-C.\n")
        sys.stderr.flush()
        guarded_server(http_app(server), access).run(sockets=[listener])


def _token(settings: Settings) -> str | None:
    return settings.mcp_token.get_secret_value() if settings.mcp_token is not None else None
