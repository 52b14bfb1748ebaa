"""What the documents show: their commands, their Python, and the table of settings that is made from the code."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ipcir_tools import settings
from ipcir_tools.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "ipcir_tools" / "docs").glob("*.md"))]
_JOINTS = {"&&", "|", ";", "||", ">", ">>", "&"}
_ASSIGNED = re.compile(r"[A-Z][A-Z0-9_]*=.*")


class Command(NamedTuple):
    """A command of ``ipcir`` as a document shows it."""

    document: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: ipcir {shlex.join(self.arguments)}"


def python_blocks(path: Path) -> list[str]:
    """The Python of a document, block by block."""
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def commands(path: Path) -> Iterator[Command]:
    """Each command of ``ipcir`` in an indented block, or in backquotes within a sentence."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    blocks = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    lines = re.sub(r"\\\n\s*", "", blocks).splitlines()
    lines += [re.sub(r"\s+", " ", each) for each in re.findall(r"`([^`]*)`", prose)]
    for line in lines:
        for words in _parts(line):
            while words and _ASSIGNED.fullmatch(words[0]):
                words = words[1:]
            if words and words[0].rpartition("/")[2] == "ipcir":
                yield Command(path.name, tuple(words[1:]))


def _parts(line: str) -> Iterator[list[str]]:
    """The commands of one line, without its comment."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # no shell's line
        return
    part: list[str] = []
    for word in [*words, ";"]:
        if word in _JOINTS:
            yield part
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
