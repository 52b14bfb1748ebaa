"""From scores to ranks: a benchmark's rules applied to whole blocks of scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import IntArray, Scored, first_places, main_ranks, target_ranks
from ipcir_tools.types import FloatArray


@dataclass(frozen=True)
class _GalleryGroup:
    """Queries that share a gallery: their rows of the block, and its scores."""

    rows: tuple[int, ...]
    names: tuple[str, ...]
    place: dict[str, int]
    scores: FloatArray


class Ranker:
    """Ranks a benchmark's queries by its rules: own galleries, subsets, and whether the reference takes part."""

    def __init__(self, benchmark: Benchmark) -> None:
        self.benchmark = benchmark
        self._place = {name: i for i, name in enumerate(benchmark.gallery)}

    def rank(self, queries: Sequence[Query], scores: FloatArray) -> list[Scored]:
        """Where the targets of ``queries`` stand, from ``scores`` ``[queries, gallery]`` in the gallery's order.

        Ties count against the targets. Raises ValueError where a score is not a number, where the block has another
        shape, and for a query whose truth is hidden.
        """
        self._check(queries, scores)
        if hidden := [query.id for query in queries if not query.targets]:
            raise ValueError(f"the truth of query {hidden[0]} is hidden: write a submission file")
        subsets = self._subset_ranks(queries, scores)
        ranked: dict[int, Scored] = {}
        for group in self._by_gallery(queries, scores):
            own = [queries[row] for row in group.rows]
            out = self._left_out(own, group)
            targets = [[group.place[name] for name in each.targets] for each in own]
            every = target_ranks(group.scores, targets, out)
            main = main_ranks(group.scores, [group.place[each.main] for each in own], out, targets)
            for row, query, ranks, first in zip(group.rows, own, every, main.tolist(), strict=True):
                ranked[row] = Scored(query.id, ranks, first, subsets.get(row))
        return [ranked[row] for row in range(len(queries))]

    def top(self, queries: Sequence[Query], scores: FloatArray, k: int) -> list[tuple[str, ...]]:
        """The names of each query's ``k`` best pictures, best first; equals in the gallery's order."""
        self._check(queries, scores)
        best: dict[int, tuple[str, ...]] = {}
        for group in self._by_gallery(queries, scores):
            places = first_places(group.scores, k, self._left_out([queries[row] for row in group.rows], group))
            for row, found in zip(group.rows, places, strict=True):
                best[row] = tuple(group.names[place] for place in found)
        return [best[row] for row in range(len(queries))]

    def top_of_subset(self, queries: Sequence[Query], scores: FloatArray, k: int) -> list[tuple[str, ...]]:
        """The same within each query's subset."""
        self._check(queries, scores)
        found = first_places(self._of_subset(queries, scores), k)
        return [tuple(query.subset[i] for i in places) for query, places in zip(queries, found, strict=True)]

    def _check(self, queries: Sequence[Query], scores: FloatArray) -> None:
        if scores.shape != (len(queries), len(self._place)):
            raise ValueError(f"scores {scores.shape} should be [{len(queries)}, {len(self._place)}]: queries, gallery")

    def _by_gallery(self, queries: Sequence[Query], scores: FloatArray) -> Iterator[_GalleryGroup]:
        by_gallery: dict[int, list[int]] = {}
        for row, query in enumerate(queries):
            by_gallery.setdefault(id(query.gallery), []).append(row)
        for rows in by_gallery.values():
            names = queries[rows[0]].gallery
            if names is None:
                block = scores if len(rows) == len(queries) else scores[rows]
                yield _GalleryGroup(tuple(rows), self.benchmark.gallery, self._place, block)
            else:
                columns = [self._place[name] for name in names]
                place = {name: i for i, name in enumerate(names)}
                yield _GalleryGroup(tuple(rows), names, place, scores[np.ix_(rows, columns)])

    def _left_out(self, queries: Sequence[Query], group: _GalleryGroup) -> list[list[int]]:
        keeps = self.benchmark.keeps_reference
        names = [each.left_out if keeps else {*each.references, *each.left_out} for each in queries]
        return [[group.place[name] for name in some if name in group.place] for some in names]

    def _of_subset(self, queries: Sequence[Query], scores: FloatArray) -> FloatArray:
        """``[queries, subset]``; all subsets of one benchmark are of one size."""
        places: IntArray = np.array([[self._place[name] for name in query.subset] for query in queries], np.int64)
        return np.take_along_axis(scores, places, axis=1)

    def _subset_ranks(self, queries: Sequence[Query], scores: FloatArray) -> dict[int, int]:
        rows = [row for row, query in enumerate(queries) if query.main in query.subset]
        if not rows:
            return {}
        some = [queries[row] for row in rows]
        ranks = main_ranks(self._of_subset(some, scores[rows]), [query.subset.index(query.main) for query in some])
        return dict(zip(rows, ranks.tolist(), strict=True))
