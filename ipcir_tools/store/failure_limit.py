"""How long a model that does not answer is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ipcir_tools.errors import ModelUnavailableError

OUTAGES = 3
"""A model that failed so often in a row is asked no more."""


class FailureLimit:
    """How long a model that fails is asked: each round of questions ends after ``OUTAGES`` failures in a row.

    While it is ``lasting``, they are counted over all rounds, and a round that begins after the last one raises the
    last failure at once.
    """

    def __init__(self) -> None:
        self._lasts = 0
        self._row: list[ModelUnavailableError] = []

    @property
    def over(self) -> bool:
        """Whether no more is to be asked."""
        return len(self._row) >= OUTAGES

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Many rounds that belong together."""
        if not self._lasts:
            self._row.clear()
        self._lasts += 1
        try:
            yield
        finally:
            self._lasts -= 1

    @contextmanager
    def round(self) -> Iterator[list[ModelUnavailableError]]:
        """Some questions. What failed of them is noted in the list, and its first is raised at the end."""
        if not self._lasts:
            self._row.clear()
        if self.over:
            raise ModelUnavailableError(f"{self._row[-1]} (Nothing more was asked after {OUTAGES} failures in a row.)")
        failures: list[ModelUnavailableError] = []
        try:
            yield failures
        except ModelUnavailableError as error:  # it could not even be loaded
            self.failed(error)
            raise
        if failures:
            raise failures[0]

    def failed(self, error: ModelUnavailableError) -> None:
        """There was no answer."""
        self._row.append(error)

    def answered(self) -> None:
        """There was one."""
        self._row.clear()
