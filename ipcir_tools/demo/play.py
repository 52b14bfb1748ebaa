"""The demo: draw a gallery, index it, play a dialogue, run the ablation. A second run finds everything done."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.chains.composition.requests import request_of
from ipcir_tools.demo.gallery import index_drawn
from ipcir_tools.demo.world import captions, wardrobe
from ipcir_tools.demo.world.garments import Garment
from ipcir_tools.demo.world.wardrobe import Wardrobe
from ipcir_tools.display.search_sheet import Strip, save_sheet
from ipcir_tools.errors import NotFoundError
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.experiments.ablation import Ablation, run_ablation
from ipcir_tools.evaluation.runs.catalog_run import rank_in_gallery
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


VERIFIED = 6
"""First hits that the last row of the demo's table verifies. On the validation part (R@1 / R@5) 6 give 83.9 / 99.4 and
20 give 83.9 / 99.8, but those take three times as long."""


@dataclass(frozen=True)
class DemoTurn:
    """One turn of the demo's dialogue and the rank of the right picture."""

    result: SearchResult
    target: str
    rank: int


@dataclass(frozen=True)
class DemoResult:
    """All that the demo did. ``right_captions``: percent of references whose caption is right word for word."""

    index: IndexReport
    dialogue: tuple[DemoTurn, ...]
    ablation: Ablation
    right_captions: float
    sheets: tuple[Path, ...]
    example: Query
    """A query of the ablation, to try by hand."""


def demo_wardrobe(families: int = wardrobe.FAMILIES) -> Wardrobe:
    """The gallery of the demo: held-out families with their queries, and one dialogue."""
    made = wardrobe.wardrobe("test", families)
    wardrobe.add_dialogue(made, random.Random("demo"), list(_STEPS), list(TEXTS))
    return made


def play(engine: Engine, folder: Path, progress: Progress) -> DemoResult:
    """Run the whole demo in ``folder``."""
    made = demo_wardrobe()
    report, ids = index_drawn(engine, made.pictures, folder / "pictures", progress)
    dialogue = _dialogue(engine, made, ids)
    sheets = _sheets(engine, dialogue, folder / "sheets")
    queries = [Query(each.id, ids[each.reference], each.modification, (ids[each.main],)) for each in made.queries]
    ablation = run_ablation(engine, queries, progress=progress, verify=VERIFIED)
    return DemoResult(report, dialogue, ablation, _right_captions(engine, made, ids), sheets, queries[0])


def demo_json(result: DemoResult) -> dict[str, Any]:
    """The demo as one JSON document."""
    return {
        "index": result.index.model_dump(mode="json"),
        "dialogue": [
            {
                "turn": turn.result.turn.id,
                "modification": turn.result.turn.query.modification,
                "rank_of_target": turn.rank,
            }
            for turn in result.dialogue
        ],
        "ablation": [
            {
                "composer": row.composer,
                **{f"R@{k}": round(value, 2) for k, value in row.recall.items()},
                "weight": row.weight,
                "verified": row.verified,
            }
            for row in result.ablation.rows
        ],
        "queries": result.ablation.queries,
        "gallery": result.ablation.gallery,
        "imaginer": result.ablation.imaginer,
        "right_captions": round(result.right_captions, 2),
        "sheets": [str(sheet) for sheet in result.sheets],
    }


def _dialogue(engine: Engine, made: Wardrobe, ids: dict[str, str]) -> tuple[DemoTurn, ...]:
    dialogue = made.dialogues[-1]
    results = _kept_turns(engine) or _make_turns(engine, ids[dialogue.reference], [text for text, _ in dialogue.turns])
    path = [result.turn for result in results]
    ranks = [
        rank_in_gallery(engine.components, request_of(turn.query, path[:i]), ids[target], turn.query.verify)
        for i, (turn, (_, target)) in enumerate(zip(path, dialogue.turns, strict=True))
    ]
    targets = [ids[target] for _, target in dialogue.turns]
    return tuple(map(DemoTurn, results, targets, ranks))


def _key(engine: Engine) -> str:
    """The name of the note that keeps the turns: another model or weight has its own dialogue."""
    chosen, models = engine.settings, f"{engine.components.features.space}:{engine.components.captioner_id}"
    return f"demo:{chosen.llm}:{chosen.composer}:{chosen.weight}:{chosen.k}:{models}"


def _make_turns(engine: Engine, reference: str, texts: Sequence[str]) -> list[SearchResult]:
    results = [engine.search(reference, texts[0])]
    for text in texts[1:]:
        results.append(engine.refine(results[-1].turn.id, text))
    engine.catalog.set_note(_key(engine), json.dumps([result.turn.id for result in results]))
    return results


def _kept_turns(engine: Engine) -> list[SearchResult]:
    noted = engine.catalog.note(_key(engine))
    try:
        return [SearchResult(turn=engine.catalog.turn(id_)) for id_ in json.loads(noted or "[]")]
    except NotFoundError:
        return []


def _sheets(engine: Engine, dialogue: Sequence[DemoTurn], folder: Path) -> tuple[Path, ...]:
    path = folder / "dialogue.png"
    save_sheet([Strip(turn.result, {turn.target}) for turn in dialogue], path, engine.settings, most=5)
    return (path,)


def _right_captions(engine: Engine, made: Wardrobe, ids: dict[str, str]) -> float:
    truth = {picture.name: captions.caption(picture.garment) for picture in made.pictures}
    found = engine.components.features.captions([ids[query.reference] for query in made.queries])
    right = sum(found[ids[query.reference]] == truth[query.reference] for query in made.queries)
    return 100.0 * right / len(made.queries)
