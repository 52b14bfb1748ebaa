"""The limit of failures in a row after which a model is not called again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ipcir_tools.errors import ModelUnavailableError

OUTAGES = 3
"""Failures in a row after which a model is not called again."""


class Attempts:
    """A group of calls of one model; groups that belong together share their failures ``in_a_row``."""

    def __init__(self, in_a_row: list[ModelUnavailableError]) -> None:
        self._in_a_row = in_a_row
        self.failures: list[ModelUnavailableError] = []
        """Of this group, whether or not a success came between them."""

    @property
    def reached(self) -> bool:
        """Whether the model is not to be called again."""
        return len(self._in_a_row) >= OUTAGES

    def failed(self, error: ModelUnavailableError, *, counts: bool = True) -> None:
        """Note a failure; with ``counts`` it is one of the model, not of what it was given."""
        self.failures.append(error)
        if counts:
            self._in_a_row.append(error)

    def succeeded(self) -> None:
        """Begin to count anew."""
        self._in_a_row.clear()


class FailureLimit:
    """Counts the failures of one model in a row, within each group of ``attempts``. Safe for many threads.

    Groups of callers that run at the same time know nothing of each other. While the limit is ``shared``, failures are
    counted over all groups, and a group that begins after the limit is reached raises the last failure at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sharing = 0
        self._shared: list[ModelUnavailableError] = []

    @contextmanager
    def shared(self) -> Iterator[Attempts]:
        """Count the failures of all groups within the block together; gives a group for the block itself."""
        with self._lock:
            if not self._sharing:
                self._shared = []
            self._sharing += 1
        try:
            yield Attempts(self._shared)
        finally:
            with self._lock:
                self._sharing -= 1

    @contextmanager
    def attempts(self) -> Iterator[Attempts]:
        """A group of calls. What failed in it is raised at the end of the block: the first failure."""
        group = self._group()
        try:
            yield group
        except ModelUnavailableError as error:  # the model could not even be loaded
            group.failed(error)
            raise
        if group.failures:
            raise group.failures[0]

    def _group(self) -> Attempts:
        with self._lock:
            in_a_row = self._shared if self._sharing else []
        if len(failed := in_a_row[:]) >= OUTAGES:  # a copy: another thread may begin anew
            raise ModelUnavailableError(f"{failed[-1]} (No further call was made after {OUTAGES} failures in a row.)")
        return Attempts(in_a_row)
