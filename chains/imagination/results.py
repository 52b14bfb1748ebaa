"""What is imagined, what comes of it, and where replies are kept: the values of the imagination."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic.json_schema import SkipJsonSchema

from ipcir_tools.types import ImaginedTarget

Form = Literal["json", "parts", "text"]
"""How a usable reply came: a whole JSON object, the complete parts of a broken one, or plain text."""


@dataclass(frozen=True)
class ImagineRequest:
    """What is to be imagined. ``history``: (modification, what it gave) of the turns before, root first."""

    caption: str
    modification: str
    history: tuple[tuple[str, ImaginedTarget], ...] = ()
    reference: str | None = None
    """The catalog's id of the reference, for prompts that see it."""
    pixels: SkipJsonSchema[Any] = field(default=None, compare=False, repr=False)
    """The reference as PIL's image where it is open already; else a prompt that sees has it opened by its id."""


@dataclass(frozen=True)
class Cost:
    """What a reply cost when it was made, however often it was used since."""

    reply: str
    """The key of the reply: equal requests share one."""
    calls: int
    """Requests that were made for it, retries, repairs and models that failed before included."""
    input_tokens: int
    """By the server's own account."""
    output_tokens: int
    told: bool = True
    """Whether the server told the tokens of every answer; else they are not known, and these are too few."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.reply,
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.told and other.told,
        )


@dataclass(frozen=True)
class Imagination:
    """An imagined target and how it came about."""

    target: ImaginedTarget
    prompt: str | None
    """``imagine.structured@1#HASH8`` where a prompt was used."""
    warnings: tuple[str, ...]
    """What went wrong, for the user, in plain words."""
    calls: int
    """Requests that were made of models for it now, failed ones, retries and repairs included; 0 where the reply was
    kept, or an equal request was under way, or by rules."""
    cached: bool
    """Whether the reply was there already, or was made for an equal request at the same time."""
    cost: Cost | None = None
    """None where no model was asked, and for a reply that was kept before costs were."""
    model: str | None = None
    """The model whose words these are, as ``openai:NAME``; None for the rules."""
    form: Form | None = None
    """How the reply came; None for the rules."""
    repairs: int = 0
    """How often a model was shown its own reply and asked to mend it, when the reply was made."""
    seconds: float | None = field(default=None, compare=False)
    """How long the models took when the reply was made, retries and repairs included. None where that is not known,
    where none was asked, and for an equal request that was under way."""
    silent: bool = False
    """Whether the rules wrote because no server said anything at all."""
    again_in: float | None = field(default=None, compare=False)
    """Seconds after which it is worth asking again, where the rules wrote because the servers are left alone."""
