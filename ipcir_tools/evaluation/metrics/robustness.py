"""How much a figure depends on how the modification is worded, as PinPoint (arXiv 2603.04598) asks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipcir_tools.types import Value


class Robustness(Value):
    """One method's figure under several wordings of the same queries, in percent."""

    composer: str
    """Its label in the report: a verified row is another than an unverified one."""
    measure: str
    queries: int
    """Those that have every wording."""
    figures: tuple[float, ...]
    """Under each wording, the one as written first."""
    mean: float
    spread: float
    """The standard deviation over the wordings, in points."""
    worst: float
    best: float
    ratio: float
    """``worst / best``, 0 to 1; 1 where the best is 0."""
    always: float
    """Of the queries, under the worst wording of each."""


def robustness(composer: str, measure: str, values: Sequence[Sequence[float]]) -> Robustness:
    """From the values of queries ``[wordings, queries]`` in percent, the same queries in every row.

    Raises ValueError without wordings, or without queries.
    """
    rows = np.asarray(values, np.float64)
    if rows.ndim != 2 or not rows.size:
        raise ValueError("robustness needs at least one wording of at least one query")
    figures = rows.mean(axis=1)
    worst, best = float(figures.min()), float(figures.max())
    return Robustness(
        composer=composer,
        measure=measure,
        queries=rows.shape[1],
        figures=tuple(figures.tolist()),
        mean=float(figures.mean()),
        spread=float(figures.std()),
        worst=worst,
        best=best,
        ratio=worst / best if best else 1.0,
        always=float(rows.min(axis=0).mean()),
    )
