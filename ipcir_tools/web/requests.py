"""What a client sends, checked: JSON bodies of the page's own script."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from ipcir_tools.bounds import MAX_NAME, MAX_NOTE, MAX_PLACE, MAX_TEXT
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import excerpt
from ipcir_tools.types import Where
from ipcir_tools.web.ask import Ask

MOST_BYTES = 1_000_000
"""Of a body of JSON; a picture may be larger."""

PictureId = Annotated[str, Field(pattern=r"^[0-9a-f]{6,16}$")]
"""The only way to name a picture here: never a path."""

Place = Annotated[str, Field(max_length=MAX_PLACE)]
"""A folder: a name of a hundred thousand parts would be resolved for minutes."""

Words = Annotated[str, Field(max_length=MAX_TEXT)]


class Body(BaseModel):
    """A body that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReferenceBody(Body):
    """A reference and what is meant of it."""

    id: PictureId
    note: str = Field(default="", max_length=MAX_NOTE)


class AskBody(Body):
    """A round: see :class:`Ask`."""

    text: str = Field(default="", max_length=4_000)
    turn: str | None = Field(default=None, max_length=40)
    references: tuple[ReferenceBody, ...] = Field(default=(), max_length=8)
    liked: tuple[PictureId, ...] = Field(default=(), max_length=200)
    disliked: tuple[PictureId, ...] = Field(default=(), max_length=200)
    round: str | None = Field(default=None, max_length=40)
    k: int | None = Field(default=None, ge=1, le=2_000)
    weight: float | None = Field(default=None, ge=0, le=1)
    composer: str | None = Field(default=None, max_length=200)
    verify: Annotated[str, Field(max_length=MAX_NAME)] | int | None = None
    where: Where | None = None

    def ask(self) -> Ask:
        """The same as the dialogue takes it."""
        options = {name: value for name in _OPTIONS if (value := getattr(self, name)) is not None}
        references = tuple(
            {"reference": each.id, "note": each.note} if each.note else {"reference": each.id}
            for each in self.references
        )
        return Ask(self.text, self.turn, references, self.liked, self.disliked, self.where, options, self.round)


class ImaginedBody(Body):
    """The words of an imagined target, as a person left them."""

    keep: tuple[Words, ...] = Field(default=(), max_length=60)
    add: tuple[Words, ...] = Field(default=(), max_length=60)
    remove: tuple[Words, ...] = Field(default=(), max_length=60)


class IndexBody(Body):
    """What to index: folders, or none for all that are known."""

    folders: tuple[Place, ...] = Field(default=(), max_length=50)
    captions: bool = False


class ChosenBody(Body):
    """Chosen hits; none for all."""

    ids: tuple[PictureId, ...] = Field(default=(), max_length=2_000)


class ExportBody(ChosenBody):
    """The same, and the folder to copy them into."""

    to: Place


class RemoveBody(Body):
    """What leaves the gallery."""

    ids: tuple[PictureId, ...] = Field(default=(), max_length=10_000)
    folders: tuple[Place, ...] = Field(default=(), max_length=50)


_OPTIONS = ("k", "weight", "composer", "verify")


def whole_path(text: str) -> Path:
    """A file or folder of this machine that a person wrote: a browser has no working directory to begin at.

    Raises InvalidRequestError.
    """
    with suppress(RuntimeError):  # a user that is unknown
        if (path := Path(text).expanduser()).is_absolute():
            return path
    raise InvalidRequestError(f"{excerpt(text)} is no whole path: begin with / or ~.")


async def read_body(request: Request, kind: type[Any]) -> Any:
    """The body of a request as ``kind``. Raises InvalidRequestError."""
    data = bytearray()
    async for block in request.stream():
        data += block
        if len(data) > MOST_BYTES:
            raise InvalidRequestError(f"The request has more than {MOST_BYTES:,} bytes: ask for less at a time.")
    try:
        return kind.model_validate_json(bytes(data))
    except (ValidationError, json.JSONDecodeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(map(str, first["loc"])) or "the request"
        raise InvalidRequestError(f"{where}: {first['msg']}.") from error
