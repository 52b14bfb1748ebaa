"""Near-copies in the whole gallery: groups of pictures that look the same."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.batches import Progress, no_progress
from ipcir_tools.engine.near_copies import IDENTICAL, are_near
from ipcir_tools.types import ImageRecord, Value

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


MOST_COMPARED = 20_000
"""Pictures that are compared with each other; each costs a comparison with all."""
BLOCK = 512


class CopyGroup(Value):
    """Pictures that look the same, the one with most pixels first."""

    pictures: tuple[ImageRecord, ...]


class CopyReport(Value):
    """The groups of near-copies, the largest first, and how many pictures were compared."""

    groups: tuple[CopyGroup, ...]
    compared: int
    gallery: int


def find_copies(engine: Engine, most: int = MOST_COMPARED, progress: Progress | None = None) -> CopyReport:
    """The gallery's near-copies by ``Settings.duplicates``; none where that is off. Nothing is read or encoded.

    Pictures are in one group where a chain of near-copies leads from one to the other.
    """
    tell, catalog, threshold = progress or no_progress, engine.catalog, engine.settings.duplicates
    vectors = engine.gallery.vectors(catalog.sample_ids(most)) if threshold is not None else {}
    ids = list(vectors)
    first = list(range(len(ids)))  # of each picture, one of its group that comes before it, or itself

    def root(i: int) -> int:
        while first[i] != i:
            first[i] = first[first[i]]
            i = first[i]
        return i

    matrix = np.stack([vectors[id_] for id_ in ids]).astype(np.float64) if ids else np.zeros((0, 1))
    level = min(threshold or 1.0, IDENTICAL)
    for start in range(0, len(ids), BLOCK):
        tell("comparing", start, len(ids))
        rows, columns = np.nonzero(are_near(matrix[start : start + BLOCK], matrix[start:], level))
        for i, j in zip((rows + start).tolist(), (columns + start).tolist(), strict=True):
            if i < j and (one := root(i)) != (other := root(j)):
                first[max(one, other)] = min(one, other)
    members = defaultdict[int, list[str]](list)
    for i, id_ in enumerate(ids):
        members[root(i)].append(id_)
    several = [group for group in members.values() if len(group) > 1]
    records = catalog.records([id_ for group in several for id_ in group])
    groups = [CopyGroup(pictures=tuple(sorted((records[id_] for id_ in group), key=_best))) for group in several]
    groups.sort(key=lambda group: -len(group.pictures))
    return CopyReport(groups=tuple(groups), compared=len(ids), gallery=catalog.size())


def _best(record: ImageRecord) -> tuple[int, int, str]:
    return -record.width * record.height, -record.bytes, record.id
