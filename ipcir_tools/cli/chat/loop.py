"""The loop of ``ipcir chat``: a line in, an answer out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from ipcir_tools.cli.chat.chat import Chat
from ipcir_tools.cli.output import console
from ipcir_tools.errors import IPCIRError

PROMPT = "> "

MAX_ERROR = 400
"""Characters of an unexpected error."""


def run_script(chat: Chat, lines: Iterable[str]) -> int:
    """Answer the lines of a script, each echoed; blank ones and comments (``# ...``) are skipped.

    A line that fails prints its error, and the next one follows. Returns how many failed.
    """
    failed = 0
    for line in lines:
        text = line.strip()
        if not text or (text[0] == "#" and not text[1:2].isdigit()):  # "#3" picks
            continue
        console.show_typed(PROMPT, text)
        goes_on = _answer(chat, text)
        failed += goes_on is None
        if goes_on is False:
            break
    return failed


def run_interactive(chat: Chat) -> None:
    """Answer a person at a terminal until they leave. Ctrl-C ends a search that runs; at the prompt it leaves."""
    with suppress(ImportError):
        import readline  # noqa: F401 - input() edits lines and remembers them where it is loaded
    while True:
        try:
            line = input(PROMPT)
        except (EOFError, KeyboardInterrupt):
            console.out.print()
            return
        try:
            if _answer(chat, line) is False:
                return
        except KeyboardInterrupt:
            console.show_note("stopped", "the dialogue is where it was before", "yellow")


def _answer(chat: Chat, text: str) -> bool | None:
    """Whether the dialogue goes on; None where the line failed and its error was printed."""
    try:
        return chat.handle(text)
    except IPCIRError as error:
        console.show_error(str(error))
    except Exception as error:  # broad: a model's client raises its own types, and a dialogue must survive them
        if os.environ.get("IPCIR_DEBUG"):
            raise
        cause = "the language model failed" if chat.agent else "an error in ipcir"
        console.show_error(f"{type(error).__name__}: {str(error)[:MAX_ERROR]} ({cause}; IPCIR_DEBUG=1 shows where)")
    return None
