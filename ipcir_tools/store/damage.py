"""What of the catalog was found damaged by this process: told once, and replaced when it is made again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ipcir_tools.text import excerpt

log = logging.getLogger(__name__)

MENDING = "`ipcir verify --repair` mends what can be mended"
_NAMED = 3
"""Rows that a message names."""

_KINDS = {
    "features": ("feature", "searches leave out pictures without one"),
    "captions": ("caption", "pictures with one count as without"),
    "replies": ("kept reply", "the model is asked again"),
    "turns": ("turn", "none of them can be shown or refined"),
    "pictures": ("picture's record", "searches leave out pictures without one"),
    "counters": ("counter", "pictures may be missing"),
    "folders": ("indexed folder", "it counts as never indexed by name"),
}
"""By table: what a row is called, and what follows from damage."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class DamagedRow:
    """A row that is not as it was written, or that is not there though it must be."""

    table: str
    key: Key
    why: str


class DamageLog:
    """The damaged rows that were met since the catalog was opened. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, Key], DamagedRow] = {}
        self._untold: list[DamagedRow] = []

    def add(self, table: str, key: Key, why: str) -> None:
        """Note a damaged row, once."""
        row = DamagedRow(table, key, why)
        with self._lock:
            if (table, key) in self._known:
                return
            self._known[table, key] = row
            self._untold.append(row)
        log.info("damaged in the catalog: %s %s: %s", table, " ".join(key), why)

    def of(self, table: str, keys: Iterable[Key]) -> set[Key]:
        """Those of these rows that are known to be damaged."""
        if not self._known:
            return set()
        with self._lock:
            return {key for key in keys if (table, key) in self._known}

    def mended(self, table: str, keys: Collection[Key]) -> None:
        """Take out rows that were written again."""
        with self._lock:
            for key in keys:
                self._known.pop((table, key), None)

    def lines(self) -> list[str]:
        """What was not told yet, in a line for each kind."""
        if not self._untold:
            return []
        with self._lock:
            rows, self._untold = self._untold, []
            known = set(self._known.values())
        tables = dict.fromkeys(row.table for row in rows)
        parts = [[row for row in rows if row.table == table and (row in known) == left] for left in (True, False)
                 for table in tables]  # fmt: skip
        return [_line(part, mended=part[0] not in known) for part in parts if part]


def _line(rows: list[DamagedRow], *, mended: bool) -> str:
    """Damaged rows of one table for people."""
    kind, effect = _KINDS[rows[0].table]
    what = f"damaged in the catalog: {len(rows):,} {kind}{'' if len(rows) == 1 else 's'}"
    if mended:
        return f"{what}, made again"
    # By the last part of a path: not everybody may see the whole.
    named = ", ".join(f"{excerpt(row.key[0].rpartition('/')[2], 60)}: {row.why}" for row in rows[:_NAMED])
    more = f", and {len(rows) - _NAMED:,} more" if len(rows) > _NAMED else ""
    return f"{what} ({named}{more}); {effect}; {MENDING}"
