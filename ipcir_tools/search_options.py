"""How to search: the options that the engine, the retriever, the agents' tools and the command line share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict, Unpack

if TYPE_CHECKING:
    from ipcir_tools.types import Where


class SearchKeywords(TypedDict, total=False):
    """The fields of :class:`SearchOptions` as keyword arguments: ``engine.search(photo, "in blue", k=6)``."""

    k: int | None
    weight: float | None
    where: Where | None
    composer: str | None
    verify: int | str | None
    rerank: int | None


@dataclass(frozen=True)
class SearchOptions:
    """How to search. What is None is taken from the settings, or from the turn that a search refines."""

    k: int | None = None
    """How many hits to return."""
    weight: float | None = None
    """Weight of the text in the fusion, 0 to 1; the reference's is ``1 - weight``."""
    where: Where | None = None
    """A filter on the gallery's metadata; an empty one removes the filter of the turn that a search refines."""
    composer: str | None = None
    """A composer's name, with its parameters where they differ from the defaults: ``discount:b=0.5``."""
    verify: int | str | None = None
    """How many of the first hits the captioner scores again: a number, ``auto`` (where it is cheap), ``off``; or
    ``llm:5`` for a chat model's true/false checks."""
    rerank: int | None = None
    """How many of the best candidates a vision model puts into its own order; 0: none, and no image leaves the machine.
    None: what the settings say, for a refinement as well."""

    def updated(self, **keywords: Unpack[SearchKeywords]) -> SearchOptions:
        """The same options with the given fields replaced."""
        return replace(self, **keywords)

    def or_else(self, defaults: SearchOptions) -> SearchOptions:
        """The same options with every field that is None taken from ``defaults``."""
        return replace(defaults, **{name: value for name, value in vars(self).items() if value is not None})
