"""``ipcir find | turns | replay | chat``: dialogues on the command line."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli.options import (
    AsJson,
    CatalogURL,
    Home,
    ModelOptions,
    Verify,
    gallery_for,
    print_result,
    require_gallery,
    with_options,
)
from ipcir_tools.cli.search_output import HitOutput, InTerminal
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


@with_options
def turns(
    output: HitOutput,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the last turns.")] = 20,
    home: Home = None,
    catalog_url: CatalogURL = None,
) -> None:
    """List the last turns as trees: requests, and the best hit of each. `ipcir show TURN` shows all hits of one.

    With --paths or -0 only the files of the best hits are printed, newest first.
    """
    from ipcir_tools.cli.output import console, results
    from ipcir_tools.engine.hit_files import best_hits_as_they_are_now
    from ipcir_tools.settings import load_settings
    from ipcir_tools.store.catalog import Catalog

    output.check()
    settings = load_settings(home=home, catalog_url=catalog_url)
    require_gallery(settings)
    with Catalog.of(settings) as catalog:
        last = catalog.turns(limit)
        best = best_hits_as_they_are_now(last, catalog)
    if output.files_alone:
        output.write_files(list(dict.fromkeys(best.values())))
    elif output.as_json or last:
        documents = [turn.model_dump(mode="json") for turn in last]
        print_result(output.as_json, lambda: {"turns": documents}, lambda: results.show_turns(last, best=best))
    else:
        console.out.print('no turns yet: `ipcir search REFERENCE "in blue"` makes the first')


@with_options
def replay(
    turn: Annotated[str, typer.Argument(help="The turn, as a search printed it.")],
    options: ModelOptions,
    as_json: AsJson = False,
) -> None:
    """Answer a turn and all before it again; differences are listed, and make the exit status 1."""
    with gallery_for(options) as (engine, progress):
        from ipcir_tools.cli.output import results
        from ipcir_tools.engine import replay as replaying

        replayed = replaying.replay(engine, turn, progress)
    print_result(as_json, lambda: replaying.replay_json(replayed), lambda: results.show_replay(replayed))
    raise typer.Exit(0 if replayed.same else 1)


@with_options
def chat(
    options: ModelOptions,
    reference: Annotated[
        str | None, typer.Argument(help="The reference to start from: a file, or an id (default: words start it).")
    ] = None,
    script: Annotated[
        Path | None, typer.Option(help="Take the lines from a file; # begins a comment. Exit status 1 if one failed.")
    ] = None,
    verify: Verify = None,
    sheets: Annotated[Path | None, typer.Option(help="Draw each turn as a contact sheet into this folder.")] = None,
    in_terminal: InTerminal = False,
) -> None:
    """Hold a dialogue: edits, picks such as 'more like 3', undo, branches. Type help for more.

    With --llm the dialogue goes through an agent with that model; without it, by rules and offline. Without a terminal
    the lines come from standard input, as from a script.
    """
    lines = None if script is None else _script(script)
    with _open_engine(options, verify) as engine:
        failed = _chat(engine, reference, lines, sheets, in_terminal)
    raise typer.Exit(1 if failed else 0)


def _script(file: Path) -> list[str]:
    try:
        return file.expanduser().read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"The script {file} cannot be read ({error}): name a text file.") from error


def _open_engine(options: ModelOptions, verify: str | None) -> Engine:
    """The engine, with progress bars that are gone before the first line is typed."""
    from ipcir_tools.cli.output.console import progress_bars

    settings = options.settings(verify=verify)
    with progress_bars() as progress:
        progress("starting", 0, 1)
        from ipcir_tools.engine.engine import Engine

        return Engine.open(settings, progress)


def _chat(
    engine: Engine, reference: str | None, lines: list[str] | None, sheets: Path | None, in_terminal: bool
) -> int:
    """Hold the dialogue; how many lines failed."""
    from ipcir_tools.cli.chat.agent_session import AgentSession
    from ipcir_tools.cli.chat.chat import Chat
    from ipcir_tools.cli.chat.loop import run_interactive, run_script
    from ipcir_tools.cli.output import console
    from ipcir_tools.display.search_sheet import check_sheet

    if sheets is not None:
        check_sheet(sheets / "01.png")
    if in_terminal:
        from ipcir_tools.cli.output.terminal_pictures import check_terminal

        check_terminal()
    agent = AgentSession(engine) if engine.settings.llm else None
    dialogue = Chat(engine, agent=agent, sheets=sheets, in_terminal=in_terminal)
    typed = sys.stdin is not None and sys.stdin.isatty()
    if lines is None and typed:
        console.show_welcome(engine.catalog.size(), engine.settings.llm)
    if reference is not None:
        dialogue.start_from(reference)
    if lines is None and typed:
        run_interactive(dialogue)
        return 0
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    return run_script(dialogue, (sys.stdin or ()) if lines is None else lines)
