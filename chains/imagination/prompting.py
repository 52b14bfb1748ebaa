"""Rendering a prompt for a request: the values of its variables, and the reference image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipcir_tools.chains.imagination.results import ImagineRequest, NotedCaption
from ipcir_tools.errors import InvalidRequestError, IPCIRError
from ipcir_tools.prompts import Prompt
from ipcir_tools.prompts.limits import HISTORY_CHARS, HISTORY_TURNS, NOTE_CHARS, REFERENCE_SIDE
from ipcir_tools.text import error_line, one_line, sanitize

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


_VARIABLES = ("caption", "modification", "history")
_PICTURES = ("reference",)


class UnavailableImageError(Exception):
    """A prompt takes an image that is not available; the message says why."""


def check_prompt(prompt: Prompt) -> Prompt:
    """The prompt, if it can be used for an imagination. Raises ``InvalidRequestError`` otherwise."""
    if unknown := sorted(set(prompt.variables) - set(_VARIABLES)):
        raise InvalidRequestError(
            f"prompt {prompt.id} uses {', '.join(unknown)}; an imagination has {', '.join(_VARIABLES)}"
        )
    if "modification" not in prompt.variables:
        raise InvalidRequestError(
            f"prompt {prompt.id} does not use the modification, so it cannot imagine: choose another"
        )
    if unknown := sorted(set(prompt.pictures) - set(_PICTURES)):
        raise InvalidRequestError(
            f"prompt {prompt.id} takes the pictures {', '.join(unknown)}; an imagination has {', '.join(_PICTURES)}"
        )
    return check_reply(prompt)


def check_reply(prompt: Prompt) -> Prompt:
    """The prompt, if its reply can hold a description. Raises ``InvalidRequestError`` otherwise."""
    if (schema := prompt.reply_schema) is not None and not _can_describe(schema):
        raise InvalidRequestError(
            f"prompt {prompt.id} asks for a reply without a text 'description', which is what is searched for: "
            "give its reply that property"
        )
    return prompt


def _can_describe(schema: dict[str, Any]) -> bool:
    """Whether an object of this schema, or an object directly inside it, can hold a text "description"."""
    properties: dict[str, dict[str, Any]] = schema["properties"]
    if (own := properties.get("description")) is not None:
        kind = own.get("type")
        return "string" in (kind if isinstance(kind, list) else [kind])
    inner = [each for each in properties.values() if "description" in each.get("properties", {})]
    return bool(schema.get("additionalProperties")) or any(map(_can_describe, inner))


def render(prompt: Prompt, request: ImagineRequest, load_reference: Callable[[str], str] | None) -> list[BaseMessage]:
    """The messages that ask for the target of ``request``; ``load_reference`` gives a reference's data URI by its id.

    Raises ``UnavailableImageError`` where the prompt takes the reference image and it is not available.
    """
    history = "\n".join(
        f"- request: {sanitize(modification, HISTORY_CHARS)}\n  picture: {sanitize(target.description, HISTORY_CHARS)}"
        for modification, target in request.history[-HISTORY_TURNS:]
    )
    values = {"caption": _captions(request), "modification": request.modification, "history": history or "(none)"}
    if request.others and "caption" not in prompt.variables:
        values["modification"] += f"\n{values['caption']}"
    pictures = {"reference": _reference_uri(prompt, request, load_reference)} if prompt.pictures else None
    return prompt.render(pictures, **{name: values[name] for name in prompt.variables})


def _captions(request: ImagineRequest) -> str:
    """The reference's caption; of several references a numbered line each, with the note on it."""
    if not request.others:
        return request.caption
    every = [NotedCaption(request.caption, request.note), *request.others]
    return "\n".join(
        f"reference {i}{f' ({sanitize(each.note, NOTE_CHARS)})' if each.note else ''}: {one_line(each.caption)}"
        for i, each in enumerate(every, start=1)
    )


def _reference_uri(prompt: Prompt, request: ImagineRequest, load_reference: Callable[[str], str] | None) -> str:
    if request.pixels is not None:
        from ipcir_tools.images.thumbnails import image_uri

        return image_uri(request.pixels, REFERENCE_SIDE)
    try:
        if request.reference is not None and load_reference is not None:
            return load_reference(request.reference)
        reason = "there is none" if request.reference is None else "no component here can open it"
    except (IPCIRError, OSError, LookupError, ValueError) as error:  # a caller's function may raise any of these
        reason = error_line(error).rstrip(".")
    raise UnavailableImageError(f"the prompt {prompt.id} takes the reference image, which is not available ({reason})")
