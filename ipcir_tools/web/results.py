"""The page of a turn: its query, what was imagined, its hits and why they are hits."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ipcir_tools.display.dialogue_tree import dialogue_tree
from ipcir_tools.display.file_names import distinct_names
from ipcir_tools.display.results import request_text, result_notes
from ipcir_tools.display.scores import hit_scores
from ipcir_tools.engine.confidence import is_poor
from ipcir_tools.text import printable_line
from ipcir_tools.types import Hit, ImaginedTarget, SearchResult, Turn
from ipcir_tools.web.options import option_values
from ipcir_tools.web.site import Site, site_of

BY = {
    "llm": "imagined by {imaginer}",
    "rules": "imagined by rules",
    "fallback": "the model did not answer, so rules wrote this",
    "person": "edited by you",
}
"""Who wrote an imagination, by its origin."""


def turn_page(request: Request) -> Response:
    """``/turn/ID``, and with ``?ask=ROUND`` the open question of a round."""
    site = site_of(request)
    turn = site.engine.turn(request.path_params["id"])
    result = site.rounds.noted(turn.id) or SearchResult(turn=turn)
    question = site.rounds.question(request.query_params.get("ask"))
    return site.page(request, "turn.html", **turn_view(site, turn, result), question=question)


def turn_view(site: Site, turn: Turn, result: SearchResult) -> dict[str, Any]:
    """What the template shows of a turn."""
    turns = site.engine.catalog.dialogue(turn.id)
    names = distinct_names(hit.source for hit in turn.hits)
    hits = [_hit(hit, turn, names) for hit in turn.hits]
    return {
        "turn": turn,
        "title": printable_line(request_text(turn)),
        "references": turn.query.references,
        "imagined": _imagined(turn),
        "hits": hits,
        "meanings": {each.key: f"{each.name}: {each.meaning}" for hit in hits for each in hit["scores"]},
        "poor": is_poor(result.surprise),
        "notes": [printable_line(each) for each in result_notes(result) if not each.startswith("no good match")],
        "warnings": [printable_line(each) for each in result.warnings],
        "seconds": result.timings.get("total"),
        "options": option_values(site, turn),
        "tree": dialogue_tree(turns, turn),
        "first_references": turns[0].query.references,
    }


def _imagined(turn: Turn) -> dict[str, Any] | None:
    imagined = turn.imagined
    if imagined is None:
        return None
    return {
        "description": printable_line(imagined.description),
        "by": BY[imagined.origin].format(imaginer=turn.models.get("imaginer", "a model")),
        "origin": imagined.origin,
        "chips": [(kind, word, printable_line(word)) for kind in CHIPS for word in _words(imagined, kind)],
    }


CHIPS = ("keep", "add", "remove")
"""The lists of an imagination that are shown as chips."""


def _words(imagined: ImaginedTarget, kind: str) -> tuple[str, ...]:
    words: tuple[str, ...] = getattr(imagined, kind)
    return words


def _hit(hit: Hit, turn: Turn, names: dict[str, str]) -> dict[str, Any]:
    caption = printable_line(hit.caption) if hit.caption else ""
    name = printable_line(names[hit.source])
    return {
        "id": hit.id,
        "rank": hit.rank,
        "gone": hit.gone,
        "alike": len(hit.alike),
        "caption": caption,
        "name": name,
        "label": caption or name,
        "scores": hit_scores(hit, turn),
        "judged": hit.judged,
    }
