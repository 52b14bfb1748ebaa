"""The best rows of a snapshot under a probe: exact, by score and id."""

from __future__ import annotations

import numpy as np

from ipcir_tools.store.dots import dots
from ipcir_tools.store.snapshot import Rows, Snapshot
from ipcir_tools.types import FloatArray, Probe

TIE = 1e-5
"""Scores closer than this may change places by rounding alone."""

FEW = 8
"""Where only one row of this many is to be scored, those are copied instead of all being scored."""

Ranking = list[tuple[str, float]]


def best_rows(probe: Probe, k: int, snapshot: Snapshot, rows: Rows) -> Ranking:
    """The ``k`` best of these rows as (id, score), by falling score, then by id; all where there are fewer.

    The cosines that may be among the best are calculated again in double precision, so that equal pictures get equal
    scores whatever else is scored with them.
    """
    if not len(rows):
        return []
    if probe.rescore_by_id is not None:
        rows = snapshot.by_id(rows)  # such a rule may take the first of equal ones
    scores = _scores(probe, snapshot, rows)
    if k < len(rows):
        likely = np.flatnonzero(scores >= np.partition(scores, -k)[-k] - TIE)
        rows, scores = rows[likely], scores[likely]
    if probe.linear:
        products = snapshot.features(rows).astype(np.float64) @ probe.vector.astype(np.float64)
        scores = products.astype(np.float32)
    found = sorted(zip((-scores).tolist(), snapshot.names(rows), strict=True))[:k]
    return [(id_, -negative) for negative, id_ in found]


def _scores(probe: Probe, snapshot: Snapshot, rows: Rows) -> FloatArray:
    """The scores ``[n]`` of these rows."""
    if len(rows) * FEW <= len(snapshot.alive):
        features = snapshot.features(rows)
        scores = dots(features, probe.vector) if probe.rescore is None else probe.rescore(features)
    elif probe.rescore is None:
        scores = snapshot.cosines(probe.vector)[rows]
    else:
        scores = np.concatenate([probe.rescore(part.whole()) for part in snapshot.segments])[rows]
    if probe.rescore_by_id is not None:
        scores = probe.rescore_by_id(scores, snapshot.names(rows))
    return np.asarray(scores, np.float32)
