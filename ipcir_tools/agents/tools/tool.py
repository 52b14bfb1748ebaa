"""What an agent can do with an engine, defined once: LangChain tools and MCP tools are both made from it."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ipcir_tools.errors import IPCIRError
from ipcir_tools.text import shorten_json

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


log = logging.getLogger(__name__)

ERROR_CAP = 600
"""Characters of an error message."""


class Arguments(BaseModel):
    """Arguments of a tool. Unknown ones are an error, so that a misspelled name is reported to the model."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)  # a hit's rank may come as a number

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, values: Any) -> Any:
        """Leave out optional arguments that are null: many clients send null for what they leave out."""
        if not isinstance(values, dict):
            return values
        required = {name for name, field in cls.model_fields.items() if field.is_required()}
        return {name: value for name, value in values.items() if value is not None or name in required}


class Brief(BaseModel):
    """An answer as data, small enough for a model to read. Its fields are plain JSON values.

    One with texts from pictures, files or models says that they are data, in a ``note``.
    """

    model_config = ConfigDict(extra="forbid")


A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True)
class Picture:
    """A picture in an answer: encoded bytes, with the ids of the gallery's pictures in it."""

    data: bytes
    mime_type: str
    ids: tuple[str, ...]

    @property
    def base64(self) -> str:
        """The bytes in base64."""
        return b64encode(self.data).decode()


@dataclass(frozen=True)
class Answer:
    """The answer of a tool: as text for a model, as small data, and whole."""

    text: str
    """Ids first. Captions and file names in it are shorten_json, quote and labelled as data."""
    brief: Brief
    artifact: dict[str, Any]
    """Everything, as plain JSON values."""
    pictures: tuple[Picture, ...] = ()


class ToolCallError(Exception):
    """A call that cannot be answered; the text says what the model should do next."""


@dataclass(frozen=True)
class Tool(Generic[A]):
    """One tool: its name and description for the model, its arguments, its answer and what it does."""

    name: str
    title: str
    """For people, in a client's list of tools."""
    description: str
    arguments: type[A]
    brief: type[Brief]
    run: Callable[[Engine, A], Answer]
    read_only: bool = False
    """Whether a call leaves the catalog as it is."""
    idempotent: bool = False
    """Whether a second call changes nothing: what it stores, it stores once. A search stores a turn every time."""
    has_pictures: bool = False
    """Whether its answers have pictures: offered only to models that take images."""

    def call(self, engine: Engine, arguments: A) -> Answer:
        """The answer. Raises ToolCallError, and nothing else, whatever the arguments are."""
        try:
            return self.run(engine, arguments)
        except IPCIRError as error:
            raise ToolCallError(shorten_json(str(error), ERROR_CAP)) from error
        except Exception as error:  # broad: an agent's loop must survive an error in this package
            log.exception("%s failed", self.name)
            raise ToolCallError(
                f"{self.name} failed inside ({type(error).__name__}): this is no fault of your arguments. "
                "Try it once more, or go on without it and tell the user."
            ) from error


def validation_message(error: ValidationError) -> str:
    """What is wrong with the arguments of a call, for the model, without repeating their values."""
    errors = [(each["loc"], each["msg"]) for each in error.errors(include_input=False)]
    problems = [_problem(*each) for each in _nearest(errors)[:8]]
    return shorten_json("The arguments are wrong; correct them and call again. " + "; ".join(problems), ERROR_CAP)


Location = tuple[int | str, ...]


def _nearest(errors: list[tuple[Location, str]]) -> list[tuple[Location, str]]:
    """Of an argument with several forms, only what is wrong with the form that was written: the deepest errors."""
    forms = {location[0] for location, _ in errors if any(map(_is_form, location[1:]))}
    deepest = {name: max(len(location) for location, _ in errors if location[:1] == (name,)) for name in forms}
    return [each for each in errors if not each[0] or len(each[0]) == deepest.get(each[0][0], len(each[0]))]


def _is_form(part: int | str) -> bool:
    """Whether a part of pydantic's location names a member of a union: ``str``, ``list[...]``, ``NotedPicture``."""
    return isinstance(part, str) and (part == "str" or "[" in part or part[:1].isupper())


def _problem(location: Location, message: str) -> str:
    named = location[:1] + tuple(part for part in location[1:] if not _is_form(part))
    where = shorten_json(".".join(map(str, named)), 60) or "arguments"
    return f"{where}: {message.removeprefix('Value error, ')}"
