"""The edits that a modification text can ask for, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """One change. ``text`` says what, in plain words; ``of`` says of what, empty for the main thing."""

    text: str
    of: str = ""


class Scene(Edit):
    """The whole target in words."""


class Become(Edit):
    """The main thing becomes another, or the same with other attributes: ``a skirt``."""


class Swap(Edit):
    """``of`` gives way to ``text``."""


class Set(Edit):
    """Adjectives: ``dark red``."""


class Add(Edit):
    """A thing that is there now: ``a belt``."""


class Aside(Edit):
    """What is said of some of them: ``one with a cap``."""


class Drop(Edit):
    """A thing that is not there."""


class Place(Edit):
    """Where it is: ``on a beach``."""


class Pose(Edit):
    """What it does: ``lying on a couch``."""


class Count(Edit):
    """How many: ``two``, ``several``, ``+1``, ``-1``."""


class View(Edit):
    """How it is seen: ``seen from above``."""


class Keep(Edit):
    """What stays."""
