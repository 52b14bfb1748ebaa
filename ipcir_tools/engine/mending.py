"""Mending a gallery: rows, what models make again from pictures' files, and the index."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from ipcir_tools.batches import Progress
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, IPCIRError
from ipcir_tools.store.database import set_meta, storable_text
from ipcir_tools.store.indexing import IndexRequest, index_folders
from ipcir_tools.store.mending import Mended, as_json, mend_relations, mend_rows, restart_log
from ipcir_tools.store.row_checks import UNFINISHED, Relations, RowFault, relations, row_faults
from ipcir_tools.types import IndexReport

_READ_AGAIN = ("pictures", "files")
"""Tables whose damaged rows are written again where the pictures' files are read."""
_REMOTE = "chat:"
"""Captioners that cost: they are asked again by `ipcir index --captions` alone."""


class Mending:
    """One repair of a gallery, by what a look at it found; ``notes`` says what was done."""

    def __init__(self, engine: Engine, faults: Sequence[RowFault], found: Relations, progress: Progress) -> None:
        self._engine, self._catalog, self._progress = engine, engine.catalog, progress
        self._faults, self._found = faults, found
        self.notes: list[str] = []

    def run(self, *, reread: bool) -> None:
        """Mend all of it; with ``reread`` all known folders are indexed again, for rows that are lost.

        Raises CatalogError where the gallery cannot be written.
        """
        mended = self._mend_rows(restart=reread)
        if mended.reread or reread:
            self._index_again()
        self._make_features(mended)
        self._make_captions(mended)
        self._keep_others(mended)
        self._engine.gallery.rebuild(self._progress)

    def _mend_rows(self, *, restart: bool) -> Mended:
        members = set(self._catalog.gallery_ids())
        space, captioner = self._found.space, self._engine.components.captioner_id

        def wanted(fault: RowFault) -> bool:
            row = fault.row
            if fault.table.name in _READ_AGAIN:
                return fault.content is None
            if fault.table.name == "features":
                return row["item"] in members and row["space"] == space
            return fault.table.name == "captions" and row["image_id"] in members and row["captioner"] == captioner

        with self._catalog.writing() as connection:
            storable = storable_text(connection)
            mended = mend_rows(connection, self._faults, wanted, storable)
            mended.rerooted = mend_relations(connection, relations(connection), storable)
            if mended.dropped:
                self._keep(mended.dropped)
            # Where a counter is wrong, rows of files may be lost.
            mended.reread |= bool(self._found.without_record or self._found.counters)
            if restart or mended.reread:
                restart_log(connection)
                set_meta(connection, UNFINISHED, "yes")  # a repair that is killed is gone on with by the next
        self._catalog.forget_space()
        self._tell(mended)
        return mended

    def _keep(self, dropped: Sequence[RowFault]) -> None:
        """Write the rows that are deleted into a file: something of them may be wanted still."""
        home = self._engine.settings.home.expanduser().absolute()
        file = home / f"damaged-rows-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
        with os.fdopen(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "a", encoding="utf-8") as stream:
            stream.writelines(as_json(fault) + "\n" for fault in dropped)
        self.notes.append(f"{len(dropped):,} rows that could not be mended are taken out, and kept in {file}")

    def _tell(self, mended: Mended) -> None:
        lines = {
            "had one wrong bit and are as they were": mended.corrected,
            "are kept as they read, with a new checksum": mended.kept,
        }
        for what, faults in lines.items():
            for table, n in Counter(fault.table.name for fault in faults).items():
                self.notes.append(f"{n:,} {table} {what}")
        if mended.rerooted:
            self.notes.append(f"{len(mended.rerooted):,} turns whose earlier turn is lost begin a dialogue now")

    def _index_again(self) -> None:
        """Index all known folders again: rows of files are lost."""
        try:
            report = self._engine.index(progress=self._progress, captions=False)
        except IPCIRError as error:
            self.notes.append(f"the folders could not be indexed again ({error})")
            if isinstance(error, InvalidRequestError):  # none is known
                self._finished()
        else:
            self._finished()
            self.notes.append(f"all known folders are indexed again: {_said(report)}")

    def _finished(self) -> None:
        with self._catalog.writing() as connection:
            set_meta(connection, UNFINISHED, "")

    def _make_features(self, mended: Mended) -> None:
        """Encode what lacks its feature, and read again what is doubtful."""
        lacking = {fault.row["item"] for fault in mended.to_make if fault.table.name == "features"}
        lacking.update(self._catalog.lacking_features(self._catalog.space() or ""))
        doubtful = {fault.row["id"] for fault in mended.to_make if fault.table.name == "pictures"}
        paths = {path for some in self._catalog.paths_of(lacking | doubtful).values() for path in some}
        paths |= {str(fault.row["path"]) for fault in mended.to_make if fault.table.name == "files"}
        if not paths:
            return
        try:
            report = self._remade(paths)
        except IPCIRError as error:
            self.notes.append(f"features could not be made again ({error})")
        else:
            self.notes.append(f"{report.seen:,} files are read again for what was damaged: {_said(report)}")

    def _keep_others(self, mended: Mended) -> None:
        """Keep as they read the records and files that could not be read again."""
        if any(fault.table.name in _READ_AGAIN for fault in mended.to_make):
            with self._catalog.writing() as connection:
                left = [each for each in row_faults(connection, Counter()) if each.table.name in _READ_AGAIN]
                kept = mend_rows(connection, left, lambda _: False, storable_text(connection))
            self._tell(kept)

    def _remade(self, paths: set[str]) -> IndexReport:
        engine = self._engine
        engine.components.check_space()
        return index_folders(
            IndexRequest(only=sorted(paths)),
            catalog=engine.catalog,
            gallery=engine.gallery,
            encoder=engine.components.noted_encoder,
            settings=engine.settings,
            progress=self._progress,
        )

    def _make_captions(self, mended: Mended) -> None:
        ids = sorted({fault.row["image_id"] for fault in mended.to_make if fault.table.name == "captions"})
        if not ids:
            return
        if self._engine.components.models.captioner.startswith(_REMOTE):
            self.notes.append(f"{len(ids):,} captions are damaged: `ipcir index --captions` has them made again")
            return
        try:
            failed = self._engine.components.features.caption_each(ids)
        except IPCIRError as error:
            self.notes.append(f"captions could not be made again ({error})")
        else:
            self.notes.append(f"{len(ids) - len(failed):,} captions are made again")


def _said(report: IndexReport) -> str:
    return f"{report.added:,} added, {report.removed:,} removed, {len(report.skipped):,} could not be used"
