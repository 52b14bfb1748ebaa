"""Reads and checks prompt files, and renders them with the caller's values as data.

A prompt file is YAML front matter between two ``---`` lines, then one or more sections, each under a line
``## system``, ``## user`` or ``## assistant``; the last is ``## user``, or ``## system`` is the only one. A section is
an f-string template: ``{caption}`` is a variable, ``{{`` and ``}}`` are literal braces. ``variables`` maps each one
to the most characters of it that reach a model. A template puts a variable between tags of its own name,
``<caption>{caption}</caption>``; rendering breaks those tags where they occur inside a value, so a value cannot end its
own data block.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from string import Formatter
from typing import TYPE_CHECKING, Literal, get_args

import yaml
from pydantic import Field, ValidationError

from ipcir_tools.errors import InvalidRequest, NotFound
from ipcir_tools.types import Value

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

Role = Literal["system", "user", "assistant"]

_HEADING = re.compile(rf"^## ({'|'.join(get_args(Role))})[ \t]*$", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class FrontMatter(Value):
    """The head of a prompt file."""

    id: str = Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")
    version: int = Field(ge=1)
    purpose: str = Field(min_length=1)
    variables: dict[str, int]
    """Variable -> the most characters of it that reach a model."""
    reply: Literal["json", "text"]
    """What the prompt asks the model to answer with."""


class Prompt(FrontMatter):
    """One checked prompt. ``sections`` are (role, template) in order; ``hash`` is the first 8 hex digits of the
    SHA-256 of the whole file."""

    sections: tuple[tuple[Role, str], ...] = Field(min_length=1)
    hash: str

    @property
    def tag(self) -> str:
        """``imagine.structured@1#1a2b3c4d``: what names this very text in caches, turns, traces and reports."""
        return f"{self.id}@{self.version}#{self.hash}"

    def render(self, **values: str) -> list[BaseMessage]:
        """The messages with ``values`` filled in, each capped and kept from closing its data block.

        Raises ``InvalidRequest`` where a declared variable has no value or a value is not declared.
        """
        from langchain_core.prompts import ChatPromptTemplate

        if missing_or_extra := sorted(set(values) ^ set(self.variables)):
            raise InvalidRequest(
                f"prompt {self.id} takes {', '.join(sorted(self.variables)) or 'no variables'}; "
                f"check {', '.join(missing_or_extra)}"
            )
        data = {name: self._as_data(name, value) for name, value in values.items()}
        return ChatPromptTemplate.from_messages(list(self.sections)).format_messages(**data)

    def _as_data(self, name: str, value: str) -> str:
        tags = "|".join(map(re.escape, self.variables))
        return re.sub(rf"<(?=\s*/?\s*(?:{tags})\b)", "[", capped(value, self.variables[name]), flags=re.IGNORECASE)


def capped(text: str, limit: int) -> str:
    """``text`` at most ``limit`` long, without control characters and lone surrogates, which no request could carry."""
    clean = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")).strip()
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def prompt_ids() -> list[str]:
    """Ids of the prompts in the package, sorted."""
    names = (entry.name for entry in files("ipcir_tools.prompts").iterdir())
    return sorted(name.removesuffix(".md") for name in names if name.endswith(".md"))


def load_prompt(id: str) -> Prompt:
    """The package's prompt ``id``. Raises ``NotFound`` for an unknown id, ``InvalidRequest`` for a faulty file."""
    known = prompt_ids()
    if id not in known:
        raise NotFound(f"no prompt {id!r}; there are {', '.join(known)}")
    name = f"{id}.md"
    prompt = parse_prompt(files("ipcir_tools.prompts").joinpath(name).read_text(encoding="utf-8"), name)
    if prompt.id != id:
        raise InvalidRequest(f"prompt file {name} calls itself {prompt.id}; file name and id must be the same")
    return prompt


def parse_prompt(text: str, source: str) -> Prompt:
    """A prompt file's text as a checked ``Prompt``; ``source`` names it in errors. Raises ``InvalidRequest``."""
    text = text.replace("\r\n", "\n")
    head, body = _split(text, source)
    sections = _sections(body, source)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:8]
    try:
        prompt = Prompt.model_validate({**head, "sections": sections, "hash": fingerprint})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InvalidRequest(f"prompt file {source}: {faults}") from error
    _check_variables(prompt, source)
    return prompt


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
