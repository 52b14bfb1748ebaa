"""``ipcir mcp``: the tools for MCP clients."""

from __future__ import annotations

from typing import Annotated

import typer

from ipcir_tools.cli.options import ModelOptions, Verify, with_options


@with_options
def mcp(
    options: ModelOptions,
    verify: Verify = None,
    http: Annotated[bool, typer.Option("--http", help="Serve HTTP instead of stdio.")] = False,
    host: Annotated[
        str, typer.Option(help="Address for --http. Any but this machine's own needs a token in IPCIR_MCP_TOKEN.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for --http; 0 takes a free one.", min=0, max=65535)] = 8765,
    token: Annotated[
        str | None,
        typer.Option(help="What callers over HTTP must show. Safer in IPCIR_MCP_TOKEN: a command line is seen by all."),
    ] = None,
) -> None:
    """Serve the tools to MCP clients such as Claude Code, VS Code or Cursor."""
    from ipcir_tools.agents.mcp_transports import serve

    serve(options.settings(verify=verify, mcp_token=token), http=http, host=host, port=port)
