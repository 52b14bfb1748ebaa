"""How sure a figure is: bootstrap intervals of a mean over queries, and paired differences between two methods.

Queries are drawn with replacement; where the figure is a mean over groups (FashionIQ's categories), within each group,
and the groups weigh the same. Drawing n queries with replacement is drawing how often each distinct value comes up,
so a thousand resamples of thousands of hits and misses cost a thousand binomial draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipcir_tools.types import Value

SAMPLES = 2_000
LEVEL = 0.95
Reals = NDArray[np.float64]


class Estimate(Value):
    """A mean over queries with its interval."""

    mean: float
    low: float
    high: float


class Difference(Estimate):
    """How much more the first method reaches than the second on the same queries."""

    p: float
    """Two-sided, by flipping the sign of each query's difference at random: small means not chance."""
    better: int
    """Queries on which the first method reaches more."""
    worse: int


def grouped_mean(values: ArrayLike, groups: Sequence[str] = ()) -> float:
    """The mean over the groups of the mean of each; without groups, of all. ValueError without values."""
    return float(np.mean([part.mean() for part in _parts(values, groups)]))


def estimate(
    values: ArrayLike, groups: Sequence[str] = (), *, samples: int = SAMPLES, level: float = LEVEL, seed: int = 0
) -> Estimate:
    """Mean of ``values`` ``[q]`` with its percentile interval. The same seed gives the same interval."""
    parts = _parts(values, groups)
    low, high = _interval(_resampled(parts, samples, np.random.default_rng(seed)), level)
    return Estimate(mean=float(np.mean([part.mean() for part in parts])), low=low, high=high)


def difference(
    first: ArrayLike,
    second: ArrayLike,
    groups: Sequence[str] = (),
    *,
    samples: int = SAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Difference:
    """``first`` minus ``second``, both ``[q]`` over the same queries in the same order. ValueError otherwise."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"paired differences need the same queries: {a.shape} and {b.shape}")
    apart, rng = a - b, np.random.default_rng(seed)
    parts = _parts(apart, groups)
    drawn, mean = _resampled(parts, samples, rng), float(np.mean([part.mean() for part in parts]))
    low, high = _interval(drawn, level)
    # Rounding must not make a tie of equal sums a win.
    chance = np.abs(_flipped(parts, samples, rng)) >= abs(mean) - 1e-9
    return Difference(
        mean=mean,
        low=low,
        high=high,
        p=(1 + int(chance.sum())) / (1 + samples),
        better=int(np.count_nonzero(apart > 0)),
        worse=int(np.count_nonzero(apart < 0)),
    )


def _parts(values: ArrayLike, groups: Sequence[str]) -> list[Reals]:
    """The values of each group."""
    given = np.asarray(values, np.float64)
    if given.ndim != 1 or not len(given) or not np.isfinite(given).all():
        raise ValueError("a mean needs at least one query, and every value a number")
    if not groups:
        return [given]
    if len(groups) != len(given):
        raise ValueError(f"{len(given)} values and {len(groups)} groups")
    labels = np.asarray(groups)
    return [given[labels == group] for group in dict.fromkeys(groups)]


def _resampled(parts: Sequence[Reals], samples: int, rng: np.random.Generator) -> Reals:
    """The grouped mean of each resample, ``[samples]``."""
    total = np.zeros(samples)
    for part in parts:
        distinct, often = np.unique(part, return_counts=True)
        drawn = rng.multinomial(len(part), often / len(part), size=samples)
        total += drawn @ distinct / len(part)
    return total / len(parts)


def _flipped(parts: Sequence[Reals], samples: int, rng: np.random.Generator) -> Reals:
    """The grouped mean with every sign at random, ``[samples]``."""
    total = np.zeros(samples)
    for part in parts:
        distinct, often = np.unique(np.abs(part[part != 0]), return_counts=True)
        positive = rng.binomial(often, 0.5, size=(samples, len(often)))
        total += (2 * positive - often) @ distinct / len(part)
    return total / len(parts)


def _interval(drawn: Reals, level: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
