"""References as models and people word them: ranks, ranks of other turns, names of files, turns by mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from PIL import Image

from ipcir_tools.engine.file_names import file_namer
from ipcir_tools.engine.visibility import Visibility
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.text import excerpt
from ipcir_tools.types import Turn

Reference = str | Path | Image.Image
"""An image to start from; a PIL image is known by the hash of its pixels."""

_WORD = r"(?:(?:hit|rank|number|no\.?|nr\.?|picture|image|result)\s*)?"
RANK = re.compile(_WORD + r"#?\s*(\d{1,4})\.?", re.IGNORECASE)
RANK_OF_TURN = re.compile(_WORD + r"#?\s*(\d{1,4})\s+(?:of|in|from)\s+(?:turn\s+)?(t[0-9a-f]{3,11})", re.IGNORECASE)
_TURN = re.compile(r"(?:turn\s+)?(t[0-9a-f]{3,11})", re.IGNORECASE)
_MOST_NAMED = 5
"""Pictures of one name that an error lists."""


def unquoted(text: str) -> str:
    """A reference without the quotes or backticks that a model writes around it."""
    bare = text.strip()
    return bare[1:-1].strip() if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "`'\"" else bare


def hit_id(reference: Reference | int, turn: Turn) -> Reference:
    """The id of the hit of ``turn`` that a rank names (3, "3", "#3", "hit 3"); any other as it is.

    Raises NotFoundError.
    """
    if isinstance(reference, int):
        reference = str(reference)
    rank = RANK.fullmatch(reference.strip()) if isinstance(reference, str) else None
    return reference if rank is None else hit_of(int(rank[1]), turn)


def hit_of(rank: int, turn: Turn) -> str:
    """The id of the hit of a turn with that rank. Raises NotFoundError."""
    ids = {hit.rank: hit.id for hit in turn.hits}
    if rank not in ids:
        raise NotFoundError(f"Turn {turn.id} has no hit {rank}: it has {len(ids)}, counted from 1.")
    return ids[rank]


def unique_file(text: str, catalog: Catalog, settings: Settings) -> str | None:
    """The path of the one picture of the gallery whose path ends so: ``IMG_0001.jpg``, ``2024/IMG_0001.jpg``.

    None for none. Raises InvalidRequestError, which lists them, for several.
    """
    name = text.removeprefix("./")
    if name[:1] in ("/", "~", "") or "\0" in name or name != name.encode(errors="ignore").decode():
        return None
    found = catalog.files_ending(name, _MOST_NAMED + 1)
    if len(found) < 2:
        return next(iter(found.values()), None)
    named = file_namer(catalog, settings.show_paths)
    listed = [f"{id_} ({excerpt(named(path))})" for id_, path in found.items()]
    more = " and more" if len(listed) > _MOST_NAMED else ""
    raise InvalidRequestError(
        f"Several pictures are called {excerpt(text)}: {', '.join(listed[:_MOST_NAMED])}{more}. Give the id of one."
    )


def refuse_word(text: str, visibility: Visibility) -> NoReturn:
    """Raises NotFoundError for text that is no id and no path; it says where a turn or a rank belongs."""
    if (turn := _TURN.fullmatch(text)) and (stored := _stored_turn(turn[1].lower(), visibility)):
        raise NotFoundError(
            f"{stored} is a turn, not a picture: call refine_search with it as `turn`, or name a hit of it, such as "
            f"'1 of turn {stored}'."
        )
    if RANK.fullmatch(text):
        raise NotFoundError(
            f"{excerpt(text)} is a rank, and no turn is given: give the id of the hit, or write "
            f"'{_digits(text)} of turn t...' with the id of its turn."
        )
    raise NotFoundError(
        f"There is no picture with the id {excerpt(text)}: take an id from earlier hits; "
        "what was never indexed has none."
    )


def _stored_turn(id: str, visibility: Visibility) -> str | None:
    try:
        return visibility.turn(id).id
    except (NotFoundError, InvalidRequestError):
        return None


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))
