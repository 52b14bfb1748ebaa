"""Short answers of the tools: hits that fit into an agent's context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

from ipcir_tools.agents.tools.tool import Brief
from ipcir_tools.display.results import TextLimits, fit, judgement_text
from ipcir_tools.errors import NotFoundError
from ipcir_tools.text import excerpt, shorten_json
from ipcir_tools.types import Hit, Turn

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


_LOOKED_AT, _LONGEST_ID = 200, 40
"""Turns among which one with a like id is looked for, and characters of the id that are compared."""

B = TypeVar("B", bound=Brief)


class HitBrief(Brief):
    """One ranked picture, for a model."""

    rank: int
    id: str
    score: float
    file: str
    caption: str | None


class JudgedHitBrief(HitBrief):
    """One that a model put into its place."""

    judged: str
    """What the model that saw the picture says of it."""


HitBriefs = list[HitBrief | JudgedHitBrief]


def fitted_brief(make: Callable[[TextLimits], B], hits: Sequence[Hit]) -> B:
    """The brief under the widest limits that keep it small."""
    return fit(make, len(hits), lambda brief: len(brief.model_dump_json()))


def hit_briefs(hits: Sequence[Hit], limits: TextLimits) -> HitBriefs:
    """Hits for a model."""
    return [_hit_brief(hit, limits) for hit in hits]


def _hit_brief(hit: Hit, limits: TextLimits) -> HitBrief:
    brief = HitBrief(
        rank=hit.rank,
        id=hit.id,
        score=round(hit.score, 3),
        file=shorten_json(PurePath(hit.source).name, limits.name),
        caption=shorten_json(hit.caption, limits.caption) if hit.caption else None,
    )
    return JudgedHitBrief(**brief.model_dump(), judged=judgement_text(hit.judged, limits)) if hit.judged else brief


def known_turn(engine: Engine, id: str) -> Turn:
    """The turn that a model names. Raises NotFoundError, which names turns that there are, and InvalidRequestError."""
    named = id.strip()
    try:
        if named.isascii() and named.isalnum():  # no other id exists, and no database is asked for one
            return engine.catalog.turn(named)
    except NotFoundError:
        pass
    last = [turn.id for turn in engine.catalog.turns(_LOOKED_AT)]
    if not last:
        raise NotFoundError("There is no turn yet: begin with find_images or compose_search.")
    near = get_close_matches(named[:_LONGEST_ID], last, n=3) or last[:3]
    raise NotFoundError(f"There is no turn {excerpt(named)}: did you mean {' or '.join(near)}? Or call list_turns.")
