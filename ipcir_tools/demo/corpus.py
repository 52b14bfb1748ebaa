"""The pictures that the small models are trained and scored on, drawn once and kept as one array on disk."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipcir_tools.demo import world
from ipcir_tools.demo.render import render
from ipcir_tools.demo.world import Garment, Part, Scene

SIDE = 96
"""Pixels that both small models see."""
_CHUNK = 500

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Corpus:
    """Pictures ``[n, SIDE, SIDE, 3]`` uint8 and what each shows."""

    pixels: NDArray[np.uint8]
    garments: list[Garment]
    scenes: list[Scene]

    def by_combination(self) -> list[list[int]]:
        """Indices of pictures that share kind, colour and pattern: the hard negatives of a batch."""
        groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for i, garment in enumerate(self.garments):
            groups[garment.kind, garment.colour, garment.pattern].append(i)
        return [groups[key] for key in sorted(groups)]


def worlds(part: Part, n: int, seed: int) -> list[tuple[Garment, Scene]]:
    """``n`` random garments of the part, each in a random scene."""
    rng = random.Random(f"{part}/{seed}")
    return [(world.draw_garment(rng, part), world.draw_scene(rng)) for _ in range(n)]


def seen(picture: Image.Image) -> NDArray[np.uint8]:
    """The picture as the models' preprocessing shrinks it: ``[SIDE, SIDE, 3]``."""
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def corpus(part: Part, n: int, seed: int, folder: Path, progress: Progress) -> Corpus:
    """Draw the pictures, or read them back from ``folder``."""
    drawn = worlds(part, n, seed)
    path = folder / f"{part}-{n}-{seed}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        chunks = [drawn[i : i + _CHUNK] for i in range(0, n, _CHUNK)]
        parts = []
        with ProcessPoolExecutor(2) as pool:
            for done, pixels in enumerate(pool.map(_draw, chunks), start=1):
                parts.append(pixels)
                progress(f"drawing {part}", min(done * _CHUNK, n), n)
        half = path.with_suffix(".part.npy")
        np.save(half, np.concatenate(parts))
        half.rename(path)
    return Corpus(np.load(path), [garment for garment, _ in drawn], [scene for _, scene in drawn])


def _draw(chunk: list[tuple[Garment, Scene]]) -> NDArray[np.uint8]:
    return np.stack([seen(render(garment, scene)) for garment, scene in chunk])


def batch_of(
    corpus: Corpus, groups: list[list[int]], step: int, size: int, same: int
) -> tuple[list[int], random.Random]:
    """The picture indices of one training step, and the step's own random numbers.

    ``same`` pictures of a batch share a combination, so that the small attributes have to be told apart as well.
    The choice depends on the step alone: a resumed run sees what an uninterrupted one would have seen.
    """
    rng = random.Random(f"batch/{step}")
    chosen: list[int] = []
    pick = partial(rng.sample, k=same)
    for group in rng.sample(groups, min(len(groups), -(-size // same))):
        chosen += pick(group) if len(group) >= same else group
    return chosen[:size], rng
