"""Short answers of the tools: hits that fit into an agent's context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

from ipcir_tools.agents.tools.tool import Brief
from ipcir_tools.display.results import TextLimits, fit, fit_file_name, fit_folder, judgement_text, marks_text
from ipcir_tools.engine.file_names import FileNames, file_namer, shared_folder
from ipcir_tools.engine.references import is_picture_id
from ipcir_tools.errors import NotFoundError
from ipcir_tools.text import excerpt, shorten_json
from ipcir_tools.types import Hit, Turn

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


_MAX_TURNS, _MAX_ID = 200, 40
"""How many turns are searched for a similar id, and how many characters of an id are compared."""

B = TypeVar("B", bound=Brief)


class HitBrief(Brief):
    """One ranked picture, for a model."""

    rank: int
    id: str
    score: float
    file: str
    """Its name, below the folder that the hits share."""
    caption: str | None


class MarkedHitBrief(HitBrief):
    """A hit whose file is gone, or that stands for others."""

    marks: str
    """That the file is gone, and how many pictures look the same, with the first of their ids."""


class JudgedHitBrief(HitBrief):
    """A hit that a vision model put into its place."""

    marks: str | None
    judged: str
    """The vision model's judgement."""


HitBriefs = list[HitBrief | MarkedHitBrief | JudgedHitBrief]


def fit_brief(make: Callable[[TextLimits], B], hits: Sequence[Hit]) -> B:
    """The brief under the widest limits that keep it small."""
    return fit(make, len(hits), lambda brief: len(brief.model_dump_json()))


def names_of(engine: Engine, hits: Sequence[Hit]) -> FileNames:
    """How an engine's settings name the files of these hits to agents."""
    return shared_folder([hit.source for hit in hits], file_namer(engine.catalog, engine.settings.show_paths))


def brief_folder(names: FileNames, limits: TextLimits) -> str | None:
    """The folder that the hits share, for a model; None where there is none to show."""
    return fit_folder(names.folder, limits) or None


def brief_hits(hits: Sequence[Hit], limits: TextLimits, names: FileNames) -> HitBriefs:
    """Hits for a model."""
    return [_brief_hit(hit, limits, names) for hit in hits]


def _brief_hit(hit: Hit, limits: TextLimits, names: FileNames) -> HitBrief:
    brief = HitBrief(
        rank=hit.rank,
        id=hit.id,
        score=round(hit.score, 3),
        file=shorten_json(fit_file_name(names.of(hit.source), limits), limits.path),
        caption=shorten_json(hit.caption, limits.caption) if hit.caption else None,
    )
    marks = marks_text(hit, limits)
    if hit.judged:
        return JudgedHitBrief(**brief.model_dump(), marks=marks or None, judged=judgement_text(hit.judged, limits))
    return MarkedHitBrief(**brief.model_dump(), marks=marks) if marks else brief


def find_turn(engine: Engine, id: str) -> Turn:
    """The turn with that id. Raises NotFoundError, which suggests existing turns, and InvalidRequestError."""
    name = id.strip().removeprefix("turn ").strip("`'\"")
    try:
        if name.isascii() and name.isalnum():  # no other id exists: the database is not queried
            return engine.visibility.turn(name)
    except NotFoundError:
        pass
    if is_picture_id(name) and engine.visibility.find(name.lower()):
        raise NotFoundError(f"{name} is a picture, not a turn: call compose_search with it as `reference`.")
    last = [turn.id for turn in engine.turns(_MAX_TURNS)]
    if not last:
        raise NotFoundError("There is no turn yet: begin with find_images or compose_search.")
    near = get_close_matches(name[:_MAX_ID], last, n=3) or last[:3]
    raise NotFoundError(f"There is no turn {excerpt(name)}: did you mean {' or '.join(near)}? Or call list_turns.")
