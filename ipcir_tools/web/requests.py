"""What a client sends, checked: JSON bodies of the page's own script."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import Request

from ipcir_tools.bounds import MAX_NAME, MAX_NOTE, MAX_PLACE, MAX_TEXT, check_value
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import excerpt
from ipcir_tools.types import Where, parse_verify
from ipcir_tools.web.ask import Ask
from ipcir_tools.web.sentences import sentence_of

MOST_BYTES = 1_000_000
"""Of a body of JSON; a picture may be larger."""

PictureId = Annotated[str, Field(pattern=r"^[0-9a-f]{6,16}$")]
"""The only way to name a picture here: never a path."""

Place = Annotated[str, Field(max_length=MAX_PLACE)]
"""A folder: a name of a hundred thousand parts would be resolved for minutes."""

Words = Annotated[str, Field(max_length=MAX_TEXT)]


def _verification(value: Any) -> int | str:
    """Raises ValueError for what the page does not offer."""
    with suppress(ValueError):
        return parse_verify(value if isinstance(value, int) else str(value)[:MAX_NAME])
    raise ValueError("choose one of the list")


Verification = Annotated[int | str, BeforeValidator(_verification)]


def _bounded(where: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError for a filter beyond the bounds of the tools."""
    check_value("where", where)
    return where


Filter = Annotated[Where, AfterValidator(_bounded)]


class Body(BaseModel):
    """A body that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReferenceBody(Body):
    """A reference and what is meant of it."""

    id: PictureId
    note: str = Field(default="", max_length=MAX_NOTE, title="What is meant of a picture")


class AskBody(Body):
    """A round: see :class:`Ask`."""

    text: str = Field(default="", max_length=4_000, title="What you write")
    turn: str | None = Field(default=None, max_length=40)
    references: tuple[ReferenceBody, ...] = Field(default=(), max_length=8, title="Reference pictures")
    liked: tuple[PictureId, ...] = Field(default=(), max_length=200, title="Pictures that you like")
    disliked: tuple[PictureId, ...] = Field(default=(), max_length=200, title="Pictures that you dislike")
    round: str | None = Field(default=None, max_length=40)
    k: int | None = Field(default=None, ge=1, le=2_000, title="Pictures")
    weight: float | None = Field(default=None, ge=0, le=1, title="Weight of words")
    composer: str | None = Field(default=None, max_length=200, title="Method")
    verify: Verification | None = Field(default=None, title="Look again at")
    where: Filter | None = Field(default=None, title="Only pictures")

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

    keep: tuple[Words, ...] = Field(default=(), max_length=60, title="A word to keep")
    add: tuple[Words, ...] = Field(default=(), max_length=60, title="A word to add")
    remove: tuple[Words, ...] = Field(default=(), max_length=60, title="A word to leave out")


class IndexBody(Body):
    """What to index: folders, or none for all that are known."""

    folders: tuple[Place, ...] = Field(default=(), max_length=50, title="Folder of pictures")
    captions: bool = False


class ChosenBody(Body):
    """Chosen hits; none for all."""

    ids: tuple[PictureId, ...] = Field(default=(), max_length=2_000, title="Selected pictures")


class ExportBody(ChosenBody):
    """The same, and the folder to copy them into."""

    to: Place = Field(title="Folder for the copies")


class RemoveBody(Body):
    """What leaves the gallery."""

    ids: tuple[PictureId, ...] = Field(default=(), max_length=10_000, title="Pictures to take out")
    folders: tuple[Place, ...] = Field(default=(), max_length=50, title="Folder of pictures")


_OPTIONS = ("k", "weight", "composer", "verify")


def whole_path(text: str) -> Path:
    """A file or folder of this machine that a person wrote: a browser has no working directory to begin at.

    Raises InvalidRequestError.
    """
    with suppress(RuntimeError):  # a user that is unknown
        if "\0" not in text and (path := Path(text).expanduser()).is_absolute():
            return path
    raise InvalidRequestError(f"{excerpt(text)} is no whole path: begin with / or ~.")


async def read_body(request: Request, kind: type[Body]) -> Any:
    """The body of a request as ``kind``. Raises InvalidRequestError."""
    data = bytearray()
    async for block in request.stream():
        data += block
        if len(data) > MOST_BYTES:
            raise InvalidRequestError(f"The request has more than {MOST_BYTES:,} bytes: ask for less at a time.")
    try:
        return kind.model_validate_json(bytes(data))
    except ValidationError as error:
        raise InvalidRequestError(sentence_of(error, kind)) from error
