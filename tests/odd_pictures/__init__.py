"""Odd pictures: every kind of file that a folder may hold, made by code from a seed, each with what is right for it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from odd_pictures import jpegs, others, pngs, tiffs
from odd_pictures.base import Odd

__all__ = ["Odd", "odd_pictures"]


def odd_pictures(seed: int = 0) -> Iterator[Odd]:
    """All of them. The seed decides where files are cut and broken."""
    for kinds in (jpegs.KINDS, pngs.KINDS, tiffs.KINDS, others.KINDS):
        for kind in kinds:
            yield from kind(Random(f"{seed} {kind.__name__}"))
