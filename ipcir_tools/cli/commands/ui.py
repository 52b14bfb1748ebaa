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
    from importlib.util import find_spec

    from ipcir_tools.errors import ModelUnavailableError
    from ipcir_tools.web.serving import serve

    if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
        raise ModelUnavailableError(f"The page needs {' and '.join(missing)}: pip install 'ipcir-tools[ui]'.")
    serve(options.settings(), host, port, browser=browser)
