"""One prompt: its front matter, its variables and how it is rendered."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import sanitize
from ipcir_tools.types import Value

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


Role = Literal["system", "user", "assistant"]

_NAME = r"^[a-z0-9]+([._-][a-z0-9]+)*$"
_DATA_URI = re.compile(r"data:(image/[\w.+-]+);base64,(.+)", re.DOTALL)
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")

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

        ``pictures`` are data URIs (``data:image/png;base64,...``) by name. Raises ``InvalidRequestError`` where what is
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
            raise InvalidRequestError(
                f"prompt {self.id} takes {', '.join(sorted(declared)) or f'no {what}'}; "
                f"check {', '.join(missing_or_extra)}"
            )

    def _as_data(self, name: str, value: str) -> str:
        tags = "|".join(map(re.escape, self.variables))
        return re.sub(rf"<(?=\s*/?\s*(?:{tags})\b)", "[", sanitize(value, self.variables[name]), flags=re.IGNORECASE)


def _block(name: str, uri: str) -> dict[str, str]:
    """A picture as a standard content block, without the id at random that LangChain's own maker adds."""
    found = _DATA_URI.fullmatch(uri)
    if found is None:
        raise InvalidRequestError(f"picture {name} is no data URI such as data:image/png;base64,...")
    return {"type": "image", "base64": found[2], "mime_type": found[1]}


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
