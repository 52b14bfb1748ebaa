"""The command line, ``ipcir``. Everything heavy is imported when a command runs."""

from __future__ import annotations

import io
import os
import sys
from typing import NoReturn

import typer
from typer import TyperException

from ipcir_tools.cli.commands.backup import backup, restore
from ipcir_tools.cli.commands.bench import bench
from ipcir_tools.cli.commands.cache import cache_app
from ipcir_tools.cli.commands.collection import folders, index, remove
from ipcir_tools.cli.commands.demo import demo
from ipcir_tools.cli.commands.dialogue import chat, replay, turns
from ipcir_tools.cli.commands.evaluate import eval_app
from ipcir_tools.cli.commands.export import export
from ipcir_tools.cli.commands.mcp import mcp
from ipcir_tools.cli.commands.models import models
from ipcir_tools.cli.commands.prompts import prompts_app
from ipcir_tools.cli.commands.search import find, refine, search
from ipcir_tools.cli.commands.show import show
from ipcir_tools.cli.commands.train import train_app
from ipcir_tools.cli.commands.tune import tune
from ipcir_tools.cli.commands.ui import ui
from ipcir_tools.cli.commands.verify import verify
from ipcir_tools.cli.commands.watch import watch
from ipcir_tools.cli.output.console import report_downloads, show_error
from ipcir_tools.errors import IPCIRError

app = typer.Typer(
    name="ipcir",
    help="Find the picture that is like this one, but ...",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    *(index, remove, folders, watch, search, refine, find, show, export),
    *(chat, turns, replay, demo, ui, mcp, tune, models, bench, verify, backup, restore),
)
for command in _COMMANDS:
    app.command()(command)
for name, group in {"cache": cache_app, "eval": eval_app, "prompts": prompts_app, "train": train_app}.items():
    app.add_typer(group, name=name)


def main() -> None:
    """Run ``ipcir``. A user's error ends with one line and status 2, never with a traceback or a page of help."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name must not end the output
    try:
        with report_downloads():
            sys.exit(typer.main.get_command(app)(standalone_mode=False) or 0)
    except IPCIRError as error:
        _fail(str(error), 2)
    except typer.Abort:
        _fail("ended before it was done.", 1)
    except Exception as error:  # broad, because a user never sees a traceback
        if isinstance(error, TyperException):
            _fail_to_parse(error)
        if os.environ.get("IPCIR_DEBUG"):
            raise
        _fail(f"{type(error).__name__}: {error} (this is a fault of ipcir; IPCIR_DEBUG=1 shows where)", 1)


def _fail_to_parse(error: TyperException) -> NoReturn:
    """One line for options and arguments that cannot be read, and where they are described."""
    if type(error).__name__ == "NoArgsIsHelpError":  # the help is printed already
        sys.exit(error.exit_code)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "ipcir"
    message = error.format_message().strip()
    _fail(f"{message}{'' if message[-1:] in '.?!' else '.'} See `{command} -h`.", error.exit_code)


def _fail(text: str, status: int) -> NoReturn:
    show_error(text)
    sys.exit(status)


if __name__ == "__main__":
    main()
