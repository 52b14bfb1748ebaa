"""Experiments on the wardrobe: requests for what its gallery does not hold, and simulated dialogues."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.demo.gallery import index_drawn
from ipcir_tools.demo.world import wardrobe
from ipcir_tools.demo.world.garments import Garment, Part
from ipcir_tools.demo.world.wardrobe import Drawn
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.experiments.absence import Absence, AbsentCase, measure_absence
from ipcir_tools.evaluation.experiments.dialogues import DialogueReport, run_dialogues, session_of

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


def wardrobe_absence(
    engine: Engine, folder: Path, progress: Progress, part: Part = "test", families: int = wardrobe.FAMILIES
) -> dict[str, Absence]:
    """Draw the part into ``folder``, index it, and measure with two kinds of pictures taken away.

    ``garment``: the target's garment in every scene; others that are one attribute off stay. ``edit``: every picture
    with the attributes that the edit changes to.
    """
    made = wardrobe.wardrobe(part, families)
    _, ids = index_drawn(engine, made.pictures, folder / "pictures", progress)
    garments = {picture.name: picture.garment for picture in made.pictures}

    def case(query: Query, wanted: dict[str, object]) -> AbsentCase:
        hidden = [ids[name] for name, garment in garments.items() if wanted.items() <= _attributes(garment).items()]
        return AbsentCase(ids[query.reference], query.modification, frozenset(hidden))

    def cases(only_the_edit: bool) -> list[AbsentCase]:
        made_cases = []
        for query in made.queries:
            before, after = _attributes(garments[query.reference]), _attributes(garments[query.main])
            changed = {slot: value for slot, value in after.items() if before[slot] != value}
            made_cases.append(case(query, changed if only_the_edit else after))
        return made_cases

    return {name: measure_absence(engine, cases(name == "edit"), progress) for name in ("garment", "edit")}


def _attributes(garment: Garment) -> dict[str, object]:
    return {each.name: getattr(garment, each.name) for each in fields(garment)}


DIALOGUES = 200
"""The usual number: 18 pictures each on average."""


def play_dialogues(
    engine: Engine, folder: Path, progress: Progress, dialogues: int = DIALOGUES, part: Part = "test"
) -> DialogueReport:
    """Draw the dialogues of a part into ``folder``, index them and simulate them."""
    made = wardrobe.wardrobe(part, families=0, dialogues=dialogues)
    _, ids = index_drawn(engine, made.pictures, folder / "pictures", progress)
    drawn = {ids[picture.name]: picture for picture in made.pictures}
    sessions = [
        session_of(ids[dialogue.reference], [(text, ids[target]) for text, target in dialogue.turns])
        for dialogue in made.dialogues
    ]
    return run_dialogues(engine, sessions, lambda a, b: likeness(drawn[a], drawn[b]), progress)


def likeness(a: Drawn, b: Drawn) -> float:
    """Share of the attributes of garment and scene in which two pictures agree."""
    ours, theirs = _all_attributes(a), _all_attributes(b)
    return sum(bool(value == theirs[name]) for name, value in ours.items()) / len(ours)


def _all_attributes(picture: Drawn) -> dict[str, Any]:
    both = (picture.garment, picture.scene)
    return {each.name: getattr(what, each.name) for what in both for each in fields(what) if each.name != "seed"}
