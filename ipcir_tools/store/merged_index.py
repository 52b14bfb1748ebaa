"""An open index with what has changed since it was written: candidates for a snapshot, ranked exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ipcir_tools.store.best_rows import TIE, Ranking, best_rows, not_among
from ipcir_tools.store.candidates import BrokenIndexError, OpenedIndex
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.dots import Rows
from ipcir_tools.store.search_parts import part
from ipcir_tools.store.snapshot import Mask, Segment, Snapshot, encoded
from ipcir_tools.types import Probe

CANDIDATES, PER_HIT = 100, 4
"""Fewest candidates that are rescored, and how many per wanted picture for larger k."""

LINEAR_SPARE = 8
"""Candidates beyond the wanted pictures where scores are cosines: rescoring changes the index's own order by rounding
alone, and each candidate costs a look-up within Chroma."""

MOST = 1_000
"""Most candidates that an index is asked for: for more of them, scoring all takes less."""

ROWS_A_CANDIDATE, COPIED = 300, 3
"""Rows that are scored in the time that one more candidate takes, 20 microseconds on two cores; and in how much of that
time those are that pass a filter, and are copied first where they are few."""

BEHIND = 3
"""One picture of this many may have come in since the index was written; with more of them, all are scored."""


class MergedIndex:
    """One open index over the snapshots of its catalog."""

    def __init__(self, opened: OpenedIndex, catalog: Catalog) -> None:
        self.opened = opened
        self._catalog = catalog
        self._fresh: tuple[Snapshot, Rows] | None = None
        self._changed: tuple[Segment, Rows] | None = None
        self._left: set[str] = set()  # pictures that it has and that left the gallery

    def rank(self, probe: Probe, k: int, snapshot: Snapshot, allowed: Mask, exclude: Iterable[str]) -> Ranking | None:
        """The ``k`` best of the ``allowed`` rows; None where that is not certain, or not worth it.

        Raises BrokenIndexError where the index cannot be right.
        """
        if snapshot.revision < self.opened.revision:
            return None  # it was opened after the snapshot was taken
        fresh = self._fresh_rows(snapshot)
        passing = int(np.count_nonzero(allowed))
        if fresh is None or len(fresh) * BEHIND > len(snapshot) or (passing < len(snapshot) and not probe.linear):
            return None
        left_out = snapshot.rows(exclude)
        breadth, enough, most = _breadth(probe, k, len(snapshot), passing)
        while breadth < min(self.opened.count - len(left_out), most):
            found = self._rows(probe, breadth + len(left_out), snapshot)
            rows = found[allowed[found] & not_among(found, left_out)]
            if len(rows) >= enough:
                new = fresh[allowed[fresh] & not_among(fresh, left_out)]
                return self._ranked(probe, k, snapshot, found, rows, new)
            breadth *= 3
        return None

    def _ranked(self, probe: Probe, k: int, snapshot: Snapshot, found: Rows, rows: Rows, fresh: Rows) -> Ranking | None:
        """The ranking among the candidates ``rows`` of all that were ``found``, and what the index does not have."""
        merged = np.union1d(rows, fresh) if len(fresh) else rows
        if probe.linear:
            every = np.union1d(found, merged)
            cosines = snapshot.cosines_of(every, probe.vector)
            best, least = cosines[np.searchsorted(every, merged)], cosines[np.searchsorted(every, found)].min()
            if np.partition(best, -k)[-k] <= least + TIE:
                return None  # more pictures tie for the last place than there are candidates
        return best_rows(probe, k, snapshot, merged)

    def _rows(self, probe: Probe, breadth: int, snapshot: Snapshot) -> Rows:
        """The rows of the candidates that are in the gallery."""
        with part("candidates"):
            found = self.opened.index.nearest(probe.vector, breadth)
        rows = snapshot.rows(found)
        missing = [id_ for id_, row in zip(found, rows.tolist(), strict=True) if row < 0 and id_ not in self._left]
        if missing:
            self._left.update(each.id for each in self._catalog.changes(self.opened.revision) or ())
        unknown = [id_ for id_ in missing if id_ not in self._left]
        if len(found) < breadth or unknown:
            raise BrokenIndexError(f"{len(found)} of {breadth} candidates, {len(unknown)} of them unknown")
        return np.unique(rows[rows >= 0])

    def _fresh_rows(self, snapshot: Snapshot) -> Rows | None:
        """The rows of the pictures that came in since the index was written; None where that is not known."""
        if self._fresh is None or self._fresh[0] is not snapshot:
            rows = snapshot.entered_since(self.opened.revision)
            base = snapshot.segments[0] if snapshot.segments else None
            in_base = rows < len(base) if base is not None else np.zeros(0, bool)
            if base is not None and in_base.any():  # read later than the index: not all of it is new
                changed = self._changed_in(base)
                if changed is None:
                    return None
                rows = np.concatenate([np.intersect1d(rows[in_base], changed), rows[~in_base]])
            self._fresh = snapshot, rows
        return self._fresh[1]

    def _changed_in(self, base: Segment) -> Rows | None:
        """The rows of ``base`` of the pictures that entered or left since the index was written."""
        if self._changed is None or self._changed[0] is not base:
            changes = self._catalog.changes(self.opened.revision)
            if changes is None:
                return None
            self._changed = base, base.rows_of([encoded(each.id) for each in changes])
        return self._changed[1]


def _breadth(probe: Probe, k: int, n: int, passing: int) -> tuple[int, int, float]:
    """How many candidates to ask for, how many that pass are enough, and from how many on scoring all takes less, where
    ``passing`` of ``n`` pictures pass a filter."""
    if not probe.linear:
        wanted = max(CANDIDATES, PER_HIT * k)
        return wanted, math.ceil(wanted / 2), MOST
    wanted = k + LINEAR_SPARE
    if passing == n:
        return wanted, k + 1, MOST
    # Twice as many as pass on average.
    return math.ceil(2 * wanted * n / max(passing, 1)), k + 1, min(n, COPIED * passing) / ROWS_A_CANDIDATE
