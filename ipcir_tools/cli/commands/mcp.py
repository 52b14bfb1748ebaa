"""``ipcir mcp``: the tools for MCP clients."""

from __future__ import annotations

from typing import Annotated

import typer

from ipcir_tools.cli.options import ModelOptions, Verify, with_options


@with_options
def mcp(
    options: ModelOptions,
    verify: Verify = None,
    http: Annotated[bool, typer.Option("--http", help="Serve HTTP on this machine alone, instead of stdio.")] = False,
    port: Annotated[int, typer.Option(help="Port for --http; 0 takes a free one.", min=0, max=65535)] = 8765,
) -> None:
    """Serve the tools to MCP clients such as Claude Code, VS Code or Cursor."""
    from ipcir_tools.agents.mcp_transports import serve

    serve(options.settings(verify=verify), http=http, port=port)
