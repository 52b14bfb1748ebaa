"""The edits that a modification text can ask for, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from ipcir_tools.chains.imagination.rules.caption import Phrase


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


@dataclass
class Draft:
    """The target as it grows, edit by edit."""

    phrase: Phrase
    original: Phrase
    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)
    rewritten: bool = False
    """Whether the text described the whole target, so that nothing of the caption need be left."""
    touched: bool = False

    def note_added(self, *items: str) -> None:
        """Note what is new."""
        self.add += [item for item in items if item and item not in self.add]
        self.touched = True

    def note_removed(self, *items: str) -> None:
        """Note what is gone."""
        self.remove += [item for item in items if item and item not in self.remove]
        self.touched = True
