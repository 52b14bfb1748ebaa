"""The pictures that the small models are trained on, drawn once and kept as one array on disk."""

from __future__ import annotations

import random
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipcir_tools.batches import Progress
from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.world import edits
from ipcir_tools.demo.world import garments as world
from ipcir_tools.demo.world.garments import Garment, Part, Scene
from ipcir_tools.files import replaced

SIDE = 96
"""Pixels of a picture's side for both small models."""
PAIRS = 15_000
"""Pictures that have a partner."""
_CHUNK = 500


@dataclass(frozen=True, eq=False)
class Corpus:
    """Pictures ``[n, SIDE, SIDE, 3]`` uint8 with their garments and scenes."""

    pixels: NDArray[np.uint8]
    garments: list[Garment]
    scenes: list[Scene]

    @cache  # noqa: B019 - a corpus lives as long as the training that reads it
    def by_combination(self, n: int) -> list[list[int]]:
        """Indices among the first ``n`` pictures that share kind, colour and pattern."""
        groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for i, garment in enumerate(self.garments[:n]):
            groups[garment.kind, garment.colour, garment.pattern].append(i)
        return [groups[key] for key in sorted(groups)]


def worlds(part: Part, n: int, seed: int) -> list[tuple[Garment, Scene]]:
    """``n`` random garments of the part, each in a random scene."""
    rng = random.Random(f"{part}/{seed}")
    return [(world.draw_garment(rng, part), world.draw_scene(rng)) for _ in range(n)]


def shrink(picture: Image.Image) -> NDArray[np.uint8]:
    """The picture as the models' preprocessing shrinks it: ``[SIDE, SIDE, 3]``."""
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def partners(data: Corpus, n: int, seed: int) -> list[tuple[Garment, Scene]]:
    """For each of the first ``n`` pictures one of the same scene and part, with one attribute changed."""
    rng = random.Random(f"partners/{seed}")
    made = []
    for garment, scene in zip(data.garments[:n], data.scenes[:n], strict=True):
        others = [edit.apply(garment) for edit in edits.possible_edits(garment)]
        same_part = [other for other in others if world.part_of(other) == world.part_of(garment)]
        slot = rng.choice(sorted({_changed(garment, other) for other in same_part}))
        chosen = rng.choice([other for other in same_part if _changed(garment, other) == slot])
        made.append((chosen, replace(scene, seed=rng.randrange(1 << 30))))
    return made


def _changed(a: Garment, b: Garment) -> str:
    return next(each.name for each in fields(a) if getattr(a, each.name) != getattr(b, each.name))


def with_partners(data: Corpus, n: int, seed: int, folder: Path, progress: Progress) -> Corpus:
    """All pictures, followed by the partner of each of the first ``n``, in the same order."""
    other = _load_or_draw(partners(data, n, seed), folder / f"partners-{n}-{seed}.npy", "drawing pairs", progress)
    return Corpus(
        np.concatenate([data.pixels, other.pixels]), data.garments + other.garments, data.scenes + other.scenes
    )


def paired(data: Corpus, n: int, seed: int, folder: Path, progress: Progress) -> Corpus:
    """The first ``n`` pictures, followed by the partner of each, which is its hardest negative."""
    first = Corpus(data.pixels[:n], data.garments[:n], data.scenes[:n])
    return with_partners(first, n, seed, folder, progress)


def corpus(part: Part, n: int, seed: int, folder: Path, progress: Progress) -> Corpus:
    """Draw the pictures, or read them from ``folder``."""
    return _load_or_draw(worlds(part, n, seed), folder / f"{part}-{n}-{seed}.npy", f"drawing {part}", progress)


def _load_or_draw(drawn: list[tuple[Garment, Scene]], path: Path, what: str, progress: Progress) -> Corpus:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        chunks = [drawn[i : i + _CHUNK] for i in range(0, len(drawn), _CHUNK)]
        parts = []
        with ProcessPoolExecutor(2) as pool:
            for done, pixels in enumerate(pool.map(_draw, chunks), start=1):
                parts.append(pixels)
                progress(what, min(done * _CHUNK, len(drawn)), len(drawn))
        with replaced(path) as file:
            np.save(file, np.concatenate(parts))
    return Corpus(np.load(path), [garment for garment, _ in drawn], [scene for _, scene in drawn])


def _draw(chunk: list[tuple[Garment, Scene]]) -> NDArray[np.uint8]:
    return np.stack([shrink(render(garment, scene)) for garment, scene in chunk])


def batch_of(data: Corpus, step: int, size: int, same: int) -> tuple[list[int], random.Random]:
    """The picture indices of one training step on a :func:`paired` corpus, and the step's own random numbers.

    Every picture comes with its partner, and ``same`` pairs share a combination, so that the small attributes are
    learnt as well. The choice depends on the step alone: a resumed run has the batches of an uninterrupted one.
    """
    rng = random.Random(f"batch/{step}")
    half = len(data.garments) // 2
    groups = data.by_combination(half)
    chosen: list[int] = []
    for group in rng.sample(groups, min(len(groups), -(-size // (2 * same)))):
        chosen += rng.sample(group, min(same, len(group)))
    chosen = chosen[: size // 2]
    return chosen + [i + half for i in chosen], rng
