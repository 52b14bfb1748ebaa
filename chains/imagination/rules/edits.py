"""The edits that a modification text can ask for, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from ipcir_tools.chains.imagination.rules.caption import Phrase


@dataclass(frozen=True)
class Edit:
    """One change. ``text`` is the new value in simple words; ``of`` the thing to change, empty for the main thing."""

    text: str
    of: str = ""


class Scene(Edit):
    """A description of the whole target."""


class Become(Edit):
    """A new main thing, or the same one with other attributes: ``a skirt``."""


class Swap(Edit):
    """``text`` replaces ``of``."""


class Set(Edit):
    """Adjectives: ``dark red``."""


class Add(Edit):
    """A thing to add: ``a belt``."""


class Aside(Edit):
    """A remark about some of several things: ``one with a cap``."""


class Drop(Edit):
    """A thing to remove."""


class Place(Edit):
    """The place: ``on a beach``."""


class Pose(Edit):
    """The pose or the activity: ``lying on a couch``."""


class Count(Edit):
    """The number: ``two``, ``several``, ``+1``, ``-1``."""


class View(Edit):
    """The view or the kind of picture: ``seen from above``."""


class Keep(Edit):
    """A thing or an attribute to keep."""


@dataclass
class Draft:
    """The target under construction, changed edit by edit."""

    phrase: Phrase
    original: Phrase
    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)
    rewritten: bool = False
    """Whether the text described the whole target, so that nothing of the caption need remain."""
    touched: bool = False

    def note_added(self, *items: str) -> None:
        """Record what the target has in addition."""
        self.add += [item for item in items if item and item not in self.add]
        self.touched = True

    def note_removed(self, *items: str) -> None:
        """Record what the target must not have."""
        self.remove += [item for item in items if item and item not in self.remove]
        self.touched = True
