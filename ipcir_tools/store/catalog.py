"""The source of truth: pictures, files, features, captions, replies and turns in one database.

Everything is keyed by content, so writing twice is the same as writing once. All methods may be called from many
threads and processes at a time; each is one transaction.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    true,
)

from ipcir_tools.batches import chunked
from ipcir_tools.errors import CatalogError, SpaceMismatchError
from ipcir_tools.store import schema
from ipcir_tools.store.damage import MENDING
from ipcir_tools.store.database import CHUNK, VALUES, among, beginning_with, get_meta, put, set_meta, whole_number
from ipcir_tools.store.filter_values import explain_no_match, filter_values, passing, passing_files
from ipcir_tools.store.filters import about_files
from ipcir_tools.store.folders import StoredFolders
from ipcir_tools.store.given import StoredGiven, note_given
from ipcir_tools.store.membership import (
    changing_files,
    locked_revision,
    members,
    pictures_of,
    require_features,
    source_columns,
)
from ipcir_tools.store.places import StoredPlaces
from ipcir_tools.store.replies import StoredReplies
from ipcir_tools.store.schema import captions as caption_rows
from ipcir_tools.store.schema import changes, features, files, pictures
from ipcir_tools.store.stored_captions import StoredCaptions
from ipcir_tools.store.stored_features import MEMBERS, StoredFeatures, feature_rows
from ipcir_tools.store.turns import StoredTurns
from ipcir_tools.store.unstored import wanted_later
from ipcir_tools.types import FilterValues, FloatArray, ImageRecord, Where

ID_DIGITS = 16
"""Digits of a picture's id."""

_RECORDS = select(pictures).where(pictures.c.id.in_(VALUES))
_OF_CAPTIONER = (caption_rows.c.image_id == pictures.c.id) & (caption_rows.c.captioner == bindparam("captioner"))
_FACTS = (
    select(pictures.c.id, pictures.c.source, files.c.path, caption_rows)
    .outerjoin_from(pictures, files, files.c.image_id == pictures.c.id)
    .outerjoin(caption_rows, _OF_CAPTIONER)
    .where(pictures.c.id.in_(VALUES))
)


@dataclass(frozen=True)
class ShownFacts:
    """What is shown of one picture of the catalog."""

    source: str
    paths: tuple[str, ...]
    """The gallery's files of it, sorted; none where it is not in the gallery."""
    caption: str | None


@dataclass(frozen=True, slots=True)
class FileStamp:
    """One file of the gallery as it was last seen; ``path`` is absolute."""

    path: str
    image_id: str
    size: int
    mtime_ns: int
    ctime_ns: int | None = None
    """When its content or its name was last changed, whatever time its content carries; None where that is not
    known, as in galleries of earlier versions."""


class Catalog(StoredFeatures, StoredCaptions, StoredFolders, StoredGiven, StoredPlaces, StoredReplies, StoredTurns):
    """The catalog in one database: pictures, files, features and captions, with folders, replies and turns."""

    _space: str | None = None

    # --- the gallery's space and notes

    def space(self) -> str | None:
        """The space that the gallery belongs to, for good; None before the first picture."""
        self._space = self._space or self.state().space or None
        return self._space

    def forget_space(self) -> None:
        """Read the gallery's space anew the next time: it was mended."""
        self._space = None

    def bind_space(self, space: str) -> None:
        """Make ``space`` the gallery's space, which never changes. Raises SpaceMismatchError if it has another."""
        with self._write() as connection:
            _bind(connection, space)

    def identity(self) -> str:
        """What tells this gallery from every other: 32 characters, made at random when they are first asked for."""
        with self._read() as connection:
            known = get_meta(connection, "identity")
        if known is None:
            with self._write() as connection:
                put(connection, schema.meta, [{"key": "identity", "value": uuid4().hex}])
                known = get_meta(connection, "identity")
        return known or ""

    def note(self, key: str) -> str | None:
        """The text that ``set_note`` last stored under ``key``; None where there is none."""
        with self._read() as connection:
            return get_meta(connection, f"note:{key}")

    @wanted_later
    def set_note(self, key: str, value: str) -> None:
        """Store a small text under ``key``, in place of an earlier one."""
        with self._write() as connection:
            set_meta(connection, f"note:{key}", value)

    # --- pictures

    def records(self, ids: Iterable[str]) -> dict[str, ImageRecord]:
        """The records of those of ``ids`` that are in the catalog, by id. Damaged ones are left out, and noted."""
        return {row.id: _record(row) for row in self._rows(_RECORDS, ids) if self._is_whole(pictures, row, row.id)}

    def record(self, id: str) -> ImageRecord:
        """The record of a picture that the catalog has. Raises CatalogError where it is damaged or missing."""
        found = self.records([id]).get(id)
        if found is None:
            raise CatalogError(f"The record of the picture {id} is damaged in the catalog: {MENDING}.")
        return found

    def shown_facts(self, ids: Iterable[str], captioner: str | None) -> dict[str, ShownFacts]:
        """What is shown of those of ``ids`` that are in the catalog, by id, in one statement for up to ``CHUNK``."""
        found: dict[str, tuple[str, list[str], str | None]] = {}
        for row in self._rows(_FACTS, ids, captioner=captioner or ""):
            paths = found.setdefault(row.id, (row.source, [], self._caption(row)))[1]
            if row.path is not None:
                paths.append(row.path)
        return {id_: ShownFacts(source, tuple(sorted(paths)), text) for id_, (source, paths, text) in found.items()}

    def find(self, prefix: str, limit: int = 2) -> list[ImageRecord]:
        """Up to ``limit`` pictures of the catalog whose id begins with ``prefix``, by id."""
        if len(prefix) >= ID_DIGITS:
            return list(self.records([prefix.lower()]).values())
        begins = beginning_with(pictures.c.id, prefix)
        with self._read() as connection:
            rows = connection.execute(select(pictures).where(begins).order_by(pictures.c.id).limit(limit)).all()
        return [_record(row) for row in rows if self._is_whole(pictures, row, row.id)]

    @wanted_later
    def remember(self, records: Sequence[ImageRecord], given: Collection[str] = ()) -> None:
        """Store the records of these pictures, without adding them to the gallery.

        ``given``: the ids of those that an agent gave itself, so that agents may name them again.
        """
        with self._write() as connection:
            locked_revision(connection)  # else a picture might enter the gallery between the next two lines
            in_gallery = members(connection, [record.id for record in records])
            damaged = {key for (key,) in self.damage.of("pictures", [(each.id,) for each in records])}
            fresh = [_row(each) for each in records if each.id not in in_gallery or each.id in damaged]
            put(connection, pictures, fresh, replace=True)
            note_given(connection, given)
        self.damage.mended("pictures", [(each["id"],) for each in fresh])

    def add(
        self,
        records: Sequence[ImageRecord],
        stamps: Sequence[FileStamp],
        vectors: Mapping[str, FloatArray],
        space: str,
    ) -> None:
        """Add pictures to the gallery with their files and features ``[d]``: all of it, or nothing.

        A feature that is stored already stays and may be left out; a record takes the place of an earlier one. Raises
        SpaceMismatchError where the gallery has another space, ValueError for a bad vector or a picture without a
        feature.
        """
        self.check_changeable()
        rows = feature_rows(vectors, space)
        with self._write() as connection, changing_files(connection, {stamp.image_id for stamp in stamps}) as touched:
            _bind(connection, space)
            put(connection, pictures, [_row(record) for record in records], replace=True)
            self.insert_features(connection, rows)
            touched.update(pictures_of(connection, [stamp.path for stamp in stamps]))
            put(connection, files, [asdict(stamp) for stamp in stamps], replace=True)
            require_features(connection, {stamp.image_id for stamp in stamps}, space)
        self.damage.mended("pictures", [(record.id,) for record in records])
        self.damage.mended("features", [(item, space) for item in vectors])

    def stamps(self, places: Iterable[str] | None = None) -> dict[str, FileStamp]:
        """Every file of the gallery, by path; with ``places`` only those that are one of them or below one."""
        wanted = select(*(files.c[each.name] for each in fields(FileStamp)))
        conditions = [true()] if places is None else [_at_or_below(place) for place in places]
        with self._read() as connection:
            found = [connection.execute(wanted.where(each)).all() for each in conditions]
        return {row.path: FileStamp(*row) for rows in found for row in rows}

    def members_at(self, revision: int, ids: Sequence[str] | None = None) -> set[str]:
        """Which of these ids, or of all, were in the gallery at ``revision``.

        Pictures that entered and left since, or left and entered, count as they did not and did: the log of changes
        has the last one only.
        """
        held: Select[Any] = select(files.c.image_id).distinct()
        changed = select(changes.c.image_id, changes.c.entered).where(changes.c.revision > revision)
        if ids is not None:
            held, changed = held.where(files.c.image_id.in_(ids)), changed.where(changes.c.image_id.in_(ids))
        with self._read() as connection:
            found = set(connection.scalars(held))
            for row in connection.execute(changed):
                (found.discard if row.entered else found.add)(row.image_id)
        return found

    def ids_of(self, paths: Iterable[str]) -> set[str]:
        """The pictures of the gallery that these files hold."""
        with self._read() as connection:
            return pictures_of(connection, paths)

    def paths_of(
        self, ids: Iterable[str], where: Where | None = None, captioner: str | None = None
    ) -> dict[str, list[str]]:
        """The gallery's files of these pictures, sorted, by picture; none for a picture that is not in the gallery.

        With a filter on files' names or folders only those that pass it.
        """
        found: dict[str, list[str]] = {}
        chosen: Select[Any] = select(files.c.image_id, files.c.path)
        with self._read() as connection:
            if where and about_files(where):
                chosen = passing_files(connection, where, captioner)
            for row in among(connection, chosen, files.c.image_id, ids):
                found.setdefault(row.image_id, []).append(row.path)
        return {id_: sorted(paths) for id_, paths in found.items()}

    def stamp(self, path: str) -> FileStamp | None:
        """A file of the gallery; None where there is none of that path."""
        columns = [files.c[each.name] for each in fields(FileStamp)]
        with self._glance() as connection:
            row = connection.execute(select(*columns).where(files.c.path == path)).one_or_none()
        return None if row is None else FileStamp(*row)

    def forget(self, paths: Iterable[str]) -> list[str]:
        """Drop these files; the ids, sorted, of the pictures that left the gallery with them. Features stay."""
        self.check_changeable()
        paths = list(paths)
        with self._write() as connection:
            held = pictures_of(connection, paths)
            with changing_files(connection, held):
                for some in chunked(paths, CHUNK):
                    connection.execute(delete(files).where(files.c.path.in_(some)))
            return sorted(held - members(connection, held))

    def ids_without_facts(self) -> set[str]:
        """The pictures of the gallery that were indexed before records had the time when a picture was taken."""
        missing = select(pictures.c.id).where(pictures.c.taken.is_(None), pictures.c.id.in_(select(files.c.image_id)))
        with self._read() as connection:
            return set(connection.scalars(missing))

    def gallery_ids(self) -> list[str]:
        """Ids of the pictures in the gallery, sorted."""
        with self._read() as connection:
            return sorted(connection.scalars(select(files.c.image_id).distinct()))

    def sample_ids(self, n: int) -> list[str]:
        """The first ``n`` of :meth:`gallery_ids`: an id is a digest, so that they are a fair sample."""
        with self._read() as connection:
            return list(connection.scalars(select(files.c.image_id).distinct().order_by(files.c.image_id).limit(n)))

    def matching(self, where: Where, captioner: str | None = None) -> list[str]:
        """Ids of the gallery's pictures that pass a filter, sorted. Raises InvalidRequestError for a wrong filter.

        ``captioner``: whose captions a filter on captions means; None: everybody's.
        """
        with self._read() as connection:
            return sorted(connection.scalars(passing(connection, where, captioner)))

    def check_filter(self, where: Where, captioner: str | None = None, *, tell_folders: bool = True) -> None:
        """Raises InvalidRequestError, with the values that exist, for a filter that no picture can pass, because it
        names a folder, format, camera, file, date or place of none."""
        written = json.dumps(where, sort_keys=True, default=str)
        self.while_unchanged(("passes", written, captioner), lambda: self._check(where, captioner, tell_folders))

    def _check(self, where: Where, captioner: str | None, tell_folders: bool) -> None:
        with self._read() as connection:
            if connection.scalar(passing(connection, where, captioner).limit(1)) is None:
                explain_no_match(connection, where, captioner, tell_folders=tell_folders)

    def filter_values(self, captioner: str | None = None, limit: int = 20) -> FilterValues:
        """What can be filtered by; at most ``limit`` folders and cameras."""

        def read() -> FilterValues:
            with self._read() as connection:
                return filter_values(connection, captioner, limit)

        return self.while_unchanged(("values", captioner, limit, *self.folders()), read)

    def is_empty(self) -> bool:
        """Whether the gallery has no picture. Raises CatalogError where its counters alone say so."""
        if self.size():
            return False
        with self._read() as connection:
            said, there = get_meta(connection, "size"), connection.scalar(MEMBERS) or 0
        if there and not whole_number(said):
            self.damage.add("counters", ("size",), f"it says {said or 'nothing'}, and there are {there:,}")
            raise CatalogError(f"The catalog says that it is empty, and has {there:,} pictures: {MENDING}.")
        return not there

    # --- all of it

    def stored_counts(self) -> dict[str, int]:
        """How many ``features`` and ``captions`` are stored, whether of pictures in the gallery or not."""
        tables = {"features": features, "captions": caption_rows}
        with self._read() as connection:
            counts = {name: connection.scalar(select(func.count()).select_from(t)) for name, t in tables.items()}
        return {name: n or 0 for name, n in counts.items()}


def _at_or_below(place: str) -> ColumnElement[bool]:
    """A range of the table's key: an index finds it however many files there are."""
    beginning = os.path.join(place, "")  # noqa: PTH118 - adds the separator
    end = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    return or_(files.c.path == place, and_(files.c.path >= beginning, files.c.path < end))


def _bind(connection: Connection, space: str) -> None:
    put(connection, schema.meta, [{"key": "space", "value": space}])
    bound = get_meta(connection, "space")
    if bound != space:
        raise SpaceMismatchError(
            f"The gallery belongs to the encoder space {bound}, not to {space}: choose the encoder that made it, "
            "or start a new gallery with another --home."
        )


def _row(record: ImageRecord) -> dict[str, Any]:
    return record.model_dump() | source_columns(record.source)


def _record(row: Row[Any]) -> ImageRecord:
    return ImageRecord(**{name: getattr(row, name) for name in ImageRecord.model_fields})
