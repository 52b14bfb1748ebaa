"""The files of hits: a picture with several shows one that is there, and one without any is marked as gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ipcir_tools.images.presence import gone_files
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.types import Hit, Turn


@dataclass(frozen=True)
class HitFile:
    """The file to show for a picture, and whether it is gone, as all of its files are then."""

    source: str
    gone: bool


def files_to_show(catalog: Catalog, ids: Iterable[str]) -> dict[str, HitFile]:
    """The file to show for each of these pictures that the catalog knows: the first of its files that is there."""
    ids = list(ids)
    records, files = catalog.records(ids), catalog.paths_of(ids)
    places = {id_: list(dict.fromkeys([record.source, *files.get(id_, ())])) for id_, record in records.items()}
    gone = gone_files(path for paths in places.values() for path in paths)
    return {id_: _file_to_show(paths, gone) for id_, paths in places.items()}


def _file_to_show(paths: list[str], gone: set[str]) -> HitFile:
    there = [path for path in paths if path not in gone]
    return HitFile((there or paths)[0], not there)


def gone_pictures(catalog: Catalog, ids: Iterable[str]) -> set[str]:
    """Those of these pictures that have no file any more."""
    return {id_ for id_, file in files_to_show(catalog, ids).items() if file.gone}


def as_they_are_now(turn: Turn, catalog: Catalog) -> Turn:
    """A stored turn whose hits have their files of now: moved, gone, or back again."""
    return turn.model_copy(update={"hits": tuple(hits_as_they_are_now(turn.hits, catalog))})


def hits_as_they_are_now(hits: Sequence[Hit], catalog: Catalog) -> list[Hit]:
    """The same of hits of any turns."""
    files = files_to_show(catalog, [hit.id for hit in hits])
    return [_updated(hit, files.get(hit.id)) for hit in hits]


def _updated(hit: Hit, file: HitFile | None) -> Hit:
    return hit if file is None else hit.model_copy(update={"source": file.source, "gone": file.gone})
