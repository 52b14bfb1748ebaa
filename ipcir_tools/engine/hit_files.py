"""The files of hits: a picture with several shows one that is there, and one without any is marked as gone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ipcir_tools.images.presence import gone_files
from ipcir_tools.store.catalog import Catalog, ShownFacts
from ipcir_tools.store.filters import about_files
from ipcir_tools.types import Hit, Turn, Where


@dataclass(frozen=True)
class HitFile:
    """The file to show for a picture, and whether it is gone, as all of its files are then."""

    source: str
    gone: bool
    caption: str | None = None
    """Of the captioner that was asked for."""


def files_to_show(
    catalog: Catalog, ids: Iterable[str], where: Where | None = None, captioner: str | None = None
) -> dict[str, HitFile]:
    """The file to show for each of these pictures that the catalog knows: the first of its files that is there.

    Where the search was filtered by files' names or folders, only a file that passes is shown, and a picture without
    one is left out. ``captioner``: as of :meth:`Catalog.matching`.
    """
    return files_of(catalog.shown_facts(ids, captioner), catalog, where, captioner)


def files_of(
    facts: Mapping[str, ShownFacts], catalog: Catalog, where: Where | None, captioner: str | None
) -> dict[str, HitFile]:
    """The same of pictures whose facts are read already."""
    by_file = bool(where and about_files(where))
    passing = catalog.paths_of(facts, where, captioner) if by_file else {}
    places = {
        id_: _places(each.source, passing.get(id_, []) if by_file else each.paths, by_file)
        for id_, each in facts.items()
    }
    gone = gone_files(path for paths in places.values() for path in paths)
    return {id_: _file_to_show(paths, gone, facts[id_].caption) for id_, paths in places.items() if paths}


def _places(source: str, files: Sequence[str], by_file: bool) -> list[str]:
    """A picture's files, the one of its record first."""
    return list(dict.fromkeys([*([source] if source in files or not by_file else []), *files]))


def _file_to_show(paths: list[str], gone: set[str], caption: str | None) -> HitFile:
    there = [path for path in paths if path not in gone]
    return HitFile((there or paths)[0], not there, caption)


def as_they_are_now(turn: Turn, catalog: Catalog) -> Turn:
    """A stored turn whose hits have their files of now: moved, gone, or back again."""
    return turn.model_copy(update={"hits": tuple(hits_as_they_are_now(turn.hits, catalog, turn.query.where))})


def hits_as_they_are_now(hits: Sequence[Hit], catalog: Catalog, where: Where | None = None) -> list[Hit]:
    """The same of hits of searches with this filter. One none of whose files passes any more keeps its file."""
    files = files_to_show(catalog, [hit.id for hit in hits], where)
    gone = gone_files(hit.source for hit in hits if hit.id not in files) if where else set()
    return [_updated(hit, files.get(hit.id), gone) for hit in hits]


def best_hits_as_they_are_now(turns: Iterable[Turn], catalog: Catalog) -> dict[str, Hit]:
    """The first hits of turns that have any, by the turn's id."""
    by_filter: dict[str, list[Turn]] = {}
    for turn in turns:
        if turn.hits:
            by_filter.setdefault(json.dumps(turn.query.where), []).append(turn)
    found: dict[str, Hit] = {}
    for some in by_filter.values():
        hits = hits_as_they_are_now([turn.hits[0] for turn in some], catalog, some[0].query.where)
        found.update(zip((turn.id for turn in some), hits, strict=True))
    return found


def _updated(hit: Hit, file: HitFile | None, gone: set[str]) -> Hit:
    file = file or HitFile(hit.source, hit.gone or hit.source in gone)
    return hit.model_copy(update={"source": file.source, "gone": file.gone})
