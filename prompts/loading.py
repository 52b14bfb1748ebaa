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
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, get_args

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


class FrontMatter(Value):
    """The head of a prompt file."""

    id: str = Field(pattern=_NAME)
    version: int = Field(ge=1)
    purpose: str = Field(min_length=1)
    variables: dict[str, int]
    """Variable -> the most characters of it that reach a model."""
    pictures: tuple[str, ...] = ()
    """Names of the pictures that are shown behind the last section's text, in order."""
    reply: Literal["text"] | dict[str, Any]
    """``text``, or the JSON schema of the object that the prompt asks the model for."""

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
        from langchain_core.prompts import ChatPromptTemplate

        self._check("variables", set(self.variables), set(values))
        self._check("pictures", set(self.pictures), set(pictures or ()))
        data = {name: self._as_data(name, value) for name, value in values.items()}
        messages = ChatPromptTemplate.from_messages(list(self.sections)).format_messages(**data)
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
    own = (path.name for path in _own(folder).iterdir()) if folder else ()
    return sorted({name.removesuffix(".md") for name in (*packaged, *own) if name.endswith(".md")})


def load_prompt(id: str, folder: Path | None = None) -> Prompt:
    """The prompt ``id``: the user's own where ``folder`` has it, else the package's.

    Raises ``NotFound`` for an unknown id or folder, ``InvalidRequest`` for a faulty file.
    """
    known = prompt_ids(folder)
    if id not in known:
        raise NotFound(f"no prompt {id!r}; there are {', '.join(known)}")
    name = f"{id}.md"
    own = _own(folder) / name if folder else None
    if own is not None and own.is_file():
        prompt = parse_prompt(_text(own), str(own)).model_copy(update={"own": True})
    else:
        prompt = parse_prompt(files("ipcir_tools.prompts").joinpath(name).read_text(encoding="utf-8"), name)
    if prompt.id != id:
        raise InvalidRequest(f"prompt file {name} calls itself {prompt.id}; file name and id must be the same")
    return prompt


def _own(folder: Path) -> Path:
    folder = folder.expanduser()
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder} with prompts: mend --prompts or IPCIR_PROMPTS")
    return folder


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise InvalidRequest(f"prompt file {path} cannot be read ({error}): save it as UTF-8") from error


def parse_prompt(text: str, source: str) -> Prompt:
    """A prompt file's text as a checked ``Prompt``; ``source`` names it in errors. Raises ``InvalidRequest``."""
    text = text.replace("\r\n", "\n")
    head, body = _split(text, source)
    if unknown := sorted(set(head) - set(FrontMatter.model_fields)):
        raise InvalidRequest(f"prompt file {source}: {', '.join(unknown)} is no field of the front matter")
    sections = _sections(body, source)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:8]
    try:
        prompt = Prompt.model_validate({**head, "sections": sections, "hash": fingerprint})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InvalidRequest(f"prompt file {source}: {faults}") from error
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
        raise InvalidRequest(f"prompt file {source} must begin with front matter between two lines '---'")
    try:
        head = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InvalidRequest(f"prompt file {source}: its front matter is not YAML ({reason})") from error
    if not isinstance(head, dict):
        raise InvalidRequest(f"prompt file {source}: its front matter must be 'name: value' lines")
    return {str(name): value for name, value in head.items()}, parts[2]


def _sections(body: str, source: str) -> list[tuple[str, str]]:
    lead, *rest = _HEADING.split(body)
    if lead.strip():
        raise InvalidRequest(f"prompt file {source}: text before the first '## system' or '## user' line")
    sections = [(role, template.strip()) for role, template in zip(rest[::2], rest[1::2], strict=True)]
    roles = [role for role, _ in sections]
    if roles != ["system"] and roles[-1:] != ["user"]:
        raise InvalidRequest(f"prompt file {source}: the last section must be '## user', or '## system' the only one")
    return sections


def _check_variables(prompt: Prompt, source: str) -> None:
    if prompt.pictures and prompt.sections[-1][0] != "user":
        raise InvalidRequest(f"prompt file {source}: pictures are shown to a '## user' section; it has none")
    used = {name for _, template in prompt.sections for name in _variables(template, source)}
    if undeclared := sorted(used - set(prompt.variables)):
        raise InvalidRequest(f"prompt file {source} uses {', '.join(undeclared)}; declare it under 'variables'")
    if unused := sorted(set(prompt.variables) - used):
        raise InvalidRequest(f"prompt file {source} declares {', '.join(unused)} but never uses it")


def _variables(template: str, source: str) -> list[str]:
    try:
        fields = [field for field in Formatter().parse(template) if field[1] is not None]
    except ValueError as error:
        raise InvalidRequest(f"prompt file {source}: {error}; write literal braces as {{{{ }}}}") from error
    for _, name, form, conversion in fields:
        if form or conversion or not str(name).isidentifier():
            raise InvalidRequest(f"prompt file {source}: {{{name}}} is no variable; write literal braces as {{{{ }}}}")
    return [str(field[1]) for field in fields]
