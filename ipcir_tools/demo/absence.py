"""The wardrobe with its targets taken away: is a request for what is not there told apart?"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.demo import benchmark
from ipcir_tools.demo.stocking import stocked
from ipcir_tools.demo.world import Garment, Part
from ipcir_tools.evaluation.absence import Absence, AbsentCase, measure_absence

if TYPE_CHECKING:
    from ipcir_tools.catalog import Progress
    from ipcir_tools.engine import Engine


def wardrobe_absence(
    engine: Engine, folder: Path, progress: Progress, part: Part = "test", families: int = benchmark.FAMILIES
) -> dict[str, Absence]:
    """Draw the part into ``folder``, index it, and measure with two things taken away.

    ``garment``: the target's garment in every scene; others that are one attribute off stay. ``edit``: every picture
    that shows what the edit asks for.
    """
    made = benchmark.wardrobe(part, families)
    _, ids = stocked(engine, made.pictures, folder / "pictures", progress)
    garments = {picture.name: picture.garment for picture in made.pictures}

    def case(query: benchmark.Query, asked: dict[str, object]) -> AbsentCase:
        hidden = frozenset(ids[name] for name, garment in garments.items() if asked.items() <= _looks(garment).items())
        return AbsentCase(ids[query.reference], query.modification, hidden)

    def cases(only_the_edit: bool) -> list[AbsentCase]:
        made_cases = []
        for query in made.queries:
            before, after = _looks(garments[query.reference]), _looks(garments[query.target])
            changed = {slot: value for slot, value in after.items() if before[slot] != value}
            made_cases.append(case(query, changed if only_the_edit else after))
        return made_cases

    return {name: measure_absence(engine, cases(name == "edit"), progress) for name in ("garment", "edit")}


def _looks(garment: Garment) -> dict[str, object]:
    return {each.name: getattr(garment, each.name) for each in fields(garment)}
