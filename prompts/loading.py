"""Reading and checking prompt files.

A prompt file is YAML front matter between two ``---`` lines, then one or more sections, each below a line
``## system``, ``## user`` or ``## assistant``; the last one is ``## user``, or ``## system`` is the only one. A section
is an f-string template: ``{caption}`` is a variable, ``{{`` and ``}}`` are literal braces. ``variables`` maps each
variable to the maximum number of characters of it that a model is sent. A template puts a variable between tags of its
own name, ``<caption>{caption}</caption>``; rendering breaks these tags where they occur inside a value, so that a value
cannot end its own data block.

``pictures`` names the pictures that follow the text of the last section, in this order. ``reply`` is ``text``, or the
JSON schema of the object that the prompt asks for. The files in a user's folder come before the package's: ``ID.md`` is
a new prompt, or replaces the package's prompt of that id.

Every fault of a file is found when it is read, and reported on one line with the file's name. The front matter holds
plain JSON values only, so that any prompt that was read can be rendered, shown as JSON and sent.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.prompts.prompt import FrontMatter, Prompt, Role
from ipcir_tools.prompts.schema import MAX_NUMBER, describe_faults
from ipcir_tools.text import one_line

_HEADING = re.compile(rf"^## ({'|'.join(get_args(Role))})[ \t]*$", re.MULTILINE)

MAX_BYTES = 256 * 1024
"""Larger files are refused: no prompt is that long, and parsing YAML is slow."""
MAX_DEPTH = 32


def prompt_ids(folder: Path | None = None) -> list[str]:
    """Ids of the prompts in the package and in the user's ``folder``, sorted.

    Raises ``NotFoundError`` for a folder that does not exist.
    """
    packaged = (entry.name for entry in files("ipcir_tools.prompts").iterdir())
    own = _names(folder) if folder else ()
    return sorted({name.removesuffix(".md") for name in (*packaged, *own) if name.endswith(".md")})


def load_prompt(id: str, folder: Path | None = None) -> Prompt:
    """The prompt ``id`` from the user's ``folder`` if it is there, or else from the package.

    Raises ``NotFoundError`` for an unknown id or folder, ``InvalidRequestError`` for a faulty file.
    """
    known = prompt_ids(folder)
    if id not in known:
        raise NotFoundError(one_line(f"no prompt {id!r}; there are {', '.join(known)}"))
    name = f"{id}.md"
    if folder is not None and name in _names(folder):
        own = folder.expanduser() / name
        prompt = parse_prompt(_text(own), str(own)).model_copy(update={"own": True})
    else:
        prompt = parse_prompt(files("ipcir_tools.prompts").joinpath(name).read_text(encoding="utf-8"), name)
    if prompt.id != id:
        raise _file_error(name, f"has the id {prompt.id}; file name and id must be the same")
    return prompt


def _names(folder: Path) -> list[str]:
    folder = folder.expanduser()
    try:
        return [entry.name for entry in folder.iterdir()]
    except (OSError, ValueError) as error:
        whys: dict[type[Exception], str] = {FileNotFoundError: "does not exist", NotADirectoryError: "is a file"}
        why = whys.get(type(error), f"cannot be read ({error})")
        raise NotFoundError(
            one_line(f"{folder} {why}: name the folder of your prompts with --prompts or IPCIR_PROMPTS")
        ) from error


def _text(path: Path) -> str:
    try:
        if not path.is_file():  # reading a pipe would block, reading a device would not end
            raise _file_error(path, "is not a regular file: write the prompt into a text file of that name")
        if path.stat().st_size > MAX_BYTES:
            raise _file_error(path, f"is larger than {MAX_BYTES // 1024} KiB: a prompt is a short text")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise _file_error(path, f"cannot be read ({error}): save it as UTF-8") from error


def _file_error(source: object, why: str) -> InvalidRequestError:
    """The error for a prompt file, on one line whatever its name or the reason contains."""
    return InvalidRequestError(one_line(f"prompt file {source}{'' if why.startswith(':') else ' '}{why}"))


def parse_prompt(text: str, source: str) -> Prompt:
    """A prompt file's text as a checked ``Prompt``; ``source`` names it in errors. Raises ``InvalidRequestError``."""
    text = text.replace("\r\n", "\n")
    head, body = _split(text, source)
    if unknown := sorted(set(head) - set(FrontMatter.model_fields)):
        raise _file_error(source, f": {', '.join(unknown)} is not a field of the front matter")
    sections = _sections(body, source)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:8]
    try:
        prompt = Prompt.model_validate({**head, "sections": sections, "hash": fingerprint})
    except ValidationError as error:
        raise _file_error(source, f": {describe_faults(error)}") from error
    _check_variables(prompt, source)
    return prompt


def _split(text: str, source: str) -> tuple[dict[str, object], str]:
    parts = re.split(r"^---[ \t]*$", text, maxsplit=2, flags=re.MULTILINE)
    if len(parts) != 3 or parts[0].strip():
        raise _file_error(source, "must begin with front matter between two lines '---'")
    try:
        head = yaml.load(parts[1], _UniqueKeyLoader)
    except Exception as error:  # YAML's constructors of numbers, dates and tags raise many types
        raise _file_error(source, f": its front matter is not YAML ({str(error) or type(error).__name__})") from error
    if not isinstance(head, dict):
        raise _file_error(source, ": its front matter must be 'name: value' lines")
    try:
        _check_plain(head)
    except ValueError as error:
        raise _file_error(source, f": {error}") from error
    return head, parts[2]


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a repeated name in a mapping, of which YAML would silently take the last value."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := sorted(name for name, times in names.items() if times > 1):
            raise yaml.YAMLError(f"{', '.join(twice)} is given twice")
        return node


def _check_plain(head: dict[Any, Any]) -> None:
    """Raise ``ValueError`` for values that JSON does not have, that contain themselves, or that are too large."""
    queue: list[tuple[Any, str, int]] = [(head, "", 0)]
    characters = 0
    for value, place, depth in queue:  # grows during the loop
        characters += len(value) if isinstance(value, str) else 0
        if depth > MAX_DEPTH or len(queue) + characters > MAX_BYTES:  # each use of an alias counts
            raise ValueError(f"{place} contains itself, or is nested more than {MAX_DEPTH} deep, or is too large")
        if isinstance(value, dict):
            if bad_names := [name for name in value if not (isinstance(name, str) and _is_plain(name))]:
                raise ValueError(f"{_at(place)}a name is a {type(bad_names[0]).__name__}: put it in quotes")
            queue += [(each, f"{place}.{name}".lstrip("."), depth + 1) for name, each in value.items()]
        elif isinstance(value, list):
            queue += [(each, place, depth + 1) for each in value]
        elif not _is_plain(value):
            raise ValueError(
                f"{_at(place)}a {type(value).__name__} that JSON does not have: write a text in quotes, a number up "
                "to 2^53, true, false, null, a list or a mapping"
            )


def _at(place: str) -> str:
    return f"{place}: " if place else ""


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, int | float):
        return abs(value) <= MAX_NUMBER  # which neither NaN nor infinity is
    return value is None


def _sections(body: str, source: str) -> list[tuple[str, str]]:
    lead, *rest = _HEADING.split(body)
    if lead.strip():
        raise _file_error(source, ": text before the first '## system' or '## user' line")
    sections = [(role, template.strip()) for role, template in zip(rest[::2], rest[1::2], strict=True)]
    roles = [role for role, _ in sections]
    if roles != ["system"] and roles[-1:] != ["user"]:
        raise _file_error(source, ": the last section must be '## user', or '## system' the only one")
    return sections


def _check_variables(prompt: Prompt, source: str) -> None:
    if prompt.pictures and prompt.sections[-1][0] != "user":
        raise _file_error(source, ": pictures need a '## user' section as the last one")
    used = {name for _, template in prompt.sections for name in _variables(template, source)}
    if undeclared := sorted(used - set(prompt.variables)):
        raise _file_error(source, f"uses {', '.join(undeclared)}; declare it under 'variables'")
    if unused := sorted(set(prompt.variables) - used):
        raise _file_error(source, f"declares {', '.join(unused)} but never uses it")


def _variables(template: str, source: str) -> list[str]:
    try:
        fields = [field for field in Formatter().parse(template) if field[1] is not None]
    except ValueError as error:
        raise _file_error(source, f": {error}; write literal braces as {{{{ }}}}") from error
    for _, name, form, conversion in fields:
        if form or conversion or not str(name).isidentifier():
            raise _file_error(source, f": {{{name}}} is not a variable; write literal braces as {{{{ }}}}")
    return [str(field[1]) for field in fields]
