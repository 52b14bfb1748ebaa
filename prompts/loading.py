"""Reads and checks prompt files, and renders them with the caller's values as data.

A prompt file is YAML front matter between two ``---`` lines, then one or more sections, each under a line
``## system``, ``## user`` or ``## assistant``; the last is ``## user``, or ``## system`` is the only one. A section is
an f-string template: ``{caption}`` is a variable, ``{{`` and ``}}`` are literal braces. ``variables`` maps each one
to the most characters of it that reach a model. A template puts a variable between tags of its own name,
``<caption>{caption}</caption>``; rendering breaks those tags where they occur inside a value, so a value cannot end its
own data block.

``pictures`` names the pictures that follow the last section's text, in this order. ``reply`` is ``text``, or the JSON
schema of the object that the prompt asks for. A folder of the user's own prompt files stands before the package's: its
``ID.md`` is a new prompt, or takes the place of the package's of that id.

Whatever is wrong with a file is found when it is read, and told as one line that names it. The front matter holds
plain JSON values alone, so that a prompt that was read can be rendered, shown as JSON and sent.
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
from ipcir_tools.prompts.prompt import MAX_NUMBER, FrontMatter, Prompt, Role
from ipcir_tools.text import one_line

_HEADING = re.compile(rf"^## ({'|'.join(get_args(Role))})[ \t]*$", re.MULTILINE)

MAX_BYTES = 256 * 1024
"""What is larger is no prompt that a person wrote, and YAML is slow to read."""
MAX_DEPTH = 32


def prompt_ids(folder: Path | None = None) -> list[str]:
    """Ids of the prompts in the package and in the user's own ``folder``, sorted. Raises ``NotFoundError`` without it.
    Ids of the prompts in the package and in the user's own ``folder``, sorted. Raises ``NotFoundError`` without it."""
    packaged = (entry.name for entry in files("ipcir_tools.prompts").iterdir())
    own = _names(folder) if folder else ()
    return sorted({name.removesuffix(".md") for name in (*packaged, *own) if name.endswith(".md")})


def load_prompt(id: str, folder: Path | None = None) -> Prompt:
    """The prompt ``id``: the user's own where ``folder`` has it, else the package's.

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
        raise _refused(name, f"calls itself {prompt.id}; file name and id must be the same")
    return prompt


def _names(folder: Path) -> list[str]:
    folder = folder.expanduser()
    try:
        return [entry.name for entry in folder.iterdir()]
    except (OSError, ValueError) as error:
        raise NotFoundError(
            one_line(f"there is no folder {folder} with prompts ({error}): mend --prompts or IPCIR_PROMPTS")
        ) from error


def _text(path: Path) -> str:
    try:
        if not path.is_file():  # a pipe would be waited for, a device never ends
            raise _refused(path, "is no regular file: write the prompt into a text file of that name")
        if path.stat().st_size > MAX_BYTES:
            raise _refused(path, f"is larger than {MAX_BYTES // 1024} KiB: a prompt is a short text")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise _refused(path, f"cannot be read ({error}): save it as UTF-8") from error


def _refused(source: object, why: str) -> InvalidRequestError:
    """What is wrong with a prompt file, on one line, whatever stands in its name or in the reason."""
    return InvalidRequestError(one_line(f"prompt file {source}{'' if why.startswith(':') else ' '}{why}"))


def parse_prompt(text: str, source: str) -> Prompt:
    """A prompt file's text as a checked ``Prompt``; ``source`` names it in errors. Raises ``InvalidRequestError``."""
    text = text.replace("\r\n", "\n")
    head, body = _split(text, source)
    if unknown := sorted(set(head) - set(FrontMatter.model_fields)):
        raise _refused(source, f": {', '.join(unknown)} is no field of the front matter")
    sections = _sections(body, source)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:8]
    try:
        prompt = Prompt.model_validate({**head, "sections": sections, "hash": fingerprint})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise _refused(source, f": {faults}") from error
    _check_variables(prompt, source)
    return prompt


def _split(text: str, source: str) -> tuple[dict[str, object], str]:
    parts = re.split(r"^---[ \t]*$", text, maxsplit=2, flags=re.MULTILINE)
    if len(parts) != 3 or parts[0].strip():
        raise _refused(source, "must begin with front matter between two lines '---'")
    try:
        head = yaml.load(parts[1], _Unrepeated)
    except Exception as error:  # YAML's makers of numbers, dates and tags raise what their conversions raise
        raise _refused(source, f": its front matter is not YAML ({str(error) or type(error).__name__})") from error
    if not isinstance(head, dict):
        raise _refused(source, ": its front matter must be 'name: value' lines")
    try:
        _check_plain(head)
    except ValueError as error:
        raise _refused(source, f": {error}") from error
    return head, parts[2]


class _Unrepeated(yaml.SafeLoader):
    """Refuses a name that stands twice in one mapping, of which YAML would silently take the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := sorted(name for name, times in names.items() if times > 1):
            raise yaml.YAMLError(f"{', '.join(twice)} stands there twice")
        return node


def _check_plain(head: dict[Any, Any]) -> None:
    """Refuse what JSON cannot hold, what is inside of itself, and what grows out of bounds. Raises ``ValueError``."""
    met: list[tuple[Any, str, int]] = [(head, "", 0)]
    letters = 0
    for value, place, depth in met:  # grows while it is gone through
        letters += len(value) if isinstance(value, str) else 0
        if depth > MAX_DEPTH or len(met) + letters > MAX_BYTES:  # what has an alias is written out each time
            raise ValueError(f"{place} holds itself, or is nested more than {MAX_DEPTH} deep, or is too large")
        if isinstance(value, dict):
            if strange := [name for name in value if not (isinstance(name, str) and _is_plain(name))]:
                raise ValueError(f"{_at(place)}a name is a {type(strange[0]).__name__}: put it in quotes")
            met += [(each, f"{place}.{name}".lstrip("."), depth + 1) for name, each in value.items()]
        elif isinstance(value, list):
            met += [(each, place, depth + 1) for each in value]
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
        raise _refused(source, ": text before the first '## system' or '## user' line")
    sections = [(role, template.strip()) for role, template in zip(rest[::2], rest[1::2], strict=True)]
    roles = [role for role, _ in sections]
    if roles != ["system"] and roles[-1:] != ["user"]:
        raise _refused(source, ": the last section must be '## user', or '## system' the only one")
    return sections


def _check_variables(prompt: Prompt, source: str) -> None:
    if prompt.pictures and prompt.sections[-1][0] != "user":
        raise _refused(source, ": pictures are shown to a '## user' section; it has none")
    used = {name for _, template in prompt.sections for name in _variables(template, source)}
    if undeclared := sorted(used - set(prompt.variables)):
        raise _refused(source, f"uses {', '.join(undeclared)}; declare it under 'variables'")
    if unused := sorted(set(prompt.variables) - used):
        raise _refused(source, f"declares {', '.join(unused)} but never uses it")


def _variables(template: str, source: str) -> list[str]:
    try:
        fields = [field for field in Formatter().parse(template) if field[1] is not None]
    except ValueError as error:
        raise _refused(source, f": {error}; write literal braces as {{{{ }}}}") from error
    for _, name, form, conversion in fields:
        if form or conversion or not str(name).isidentifier():
            raise _refused(source, f": {{{name}}} is no variable; write literal braces as {{{{ }}}}")
    return [str(field[1]) for field in fields]
