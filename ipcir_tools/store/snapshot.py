"""The gallery's ids and features at one revision, in memory: shared by all threads, and extended by what changed.

A snapshot is made of segments, rows that never change. A picture that enters is a row of a new segment, one that leaves
is a row that is not alive any more; a picture that changed is both. So a snapshot costs what is new in it, and whoever
holds an earlier one keeps it whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.store.changes import Change
from ipcir_tools.store.dots import Rows, dots
from ipcir_tools.types import FloatArray

Mask = NDArray[np.bool_]
Names = NDArray[np.bytes_]
"""Ids in UTF-8, sorted, each of the same width."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Rows that never change."""

    names: Names
    matrix: FloatArray
    """``[n, d]``, unit norm."""
    since: NDArray[np.int64]
    """``[n]``: the revision with which each picture entered, as far as that is known; else a later one."""

    def __len__(self) -> int:
        return len(self.names)

    def rows_of(self, wanted: Sequence[bytes]) -> Rows:
        """The rows ``[m]`` of these ids; -1 for one that is not here."""
        width = self.names.dtype.itemsize
        sought = np.array([name if len(name) <= width else b"" for name in wanted], self.names.dtype)
        rows = np.minimum(np.searchsorted(self.names, sought), len(self) - 1)
        return np.where((self.names[rows] == sought) & (sought != b""), rows, -1)

    def take(self, rows: Rows) -> FloatArray:
        """A copy of these rows ``[m, d]``."""
        return self.matrix[rows]

    def whole(self) -> FloatArray:
        """All rows ``[n, d]``, not copied."""
        return self.matrix

    def dots(self, vector: FloatArray, rows: Rows) -> FloatArray:
        """The dot product of ``vector`` ``[d]`` with each of these rows ``[m]``."""
        return dots(self.matrix, vector, rows)


def segment(vectors: Mapping[str, FloatArray], since: Mapping[str, int]) -> Segment:
    """The rows of these pictures, by id."""
    order = sorted(vectors, key=encoded)
    matrix = np.stack([vectors[id_] for id_ in order])
    return Segment(_names(order), _fixed(matrix), np.array([since[id_] for id_ in order], np.int64))


def base_segment(ids: Sequence[str], matrix: FloatArray, revision: int) -> Segment:
    """The rows ``[n, d]`` of a whole gallery as it was at ``revision``; ``ids`` are sorted."""
    names = _names(ids)
    order = np.argsort(names, kind="stable")
    if (order[1:] < order[:-1]).any():  # a database may sort in its own way
        names, matrix = names[order], matrix[order]
    return Segment(names, _fixed(matrix), np.full(len(names), revision, np.int64))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The gallery at ``revision``. Rows are numbered through all segments, those that are not alive included."""

    segments: tuple[Segment, ...]
    alive: Mask
    """``[rows]``: which of them are pictures of the gallery."""
    revision: int
    _starts: Rows = field(init=False)

    def __post_init__(self) -> None:
        self.alive.setflags(write=False)
        object.__setattr__(self, "_starts", np.cumsum([0, *map(len, self.segments)]))

    @classmethod
    def of(cls, base: Segment | None, revision: int) -> Self:
        """The snapshot of one segment, all of it alive; None: of an empty gallery."""
        whole = () if base is None or not len(base) else (base,)
        return cls(whole, np.ones(sum(map(len, whole)), bool), revision)

    @cached_property
    def count(self) -> int:
        """How many pictures are in the gallery."""
        return int(np.count_nonzero(self.alive))

    def __len__(self) -> int:
        return self.count

    @cached_property
    def living(self) -> Rows:
        """The rows that are alive, rising."""
        return np.flatnonzero(self.alive)

    @cached_property
    def order(self) -> Rows:
        """The rows that are alive, by id."""
        return self.by_id(self.living)

    def by_id(self, rows: Rows) -> Rows:
        """These rows in the order of their ids."""
        if len(self.segments) < 2:
            return np.sort(rows)
        return rows[np.argsort(np.concatenate([each.names for each in self.segments])[rows])]

    @cached_property
    def ids(self) -> list[str]:
        """The gallery's ids, sorted."""
        return self.names(self.order)

    @property
    def matrix(self) -> FloatArray:
        """The features ``[n, d]`` in the order of ``ids``; a copy, unless all rows are alive in one segment."""
        if len(self.segments) == 1 and self.count == len(self.alive):
            return self.segments[0].whole()
        return self.features(self.order) if self.segments else np.zeros((0, 0), np.float32)

    # --- reading rows

    def rows(self, ids: Iterable[str]) -> Rows:
        """The rows of these ids, in their order; -1 for one that is not in the gallery."""
        wanted = [encoded(id_) for id_ in ids]
        found = np.full(len(wanted), -1, np.intp)
        if not wanted:
            return found
        for start, part in zip(self._starts, self.segments, strict=False):
            rows = part.rows_of(wanted)
            here = (rows >= 0) & self.alive[np.maximum(rows, 0) + start]
            found[here] = rows[here] + start
        return found

    def ever(self, ids: Iterable[str]) -> Mask:
        """Which of these ids have a row, alive or not."""
        wanted = [encoded(id_) for id_ in ids]
        found = np.zeros(len(wanted), bool)
        for part in self.segments:
            found |= part.rows_of(wanted) >= 0
        return found

    def names(self, rows: Rows) -> list[str]:
        """The ids of these rows."""
        out: list[bytes] = [b""] * len(rows)
        for part, places, local in self._split(rows):
            for place, name in zip(places.tolist(), part.names[local].tolist(), strict=True):
                out[place] = name
        return [name.decode("utf-8", "surrogatepass") for name in out]

    def features(self, rows: Rows) -> FloatArray:
        """A copy of the features ``[m, d]`` of these rows."""
        parts = self._split(rows)
        if len(parts) == 1:
            return parts[0][0].take(parts[0][2])
        out = np.empty((len(rows), self.segments[0].matrix.shape[1] if self.segments else 0), np.float32)
        for part, places, local in parts:
            out[places] = part.take(local)
        return out

    def vectors(self, ids: Iterable[str]) -> dict[str, FloatArray]:
        """The features ``[d]`` of those of ``ids`` that are in the gallery, by id."""
        wanted = list(dict.fromkeys(ids))
        rows = self.rows(wanted)
        known = np.flatnonzero(rows >= 0)
        return dict(zip([wanted[i] for i in known], self.features(rows[known]), strict=True)) if len(known) else {}

    def cosines_of(self, rows: Rows, vector: FloatArray) -> FloatArray:
        """The dot product of ``vector`` ``[d]`` with each of these rows ``[m]``."""
        parts = self._split(rows)
        if len(parts) == 1:
            return parts[0][0].dots(vector, parts[0][2])
        out = np.empty(len(rows), np.float32)
        for part, places, local in parts:
            out[places] = part.dots(vector, local)
        return out

    def cosines(self, vector: FloatArray) -> FloatArray:
        """The dot product of ``vector`` ``[d]`` with every row ``[rows]``, those that are not alive included."""
        if len(self.segments) == 1:
            return dots(self.segments[0].whole(), vector)
        return np.concatenate([dots(part.whole(), vector) for part in self.segments])

    def mask(self, ids: Iterable[str]) -> Mask:
        """``[rows]``: which of them are these pictures."""
        chosen = np.zeros(len(self.alive), bool)
        rows = self.rows(ids)
        chosen[rows[rows >= 0]] = True
        return chosen

    def entered_since(self, revision: int) -> Rows:
        """The rows, alive, of the pictures that may have entered after ``revision``."""
        if not self.segments:
            return np.zeros(0, np.intp)
        return np.flatnonzero((np.concatenate([part.since for part in self.segments]) > revision) & self.alive)

    def _split(self, rows: Rows) -> list[tuple[Segment, Rows, Rows]]:
        """By segment: the segment, the places in ``rows`` and the segment's own numbers of these rows."""
        if len(self.segments) == 1:
            return [(self.segments[0], np.arange(len(rows)), rows)]
        of = np.searchsorted(self._starts, rows, side="right") - 1
        places = [np.flatnonzero(of == i) for i in range(len(self.segments))]
        parts = zip(self._starts, self.segments, places, strict=False)
        return [(part, at, rows[at] - start) for start, part, at in parts if len(at)]

    # --- extending

    def extended(self, changes: Sequence[Change], vectors: Mapping[str, FloatArray], revision: int) -> Self:
        """The snapshot at ``revision``, after ``changes``; ``vectors`` has the features ``[d]`` of what entered."""
        alive = self.alive.copy()
        known = self.rows([change.id for change in changes])
        alive[known[known >= 0]] = False
        parts = [
            (part, alive[start : start + len(part)]) for start, part in zip(self._starts, self.segments, strict=False)
        ]
        since = {change.id: change.revision for change in changes if change.entered and change.id in vectors}
        if since:
            new = segment({id_: vectors[id_] for id_ in since}, since)
            parts = _merged([*parts, (new, np.ones(len(new), bool))])
        masks = [mask for _, mask in parts]
        return type(self)(tuple(part for part, _ in parts), np.concatenate(masks or [alive]), revision)


def _merged(parts: list[tuple[Segment, Mask]]) -> list[tuple[Segment, Mask]]:
    """Small last segments put together, so that there are never many: each row is copied about log n times.

    The first one is left alone, which may be large and mapped from a file.
    """
    while len(parts) > 2 and 2 * len(parts[-1][0]) >= len(parts[-2][0]):
        (one, lives), (two, living) = parts[-2:]
        names = np.concatenate([one.names[lives], two.names[living]])
        order = np.argsort(names)
        matrix = np.concatenate([one.matrix[lives], two.matrix[living]])[order]
        since = np.concatenate([one.since[lives], two.since[living]])[order]
        parts = [*parts[:-2], (Segment(names[order], _fixed(matrix), since), np.ones(len(names), bool))]
    return parts


def encoded(id_: str) -> bytes:
    """An id as segments store it."""
    return id_.encode("utf-8", "surrogatepass")


def _names(ids: Iterable[str]) -> Names:
    return np.array([encoded(id_) for id_ in ids], np.bytes_)


def _fixed(matrix: FloatArray) -> FloatArray:
    matrix.setflags(write=False)
    return matrix
