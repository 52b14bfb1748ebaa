"""The wardrobe with its targets taken away: is a request for what is not there told apart?"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.demo.gallery import stocked
from ipcir_tools.demo.world import wardrobe
from ipcir_tools.demo.world.garments import Garment, Part
from ipcir_tools.demo.world.wardrobe import Drawn
from ipcir_tools.evaluation.experiments.absence import Absence, AbsentCase, measure_absence
from ipcir_tools.evaluation.experiments.dialogues import DialogueCase, DialogueReport, run_dialogues

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


def wardrobe_absence(
    engine: Engine, folder: Path, progress: Progress, part: Part = "test", families: int = wardrobe.FAMILIES
) -> dict[str, Absence]:
    """Draw the part into ``folder``, index it, and measure with two things taken away.

    ``garment``: the target's garment in every scene; others that are one attribute off stay. ``edit``: every picture
    that shows what the edit asks for.
    """
    made = wardrobe.wardrobe(part, families)
    _, ids = stocked(engine, made.pictures, folder / "pictures", progress)
    garments = {picture.name: picture.garment for picture in made.pictures}

    def case(query: wardrobe.Query, asked: dict[str, object]) -> AbsentCase:
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


DIALOGUES = 200
"""The usual number: 18 pictures each on average."""


def play_dialogues(engine: Engine, folder: Path, progress: Progress, dialogues: int = DIALOGUES) -> DialogueReport:
    """Draw the dialogues of the test part into ``folder``, index them and play them."""
    made = wardrobe.wardrobe("test", families=0, dialogues=dialogues)
    _, ids = stocked(engine, made.pictures, folder / "pictures", progress)
    drawn = {ids[picture.name]: picture for picture in made.pictures}
    cases = [
        DialogueCase(ids[dialogue.reference], tuple((text, ids[target]) for text, target in dialogue.turns))
        for dialogue in made.dialogues
    ]
    return run_dialogues(engine, cases, lambda a, b: likeness(drawn[a], drawn[b]), progress)


def likeness(a: Drawn, b: Drawn) -> float:
    """Share of the attributes of garment and scene in which two pictures agree."""
    ours, theirs = _turn_looks(a), _turn_looks(b)
    return sum(bool(value == theirs[name]) for name, value in ours.items()) / len(ours)


def _turn_looks(picture: Drawn) -> dict[str, Any]:
    both = (picture.garment, picture.scene)
    return {each.name: getattr(what, each.name) for what in both for each in fields(what) if each.name != "seed"}
