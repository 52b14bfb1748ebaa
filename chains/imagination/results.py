"""The values of the imagination: a request, the imagined target, and what the target cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic.json_schema import SkipJsonSchema

from ipcir_tools.types import ImaginedTarget

ReplyForm = Literal["json", "parts", "text"]
"""The form of a usable reply: a whole JSON object, the complete parts of a broken one, or plain text."""


@dataclass(frozen=True)
class NotedCaption:
    """The caption of a further reference, and what is meant of it; no note: the picture as a whole."""

    caption: str
    note: str = ""


@dataclass(frozen=True)
class ImagineRequest:
    """What to imagine. ``history``: (modification, imagined target) of the turns before, root first."""

    caption: str
    modification: str
    history: tuple[tuple[str, ImaginedTarget], ...] = ()
    reference: str | None = None
    """The reference's id in the catalog, for prompts that take an image."""
    pixels: SkipJsonSchema[Any] = field(default=None, compare=False, repr=False)
    """The reference as a PIL image where it is open already; without it the reference is opened by its id."""
    note: str = ""
    """What is meant of the reference, where there are others."""
    others: tuple[NotedCaption, ...] = ()
    """Further references, in order."""


@dataclass(frozen=True)
class Cost:
    """What a reply cost when it was made, however often it was used since."""

    reply: str
    """The key of the reply; equal requests share one."""
    calls: int
    """Requests made for it, including retries, repairs and models that failed before."""
    input_tokens: int
    """As the server reported them."""
    output_tokens: int
    tokens_known: bool = True
    """Whether the server reported the tokens of every answer; if not, the counts are too low."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.reply,
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.tokens_known and other.tokens_known,
        )


@dataclass(frozen=True)
class Imagination:
    """An imagined target and how it was made."""

    target: ImaginedTarget
    prompt: str | None
    """``imagine.structured@1#HASH8`` where a prompt was used."""
    warnings: tuple[str, ...]
    """What went wrong, in plain words for the user."""
    calls: int
    """Requests made to models for this imagination, including failures, retries and repairs; 0 for a stored reply,
    for an equal request in flight, and for the rules."""
    cached: bool
    """Whether the reply was stored already, or was made for an equal request at the same time."""
    cost: Cost | None = None
    """None where no model was called, and for a reply that was stored without its cost."""
    model: str | None = None
    """The model that wrote the target, as ``openai:NAME``; None for the rules."""
    form: ReplyForm | None = None
    """The form of the reply; None for the rules."""
    repairs: int = 0
    """How often a model was shown its own reply and asked to correct it, when the reply was made."""
    seconds: float | None = field(default=None, compare=False)
    """How long the models took when the reply was made, retries and repairs included. None where that is not known,
    where no model was called, and for an equal request in flight."""
    reply: str | None = field(default=None, compare=False, repr=False)
    """The text of the model's reply; None for the rules, and where the server cut the reply off."""
    no_response: bool = False
    """Whether the rules wrote the target because no server responded at all."""
    retry_after: float | None = field(default=None, compare=False)
    """Seconds after which a retry makes sense, where the rules wrote the target because of open circuit breakers."""
