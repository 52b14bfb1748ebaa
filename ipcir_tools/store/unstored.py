"""What a search makes and cannot store, because another process writes for long, a disk is full, or nothing may be
written: the search goes on without, says so once, and does not wait for each of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec

from ipcir_tools.errors import CatalogError

P = ParamSpec("P")

SEARCH_SECONDS = 3.0
"""How long a search waits for another process that writes, before it goes on without storing."""


class Unstored:
    """Within one search: why something could not be stored; empty where all was."""

    why = ""

    def failed(self, error: CatalogError) -> None:
        """Keep the first reason, without the catalog's place, which not everybody may see."""
        text = str(error)
        beginning, is_of_database, reason = text.partition(" cannot be used (")
        self.why = self.why or (f"({reason}" if is_of_database and beginning.startswith("The catalog") else text)

    def line(self) -> str:
        """The same for the user; empty where all was stored."""
        return f"what this search made is not stored, only held in this process {self.why}" if self.why else ""


_SEARCH: ContextVar[Unstored | None] = ContextVar("unstored", default=None)


def in_search() -> Unstored | None:
    """What could not be stored of the search that is being made in this context; None where none is."""
    return _SEARCH.get()


@contextmanager
def searching() -> Iterator[Unstored]:
    """Within the block, what cannot be stored is left out."""
    outer = _SEARCH.get()
    if outer is not None:
        yield outer
        return
    made = Unstored()
    token = _SEARCH.set(made)
    try:
        yield made
    finally:
        _SEARCH.reset(token)


@contextmanager
def storing() -> Iterator[None]:
    """Within the block, what cannot be stored raises CatalogError, in a search too."""
    token = _SEARCH.set(None)
    try:
        yield
    finally:
        _SEARCH.reset(token)


def wanted_later(store: Callable[P, None]) -> Callable[P, None]:
    """A method that stores what can be made again: in a search it is left out where the catalog cannot be written."""

    @wraps(store)
    def stored(*args: P.args, **keywords: P.kwargs) -> None:
        search = _SEARCH.get()
        if search is not None and search.why:
            return  # it has waited once
        try:
            store(*args, **keywords)
        except CatalogError as error:
            if search is None:
                raise
            search.failed(error)

    return stored
