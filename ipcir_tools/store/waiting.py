"""What one query writes, written in one transaction: small rows wait for the next one that must be stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from sqlalchemy import Table

from ipcir_tools.errors import CatalogError
from ipcir_tools.store.database import Database
from ipcir_tools.store.quick import Rows

FEW = 16
"""Rows that may wait; more are written at once, as they took longer to make than they take to write."""


class WaitingRows(Database):
    """A database whose small rows, such as the feature of a query's text, are written with those that follow."""

    @cached_property
    def _of_thread(self) -> threading.local:
        return threading.local()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within the block this thread's small rows may wait; at its end, also by an error, all are stored."""
        if getattr(self._of_thread, "waiting", None) is not None:
            yield
            return
        self._of_thread.waiting = {}
        try:
            yield
        except BaseException:
            with suppress(CatalogError):  # that of the block is told
                self._insert_now([])
            raise
        else:
            self._insert_now([])
        finally:
            self._of_thread.waiting = None

    def _insert_soon(self, table: Table, rows: Rows) -> None:
        """Insert rows, at the latest at the end of the block; one whose key is taken stays as it is."""
        waiting: dict[Table, list[Any]] | None = getattr(self._of_thread, "waiting", None)
        if waiting is None or len(rows) > FEW:
            self._insert_now([(table, rows)])
        else:
            waiting.setdefault(table, []).extend(rows)

    def _insert_now(self, inserts: Sequence[tuple[Table, Rows]]) -> list[int]:
        """Insert rows, and in the same transaction what waits; how many went in, of each of ``inserts``.

        Raises MissingRowError where a row refers to one that is not there.
        """
        waiting: dict[Table, list[Any]] = getattr(self._of_thread, "waiting", None) or {}
        steps = [step for step in (*waiting.items(), *inserts) if step[1]]
        if not steps:
            return []
        counts = self._insert(steps)
        waiting.clear()
        return counts[len(steps) - len(inserts) :]
