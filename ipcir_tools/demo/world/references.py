"""The wardrobe's queries of two references: one attribute of another garment on the garment of the first.

A family is two garments that differ in three attributes and more, each shown in its own scene; its queries each ask for
one attribute of the second on the first, in the first's scene. For every query the gallery holds, in the scene of the
target, further pictures of both references' garments, of the first with another value of the attribute, with another
attribute of the second, and of the second with the first's attribute; and the target's garment in two other scenes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from ipcir_tools.demo.world import garments
from ipcir_tools.demo.world.captions import length_word
from ipcir_tools.demo.world.garments import Garment, Part
from ipcir_tools.demo.world.wardrobe import Wardrobe, drawn_scenes, reseeded
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.types import NotedReference

FAMILIES = 100
"""The benchmark's usual size: 200 queries."""
_QUERIES = 2
"""Of each family."""
_WORDS = {
    "colour": ("colour", "in the colour of the second one"),
    "pattern": ("pattern", "with the pattern of the second"),
    "sleeve": ("sleeves", "with the sleeves of the second one"),
    "length": ("length", "in the length of the second"),
    "neck": ("collar", "with the collar of the second"),
}
"""The word for an attribute that can be taken from another garment, and a modification that takes it."""


def wardrobe_references(part: Part = "test", families: int = FAMILIES, seed: int = 0) -> Wardrobe:
    """Two queries a family, over pictures of their own. The same arguments give the same wardrobe."""
    rng = random.Random(f"wardrobe-references/{part}/{seed}")
    made = Wardrobe()
    while len(made.queries) < families * _QUERIES:
        first, second = garments.draw_garment(rng, part), garments.draw_garment(rng, part)
        slots = [slot for slot in _WORDS if _fits(first, second, slot, part)]
        if len(_differences(first, second)) >= 3 and len(slots) >= _QUERIES:
            _add_family(made, rng, part, (first, second), rng.sample(slots, _QUERIES))
    return made


def _fits(first: Garment, second: Garment, slot: str, part: Part) -> bool:
    """Whether the second's attribute can be named, is another than the first's, and leads to a garment of the part."""
    value = getattr(second, slot)
    if value not in garments.values_of(first.kind, slot) or slot not in garments.slots_of(first.kind):
        return False
    target = first.changed(**{slot: value})
    named = slot != "length" or bool(length_word(target) and length_word(second))
    return named and target != first and garments.part_of(target) == part


def _differences(first: Garment, second: Garment) -> list[str]:
    return [slot for slot in garments.slots_of(first.kind) if getattr(first, slot) != getattr(second, slot)]


def _add_family(
    made: Wardrobe, rng: random.Random, part: Part, pair: tuple[Garment, Garment], slots: list[str]
) -> None:
    first, second = pair
    here, there, elsewhere = drawn_scenes(rng, 3)
    reference, other = made.add(first, reseeded(rng, here)), made.add(second, reseeded(rng, there))
    for scene in (here, elsewhere):
        for garment in pair:
            made.add(garment, reseeded(rng, scene))
    targets = {slot: first.changed(**{slot: getattr(second, slot)}) for slot in slots}
    names = {
        (slot, scene): made.add(target, reseeded(rng, scene))
        for slot, target in targets.items()
        for scene in (here, there, elsewhere)
    }
    for garment in dict.fromkeys(_near(first, second, slots, part)):
        if garment not in {*pair, *targets.values()}:
            made.add(garment, reseeded(rng, here))
    for slot in slots:
        _add_query(made, rng, slot, reference, other, names[slot, here])


def _near(first: Garment, second: Garment, slots: list[str], part: Part) -> Iterator[Garment]:
    """The garments that are easily taken for a target: by another value, by one attribute more, by the wrong one."""
    both = first.changed(**{slot: getattr(second, slot) for slot in slots})
    found = [both]
    for slot in slots:
        values = garments.values_of(first.kind, slot)
        found += [first.changed(**{slot: value}) for value in values][:3]
        value = getattr(first, slot)
        found += [second.changed(**{slot: value})] if value in garments.values_of(second.kind, slot) else []
    return (garment for garment in found if garments.part_of(garment) == part)


def _add_query(made: Wardrobe, rng: random.Random, slot: str, reference: str, other: str, target: str) -> None:
    word, short = _WORDS[slot]
    text = rng.choice((short, f"the {word} of the second one on the first", f"give it the {word} of the other one"))
    note, whole = rng.choice(((f"its {word}", "the garment"), (f"its {word}", ""), ("", "")))
    made.queries.append(
        Query(
            id=f"{len(made.queries):04d}",
            reference=reference,
            modification=text,
            targets=(target,),
            note=whole,
            others=(NotedReference(id=other, note=note),),
            wordings=(f"the first with the second's {word}", f"use the {word} from picture 2, keep the rest"),
            kinds=(slot,),
        )
    )
