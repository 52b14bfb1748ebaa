"""The features in a catalog: of pictures and texts, each with a checksum that is compared when it is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Select, bindparam, func, select, type_coerce
from sqlalchemy.types import NullType

from ipcir_tools.store.changes import GalleryState, StoredChanges
from ipcir_tools.store.checksums import dimension_of, feature_fault
from ipcir_tools.store.database import VALUES, get_meta, put, whole_number
from ipcir_tools.store.membership import enter_again
from ipcir_tools.store.schema import features, files, pictures
from ipcir_tools.store.unstored import wanted_later
from ipcir_tools.types import FloatArray

BLOCK = 2_048
"""Vectors read at a time."""

_RAW = type_coerce(features.c.vector, NullType()).label("vector")
"""A vector as the database has it: what is damaged may be no bytes."""
_FEATURES = select(features.c.item, _RAW, features.c.checksum).where(
    features.c.space == bindparam("space"), features.c.item.in_(VALUES)
)
MEMBERS = select(func.count(files.c.image_id.distinct()))
"""How many pictures are in the gallery, counted."""
_NO_ROW = "it is missing"


class StoredFeatures(StoredChanges):
    """The features in a catalog, by item and space; an item is a picture's id or a text's key."""

    def features(self, items: Iterable[str], space: str) -> dict[str, FloatArray]:
        """The stored features ``[d]`` of items, by item: a picture's id or a text's key.

        Damaged ones are left out, and noted: one that is stored again takes its place.
        """
        rows, dim = self._rows(_FEATURES, items, space=space), dimension_of(space)
        return {row.item: _vector(row.vector) for row in rows if self._is_feature(row, space, dim)}

    def _is_feature(self, row: Row[Any], space: str, dim: int | None) -> bool:
        """Whether a feature is as it was written; one that is not is noted."""
        why = feature_fault(row.item, space, row.vector, row.checksum, dim)
        if why:
            self.damage.add("features", (str(row.item), space), why)
        return why is None

    def lacking_features(self, space: str) -> list[str]:
        """The pictures of the gallery that have no feature in ``space`` at all, as none should, sorted; noted."""
        with self._read() as connection:
            found = sorted(connection.scalars(_without_feature(space)))
        for id_ in found:
            self.damage.add("features", (id_, space), _NO_ROW)
        return found

    def note_hidden(self, ids: Iterable[str], state: GalleryState) -> None:
        """Note why pictures of the gallery are not among those with these ids, as many as ``state`` says there are."""
        with self._read() as connection:
            found = set(connection.scalars(select(files.c.image_id).distinct()))
            now = whole_number(get_meta(connection, "size"))
        hidden = found.difference(ids)
        if len(self.features(hidden, state.space)) < len(hidden):
            self.lacking_features(state.space)  # damaged ones are noted by now
        if now == state.size and len(found) != now:
            self.damage.add("counters", ("size",), f"it says {now:,} pictures, and there are {len(found):,}")

    def faulty_features(self, space: str, ids: Collection[str]) -> set[str]:
        """Those of these pictures of the gallery that have no usable feature in ``space``; noted."""
        if 2 * len(ids) > self.size():
            for _ in self.feature_blocks(space):
                pass
        elif len(self.features(ids, space)) < len(ids):
            self.lacking_features(space)
        return {id_ for id_, _ in self.damage.of("features", [(id_, space) for id_ in ids])}

    def encoded_ids(self, space: str) -> list[str]:
        """Ids of the pictures that have a feature in ``space``, whether in the gallery or not."""
        wanted = select(features.c.item).where(features.c.space == space, features.c.item.in_(select(pictures.c.id)))
        with self._read() as connection:
            return list(connection.scalars(wanted))

    @wanted_later
    def put_features(self, vectors: Mapping[str, FloatArray], space: str) -> None:
        """Store features ``[d]`` by item; one that is stored already stays, unless it was found damaged.

        Raises ValueError for a bad vector.
        """
        rows = feature_rows(vectors, space)
        if not rows:
            return
        if not self.damage.of("features", [(item, space) for item in vectors]):
            self._insert(features, rows)
            return
        with self._write() as connection:
            self.insert_features(connection, rows)
        self.damage.mended("features", [(item, space) for item in vectors])

    def insert_features(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        """The same within a transaction; ``rows`` are those of :func:`feature_rows`."""
        damaged = self.damage.of("features", [(row["item"], row["space"]) for row in rows])
        fresh = [row for row in rows if (row["item"], row["space"]) not in damaged]
        again = [row for row in rows if (row["item"], row["space"]) in damaged]
        put(connection, features, fresh)
        put(connection, features, again, replace=True)
        enter_again(connection, {row["item"] for row in again})

    def matrix(self, space: str) -> tuple[list[str], FloatArray]:
        """The gallery's ids, sorted, and their features ``[n, d]`` in that order; ``[0, 0]`` for none."""
        ids: list[str] = []
        blocks = []
        for some, rows in self.feature_blocks(space):
            ids += some
            blocks.append(rows)
        return ids, np.concatenate(blocks or [np.zeros((0, 0), np.float32)])

    def feature_blocks(self, space: str) -> Iterator[tuple[list[str], FloatArray]]:
        """What :meth:`matrix` gives, block by block. Pictures without a usable feature are left out, and noted."""
        members = features.c.item.in_(select(files.c.image_id))
        found = select(features.c.item, _RAW, features.c.checksum).where(features.c.space == space, members)
        dim, seen = dimension_of(space), 0
        with self._read() as connection:
            # Block by block: one list of all blobs beside the array costs several times as long.
            wanted = found.order_by(features.c.item).execution_options(yield_per=BLOCK)
            for rows in connection.execute(wanted).partitions():
                seen += len(rows)
                whole = [row for row in rows if self._is_feature(row, space, dim)]
                if whole:
                    vectors = _vector(b"".join(row.vector for row in whole))
                    yield [row.item for row in whole], vectors.reshape(len(whole), -1)
            lacking = seen < (connection.scalar(MEMBERS) or 0)
        if lacking:
            self.lacking_features(space)


def _without_feature(space: str) -> Select[Any]:
    """The pictures of the gallery without a feature in ``space``."""
    have = select(features.c.item).where(features.c.space == space)
    return select(files.c.image_id).where(files.c.image_id.not_in(have)).distinct()


def feature_rows(vectors: Mapping[str, FloatArray], space: str) -> list[dict[str, Any]]:
    """The rows of features ``[d]``, by item. Raises ValueError for a bad vector."""
    return [{"item": item, "space": space, "vector": _blob(item, vector)} for item, vector in vectors.items()]


def _blob(item: str, vector: FloatArray) -> bytes:
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all() or not vector.any():
        raise ValueError(f"the feature of {item} must be one row of finite numbers, not all zero, of {vector.shape}")
    return vector.astype("<f4").tobytes()


def _vector(blob: bytes) -> FloatArray:
    return np.frombuffer(blob, "<f4").astype(np.float32)
