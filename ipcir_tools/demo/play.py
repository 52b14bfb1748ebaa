"""The demo: draw a gallery, index it, play a dialogue, run the ablation. A second run finds everything done."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.chains.composition.requests import Step
from ipcir_tools.demo.gallery import stocked
from ipcir_tools.demo.world import captions, wardrobe
from ipcir_tools.demo.world.garments import Garment
from ipcir_tools.demo.world.wardrobe import Benchmark, Query
from ipcir_tools.display.search_sheet import Strip, save_sheet
from ipcir_tools.errors import NotFoundError
from ipcir_tools.evaluation.experiments.ablation import Ablation, Case, rank_in_gallery, run_ablation
from ipcir_tools.types import IndexReport, SearchResult

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


TEXTS = ("in blue", "with long sleeves", "without the belt")
_FIRST = Garment("jacket", "red", "floral", "medium", sleeve="short", neck="collar", pocket=True, belt=True)
_STEPS = (
    _FIRST,
    _FIRST.changed(colour="blue"),
    _FIRST.changed(colour="blue", sleeve="long"),
    _FIRST.changed(colour="blue", sleeve="long", belt=False),
)
"""The dialogue's garments, all of the test part; :data:`TEXTS` leads from each to the next."""


@dataclass(frozen=True)
class Played:
    """One turn of the demo's dialogue and where the truth ranked."""

    result: SearchResult
    target: str
    rank: int


@dataclass(frozen=True)
class Show:
    """All that the demo did. ``right_captions``: share of references whose caption is right word for word, percent."""

    index: IndexReport
    dialogue: tuple[Played, ...]
    ablation: Ablation
    right_captions: float
    sheets: tuple[Path, ...]
    example: Case
    """A query of the ablation, to try by hand."""


def world_of_demo(families: int = wardrobe.FAMILIES) -> Benchmark:
    """The gallery of the demo: held-out families with their queries, and one dialogue."""
    made = wardrobe.wardrobe("test", families)
    wardrobe.add_dialogue(made, random.Random("demo"), list(_STEPS), list(TEXTS))
    return made


def play(engine: Engine, folder: Path, progress: Progress) -> Show:
    """Run the whole demo in ``folder``."""
    made = world_of_demo()
    report, ids = stocked(engine, made.pictures, folder / "pictures", progress)
    dialogue = _dialogue(engine, made, ids)
    sheets = _sheets(engine, dialogue, folder / "sheets")
    cases = [Case(ids[query.reference], query.modification, ids[query.target]) for query in made.queries]
    ablation = run_ablation(engine, cases, progress=progress)
    return Show(report, dialogue, ablation, _right_captions(engine, made, made.queries, ids), sheets, cases[0])


def show_json(show: Show) -> dict[str, Any]:
    """The demo as one JSON document."""
    return {
        "index": show.index.model_dump(mode="json"),
        "dialogue": [
            {
                "turn": played.result.turn.id,
                "modification": played.result.turn.query.modification,
                "rank_of_target": played.rank,
            }
            for played in show.dialogue
        ],
        "ablation": [
            {
                "composer": row.composer,
                **{f"R@{k}": round(value, 2) for k, value in row.recall.items()},
                "weight": row.weight,
            }
            for row in show.ablation.rows
        ],
        "queries": show.ablation.queries,
        "gallery": show.ablation.gallery,
        "imaginer": show.ablation.imaginer,
        "right_captions": round(show.right_captions, 2),
        "sheets": [str(sheet) for sheet in show.sheets],
    }


def _dialogue(engine: Engine, made: Benchmark, ids: dict[str, str]) -> tuple[Played, ...]:
    dialogue = made.dialogues[-1]
    results = _played_before(engine) or _play_turns(
        engine, ids[dialogue.reference], [text for text, _ in dialogue.turns]
    )
    history: tuple[Step, ...] = ()
    played = []
    for result, (text, target) in zip(results, dialogue.turns, strict=True):
        case = Case(ids[dialogue.reference], text, ids[target], history)
        played.append(Played(result, ids[target], rank_in_gallery(engine, case)))
        history = (*history, Step(text, result.turn.imagined))
    return tuple(played)


def _key(engine: Engine) -> str:
    """Under which the turns are noted: another model or weight plays its own dialogue."""
    chosen, models = engine.settings, f"{engine.features.space}:{engine.captioner_id}"
    return f"demo:{chosen.llm}:{chosen.composer}:{chosen.weight}:{chosen.k}:{models}"


def _play_turns(engine: Engine, reference: str, texts: Sequence[str]) -> list[SearchResult]:
    results = [engine.search(reference, texts[0])]
    for text in texts[1:]:
        results.append(engine.refine(results[-1].turn.id, text))
    engine.catalog.set_note(_key(engine), json.dumps([result.turn.id for result in results]))
    return results


def _played_before(engine: Engine) -> list[SearchResult]:
    noted = engine.catalog.note(_key(engine))
    try:
        return [SearchResult(turn=engine.catalog.turn(id_)) for id_ in json.loads(noted or "[]")]
    except NotFoundError:
        return []


def _sheets(engine: Engine, dialogue: Sequence[Played], folder: Path) -> tuple[Path, ...]:
    path = folder / "dialogue.png"
    save_sheet([Strip(played.result, {played.target}) for played in dialogue], path, engine.settings, most=5)
    return (path,)


def _right_captions(engine: Engine, made: Benchmark, queries: Sequence[Query], ids: dict[str, str]) -> float:
    truth = {picture.name: captions.caption(picture.garment) for picture in made.pictures}
    said = engine.features.captions([ids[query.reference] for query in queries])
    return 100.0 * sum(said[ids[query.reference]] == truth[query.reference] for query in queries) / len(queries)
