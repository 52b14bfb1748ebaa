"""The MCP server over stdio and over HTTP on this machine."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipcir_tools.agents.mcp_server import build_server
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.applications import Starlette

    from ipcir_tools.settings import Settings


log = logging.getLogger(__name__)

HOST, PORT = "127.0.0.1", 8765
"""Where HTTP is served. There is no password, so no other address can be chosen."""


def serve(settings: Settings, *, http: bool = False, port: int = PORT) -> None:
    """Serve until the client closes the connection (stdio), or until Ctrl-C (HTTP).

    Nothing but the protocol is written to standard output.

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


def http_app(server: MCPServer[Any], port: int) -> Starlette:
    """The server as an ASGI application at ``/mcp``. It accepts only requests to this machine's own names, so
    that no web page reaches it through a name of its own (DNS rebinding)."""
    from mcp.server.transport_security import TransportSecuritySettings

    hosts = [f"{name}:{port}" for name in (HOST, "localhost")]
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])
    return server.streamable_http_app(transport_security=security)


def _serve_http(server: MCPServer[Any], port: int) -> None:
    import uvicorn

    with _listen(port) as listener:
        app = http_app(server, listener.getsockname()[1])
        sys.stderr.write(f"Serving MCP at http://{HOST}:{listener.getsockname()[1]}/mcp until Ctrl-C.\n")
        sys.stderr.flush()
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=3)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    """A socket on ``port`` of this machine; 0 takes a free one. Raises InvalidRequestError."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise InvalidRequestError(f"Port {port} cannot be served ({reason}): name another with --port.") from error
