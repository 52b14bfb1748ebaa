"""From what a caller wants of the next turn to a valid query, with the images that had to be opened for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ipcir_tools.engine.reference_list import References, check_different, named_references, words_of_notes
from ipcir_tools.engine.reference_words import Reference, hit_id
from ipcir_tools.engine.references import resolve
from ipcir_tools.engine.validation import check_judged, checked_query, checked_text, default_options, refined_options
from ipcir_tools.engine.visibility import Visibility
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.images.reading import LoadedImage, Side
from ipcir_tools.search_options import SearchOptions
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.types import ComposedQuery, ImageRecord, NotedReference, Turn

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class TurnRequest:
    """What a caller wants of the next turn.

    ``reference``, ``liked`` and ``disliked`` name images: after an earlier turn ranks in its hits ("3") as well. A
    refinement without ``reference`` keeps the references of the turn before. ``by_agent``: whether an agent may have
    written its texts, whoever makes the request.
    """

    modification: str
    options: SearchOptions
    reference: References | None = None
    liked: Sequence[Reference | int] = ()
    disliked: Sequence[Reference | int] = ()
    by_agent: bool = False


PreparedQuery = tuple[ComposedQuery, "dict[str, Image.Image]"]
"""A valid query, and the pixels, by id, of its images that had to be opened."""


def resolve_reference(
    reference: Reference,
    catalog: Catalog,
    settings: Settings,
    side: Side | None = None,
    visibility: Visibility | None = None,
) -> tuple[ImageRecord, dict[str, Image.Image]]:
    """The record of the image that a reference names, and its pixels by id where it had to be opened.

    ``side``: that of the encoder where it is to be encoded. ``visibility``: as of :func:`resolve`.
    """
    found = resolve(reference, catalog, settings, side=side, visibility=visibility)
    if isinstance(found, LoadedImage):
        return found.record, {found.record.id: found.pixels}
    return found, {}


def prepare_query(
    path: Sequence[Turn],
    request: TurnRequest,
    catalog: Catalog,
    settings: Settings,
    side: Side,
    visibility: Visibility,
) -> PreparedQuery:
    """The query of a refinement of the last turn of ``path``, or of a new search where it is empty.

    ``side``: that of the encoder, which its images are for. ``visibility``: what the request may name.

    Raises what :func:`resolve` raises, and InvalidRequestError for a request that makes no query.
    """
    names = _Names(catalog, settings, path[-1] if path else None, side, visibility)
    if path:
        query = _refinement(path[-1], request, names, settings)
    elif request.liked or request.disliked:
        raise InvalidRequestError(
            "Only an earlier answer can be judged: search first, then pass its `turn` beside what is liked or not."
        )
    else:
        query = _search(request, names, settings)
    if names.records:
        catalog.remember(names.records, visibility.given(names.texts))
    return query, names.pixels


class _Names:
    """Resolves the names of one request, after ``parent`` ranks in its hits too, and collects what they name."""

    def __init__(
        self, catalog: Catalog, settings: Settings, parent: Turn | None, side: Side, visibility: Visibility
    ) -> None:
        self._catalog, self._settings, self._parent, self._side = catalog, settings, parent, side
        self._visibility = visibility
        self.records: list[ImageRecord] = []
        self.texts: list[ImageRecord] = []
        """Those of them that a text named."""
        self.pixels: dict[str, Image.Image] = {}

    def id_of(self, name: Reference | int) -> str:
        reference = hit_id(name, self._parent) if self._parent else cast("Reference", name)  # a number is refused
        record, opened = resolve_reference(reference, self._catalog, self._settings, self._side, self._visibility)
        if opened:  # else the catalog has it
            self.records.append(record)
            self.texts += [record] if isinstance(reference, str) else []
        self.pixels.update(opened)
        return record.id

    def ids_of(self, names: Sequence[Reference | int]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(self.id_of, names)))

    def references(self, references: References) -> tuple[NotedReference, ...]:
        """The references of a request, in order. Raises InvalidRequestError for one that is there twice."""
        resolved = tuple(
            NotedReference(id=self.id_of(each.picture), note=each.note) for each in named_references(references)
        )
        check_different(resolved)
        return resolved


def _search(request: TurnRequest, names: _Names, settings: Settings) -> ComposedQuery:
    text = _flat(request.modification)
    references = names.references(request.reference) if request.reference is not None else ()
    return _query(
        references,
        checked_text(text or words_of_notes(references)),
        request.options.or_else(default_options(settings)),
    )


def _refinement(parent: Turn, request: TurnRequest, names: _Names, settings: Settings) -> ComposedQuery:
    text, last = _flat(request.modification), parent.query
    given = request.reference if request.reference != "" else None
    is_judged = bool(request.liked or request.disliked)
    check_judged(request.liked, request.disliked)
    if not (text or given is not None or is_judged):
        raise InvalidRequestError(
            "The modification is empty, and nothing else is given to refine by: say what should be different, "
            'such as "make it blue", or name a reference, or what is liked or disliked.'
        )
    references = names.references(given) if given is not None else last.references
    if given is not None and references == last.references and not (text or is_judged):
        ids = ", ".join(each.id for each in references)
        raise InvalidRequestError(
            f"The turn starts from {ids} already: say what should be different, or start over with a new search."
        )
    goes_on = bool(last.references) and references[: len(last.references)] == last.references
    if goes_on or not text:  # what is meant of those that are added to what was said is part of what is said now
        text = ", ".join(filter(None, [words_of_notes(references, before=last.references), text]))
    return _query(
        references,
        checked_text(text) if text else "",
        request.options.or_else(refined_options(last, settings)),
        liked=names.ids_of(request.liked),
        disliked=names.ids_of(request.disliked),
    )


def _flat(modification: str) -> str:
    """The modification on one line; empty where it has no words. Raises InvalidRequestError for what is no text."""
    is_empty = isinstance(modification, str) and not modification.strip()
    return "" if is_empty else checked_text(modification)


def _query(
    references: Sequence[NotedReference],
    modification: str,
    options: SearchOptions,
    liked: tuple[str, ...] = (),
    disliked: tuple[str, ...] = (),
) -> ComposedQuery:
    first = references[0] if references else None
    return checked_query(
        first.id if first else None,
        modification,
        options,
        note=first.note if first else "",
        others=tuple(references[1:]),
        liked=liked,
        disliked=disliked,
    )
