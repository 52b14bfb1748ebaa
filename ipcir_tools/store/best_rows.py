"""The best rows of a snapshot under a probe: exact, by score and id."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ipcir_tools.store.dots import Rows
from ipcir_tools.store.snapshot import Mask, Snapshot
from ipcir_tools.types import FloatArray, Probe

TIE = 1e-5
"""Scores closer than this may change places by rounding alone."""

FEW = 4
"""Where only one row of this many is to be scored, those are copied instead of all being scored."""

FEW_LEFT_OUT = 4
"""So many rows are looked for one after the other: numpy's own way for many takes longer to begin."""

Ranking = list[tuple[str, float]]


def best_rows(probe: Probe, k: int, snapshot: Snapshot, rows: Rows, exclude: Collection[str] = ()) -> Ranking:
    """The ``k`` best of these rows as (id, score), by falling score, then by id; all where there are fewer.

    Pictures of ``exclude`` are none of them.

    The cosines that may be among the best are calculated again in double precision, so that equal pictures get equal
    scores whatever else is scored with them.
    """
    gone = snapshot.rows(exclude)
    if len(gone) and probe.rescore_by_id is not None:  # such a rule may look from one picture to another
        rows = rows[not_among(rows, gone)]
    if not len(rows):
        return []
    if probe.rescore_by_id is not None:
        rows = snapshot.by_id(rows)  # such a rule may take the first of equal ones
    scores, wanted = _scores(probe, snapshot, rows), k + len(gone)
    if not probe.linear and np.isnan(scores).any():  # such a rule has no score for some pictures: they are no hits
        rows, scores = rows[~np.isnan(scores)], scores[~np.isnan(scores)]
    if wanted < len(rows):
        likely = np.flatnonzero(scores >= _least_of_best(scores, wanted) - TIE)
        rows, scores = rows[likely], scores[likely]
    if len(gone):
        left = not_among(rows, gone)
        rows, scores = rows[left], scores[left]
    if probe.linear:
        products = snapshot.features(rows).astype(np.float64) @ probe.vector.astype(np.float64)
        scores = products.astype(np.float32)
    found = sorted(zip((-scores).tolist(), snapshot.names(rows), strict=True))[:k]
    return [(id_, -negative) for negative, id_ in found]


def not_among(rows: Rows, left_out: Rows) -> Mask:
    """``[rows]``: which of these rows are not left out."""
    if len(left_out) > FEW_LEFT_OUT:
        return ~np.isin(rows, left_out)
    mask = np.ones(len(rows), bool)
    for each in left_out:
        mask &= rows != each
    return mask


def _scores(probe: Probe, snapshot: Snapshot, rows: Rows) -> FloatArray:
    """The scores ``[n]`` of these rows."""
    is_few = len(rows) * FEW <= len(snapshot.alive)
    if probe.rescore is None and is_few:
        scores = snapshot.cosines_of(rows, probe.vector)
    elif probe.rescore is None:
        scores = snapshot.cosines(probe.vector)
        scores = scores if len(rows) == len(scores) else scores[rows]
    elif is_few:
        scores = probe.rescore(snapshot.features(rows))
    else:
        scores = np.concatenate([probe.rescore(part.whole()) for part in snapshot.segments])[rows]
    if probe.rescore_by_id is not None:
        scores = probe.rescore_by_id(scores, snapshot.names(rows))
    return np.asarray(scores, np.float32)


def _least_of_best(scores: FloatArray, wanted: int) -> np.float32:
    """The ``wanted``-th highest of more scores than that.

    The highest of each of ``wanted`` groups or more are as many scores, so that what is below the ``wanted``-th of them
    cannot be among the best: few are left to be sorted.
    """
    groups = 8 * wanted
    if len(scores) > 2 * groups:
        highest = scores[: len(scores) // groups * groups].reshape(-1, groups).max(axis=0)
        scores = scores[scores >= np.partition(highest, -wanted)[-wanted]]
    least: np.float32 = np.partition(scores, -wanted)[-wanted]
    return least
