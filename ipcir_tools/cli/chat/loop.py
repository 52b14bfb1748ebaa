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
"""Characters of an error that is not ours."""


# --- where the lines come from


def converse(chat: Chat, lines: Iterable[str]) -> int:
    """Answer lines that nobody types now, each echoed; blank ones and comments (``# ...``) are skipped.

    A line that fails says so, and the next one follows. Returns how many failed.
    """
    failed = 0
    for line in lines:
        text = line.strip()
        if not text or (text[0] == "#" and not text[1:2].isdigit()):  # "#3" picks
            continue
        console.show_typed(PROMPT, text)
        answered = _answered(chat, text)
        failed += answered is None
        if answered is False:
            break
    return failed


def talk(chat: Chat) -> None:
    """Answer somebody at a terminal until they leave. Ctrl-C ends a search that runs; at the prompt it leaves."""
    with suppress(ImportError):
        import readline  # noqa: F401 - input() edits lines and remembers them where it is loaded
    while True:
        try:
            line = input(PROMPT)
        except (EOFError, KeyboardInterrupt):
            console.out.print()
            return
        try:
            if _answered(chat, line) is False:
                return
        except KeyboardInterrupt:
            console.show_note("stopped", "the dialogue stands where it stood", "yellow")


def _answered(chat: Chat, text: str) -> bool | None:
    """Whether the dialogue goes on; None where the line failed and the error is on the screen."""
    try:
        return chat.hear(text)
    except IPCIRError as error:
        console.show_error(str(error))
    except Exception as error:  # broad, for a model's client raises its own types, and a dialogue must survive ours
        if os.environ.get("IPCIR_DEBUG"):
            raise
        whose = "the language model failed" if chat.voice else "a fault of ipcir"
        console.show_error(f"{type(error).__name__}: {str(error)[:MAX_ERROR]} ({whose}; IPCIR_DEBUG=1 shows where)")
    return None
