"""Runs, each by random numbers of its own, and what they broke."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from chaos.gallery import BrokenPromiseError, Prepared
from chaos.scenarios import SCENARIOS


def chosen(seed: int, number: int, kind: str | None = None) -> tuple[str, random.Random]:
    """The scenario of a run, and its random numbers."""
    dice = random.Random(f"{seed}:{number}")
    names = [name for name in SCENARIOS if kind is None or name.startswith(kind)]
    (name,) = dice.choices(names, [SCENARIOS[each][1] for each in names])
    return name, dice


def make_runs(
    root: Path,
    numbers: Iterable[int],
    seed: int,
    *,
    kind: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[int, str]:
    """Make these runs in a folder; what was broken, by run."""
    began, prepared = time.monotonic(), Prepared(root)
    broken: dict[int, str] = {}
    made: Counter[str] = Counter()
    for number in numbers:
        name, dice = chosen(seed, number, kind)
        try:
            SCENARIOS[name][0](prepared.place(dice), prepared)
        except BrokenPromiseError as error:
            broken[number] = f"{name}: {error}"
            say(f"run {number} broke a promise: {broken[number]}")
        made[name] += 1
    done = ", ".join(f"{n} {name}" for name, n in sorted(made.items()))
    say(f"{made.total()} runs, {len(broken)} broke a promise, {time.monotonic() - began:.0f} s: {done}")
    return broken
