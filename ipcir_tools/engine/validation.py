"""Checks of what is asked, each with the words that say how to ask instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipcir_tools.bounds import MAX_JUDGED, MAX_NAME, MAX_NOTE, MAX_TEXT, check_number
from ipcir_tools.composers import composer_named
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.search_options import SearchOptions
from ipcir_tools.settings import Settings
from ipcir_tools.store.filters import GRAMMAR, condition
from ipcir_tools.text import one_line
from ipcir_tools.types import ComposedQuery, NotedReference, is_by_chat_model, parse_verify

_SPACED = 10
"""How many times as long a text may be with its spaces as without."""
MAX_HITS = 1_000
MAX_RERANKED = 20
"""Pictures on the sheet of a model that judges them."""


def checked_text(text: str, what: str = "modification") -> str:
    """The text on one line. Raises InvalidRequestError where it is empty, too long or no text at all."""
    flat = _checked_line(text, f"The {what}", MAX_TEXT)
    if not flat:
        raise InvalidRequestError(f'The {what} is empty: say what the picture should show, such as "make it blue".')
    return flat


def checked_note(note: str) -> str:
    """The note on a reference, on one line; it may be empty. Raises InvalidRequestError as ``checked_text`` does."""
    return _checked_line(note, "The note on a reference", MAX_NOTE)


def _checked_line(text: str, what: str, limit: int) -> str:
    _check_type(text, str, what, "a text")
    if len(text) > _SPACED * limit:  # not even taken apart
        raise InvalidRequestError(f"{what} has {len(text)} characters: say it in {limit} at most.")
    flat = one_line(text)
    if not flat.isascii() and flat != flat.encode("utf-8", "replace").decode():
        raise InvalidRequestError(f"{what} holds bytes that are no UTF-8: type it again.")
    if len(flat) > limit:
        raise InvalidRequestError(f"{what} has {len(flat)} characters: say it in {limit} at most.")
    return flat


def _check_type(value: object, kind: type | tuple[type, ...], what: str, expected: str) -> None:
    """Raises InvalidRequestError for a value of another type; a bool is no number."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidRequestError(f"{what} must be {expected}, not {type(value).__name__}.")


def _check_size(value: float, what: str) -> None:
    """Raises InvalidRequestError for a number that cannot be written in an error, and for none such as NaN."""
    try:
        check_number(what, value)
    except ValueError as error:
        raise InvalidRequestError(f"{error}.") from None


def check_turn_id(turn: object) -> None:
    """Raises InvalidRequestError for anything but the id of a turn."""
    _check_type(turn, str, "The turn", "the id of an earlier turn, such as result.turn.id")
    if len(str(turn)) > MAX_NAME:
        raise InvalidRequestError(f"The turn has {len(str(turn)):,} characters: give the id of an earlier turn.")


def check_k(k: int) -> None:
    """Raises InvalidRequestError for a number of hits that is out of range."""
    _check_type(k, int, "k", "a whole number")
    _check_size(k, "k")
    if not 1 <= k <= MAX_HITS:
        raise InvalidRequestError(f"k is {k}: ask for 1 to {MAX_HITS} pictures.")


def filter_object(value: Any) -> Any:
    """A filter as pydantic reads it. Raises ValueError, with the grammar of filters, for what is no object."""
    if value is None or isinstance(value, dict):
        return value
    raise ValueError(f"Input should be a JSON object. {GRAMMAR}")


def check_judged(liked: Sequence[object], disliked: Sequence[object]) -> None:
    """Raises InvalidRequestError for too many pictures, and for one name in the place of several."""
    if isinstance(liked, str) or isinstance(disliked, str):
        raise InvalidRequestError(
            "Pictures that are liked or disliked come as a list of ids or ranks, even a single one."
        )
    if len(liked) + len(disliked) > MAX_JUDGED:
        raise InvalidRequestError(f"More than {MAX_JUDGED} pictures are liked or disliked: name fewer.")


def check_options(options: SearchOptions) -> None:
    """Raises InvalidRequestError for an option that is out of its range, and for an unknown composer or filter."""
    if options.k is not None:
        check_k(options.k)
    if options.weight is not None:
        _check_type(options.weight, (int, float), "The weight", "a number from 0 to 1")
        _check_size(options.weight, "weight")
        if not 0.0 <= options.weight <= 1.0:
            raise InvalidRequestError(
                f"The weight is {options.weight}: it goes from 0 (only the reference) to 1 (only the text)."
            )
    if options.rerank is not None:
        _check_type(options.rerank, int, "rerank", "a whole number")
        _check_size(options.rerank, "rerank")
        if not 0 <= options.rerank <= MAX_RERANKED:
            raise InvalidRequestError(
                f"rerank is {options.rerank}: have 2 to {MAX_RERANKED} hits put into order, or 0 for none."
            )
    if options.verify is not None:
        _check_type(options.verify, (int, str), "verify", "a number of hits, auto, off or llm:N")
        try:
            parse_verify(options.verify)
        except ValueError as error:
            raise InvalidRequestError(f"{error}.") from None
    if options.composer is not None:
        _check_type(options.composer, str, "The composer", "a name, such as 'sum' or 'discount:b=0.5'")
        composer_named(options.composer)
    if options.where:
        condition(options.where)  # a wrong filter is refused before any model is called


def checked_query(
    reference: str | None,
    modification: str,
    options: SearchOptions,
    *,
    note: str = "",
    others: tuple[NotedReference, ...] = (),
    liked: tuple[str, ...] = (),
    disliked: tuple[str, ...] = (),
) -> ComposedQuery:
    """A valid query; every search goes through here. ``reference``: the id of an image, None for words alone.

    ``note`` and ``others`` are those of :class:`ComposedQuery`. Raises InvalidRequestError.
    """
    check_options(options)
    check_judged(liked, disliked)
    if both := set(liked) & set(disliked):
        raise InvalidRequestError(f"The image {min(both)} is both liked and disliked: decide for one.")
    chosen = {name: value for name, value in vars(options).items() if value is not None and value != {}}
    return ComposedQuery(
        reference=reference,
        note=note,
        others=others,
        modification=modification,
        liked=liked,
        disliked=disliked,
        **chosen,
    )


def default_options(settings: Settings) -> SearchOptions:
    """The options of a new search, as the settings have them."""
    return SearchOptions(
        k=settings.k,
        weight=settings.weight,
        composer=settings.composer,
        verify=settings.verify,
        rerank=settings.rerank,
    )


def refined_options(query: ComposedQuery, settings: Settings) -> SearchOptions:
    """The options of a search that refines ``query``. What sends images to a model is never inherited."""
    return SearchOptions(
        k=query.k,
        weight=query.weight,
        where=query.where,
        composer=query.composer,
        verify=settings.verify if is_by_chat_model(query.verify) else query.verify,
        rerank=settings.rerank,
    )
