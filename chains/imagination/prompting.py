"""What a prompt is shown of a request: its words as values of the variables, and its picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipcir_tools.chains.imagination.results import ImagineRequest
from ipcir_tools.errors import InvalidRequestError, IPCIRError
from ipcir_tools.prompts import Prompt
from ipcir_tools.text import error_line, sanitize

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


HISTORY_TURNS = 6
HISTORY_CHARS = 300
"""The last turns of a dialogue that are shown to the model, and how much of each text in them."""
SIDE = 512
"""Pixels of the longer side of a reference that is shown."""

_VARIABLES = ("caption", "modification", "history")
_PICTURES = ("reference",)


class UnavailableImageError(Exception):
    """A prompt wants to see a picture that cannot be shown; the text says why."""


def check(prompt: Prompt) -> Prompt:
    """The prompt, if an imagination can come of it. Raises ``InvalidRequestError``."""
    if unknown := sorted(set(prompt.variables) - set(_VARIABLES)):
        raise InvalidRequestError(
            f"prompt {prompt.id} wants {', '.join(unknown)}; an imagination has {', '.join(_VARIABLES)}"
        )
    if "modification" not in prompt.variables:
        raise InvalidRequestError(
            f"prompt {prompt.id} does not use the modification, so it cannot imagine: choose another"
        )
    if unknown := sorted(set(prompt.pictures) - set(_PICTURES)):
        raise InvalidRequestError(
            f"prompt {prompt.id} wants the pictures {', '.join(unknown)}; an imagination has {', '.join(_PICTURES)}"
        )
    return check_reply(prompt)


def check_reply(prompt: Prompt) -> Prompt:
    """The prompt, if its reply can hold what is searched for. Raises ``InvalidRequestError``."""
    if (schema := prompt.schema_of_reply) is not None and not _can_describe(schema):
        raise InvalidRequestError(
            f"prompt {prompt.id} asks for a reply without a text 'description', which is what is searched for: "
            "give its reply that property"
        )
    return prompt


def _can_describe(schema: dict[str, Any]) -> bool:
    """Whether an object of this schema, or one right inside of it, can hold a text "description"."""
    properties: dict[str, dict[str, Any]] = schema["properties"]
    if (own := properties.get("description")) is not None:
        kind = own.get("type")
        return "string" in (kind if isinstance(kind, list) else [kind])
    inner = [each for each in properties.values() if "description" in each.get("properties", {})]
    return bool(schema.get("additionalProperties")) or any(map(_can_describe, inner))


def render(prompt: Prompt, request: ImagineRequest, pictures: Callable[[str], str] | None) -> list[BaseMessage]:
    """The messages that ask for the target of ``request``. Raises ``Unseen`` where a picture cannot be shown."""
    history = "\n".join(
        f"- request: {sanitize(modification, HISTORY_CHARS)}\n  picture: {sanitize(gave.description, HISTORY_CHARS)}"
        for modification, gave in request.history[-HISTORY_TURNS:]
    )
    values = {"caption": request.caption, "modification": request.modification, "history": history or "(none)"}
    shown = {"reference": _reference(prompt, request, pictures)} if prompt.pictures else None
    return prompt.render(shown, **{name: values[name] for name in prompt.variables})


def _reference(prompt: Prompt, request: ImagineRequest, pictures: Callable[[str], str] | None) -> str:
    if request.pixels is not None:
        from ipcir_tools.images.thumbnails import image_uri

        return image_uri(request.pixels, SIDE)
    try:
        if request.reference is not None and pictures is not None:
            return pictures(request.reference)
        why = "there is none" if request.reference is None else "nothing here can open it"
    except (IPCIRError, OSError, LookupError, ValueError) as error:  # whatever a function of the user's runs into
        why = error_line(error).rstrip(".")
    raise UnavailableImageError(
        f"the prompt {prompt.id} wants to see the reference picture, but it cannot be shown ({why})"
    )
