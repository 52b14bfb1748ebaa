"""What is wrong with a picture of the wardrobe as the answer to a query, by the attributes of the garments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

from ipcir_tools.demo.world.garments import Garment
from ipcir_tools.demo.world.wardrobe import Drawn
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.metrics.violations import BREAKS, LOSES, Violation

SLOTS = tuple(each.name for each in fields(Garment))


def violations_in(pictures: Sequence[Drawn]) -> Callable[[Query, str], tuple[Violation, ...]]:
    """Tells for a query and a picture, both by name, what is wrong with it; nothing is with the garment of the target.

    A picture *breaks the edit* if it lacks one of the attributes that the edit sets, and *loses what should stay* if it
    differs from the reference in another attribute of the garment. The scene does not count: the right garment in
    another scene is not what was asked for first, but no violation.
    """
    garments = {picture.name: picture.garment for picture in pictures}

    def violations(query: Query, name: str) -> tuple[Violation, ...]:
        before, after, found = garments[query.reference], garments[query.main], garments[name]
        wrong = [slot for slot in SLOTS if getattr(found, slot) != getattr(after, slot)]
        edited = {slot for slot in SLOTS if getattr(before, slot) != getattr(after, slot)}
        breaks, loses = any(slot in edited for slot in wrong), any(slot not in edited for slot in wrong)
        return ((BREAKS,) if breaks else ()) + ((LOSES,) if loses else ())

    return violations
