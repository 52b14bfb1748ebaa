"""One prompt: its front matter, and rendering it with values for its variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.prompts.schema import MAX_NUMBER, check_reply_schema
from ipcir_tools.text import sanitize
from ipcir_tools.types import Value

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


Role = Literal["system", "user", "assistant"]

_NAME = r"^[a-z0-9]+([._-][a-z0-9]+)*$"
_DATA_URI = re.compile(r"data:(image/[\w.+-]+);base64,(.+)", re.DOTALL)

Cap = Annotated[int, Field(ge=1, le=MAX_NUMBER, strict=True)]


class FrontMatter(Value):
    """The front matter of a prompt file."""

    id: str = Field(pattern=_NAME)
    version: int = Field(ge=1, le=MAX_NUMBER, strict=True)
    purpose: str = Field(min_length=1)
    variables: dict[str, Cap]
    """Variable -> the maximum number of characters of its value that a model is sent."""
    pictures: tuple[str, ...] = ()
    """Names of the pictures that follow the last section's text, in order."""
    reply: Literal["text"] | dict[str, Any]
    """``text``, or the JSON schema of the object that the prompt asks for."""

    @field_validator("pictures")
    @classmethod
    def _check_pictures(cls, pictures: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in pictures if pictures.count(name) > 1}):
            raise ValueError(f"name each picture once: {', '.join(twice)}")
        return pictures

    @field_validator("reply")
    @classmethod
    def _check_reply(cls, reply: Any) -> Any:
        return reply if reply == "text" else check_reply_schema(reply)


class Prompt(FrontMatter):
    """One checked prompt.

    ``sections`` are (role, template) in order; ``hash`` is the first 8 hex digits of the SHA-256 of the whole file.
    """

    sections: tuple[tuple[Role, str], ...] = Field(min_length=1)
    hash: str
    own: bool = False
    """Whether the file is the user's own, not one of the package."""

    @property
    def tag(self) -> str:
        """``imagine.structured@1#1a2b3c4d``: identifies this exact text in caches, turns, traces and reports."""
        return f"{self.id}@{self.version}#{self.hash}"

    @property
    def reply_schema(self) -> dict[str, Any] | None:
        """The strict JSON schema of the reply for the server; None for a reply in plain text."""
        if isinstance(self.reply, str):
            return None
        strict = {"title": re.sub(r"\W", "_", self.id), "description": self.purpose, "additionalProperties": False}
        return {**strict, "required": list(self.reply["properties"]), **self.reply}

    def render(self, pictures: Mapping[str, str] | None = None, /, **values: str) -> list[BaseMessage]:
        """The messages with ``values`` filled in, each shortened and unable to close its data block.

        ``pictures`` are data URIs (``data:image/png;base64,...``) by name. Raises ``InvalidRequestError`` for a missing
        or an undeclared variable or picture, and for a picture that is not a data URI.
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
    """A picture as a standard content block; LangChain's own function would add a random id, which breaks caching."""
    found = _DATA_URI.fullmatch(uri)
    if found is None:
        raise InvalidRequestError(f"picture {name} is not a data URI such as data:image/png;base64,...")
    return {"type": "image", "base64": found[2], "mime_type": found[1]}
