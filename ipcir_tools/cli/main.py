"""The command line, ``ipcir``. Everything heavy is imported when a command runs."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ipcir_tools.cli.commands.cache import cache_app
from ipcir_tools.cli.commands.dialogue import dialogue_app
from ipcir_tools.cli.commands.evaluate import eval_app
from ipcir_tools.cli.commands.prompts import prompts_app
from ipcir_tools.cli.commands.search import search_app
from ipcir_tools.cli.commands.train import train_app
from ipcir_tools.cli.commands.tune import tune
from ipcir_tools.cli.options import (
    LLM,
    AsJson,
    CaptionerName,
    Count,
    EncoderName,
    Home,
    Models,
    engine_for,
    print_result,
)
from ipcir_tools.errors import IPCIRError, SpaceMismatchError

app = typer.Typer(
    name="ipcir",
    help="Find the picture that is like this one, but ...",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(search_app)


@app.command()
def demo(
    home: Annotated[
        Path | None, typer.Option(help="Folder for the demo's pictures and catalog (default: ~/.ipcir/demo).")
    ] = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    k: Count = None,
    as_json: AsJson = False,
) -> None:
    """Draw a gallery, play a three-turn dialogue and measure what imagining is worth, offline."""
    from ipcir_tools.settings import load_settings

    folder = (home or load_settings().home / "demo").expanduser().absolute()
    chosen = {
        "home": folder,
        "models": models or "demo",
        "encoder": encoder,
        "captioner": captioner,
        "llm": llm,
        "k": k,
    }
    with engine_for(**chosen) as (engine, progress):
        from ipcir_tools.cli.output import evaluation
        from ipcir_tools.demo.play import demo_json, play

        try:
            show = play(engine, folder, progress)
        except SpaceMismatchError as error:
            text = f"The demo in {folder} was made with other models: delete that folder, or name another --home."
            raise SpaceMismatchError(text) from error
    print_result(as_json, lambda: demo_json(show), lambda: evaluation.show_demo(show, folder))


@app.command()
def mcp(
    http: Annotated[bool, typer.Option("--http", help="Serve HTTP on this machine alone, instead of stdio.")] = False,
    port: Annotated[int, typer.Option(help="Port for --http; 0 takes a free one.", min=0, max=65535)] = 8765,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
) -> None:
    """Serve the tools to MCP clients such as Claude Code, VS Code or Cursor."""
    from ipcir_tools.agents.mcp_transports import serve
    from ipcir_tools.settings import load_settings

    chosen = {"home": home, "models": models, "encoder": encoder, "captioner": captioner, "llm": llm}
    serve(load_settings(**chosen), http=http, port=port)


app.add_typer(dialogue_app)
app.add_typer(cache_app, name="cache")
app.add_typer(eval_app, name="eval")
app.add_typer(prompts_app, name="prompts")
app.add_typer(train_app, name="train")
app.command()(tune)


def main() -> None:
    """Run ``ipcir``. What a user can mend ends with one line and status 2, never with a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name must not end the output
    try:
        app()
    except IPCIRError as error:
        _fail(str(error), 2)
    except Exception as error:
        if os.environ.get("IPCIR_DEBUG"):
            raise
        _fail(f"{type(error).__name__}: {error} (this is a fault of ipcir; IPCIR_DEBUG=1 shows where)", 1)


def _fail(text: str, status: int) -> None:
    from ipcir_tools.cli.output.console import show_error

    show_error(text)
    sys.exit(status)


if __name__ == "__main__":
    main()
