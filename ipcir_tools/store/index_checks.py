"""What makes searches fast against the catalog: the file of features, and the folder of the Chroma index."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ipcir_tools.store.candidates import BrokenIndexError, CandidateIndex
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.check_report import Finding, finding
from ipcir_tools.store.chroma import NeighbourIndex
from ipcir_tools.store.sealed_index import SealedIndex, close_index
from ipcir_tools.store.snapshot import Snapshot
from ipcir_tools.store.vector_file import DamagedVectorsError, MappedSegment, VectorFile

_WAY_OUT = "made again from the catalog"
_TRIES = 5


def index_findings(catalog: Catalog, folder: Path) -> list[Finding]:
    """What is wrong with the caches of a gallery in ``folder``; that there are none is not wrong."""
    return [*_of_vectors(catalog, folder), *_of_chroma(catalog, folder)]


def _of_vectors(catalog: Catalog, folder: Path) -> list[Finding]:
    if not catalog.note(f"vectors:{folder.name}"):
        return []
    why = None
    for _ in range(_TRIES):
        revision = catalog.revision()
        why = _vectors_fault(catalog, folder)
        if why is None or catalog.revision() == revision:
            break  # else something came in or left meanwhile, and it is looked at again
    return [finding("index", "the file of features is damaged", [why], _WAY_OUT)] if why else []


def _vectors_fault(catalog: Catalog, folder: Path) -> str | None:
    seal = VectorFile(catalog, folder).seal()
    if seal is None:
        return "it is missing, cut, or its seal is none"
    try:
        segment = MappedSegment(folder / seal.file, seal)
        segment.whole()
    except (DamagedVectorsError, OSError, ValueError) as error:
        return str(error)
    changes = catalog.changes(seal.revision)
    if changes is None:
        return "it is older than the log of changes"
    state = catalog.state()
    entered = [change.id for change in changes if change.entered]
    held = Snapshot.of(segment, seal.revision).extended(changes, catalog.features(entered, state.space), state.revision)
    wrong = 0
    for ids, rows in catalog.feature_blocks(state.space):
        found = held.vectors(ids)
        wrong += sum(
            id_ not in found or not np.array_equal(found[id_], row) for id_, row in zip(ids, rows, strict=True)
        )
    wrong += len(set(held.ids) - set(catalog.gallery_ids()))
    return f"it does not agree with the catalog about {wrong} pictures" if wrong else None


def _of_chroma(catalog: Catalog, folder: Path) -> list[Finding]:
    store = SealedIndex(catalog, folder)
    text = catalog.note(store.note)
    if not text:
        return []
    revision = store.revision(text)
    if revision is None:
        return [finding("index", "the Chroma index is damaged", ["its seal is none"], _WAY_OUT)]
    opened = store.open()
    if opened is None:
        return [finding("index", "the Chroma index is damaged", ["its files have changed or are gone"], _WAY_OUT)]
    try:
        wrong = _unlike(catalog, opened.index, revision)
    finally:
        close_index(opened.index)
    why = f"it does not hold the gallery: {wrong} pictures" if wrong else None
    return [finding("index", "the Chroma index is damaged", [why], _WAY_OUT)] if why else []


def _unlike(catalog: Catalog, index: CandidateIndex, revision: int) -> int:
    """How many pictures it has too few or too many, of the gallery as it was at ``revision``."""
    if not isinstance(index, NeighbourIndex) or not catalog.changes_reach(revision):
        return 0  # in the second case it is not used, but written again
    try:
        return len(index.ids() ^ catalog.members_at(revision))
    except BrokenIndexError:
        return catalog.size()
