"""The limit of failures in a row after which a model is not called again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ipcir_tools.errors import ModelUnavailableError

OUTAGES = 3
"""Failures in a row after which a model is not called again."""


class FailureLimit:
    """Counts the failures of one model in a row, within each group of ``attempts``.

    While the limit is ``shared``, they are counted over all groups, and a group that begins after the limit is reached
    raises the last failure at once.
    """

    def __init__(self) -> None:
        self._shared = 0
        self._in_a_row: list[ModelUnavailableError] = []

    @property
    def reached(self) -> bool:
        """Whether the model is not to be called again."""
        return len(self._in_a_row) >= OUTAGES

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Count the failures of all groups within the block together."""
        if not self._shared:
            self._in_a_row.clear()
        self._shared += 1
        try:
            yield
        finally:
            self._shared -= 1

    @contextmanager
    def attempts(self) -> Iterator[list[ModelUnavailableError]]:
        """A group of calls. The block collects failures in the list; the first of them is raised at its end."""
        if not self._shared:
            self._in_a_row.clear()
        if len(failed := self._in_a_row[:]) >= OUTAGES:  # a copy: another thread may begin anew
            raise ModelUnavailableError(f"{failed[-1]} (No further call was made after {OUTAGES} failures in a row.)")
        failures: list[ModelUnavailableError] = []
        try:
            yield failures
        except ModelUnavailableError as error:  # the model could not even be loaded
            self.failed(error)
            raise
        if failures:
            raise failures[0]

    def failed(self, error: ModelUnavailableError) -> None:
        """Count a failure."""
        self._in_a_row.append(error)

    def succeeded(self) -> None:
        """Begin to count anew."""
        self._in_a_row.clear()
