"""Retrieval metrics over ranks. A rank counts from 1; ties are broken against the target.

One order holds for every metric: by falling score, among equals the pictures that are no target first, then the
targets, and the main target last of all. No order of equals gives a smaller number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.types import FloatArray

IntArray = NDArray[np.int64]
Places = Sequence[Sequence[int]]
"""For each query some columns of its row of scores; as many as it has."""


def rank_of(scores: FloatArray, target: int, left_out: Sequence[int] = ()) -> int:
    """The rank of ``target`` among ``scores`` ``[n]``: every other picture that scores as high stands before it.

    Pictures in ``left_out`` (the reference, by CIRR's rule) do not take part; the target always does. Raises ValueError
    where a score is not a number.
    """
    _check(scores[None])
    ahead = scores >= scores[target]
    ahead[[target, *left_out]] = False
    return int(np.count_nonzero(ahead)) + 1


def recall_at(ranks: Sequence[int], k: int) -> float:
    """Share of queries, in percent, whose target is among the first ``k``; ValueError without queries."""
    if not ranks:
        raise ValueError("recall needs at least one query")
    return 100.0 * sum(rank <= k for rank in ranks) / len(ranks)


# --- many queries at once


def target_ranks(scores: FloatArray, targets: Places, left_out: Places = ()) -> list[tuple[int, ...]]:
    """The ranks of all targets of each query, ascending, from ``scores`` ``[q, n]``.

    Pictures in ``left_out`` do not take part, unless they are targets. Raises ValueError where a score is not a
    number, because a comparison would pass it over.
    """
    _check(scores)
    places, there = _padded(targets, len(scores))
    # Padding of short rows is sorted first, where it changes no rank.
    found = np.where(there, np.take_along_axis(scores, places, axis=1), np.inf)
    order = np.argsort(-found, axis=1, kind="stable")
    found, there = np.take_along_axis(found, order, axis=1), np.take_along_axis(there, order, axis=1)
    equals = (found[:, None, :] >= found[:, :, None]) & there[:, None, :]
    others = _at_least(scores, found, there) - equals.sum(axis=2) - _out_at_least(scores, found, targets, left_out)
    ranks = others + np.cumsum(there, axis=1)
    return [tuple(row[mask].tolist()) for row, mask in zip(ranks, there, strict=True)]


def main_ranks(scores: FloatArray, mains: Sequence[int], left_out: Places = (), targets: Places = ()) -> IntArray:
    """The rank ``[q]`` of each query's main target, behind every picture that scores as high; as :func:`rank_of`.

    Other ``targets`` that are in ``left_out`` take part, as in :func:`target_ranks`.
    """
    alone = [(main,) for main in mains]
    if left_out and targets:
        left_out = [sorted(set(out) - set(own)) for out, own in zip(left_out, targets, strict=True)]
    return np.array([ranks[0] for ranks in target_ranks(scores, alone, left_out)], dtype=np.int64)


def first_places(scores: FloatArray, k: int, left_out: Places = ()) -> list[tuple[int, ...]]:
    """The columns of the ``k`` best of each row of ``scores`` ``[q, n]``, best first; equals in their given order."""
    _check(scores)
    rows = []
    for i, row in enumerate(scores):
        out = set(left_out[i]) if left_out else set()
        enough = min(k + len(out), len(row))
        least = np.partition(row, len(row) - enough)[len(row) - enough] if enough else np.inf
        best = np.flatnonzero(row >= least)
        ordered = best[np.argsort(-row[best], kind="stable")].tolist()
        rows.append(tuple(place for place in ordered if place not in out)[:k])
    return rows


def _padded(places: Places, rows: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """``places`` as one array ``[rows, most]``, and where it holds something."""
    lengths = [len(each) for each in places] or [0] * rows
    there = np.arange(max(lengths, default=0)) < np.array(lengths, dtype=np.int64)[:, None]
    padded = np.zeros(there.shape, dtype=np.int64)
    padded[there] = [place for each in places for place in each]
    return padded, there


def _at_least(scores: FloatArray, thresholds: FloatArray, there: NDArray[np.bool_]) -> IntArray:
    """How many of each row of ``scores`` ``[q, n]`` reach each of its ``thresholds`` ``[q, t]``: ``[q, t]``."""
    counts = np.zeros(thresholds.shape, dtype=np.int64)
    for j in range(thresholds.shape[1]):
        rows = np.flatnonzero(there[:, j])
        some = scores if len(rows) == len(scores) else scores[rows]
        counts[rows, j] = np.count_nonzero(some >= thresholds[rows, j, None], axis=1)
    return counts


def _out_at_least(scores: FloatArray, thresholds: FloatArray, targets: Places, left_out: Places) -> IntArray:
    """How many of those that :func:`_at_least` has counted are left out, and no targets: ``[q, t]``."""
    out = [sorted(set(some) - set(own)) for some, own in zip(left_out, targets, strict=True)] if left_out else []
    places, there = _padded(out, len(scores))
    found = np.take_along_axis(scores, places, axis=1)
    reach = (found[:, None, :] >= thresholds[:, :, None]) & there[:, None, :]
    return np.asarray(reach.sum(axis=2), dtype=np.int64)


def _check(scores: FloatArray) -> None:
    # The largest of a row is NaN if any is; no array as large as the scores is needed for it.
    broken = np.isnan(scores.max(axis=1, initial=-np.inf))
    if broken.any():
        row = int(np.flatnonzero(broken)[0])
        raise ValueError(f"the scores of query {row} are not numbers: a feature is broken")


# --- one query's worth


def average_precision(ranks: Sequence[int], k: int) -> float:
    """AP@k of one query from the ranks of all its targets, 0 to 1.

    ``sum over i <= k of P(i) * rel(i)``, divided by ``min(number of targets, k)``: CIRCO's. ValueError without targets.
    """
    if not ranks:
        raise ValueError("average precision needs at least one target")
    found = [rank for rank in sorted(ranks) if rank <= k]
    return sum(i / rank for i, rank in enumerate(found, start=1)) / min(len(ranks), k)


@dataclass(frozen=True)
class Scored:
    """The ranks of one query's targets."""

    query: str
    """The query's id."""
    ranks: tuple[int, ...]
    """Of all targets, ascending."""
    main: int
    """Of the main target, which recall counts; behind the other targets where they score the same."""
    subset: int | None = None
    """Of the main target within the query's subset; None where it has none."""


Kind = Literal["R", "Hits", "mAP", "R_subset"]


@dataclass(frozen=True)
class Measure:
    """One column of a table: ``R@10``, ``Hits@10``, ``mAP@5`` or ``R_subset@1``."""

    kind: Kind
    """``R``: the main target is among the first k. ``Hits``: any target is. ``mAP``: AP@k over all targets.
    ``R_subset``: the main target is among the first k of the query's subset."""
    k: int

    @property
    def name(self) -> str:
        """As tables head it."""
        return f"{self.kind}@{self.k}"

    def of(self, scored: Scored) -> float:
        """One query's value in percent, so that the mean over queries is the published figure.

        ValueError for ``R_subset`` where the query has no subset.
        """
        if self.kind == "mAP":
            return 100.0 * average_precision(scored.ranks, self.k)
        rank = {"R": scored.main, "Hits": scored.ranks[0], "R_subset": scored.subset}[self.kind]
        if rank is None:
            raise ValueError(f"query {scored.query} has no subset")
        return 100.0 * (rank <= self.k)


def measures(kind: Kind, *cuts: int) -> tuple[Measure, ...]:
    """One measure at several cuts."""
    return tuple(Measure(kind, k) for k in cuts)
