"""The target as it grows."""

from __future__ import annotations

from dataclasses import dataclass, field

from ipcir_tools.rules.caption import (
    Phrase,
)


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

    def added(self, *items: str) -> None:
        """Note what is new."""
        self.add += [item for item in items if item and item not in self.add]
        self.touched = True

    def removed(self, *items: str) -> None:
        """Note what is gone."""
        self.remove += [item for item in items if item and item not in self.remove]
        self.touched = True
