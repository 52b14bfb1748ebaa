"""Checks of what is asked, each with the words that say how to ask instead."""

from __future__ import annotations

from collections.abc import Sequence

from ipcir_tools.composers import composer_named
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.settings import Settings
from ipcir_tools.store.filters import condition
from ipcir_tools.text import one_line
from ipcir_tools.types import ComposedQuery, Turn, Where

MAX_TEXT = 2_000
"""Characters of a modification; a longer one is no edit."""
MAX_HITS = 1_000
MAX_RERANKED = 20
"""Pictures on the sheet of a model that judges them."""
MAX_JUDGED = 50
"""Pictures that one turn may like and dislike."""


def checked_text(text: str, what: str = "modification") -> str:
    """The text on one line. Raises InvalidRequestError where it is empty, too long or no text at all."""
    flat = one_line(text)
    if not flat:
        raise InvalidRequestError(f'The {what} is empty: say what the picture should show, such as "make it blue".')
    if not flat.isascii() and flat != flat.encode("utf-8", "replace").decode():
        raise InvalidRequestError(f"The {what} holds bytes that are no UTF-8: type it again.")
    if len(flat) > MAX_TEXT:
        raise InvalidRequestError(f"The {what} has {len(flat)} characters: say it in {MAX_TEXT} at most.")
    return flat


def check_k(k: int) -> None:
    """Raises InvalidRequestError for a number of pictures that cannot be asked for."""
    if not 1 <= k <= MAX_HITS:
        raise InvalidRequestError(f"k is {k}: ask for 1 to {MAX_HITS} pictures.")


def check_judged(liked: Sequence[str], disliked: Sequence[str]) -> None:
    """Raises InvalidRequestError for too many pictures, and for one name in the place of several."""
    if isinstance(liked, str) or isinstance(disliked, str):
        raise InvalidRequestError(
            "Pictures that are liked or disliked come as a list of ids or ranks, even a single one."
        )
    if len(liked) + len(disliked) > MAX_JUDGED:
        raise InvalidRequestError(f"More than {MAX_JUDGED} pictures are liked or disliked: name the most telling ones.")


def checked_query(
    *,
    reference: str | None,
    modification: str,
    k: int,
    weight: float | None,
    composer: str,
    where: Where | None,
    liked: tuple[str, ...] = (),
    disliked: tuple[str, ...] = (),
    rerank: int = 0,
) -> ComposedQuery:
    """A query that makes sense; every way of asking goes through here. Raises InvalidRequestError."""
    check_k(k)
    if weight is not None and not 0.0 <= weight <= 1.0:
        raise InvalidRequestError(f"The weight is {weight}: it goes from 0 (only the picture) to 1 (only the text).")
    check_judged(liked, disliked)
    if both := set(liked) & set(disliked):
        raise InvalidRequestError(f"The picture {min(both)} is both liked and disliked: decide for one.")
    if not 0 <= rerank <= MAX_RERANKED:
        raise InvalidRequestError(f"rerank is {rerank}: have 2 to {MAX_RERANKED} hits put into order, or 0 for none.")
    composer_named(composer)
    if where:
        condition(where)  # a wrong filter is refused before a model is asked
    return ComposedQuery(
        reference=reference,
        modification=modification,
        liked=liked,
        disliked=disliked,
        k=k,
        weight=weight,
        composer=composer,
        where=where or None,
        rerank=rerank,
    )


def root_query(
    settings: Settings,
    reference: str | None,
    modification: str,
    *,
    k: int | None = None,
    weight: float | None = None,
    where: Where | None = None,
    composer: str | None = None,
    rerank: int | None = None,
) -> ComposedQuery:
    """The checked query of a root: a reference's id or None for words alone; the settings give what is not named."""
    return checked_query(
        reference=reference,
        modification=modification,
        k=settings.k if k is None else k,
        weight=settings.weight if weight is None else weight,
        composer=composer or settings.composer,
        where=where,
        rerank=settings.rerank if rerank is None else rerank,
    )


def by_rank(picture: str, turn: Turn) -> str:
    """The id of a hit that was named by its rank; any other name as it is."""
    name = picture.strip().removeprefix("#")
    if not name.isdecimal() or len(name) > 4:
        return picture
    ids = {hit.rank: hit.id for hit in turn.hits}
    if int(name) not in ids:
        raise NotFoundError(f"Turn {turn.id} has no hit {name}: it has {len(ids)}, counted from 1.")
    return ids[int(name)]
