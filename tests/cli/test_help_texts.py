"""What ``--help`` says: every text as it was written, with nothing taken for markup."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
import typer
from rich.markup import render
from rich.text import Text
from typer.testing import CliRunner

from ipcir_tools.cli.main import app


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


def texts(command: click.Command) -> list[str]:
    """All that a person wrote for the help of a command."""
    own = [command.help, command.short_help, command.epilog]
    own += [getattr(parameter, "help", None) for parameter in command.params]  # a metavar is never read as markup
    return [text for text in own if text]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_word_of_a_help_text_is_taken_for_markup(path):
    for text in texts(COMMANDS[path]):
        assert render(text) == Text(text.replace("\\[", "[")), "write \\\\[ for a bracket"


def test_every_command_is_looked_at():
    assert ("index",) in COMMANDS
    assert len(COMMANDS) > 20


def test_the_extra_is_named_in_full():
    shown = CliRunner().invoke(app, ["index", "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert "'ipcir-tools[ray]'" in shown.output
