"""What an agent may see and name: the one place that decides it, for every tool, resource, graph and retriever.

A catalog knows more than the gallery: the reference of ``ipcir search ~/private.png``, or one that a program gave as a
``Path`` or an image, has a record, a feature, a caption and turns there. An agent sees of it nothing at all, and no
refusal tells that it exists. It sees

- the pictures in the gallery, as long as they are in it,
- files in ``allow_folders``, and files of the gallery that hold another picture by now,
- what an agent gave itself: bytes in a ``data:`` URI, a URL where these are allowed,
- what a person handed to the agents of this engine: :meth:`ipcir_tools.engine.engine.Engine.show_agents`,
- turns whose references and judged pictures, and those of all turns before them, are such pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ipcir_tools.errors import CatalogError, InvalidRequestError, NotFoundError
from ipcir_tools.images.files import path_text, text_path
from ipcir_tools.images.storage import allowed_paths, is_allowed_object
from ipcir_tools.settings import Settings
from ipcir_tools.sources import ObjectUrl, is_web_url
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.text import excerpt
from ipcir_tools.types import Hit, ImageRecord, Turn

MOST_SCANNED = 1_000
"""Turns that are read at most, to find those that may be seen."""
MOST_PATHS = 32
"""Paths that a graph over agents' view keeps in memory."""
MOST_ALIKE = 50
"""Pictures whose ids begin alike that are looked at."""
_BYTES, _MEMORY = "data:", "image:"
"""What the source of a picture begins with that came as bytes in a text, and of one from a program's memory."""


class Visibility:
    """What a person or a program of this machine sees: everything that the catalog knows."""

    for_agents = False

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog, self._settings = catalog, settings

    def pictures(self, ids: Iterable[str]) -> set[str]:
        """Those of ``ids`` that may be seen."""
        return set(ids)

    def find(self, prefix: str) -> list[ImageRecord]:
        """The pictures that may be seen and whose ids begin so; two are enough to tell that they are several."""
        return self._catalog.find(prefix)

    def turn(self, id: str) -> Turn:
        """The turn with this id or beginning of one. Raises NotFoundError, and InvalidRequestError for several."""
        return self._catalog.turn(id)

    def path(self, id: str) -> list[Turn]:
        """The turns from the root to that one. Raises as ``turn`` does."""
        return self._catalog.path(id)

    def turns(self, limit: int, conversation: str | None = None) -> list[Turn]:
        """The last turns that may be seen, newest first."""
        return self._catalog.turns(limit, conversation)

    def given(self, records: Iterable[ImageRecord]) -> list[str]:
        """Ids of the pictures, just opened, that agents may name from now on, as one gave them."""
        return []


class AgentVisibility(Visibility):
    """What agents see. ``handed`` are the ids that a person handed to them."""

    for_agents = True

    def __init__(self, catalog: Catalog, settings: Settings, handed: set[str]) -> None:
        super().__init__(catalog, settings)
        self._handed = handed
        self._stored_path = lru_cache(MOST_PATHS)(catalog.path)  # turns never change; who may see them does

    def pictures(self, ids: Iterable[str]) -> set[str]:
        """Those of ``ids`` that may be seen, by one statement where these are all of them."""
        wanted = set(ids)
        seen = (wanted & self._handed) | self._catalog.in_gallery_or_given(wanted - self._handed)
        left = wanted - seen
        return seen | {id_ for id_, record in self._catalog.records(left).items() if self._may_name(record.source)}

    def _may_name(self, source: str) -> bool:
        """Whether an agent may name the file that a picture was read from."""
        if source.startswith((_BYTES, _MEMORY)) or is_web_url(source):
            return False
        place = text_path(source)
        if isinstance(place, ObjectUrl):
            allowed = is_allowed_object(place, self._settings)
        else:
            real = Path(os.path.realpath(place))
            allowed = any(real.is_relative_to(folder) for folder in allowed_paths(self._settings))
        return allowed or self._catalog.holds(path_text(place))

    def find(self, prefix: str) -> list[ImageRecord]:
        """As above."""
        found = {each.id: each for each in self._catalog.find(prefix, MOST_ALIKE)}
        return [found[id_] for id_ in sorted(self.pictures(found))]

    def turn(self, id: str) -> Turn:
        """As above."""
        return self.path(id)[-1]

    def path(self, id: str) -> list[Turn]:
        """As above, each turn with those of its hits that may be seen."""
        ids = self._catalog.turn_ids(id, MOST_ALIKE)
        paths = [self._seen(self._stored_path(id))] if id in ids else list(map(self._path_or_none, ids))
        seen = [path for path in paths if path]
        if not seen:
            raise _no_turn(id)
        if seen[1:]:
            raise InvalidRequestError(
                f"Several turns begin with {id}, {seen[0][-1].id} and {seen[1][-1].id} among them: give more of the id."
            )
        return seen[0]

    def _path_or_none(self, id: str) -> list[Turn]:
        """The turns from the root to that one; none where one of them may not be seen, or is damaged."""
        try:
            return self._seen(self._stored_path(id))
        except CatalogError:
            return []

    def _seen(self, path: Sequence[Turn]) -> list[Turn]:
        """The turns of a path, each with those of its hits that may be seen; none where one of them may not be."""
        seen = self.pictures(id_ for turn in path for id_ in (*_named(turn), *_hits(turn)))
        return [_with_hits(turn, seen) for turn in path] if all(_named(turn) <= seen for turn in path) else []

    def turns(self, limit: int, conversation: str | None = None) -> list[Turn]:
        """As above."""
        read = limit
        while True:
            turns = self._catalog.turns(read, conversation)
            found = self._seen_among(turns)
            if len(found) >= limit or len(turns) < read or read >= MOST_SCANNED:
                return found[:limit]
            read = min(4 * read, MOST_SCANNED)

    def _seen_among(self, turns: Sequence[Turn]) -> list[Turn]:
        """Those of ``turns`` that may be seen, themselves and all before them."""
        known = {turn.id: turn for turn in turns}
        for turn in turns:
            if turn.parent is not None and turn.parent not in known:
                with suppress(CatalogError, NotFoundError):  # a damaged one: what comes after it is left out
                    known |= {each.id: each for each in self._catalog.path(turn.parent)}
        seen = self.pictures(id_ for turn in known.values() for id_ in (*_named(turn), *_hits(turn)))
        hidden = {turn.id for turn in known.values() if not _named(turn) <= seen}
        return [_with_hits(turn, seen) for turn in turns if _line(turn, known).isdisjoint(hidden | {None})]

    def given(self, records: Iterable[ImageRecord]) -> list[str]:
        """As above: what came as bytes or from the web. Files are asked for by the settings of the day instead."""
        given = [each.id for each in records if each.source.startswith(_BYTES) or is_web_url(each.source)]
        self._handed.update(given)  # at once: it may be that they cannot be stored now
        return given


def _no_turn(id: str) -> NotFoundError:
    return NotFoundError(f"There is no turn {excerpt(id, 40)!r}: name one that a search returned, or call list_turns.")


def _named(turn: Turn) -> set[str]:
    """The pictures that a turn's request names: the words of its imagination come from them."""
    query = turn.query
    return {each.id for each in query.references} | {*query.liked, *query.disliked}


def _hits(turn: Turn) -> set[str]:
    return {id_ for hit in turn.hits for id_ in (hit.id, *hit.alike)}


def _line(turn: Turn, known: Mapping[str, Turn]) -> set[str | None]:
    """The ids of a turn and of those before it; None among them where one of these is not ``known``."""
    line: set[str | None] = {turn.id}
    while turn.parent is not None:
        if turn.parent not in known:
            return line | {None}
        turn = known[turn.parent]
        line.add(turn.id)
    return line


def _with_hits(turn: Turn, seen: set[str]) -> Turn:
    """The turn with those of its hits that are among ``seen``: others have left the gallery since."""
    if _hits(turn) <= seen:
        return turn
    hits = (_hit(each, seen) for each in turn.hits if each.id in seen)
    return turn.model_copy(update={"hits": tuple(hits)})


def _hit(hit: Hit, seen: set[str]) -> Hit:
    return hit.model_copy(update={"alike": tuple(id_ for id_ in hit.alike if id_ in seen)})
