"""What an agent can do with an engine, defined once: LangChain tools and MCP tools are both made from it."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ipcir_tools.agents.tools.schemas import answer_schema, argument_schema
from ipcir_tools.arguments import ERROR_CAP, Arguments, validation_message
from ipcir_tools.batches import Progress, no_progress
from ipcir_tools.errors import IPCIRError
from ipcir_tools.text import shorten_json

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


log = logging.getLogger(__name__)


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
class CallContext:
    """What a call comes with beside its arguments; a model cannot set it."""

    progress: Progress = no_progress
    """Called with what a long call is doing, how much of it is done and how much there is."""


NO_CONTEXT = CallContext()


@dataclass(frozen=True)
class Tool(Generic[A]):
    """One tool: its name and description for the model, its arguments, its answer and what it does."""

    name: str
    title: str
    """For people, in a client's list of tools."""
    description: str
    arguments: type[A]
    brief: type[Brief]
    run: Callable[[Engine, A, CallContext], Answer]
    read_only: bool = False
    """Whether a call leaves the catalog as it is."""
    idempotent: bool = False
    """Whether a second call changes nothing: what it stores, it stores once. A search stores a turn every time."""
    has_pictures: bool = False
    """Whether its answers have pictures: offered only to models that take images."""

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments, as a model reads it."""
        return argument_schema(self.arguments)

    @cached_property
    def answer_schema(self) -> dict[str, Any]:
        """The JSON schema of the answer as data."""
        return answer_schema(self.brief)

    def read(self, values: Any) -> A:
        """The arguments of a call. Raises ToolCallError, which says what is wrong with them."""
        try:
            return self.arguments.model_validate(values)
        except ValidationError as error:
            raise ToolCallError(validation_message(error)) from error

    def call(self, engine: Engine, arguments: A, context: CallContext = NO_CONTEXT) -> Answer:
        """The answer. Raises ToolCallError, and nothing else, whatever the arguments are."""
        try:
            return self.run(engine.for_agents(), arguments, context)
        except IPCIRError as error:
            raise ToolCallError(shorten_json(str(error), ERROR_CAP)) from error
        except Exception as error:  # broad: an agent's loop must survive an error in this package
            log.exception("%s failed", self.name)
            raise ToolCallError(
                f"{self.name} failed inside ({type(error).__name__}): this is no fault of your arguments. "
                "Try it once more, or go on without it and tell the user."
            ) from error
