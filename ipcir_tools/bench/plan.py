"""What is measured, on how much, and about how long that takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import Value

PARTS: dict[str, int] = {
    "encode": 35,
    "agreement": 20,
    "index": 75,
    "query": 180,
    "concurrency": 30,
    "update": 90,
    "memory": 90,
    "start": 40,
    "verify": 40,
}
"""The parts in their order, each with the seconds that it takes about on two cores with the default sizes."""

RANDOM = "open_clip:ViT-B-32/random"
"""The encoder of the default model's size, without a download."""

SIZES = (10_000, 100_000)
LARGE = 1_000_000
MOST_FILES = 100_000
"""Galleries of more pictures than this are made without files: theirs would fill the disk, 4 kB each."""


class Plan(Value):
    """What is measured."""

    folder: Path
    """Where galleries, pictures and weights are made."""
    parts: tuple[str, ...] = tuple(PARTS)
    encoder: str = RANDOM
    """``open_clip:MODEL/random`` or ``open_clip:local-dir:PATH``: the peers read the same weights."""
    pictures: int = 256
    """JPEGs of 1024x768; an eighth as many of 4000x3000."""
    sizes: tuple[int, ...] = SIZES
    """Pictures of the galleries that are searched."""
    queries: int = 150
    """Searches of each kind at each size."""
    rounds: int = 3
    """How often rates are measured; the median counts."""
    seed: int = 0

    @property
    def update_sizes(self) -> tuple[int, ...]:
        """Galleries with files, from 1,000 pictures on."""
        return tuple(sorted({min(1_000, *self.sizes), *(n for n in self.sizes if n <= MOST_FILES)}))

    @property
    def memory_sizes(self) -> tuple[int, ...]:
        """How many pictures are indexed for the figures of memory."""
        smallest = min(10_000, *self.sizes)
        return (smallest, 5 * smallest)

    @property
    def seconds(self) -> dict[str, int]:
        """About how long each part takes on two cores: the large galleries take a time of their own."""
        large = sum(n for n in self.sizes if n > MOST_FILES) // 700
        return {part: PARTS[part] + (large if part == "query" else 0) for part in self.parts}


def parts_named(text: str | None) -> tuple[str, ...]:
    """The parts of a list with commas, in their order; None: all. Raises InvalidRequestError."""
    if text is None:
        return tuple(PARTS)
    named = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in named if name not in PARTS]:
        raise InvalidRequestError(f"The benchmark has no part {unknown[0][:40]!r}: it has {', '.join(PARTS)}.")
    if not named:
        raise InvalidRequestError(f"--only names no part: the benchmark has {', '.join(PARTS)}.")
    return tuple(part for part in PARTS if part in named)


def sizes_of(text: str | None, *, large: bool) -> tuple[int, ...]:
    """The sizes of a list with commas, rising; None: 10,000 and 100,000. Raises InvalidRequestError."""
    sizes: Sequence[int] = SIZES
    if text is not None:
        try:
            sizes = [int(part.replace("_", "")) for part in text.split(",") if part.strip()]
        except ValueError as error:
            raise InvalidRequestError(
                f"--sizes takes numbers with commas between, such as 10000,100000: not {text[:40]!r}."
            ) from error
        if not sizes or min(sizes) < 100:
            raise InvalidRequestError("--sizes takes numbers of pictures from 100 on, such as 10000,100000.")
    return tuple(sorted({*sizes, *([LARGE] if large else [])}))
