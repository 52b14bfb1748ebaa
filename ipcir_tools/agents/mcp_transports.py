"""The MCP server over stdio and over HTTP on this machine."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipcir_tools.agents.mcp_server import build_server, log
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.applications import Starlette

    from ipcir_tools.settings import Settings


HOST, PORT = "127.0.0.1", 8765
"""Where HTTP is served. It asks for no password, so no other address can be chosen."""


def serve(settings: Settings, *, http: bool = False, port: int = PORT) -> None:
    """Serve until the client hangs up (stdio), or until Ctrl-C (HTTP). Standard output is the protocol's alone.

    Raises the typed errors of ``Engine.open``, and InvalidRequestError where the port is taken.
    """
    from ipcir_tools.engine.engine import Engine

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with Engine.open(settings) as engine, suppress(KeyboardInterrupt):
        server = build_server(engine)
        if http:
            _serve_http(server, port)
        else:
            _serve_stdio(server)


# --- transports


def _serve_stdio(server: MCPServer[Any]) -> None:
    if sys.stdin is None:
        raise InvalidRequestError(
            "Standard input is closed, and MCP speaks through it: start it otherwise, or use --http."
        )
    if sys.stdin.isatty():
        sys.stderr.write("Serving MCP to the client that starts this command; by hand there is only Ctrl-C.\n")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # else Ctrl-C waits for the next line on standard input
    try:
        server.run("stdio")
    except* BrokenPipeError:
        log.warning("The client hung up before it had its answer.")


def http_app(server: MCPServer[Any], port: int) -> Starlette:
    """The server as an ASGI application at ``/mcp``. It answers only what was sent to this machine by name, so that
    no web page reaches it through a name of its own that leads here (DNS rebinding)."""
    from mcp.server.transport_security import TransportSecuritySettings

    hosts = [f"{name}:{port}" for name in (HOST, "localhost")]
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])
    return server.streamable_http_app(transport_security=security)


def _serve_http(server: MCPServer[Any], port: int) -> None:
    import uvicorn

    with _listening(port) as door:
        app = http_app(server, door.getsockname()[1])
        sys.stderr.write(f"Serving MCP at http://{HOST}:{door.getsockname()[1]}/mcp until Ctrl-C.\n")
        sys.stderr.flush()
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=3)
        uvicorn.Server(config).run(sockets=[door])


def _listening(port: int) -> socket.socket:
    """A socket on ``port`` of this machine; 0 takes a free one. Raises InvalidRequestError."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise InvalidRequestError(f"Port {port} cannot be served ({reason}): name another with --port.") from error
