"""What the documents show: their commands, their Python, and the table of settings that is made from the code."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from ipcir_tools import settings
from ipcir_tools.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "ipcir_tools" / "docs").glob("*.md"))]
_JOINTS = {"&&", "|", ";", "||", "&"}
_ASSIGNED = re.compile(r"[A-Z][A-Z0-9_]*=.*")

_ALONE = {"search", "refine", "remove", "show", "export", "eval", "chat", "train", "tune", "find"}
"""Commands that a sentence may name without their arguments."""


class Command(NamedTuple):
    """A command as a document shows it."""

    document: str
    words: tuple[str, ...]
    shown: bool
    """In a block of its own, so that a reader runs it as it is; else within a sentence."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows the program's name."""
        return self.words[1:]

    @property
    def program(self) -> str:
        """The program's name, without its folder."""
        return self.words[0].rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.document}: {shlex.join(self.words)}"


def python_blocks(path: Path) -> list[str]:
    """The Python of a document, block by block."""
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def code_lines(path: Path) -> list[str]:
    """The lines of all blocks of a document."""
    text = path.read_text(encoding="utf-8")
    fenced = "".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)).splitlines()
    return fenced + [line[4:] for line in _unfenced(text).splitlines() if line.startswith("    ")]


def commands(path: Path) -> list[Command]:
    """Each command of ``ipcir`` in an indented block, in backquotes within a sentence, or in a block of JSON."""
    found = [each._replace(words=("ipcir", *each.arguments)) for each in all_commands(path) if each.program == "ipcir"]
    return list(dict.fromkeys(found))


def all_commands(path: Path) -> Iterator[Command]:
    """The same, and those of other programs."""
    text = path.read_text(encoding="utf-8")
    plain = _unfenced(text)
    blocks = "\n".join(line for line in plain.splitlines() if line.startswith("    "))
    prose = "\n".join(line for line in plain.splitlines() if not line.startswith("    "))
    shown = re.sub(r"\\\n\s*", "", blocks).splitlines()
    named = [re.sub(r"\s+", " ", each) for each in re.findall(r"`([^`]*)`", "\n".join([prose, *_comments(shown)]))]
    for lines, is_shown in ((shown, True), (named, False)):
        for words in (part for line in lines for part in _parts(line)):
            while words and _ASSIGNED.fullmatch(words[0]):
                words = words[1:]
            if words:
                yield Command(path.name, tuple(words), is_shown)
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        for server in (each for servers in json.loads(block).values() for each in servers.values()):
            yield Command(path.name, (server["command"], *server["args"]), True)


def is_named_only(command: Command) -> bool:
    """Whether a sentence only names the command, or leaves something open."""
    if command.shown:
        return False
    if {"NAME", "captions"} & set(command.arguments[1:2]) and len(command.arguments) == 2:
        return True
    if command.arguments and command.arguments[-1] in ("--embeddings", "--llm"):
        return True
    words = [word for word in command.arguments if not word.startswith("-")]
    return len(command.arguments) <= 1 or "..." in words or (len(words) == 1 and words[0] in _ALONE)


def _unfenced(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def _comments(lines: Iterable[str]) -> Iterator[str]:
    """What is said behind commands, which may name others."""
    return (line.partition(" # ")[2] for line in lines)


def _parts(line: str) -> Iterator[list[str]]:
    """The commands of one line, without its comment."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # no shell's line
        return
    part: list[str] = []
    for word in [*words, ";"]:
        if word in _JOINTS:
            yield list(takewhile(lambda each: each not in (">", ">>"), part))
            part = []
        else:
            part.append(word)


def settings_table() -> str:
    """Settings as environment variables, their defaults and what they mean, from the docstrings of the code."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, meaning in _meanings().items():
        default = Settings.model_fields[name].get_default(call_default_factory=True)
        shown = "" if default is None or default == () else f"`{default}`"
        rows.append(f"| `IPCIR_{name.upper()}` | {shown} | {meaning} |")
    return "\n".join(rows)


def _meanings() -> dict[str, str]:
    """The text below each setting; settings without one share that of the next."""
    module = ast.parse(Path(settings.__file__).read_text(encoding="utf-8"))
    [body] = [node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Settings"]
    found: dict[str, str] = {}
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            found[node.target.id] = re.sub(r"\s+", " ", str(said)).replace("``", "`").replace("|", "\\|").strip()
    return {name: _plain(meaning) for name, meaning in found.items()}


def _plain(meaning: str) -> str:
    """Without the roles of reStructuredText."""
    return re.sub(r":\w+:`[~.\w]*?(\w+)`", r"`\1`", meaning)


if __name__ == "__main__":
    print(settings_table())  # noqa: T201
