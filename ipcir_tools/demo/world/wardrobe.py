"""The wardrobe benchmark: galleries with hard distractors, queries and dialogues with exact targets.

A family is one garment and three edits of it in every mixture, so eight garments that differ in one to three
attributes, each shown in the same three scenes, as a shop shows each of its products in a few photographs. For every
query the gallery therefore holds the target garment in two other scenes (text alone cannot tell them apart), six
garments that are one or two attributes off in the target's own scene, and a second picture of the reference's garment
in that scene (the picture alone prefers it).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import product
from typing import get_args

from ipcir_tools.demo.world import edits, garments
from ipcir_tools.demo.world.edits import Edit
from ipcir_tools.demo.world.garments import Garment, Part, Scene
from ipcir_tools.demo.world.wordings import kind_of, wordings
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks import Query

FAMILIES = 86
"""The benchmark's usual size: 516 queries in 2,580 pictures."""
_SCENES = 3
_MIXTURES = (("000", "100"), ("000", "010"), ("011", "111"), ("101", "111"), ("000", "110"), ("001", "111"))
"""A family's queries as mixtures of its edits, before and after: four of one edit, two of two."""


@dataclass(frozen=True)
class Drawn:
    """One picture of the gallery: its file name, its garment and its scene."""

    name: str
    garment: Garment
    scene: Scene


@dataclass(frozen=True)
class Dialogue:
    """A reference and two to five turns; each turn's target carries all edits so far."""

    reference: str
    turns: tuple[tuple[str, str], ...]
    """(modification, target) of each turn."""


@dataclass
class Wardrobe:
    """A gallery with its queries and dialogues, whose pictures are named by their files."""

    pictures: list[Drawn] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    dialogues: list[Dialogue] = field(default_factory=list)

    def add(self, garment: Garment, scene: Scene) -> str:
        """Add a picture to the gallery and return its name."""
        look = f"{garment.colour}-{garment.pattern}-{garment.kind}"
        self.pictures.append(Drawn(f"{len(self.pictures):04d}-{look}.jpg", garment, scene))
        return self.pictures[-1].name


def wardrobe(part: Part = "test", families: int = FAMILIES, dialogues: int = 0, seed: int = 0) -> Wardrobe:
    """30 pictures and 6 queries a family. The same arguments give the same wardrobe.

    Raises InvalidRequestError for a part that does not exist: no garment would ever belong to it.
    """
    if part not in get_args(Part):
        raise InvalidRequestError(f"The wardrobe has no part {part!r}: name one of {', '.join(get_args(Part))}.")
    rng = random.Random(f"wardrobe/{part}/{seed}")
    made = Wardrobe()
    for _ in range(families):
        _add_family(made, rng, part)
    for i in range(dialogues):
        _add_dialogue(made, rng, part, turns=2 + i % 4)
    return made


def _add_family(made: Wardrobe, rng: random.Random, part: Part) -> None:
    base, changes = _base_and_edits(rng, part, 3)
    mixed = {key: _mixed(base, changes, key) for key in map("".join, product("01", repeat=3))}
    scenes = drawn_scenes(rng, _SCENES)
    names = {
        (key, i): made.add(garment, reseeded(rng, scene))
        for key, garment in mixed.items()
        for i, scene in enumerate(scenes)
    }
    for i, (before, after) in enumerate(_MIXTURES):
        scene = i % _SCENES
        made.add(mixed[before], reseeded(rng, scenes[scene]))
        requested = [change for change, a, b in zip(changes, before, after, strict=True) if a != b]
        text = edits.write_modification(rng, mixed[before], rng.sample(requested, len(requested)))
        number = f"{len(made.queries):04d}"
        garment = mixed[before]
        made.queries.append(
            Query(
                number,
                names[before, scene],
                text,
                (names[after, scene],),
                wordings=wordings(garment, requested, text),
                kinds=tuple(dict.fromkeys(kind_of(garment, change) for change in requested)),
            )
        )


def _mixed(base: Garment, changes: list[Edit], key: str) -> Garment:
    """The garment with those edits for which ``key`` has a 1."""
    for change, on in zip(changes, key, strict=True):
        base = change.apply(base) if on == "1" else base
    return base


def _add_dialogue(made: Wardrobe, rng: random.Random, part: Part, turns: int) -> None:
    base, changes = _base_and_edits(rng, part, turns)
    steps = [base]
    for change in changes:
        steps.append(change.apply(steps[-1]))
    add_dialogue(
        made,
        rng,
        steps,
        [edits.write_modification(rng, garment, [change]) for garment, change in zip(steps, changes, strict=False)],
    )


def add_dialogue(made: Wardrobe, rng: random.Random, steps: list[Garment], texts: list[str]) -> None:
    """Add a dialogue, with each of its garments in three other scenes as distractors."""
    scene, *others = drawn_scenes(rng, 4)
    names = [made.add(garment, reseeded(rng, scene)) for garment in steps]
    for garment in steps:
        for other in others:
            made.add(garment, reseeded(rng, other))
    made.dialogues.append(Dialogue(names[0], tuple(zip(texts, names[1:], strict=True))))


def drawn_scenes(rng: random.Random, n: int) -> list[Scene]:
    """``n`` scenes that differ in more than their seed."""
    found: dict[Scene, Scene] = {}
    while len(found) < n:
        scene = garments.draw_scene(rng)
        found.setdefault(replace(scene, seed=0), scene)
    return list(found.values())


def reseeded(rng: random.Random, scene: Scene) -> Scene:
    """The same scene with another seed."""
    return replace(scene, seed=rng.randrange(1 << 30))


def _base_and_edits(rng: random.Random, part: Part, n: int) -> tuple[Garment, list[Edit]]:
    """A garment and ``n`` edits of different attributes such that every mixture belongs to the part."""
    while True:
        base = garments.draw_garment(rng, part)
        chosen: list[Edit] = []
        for slot in rng.sample(("kind", *garments.slots_of(base.kind)), k=len(garments.slots_of(base.kind)) + 1):
            options = [
                edit
                for edit in edits.possible_edits(base)
                if edit.slot == slot and garments.part_of(edit.apply(base)) == part
            ]
            if options and len(chosen) < n:
                chosen.append(rng.choice(options))
        mixtures = [base]
        for edit in chosen:
            mixtures += [edit.apply(garment) for garment in mixtures]
        if len(chosen) == n and all(garments.part_of(garment) == part for garment in mixtures):
            return base, chosen
