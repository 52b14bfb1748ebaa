"""Retrieval metrics over ranks. A rank counts from 1; ties are broken against the target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipcir_tools.types import FloatArray


def rank_of(scores: FloatArray, target: int, left_out: Sequence[int] = ()) -> int:
    """The rank of ``target`` among ``scores`` ``[n]``: every other picture that scores as high stands before it.

    Pictures in ``left_out`` (the reference, by CIRR's rule) do not take part.
    """
    ahead = scores >= scores[target]
    ahead[[target, *left_out]] = False
    return int(np.count_nonzero(ahead)) + 1


def recall_at(ranks: Sequence[int], k: int) -> float:
    """Share of queries, in percent, whose target is among the first ``k``; ValueError without queries."""
    if not ranks:
        raise ValueError("recall needs at least one query")
    return 100.0 * sum(rank <= k for rank in ranks) / len(ranks)
