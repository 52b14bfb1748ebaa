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
import json
import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, field_validator

from ipcir_tools.errors import InvalidRequest, NotFound
from ipcir_tools.types import Value

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

Role = Literal["system", "user", "assistant"]

_HEADING = re.compile(rf"^## ({'|'.join(get_args(Role))})[ \t]*$", re.MULTILINE)
_NAME = r"^[a-z0-9]+([._-][a-z0-9]+)*$"
_DATA_URI = re.compile(r"data:(image/[\w.+-]+);base64,(.+)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")

MAX_BYTES = 256 * 1024
"""What is larger is no prompt that a person wrote, and YAML is slow to read."""
MAX_DEPTH = 32
MAX_NUMBER = 2**53
"""The numbers up to which every reader of JSON is exact."""

Cap = Annotated[int, Field(ge=1, le=MAX_NUMBER, strict=True)]


class FrontMatter(Value):
    """The head of a prompt file."""

    id: str = Field(pattern=_NAME)
    version: int = Field(ge=1, le=MAX_NUMBER, strict=True)
    purpose: str = Field(min_length=1)
    variables: dict[str, Cap]
    """Variable -> the most characters of it that reach a model."""
    pictures: tuple[str, ...] = ()
    """Names of the pictures that are shown behind the last section's text, in order."""
    reply: Literal["text"] | dict[str, Any]
    """``text``, or the JSON schema of the object that the prompt asks the model for."""

    @field_validator("pictures")
    @classmethod
    def _are_shown_once(cls, pictures: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in pictures if pictures.count(name) > 1}):
            raise ValueError(f"name each picture once: {', '.join(twice)}")
        return pictures

    @field_validator("reply")
    @classmethod
    def _is_of_an_object(cls, reply: Any) -> Any:
        """A schema that a server can hold a model to is of an object with named, typed properties."""
        if reply == "text":
            return reply
        properties = reply.get("properties")
        if reply.get("type") != "object" or not isinstance(properties, dict) or not properties:
            raise ValueError("write 'text', or a JSON schema with 'type: object' and 'properties'")
        untyped = [str(name) for name, of in properties.items() if not isinstance(of, dict) or "type" not in of]
        if untyped:
            raise ValueError(f"give each property a type: {', '.join(untyped)}")
        _check_schema(reply, "the object")
        return reply


class Prompt(FrontMatter):
    """One checked prompt. ``sections`` are (role, template) in order; ``hash`` is the first 8 hex digits of the
    SHA-256 of the whole file."""

    sections: tuple[tuple[Role, str], ...] = Field(min_length=1)
    hash: str
    own: bool = False
    """Whether it is a file of the user's, and not of the package."""

    @property
    def tag(self) -> str:
        """``imagine.structured@1#1a2b3c4d``: what names this very text in caches, turns, traces and reports."""
        return f"{self.id}@{self.version}#{self.hash}"

    @property
    def schema_of_reply(self) -> dict[str, Any] | None:
        """The JSON schema that servers are asked to hold the model to, strict; None where it answers in plain text."""
        if isinstance(self.reply, str):
            return None
        strict = {"title": re.sub(r"\W", "_", self.id), "description": self.purpose, "additionalProperties": False}
        return {**strict, "required": list(self.reply["properties"]), **self.reply}

    def render(self, pictures: Mapping[str, str] | None = None, /, **values: str) -> list[BaseMessage]:
        """The messages with ``values`` filled in, each capped and kept from closing its data block.

        ``pictures`` are data URIs (``data:image/png;base64,...``) by name. Raises ``InvalidRequest`` where what is
        declared is not given, what is given is not declared, or a picture is no data URI.
        """
        from langchain_core.messages import convert_to_messages

        self._check("variables", set(self.variables), set(values))
        self._check("pictures", set(self.pictures), set(pictures or ()))
        data = {name: self._as_data(name, value) for name, value in values.items()}
        messages = convert_to_messages([(role, template.format_map(data)) for role, template in self.sections])
        if pictures:
            blocks = [_block(name, pictures[name]) for name in self.pictures]
            messages[-1].content = [{"type": "text", "text": str(messages[-1].content)}, *blocks]
        return messages

    def _check(self, what: str, declared: set[str], given: set[str]) -> None:
        if missing_or_extra := sorted(declared ^ given):
            raise InvalidRequest(
                f"prompt {self.id} takes {', '.join(sorted(declared)) or f'no {what}'}; "
                f"check {', '.join(missing_or_extra)}"
            )

    def _as_data(self, name: str, value: str) -> str:
        tags = "|".join(map(re.escape, self.variables))
        return re.sub(rf"<(?=\s*/?\s*(?:{tags})\b)", "[", capped(value, self.variables[name]), flags=re.IGNORECASE)


def capped(text: str, limit: int) -> str:
    """``text`` at most ``limit`` long, without control characters and lone surrogates, which no request could carry."""
    clean = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")).strip()
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def prompt_ids(folder: Path | None = None) -> list[str]:
    """Ids of the prompts in the package and in the user's own ``folder``, sorted. Raises ``NotFound`` without it."""
    packaged = (entry.name for entry in files("ipcir_tools.prompts").iterdir())
    own = _names(folder) if folder else ()
    return sorted({name.removesuffix(".md") for name in (*packaged, *own) if name.endswith(".md")})


def load_prompt(id: str, folder: Path | None = None) -> Prompt:
    """The prompt ``id``: the user's own where ``folder`` has it, else the package's.

    Raises ``NotFound`` for an unknown id or folder, ``InvalidRequest`` for a faulty file.
    """
    known = prompt_ids(folder)
    if id not in known:
        raise NotFound(_line(f"no prompt {id!r}; there are {', '.join(known)}"))
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
        raise NotFound(
            _line(f"there is no folder {folder} with prompts ({error}): mend --prompts or IPCIR_PROMPTS")
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


def _refused(source: object, why: str) -> InvalidRequest:
    """What is wrong with a prompt file, on one line, whatever stands in its name or in the reason."""
    return InvalidRequest(_line(f"prompt file {source}{'' if why.startswith(':') else ' '}{why}"))


def _line(text: str) -> str:
    return " ".join(text.split())


def parse_prompt(text: str, source: str) -> Prompt:
    """A prompt file's text as a checked ``Prompt``; ``source`` names it in errors. Raises ``InvalidRequest``."""
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


def _block(name: str, uri: str) -> dict[str, str]:
    """A picture as a standard content block, without the id at random that LangChain's own maker adds."""
    found = _DATA_URI.fullmatch(uri)
    if found is None:
        raise InvalidRequest(f"picture {name} is no data URI such as data:image/png;base64,...")
    return {"type": "image", "base64": found[2], "mime_type": found[1]}


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


def _check_schema(schema: Any, place: str) -> None:
    """Refuse what no server could hold a model to, inner schemas included. Raises ``ValueError``."""
    if not isinstance(schema, dict):
        raise ValueError(f"{place} is no schema such as {{type: string}}")
    kinds = schema.get("type", "object")
    if kinds == [] or any(kind not in _TYPES for kind in (kinds if isinstance(kinds, list) else [kinds])):
        raise ValueError(f"{place} has the type {json.dumps(kinds)}: there are {', '.join(_TYPES[:-1])} and 'null'")
    inner = schema.get("properties", {})
    if not isinstance(inner, dict):
        raise ValueError(f"{place} has properties that are no 'name: schema' lines")
    for name, each in inner.items():
        _check_schema(each, name)
    if isinstance(schema.get("items"), dict):
        _check_schema(schema["items"], f"items of {place}")


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
