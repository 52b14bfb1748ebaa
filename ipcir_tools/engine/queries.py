"""From what a caller wants of the next turn to a valid query, with the images that had to be opened for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipcir_tools.engine.references import Reference, hit_id, resolve
from ipcir_tools.engine.validation import check_judged, checked_query, checked_text, default_options, refined_options
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.images.reading import LoadedImage
from ipcir_tools.search_options import SearchOptions
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.types import ComposedQuery, ImageRecord, Turn

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class TurnRequest:
    """What a caller wants of the next turn.

    ``reference``, ``liked`` and ``disliked`` name images: after an earlier turn ranks in its hits ("3") as well.
    """

    modification: str
    options: SearchOptions
    reference: Reference | None = None
    liked: Sequence[Reference] = ()
    disliked: Sequence[Reference] = ()


PreparedQuery = tuple[ComposedQuery, "dict[str, Image.Image]"]
"""A valid query, and the pixels, by id, of its images that had to be opened."""


def resolve_reference(
    reference: Reference, catalog: Catalog, settings: Settings
) -> tuple[ImageRecord, dict[str, Image.Image]]:
    """The record of the image that a reference names, and its pixels by id where it had to be opened."""
    found = resolve(reference, catalog, settings)
    if isinstance(found, LoadedImage):
        return found.record, {found.record.id: found.pixels}
    return found, {}


def prepare_query(path: Sequence[Turn], request: TurnRequest, catalog: Catalog, settings: Settings) -> PreparedQuery:
    """The query of a refinement of the last turn of ``path``, or of a new search where it is empty.

    Raises what :func:`resolve` raises, and InvalidRequestError for a request that makes no query.
    """
    if path:
        return _prepare_refinement(path[-1], request, catalog, settings)
    if request.liked or request.disliked:
        raise InvalidRequestError(
            "Only an earlier answer can be judged: search first, then pass its `turn` beside what is liked or not."
        )
    return _prepare_search(request, catalog, settings)


def _prepare_search(request: TurnRequest, catalog: Catalog, settings: Settings) -> PreparedQuery:
    text, reference = checked_text(request.modification), request.reference
    record, pixels = resolve_reference(reference, catalog, settings) if reference is not None else (None, {})
    query = checked_query(record.id if record else None, text, request.options.or_else(default_options(settings)))
    catalog.remember([record] if record else [])
    return query, pixels


def _prepare_refinement(parent: Turn, request: TurnRequest, catalog: Catalog, settings: Settings) -> PreparedQuery:
    reference, liked, disliked = request.reference, request.liked, request.disliked
    has_words = bool(request.modification.strip())
    check_judged(liked, disliked)
    if not (has_words or reference or liked or disliked):
        raise InvalidRequestError(
            "The modification is empty, and nothing else is given to refine by: say what should be different, "
            'such as "make it blue", or name a reference, or what is liked or disliked.'
        )
    last, pixels, records = parent.query, dict[str, "Image.Image"](), list[ImageRecord]()

    def resolved_id(name: Reference) -> str:
        record, opened = resolve_reference(hit_id(name, parent), catalog, settings)
        records.append(record)
        pixels.update(opened)
        return record.id

    chosen = resolved_id(reference) if reference else last.reference
    if reference and chosen == last.reference and not (has_words or liked or disliked):
        raise InvalidRequestError(f"{chosen} is the reference already: start over from it with a new search.")
    query = checked_query(
        chosen,
        checked_text(request.modification) if has_words else "",
        request.options.or_else(refined_options(last, settings)),
        liked=tuple(dict.fromkeys(map(resolved_id, liked))),
        disliked=tuple(dict.fromkeys(map(resolved_id, disliked))),
    )
    catalog.remember(records)
    return query, pixels
