"""``ipcir ui``: the page."""

from __future__ import annotations

from typing import Annotated

import typer

from ipcir_tools.cli.options import ModelOptions, with_options


@with_options
def ui(
    options: ModelOptions,
    host: Annotated[str, typer.Option(help="Address; another than this machine's own asks for a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8766,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """Serve the page: search, dialogue, gallery and indexing in a browser. Needs 'ipcir-tools\\[ui]'."""
    from ipcir_tools.errors import ModelUnavailableError

    try:
        from ipcir_tools.web.serving import serve
    except ModuleNotFoundError as error:
        raise ModelUnavailableError(f"The page needs {error.name}: pip install 'ipcir-tools[ui]'.") from error

    serve(options.settings(), host, port, browser=browser)
