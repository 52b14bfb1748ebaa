"""The fusion curve: recall by the weight of the text, from the reference alone (0) to the text alone (1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ipcir_tools.composers.fusion import fuse
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.metrics.metrics import IntArray, Scored
from ipcir_tools.evaluation.metrics.statistics import grouped_mean
from ipcir_tools.types import FloatArray, Probe

CUTS = (1, 5, 10)
WEIGHTS = tuple(step / 20 for step in range(21))

Rank = Callable[[Sequence[Probe]], list[Scored]]
"""Ranks one probe for each request of the current block."""


class Curve:
    """Collects ranks block by block, so that no scores are kept."""

    def __init__(self) -> None:
        self._groups: list[str] = []
        self._ranks: dict[float, list[int]] = {weight: [] for weight in WEIGHTS}

    def add(
        self,
        queries: Sequence[Query],
        texts: Sequence[FloatArray],
        images: Sequence[FloatArray],
        image_scale: float,
        rank: Rank,
    ) -> None:
        """One block: the features of the imagined text and of the reference, ``[d]`` each, and their scale."""
        self._groups += [query.group for query in queries]
        stacked = np.stack(texts), np.stack(images)
        for weight in WEIGHTS:
            probes = [Probe(vector) for vector in fuse(*stacked, weight, image_scale)]
            self._ranks[weight] += [scored.main for scored in rank(probes)]

    def points(self, failed: Sequence[str]) -> tuple[dict[str, float], ...]:
        """Recall in percent at each of ``CUTS`` by weight; ``failed`` are the groups of queries that count as misses.

        Empty where nothing was added.
        """
        if not self._groups:
            return ()
        groups = [*self._groups, *failed]
        return tuple(
            {"weight": weight, **{f"R@{k}": self._recall(self._ranks[weight], k, groups) for k in CUTS}}
            for weight in WEIGHTS
        )

    def _recall(self, ranks: Sequence[int], k: int, groups: Sequence[str]) -> float:
        hits: IntArray = np.zeros(len(groups), np.int64)
        hits[: len(ranks)] = np.array(ranks) <= k
        return 100.0 * grouped_mean(hits, groups)
