"""Times and rates: measured in turns, told as medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

Say = Callable[[str], None]
"""Tells a person at the terminal what is being done."""


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes on the clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@dataclass(frozen=True)
class Started:
    """Work whose start does not count: within ``start`` what it gives is measured."""

    start: Callable[[], AbstractContextManager[Callable[[], object]]]


def rates(works: Mapping[str, tuple[Callable[[], object] | Started, int]], rounds: int, say: Say) -> dict[str, float]:
    """Items per second of each work, given with its number of items: the median over rounds.

    In each round all works run one after the other, so that what else the machine does hurts all of them alike.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name, (work, items) in works.items():
            say(f"round {number + 1} of {rounds}: {name}")
            found[name].append(items / _measured(work))
    return {name: float(np.median(values)) for name, values in found.items()}


def _measured(work: Callable[[], object] | Started) -> float:
    if not isinstance(work, Started):
        return seconds(work)
    with work.start() as started:
        return seconds(started)


AT_A_TIME = 10


def in_turns(works: Mapping[str, Sequence[Callable[[], object]]]) -> dict[str, list[float]]:
    """Seconds of each call of each work, in turns: the first ten of all, then the second ten of all, and so on.

    So that what else the machine does hurts all alike, and most calls find the processor's caches as the same work left
    them: a work that reads a hundred megabytes leaves the next nothing of its own.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for start in range(0, max(map(len, works.values())), AT_A_TIME):
        for name, calls in works.items():
            found[name] += [seconds(call) for call in calls[start : start + AT_A_TIME]]
    return found


def p50(values: Sequence[float]) -> float:
    """The median."""
    return float(np.median(values))


def p95(values: Sequence[float]) -> float:
    """What 95 of 100 do not exceed."""
    return float(np.percentile(values, 95))


def recall(found: Sequence[Sequence[object]], truth: Sequence[Sequence[object]]) -> float:
    """The share of the true ones that were found, over all queries: 1 is all of them."""
    shares = [len(set(got) & set(best)) / len(best) for got, best in zip(found, truth, strict=True) if best]
    return float(np.mean(shares)) if shares else 1.0


def rounded(value: float, digits: int = 3) -> float:
    """The value to some significant digits, for a document."""
    return float(f"{value:.{digits}g}") if abs(value) < 10**digits else float(round(value))
