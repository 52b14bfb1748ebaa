"""The wardrobe's held-out dialogues: drawn, indexed and played by a simulated user who knows the truth."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.demo import benchmark
from ipcir_tools.demo.benchmark import Drawn
from ipcir_tools.demo.stocking import stocked
from ipcir_tools.evaluation.dialogues import DialogueCase, DialogueReport, run_dialogues

if TYPE_CHECKING:
    from ipcir_tools.catalog import Progress
    from ipcir_tools.engine import Engine

DIALOGUES = 200
"""The usual number: 18 pictures each on average."""


def play_dialogues(engine: Engine, folder: Path, progress: Progress, dialogues: int = DIALOGUES) -> DialogueReport:
    """Draw the dialogues of the test part into ``folder``, index them and play them."""
    made = benchmark.wardrobe("test", families=0, dialogues=dialogues)
    _, ids = stocked(engine, made.pictures, folder / "pictures", progress)
    drawn = {ids[picture.name]: picture for picture in made.pictures}
    cases = [
        DialogueCase(ids[dialogue.reference], tuple((text, ids[target]) for text, target in dialogue.turns))
        for dialogue in made.dialogues
    ]
    return run_dialogues(engine, cases, lambda a, b: likeness(drawn[a], drawn[b]), progress)


def likeness(a: Drawn, b: Drawn) -> float:
    """Share of the attributes of garment and scene in which two pictures agree."""
    ours, theirs = _looks(a), _looks(b)
    return sum(bool(value == theirs[name]) for name, value in ours.items()) / len(ours)


def _looks(picture: Drawn) -> dict[str, Any]:
    both = (picture.garment, picture.scene)
    return {each.name: getattr(what, each.name) for what in both for each in fields(what) if each.name != "seed"}
