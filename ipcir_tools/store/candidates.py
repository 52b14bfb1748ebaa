"""What the gallery asks of an index of neighbours: a folder of Chroma here, or a collection on a server.

An index is only ever asked for candidates. They are scored again on the snapshot's features, so an index may be behind
the catalog: what came in since is scored exactly, what left is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ipcir_tools.batches import Progress
from ipcir_tools.types import FloatArray


class BrokenIndexError(Exception):
    """The index cannot be opened, read or written; never shown to a user."""


class CandidateIndex(Protocol):
    """An index that is open. Safe for many threads; every method raises BrokenIndexError where it fails."""

    def nearest(self, vector: FloatArray, n: int) -> list[str]:
        """Ids of about the ``n`` nearest to ``vector`` ``[d]``, nearest first."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


@dataclass(frozen=True)
class OpenedIndex:
    """An index that is open, and what it holds."""

    index: CandidateIndex
    revision: int
    """It holds the gallery as it was at this revision of the catalog, no more and no less."""
    count: int
    """How many pictures that is."""
    seal: str
    """The catalog's note about it when it was opened: another one means that there is a newer index."""


@dataclass(frozen=True)
class ChromaCollection:
    """A finished index as Chroma's own client sees it; for reading."""

    client: Any
    name: str


class IndexStore(Protocol):
    """Where the index of one catalog is kept. The methods never raise: without an index all is scored exactly."""

    @property
    def retry_seconds(self) -> float:
        """After how long an index that could not be opened may open after all; infinite: not unless it is written."""
        ...

    @property
    def note(self) -> str:
        """The key of the catalog's note about the last finished index; an empty note: there is none."""
        ...

    def revision(self, seal: str) -> int | None:
        """The catalog's revision of the index that such a note is about; None where it is about none that is usable."""
        ...

    def open(self) -> OpenedIndex | None:
        """The last finished index, verified; None where there is none. It may take seconds."""
        ...

    def write(self, progress: Progress | None = None) -> bool:
        """Bring the index up to the catalog, from the last one or from nothing; whether that was done.

        Searches go on with the one before. It may take minutes.
        """
        ...

    def failed(self, error: BrokenIndexError) -> None:
        """Say that the last index failed in a search, and forget it where it is broken."""
        ...

    def collection(self, progress: Progress | None = None) -> ChromaCollection | None:
        """The index of the gallery as it is now, captions and places too, for Chroma's own client; written if need be.

        None where that fails.
        """
        ...

    def interrupt(self) -> None:
        """End what another thread writes, where that can be: the last finished index stays."""
        ...

    def discard(self) -> None:
        """Forget the last index, so that the next one is written from nothing."""
        ...
