"""Checking a gallery from its catalog to its files, and mending what is wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ipcir_tools.batches import Progress, no_progress
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.mending import Mending
from ipcir_tools.errors import CatalogError, SpaceMismatchError
from ipcir_tools.settings import Settings
from ipcir_tools.store import sqlite_file
from ipcir_tools.store.check_report import CheckReport, Finding, Part, finding
from ipcir_tools.store.database import gallery_place
from ipcir_tools.store.file_checks import file_findings
from ipcir_tools.store.index_checks import index_findings
from ipcir_tools.store.index_folder import index_folder
from ipcir_tools.store.row_checks import Relations, RowFault, relations, row_faults, table_counts
from ipcir_tools.store.salvage import mend_file
from ipcir_tools.store.working_copy import CATALOG

_PARTS: dict[str, Part] = {"features": "features", "captions": "features"}
_LEFT: dict[str, str] = {"catalog": "what is left cannot be mended", "features": "their files cannot be read"}
_MENDING = "`ipcir verify --repair` mends them"


class Look:
    """What one look at a gallery found."""

    def __init__(self, engine: Engine, progress: Progress) -> None:
        self._engine, self._catalog = engine, engine.catalog
        self.counts: Counter[str] = Counter()
        self.faults: list[RowFault] = []
        self.relations: Relations | None = None
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        steps = (self._file, self._rows, self._models, self._index, self._files)
        for i, step in enumerate(steps):
            progress("checking", i, len(steps))
            try:
                step()
            except CatalogError as error:
                self.findings.append(finding("catalog", "parts of the catalog that cannot be read", [error], _MENDING))
        progress("checking", len(steps), len(steps))

    def _file(self) -> None:
        folder = self._catalog.folder
        if folder is not None:
            found = sqlite_file.problems(folder / CATALOG)
            self._add("catalog", "problems of the catalog's file", found)

    def _rows(self) -> None:
        with self._catalog.reading() as connection:
            self.faults = list(row_faults(connection, self.counts))
            self.relations = found = relations(connection)
        for (table, why), some in _grouped(self.faults).items():
            self._add(_PARTS.get(table, "catalog"), f"{table} that {why}", [each.name for each in some])
        self._add("features", "pictures without a feature", found.without_feature)
        self._add("catalog", "files of pictures without a record", found.without_record)
        self._add("catalog", "pictures whose place is not that of their file", list(found.misplaced))
        self._add("catalog", "turns whose earlier turn is missing", found.orphans)
        self._add("catalog", "counters that do not fit", found.counters)

    def _models(self) -> None:
        try:
            self._engine.components.check_space()
        except SpaceMismatchError as error:
            way = "name the encoder that made the gallery, with --encoder or IPCIR_ENCODER"
            self.findings.append(finding("catalog", "an encoder that does not fit the features", [error], way))

    def _index(self) -> None:
        folder = index_folder(self._catalog, self._engine.settings)
        self.findings += index_findings(self._catalog, folder)
        if self._engine.settings.chroma_url is not None:
            self.notes.append("the collection on the Chroma server is not looked at")

    def _files(self) -> None:
        stamps = self._catalog.stamps().values()
        found, elsewhere = file_findings(stamps)
        self.findings += found
        if elsewhere:
            self.notes.append(f"{elsewhere:,} files in object stores are not looked at")

    def _add(self, part: Part, what: str, examples: list[str]) -> None:
        if examples:
            self.findings.append(finding(part, what, examples, _MENDING))


def check_gallery(
    settings: Settings,
    progress: Progress | None = None,
    *,
    repair: bool = False,
    open_engine: Callable[[Settings], Engine] = Engine.open,
) -> CheckReport:
    """Look at all of a gallery: the catalog, its features, the index, and the files; with ``repair`` mend it.

    Raises CatalogError where the catalog cannot be opened at all, and where what is to be mended cannot be written.
    """
    began, progress = time.perf_counter(), progress or no_progress
    file = settings.home.expanduser().absolute() / CATALOG
    notes = mend_file(file) if repair and settings.catalog_url is None and file.exists() else []
    with open_engine(settings) as engine:
        look = Look(engine, progress)
        findings = look.findings
        if repair and (findings or notes) and look.relations is not None:
            mending = Mending(engine, look.faults, look.relations, progress)
            mending.run(reread=bool(notes))
            notes += mending.notes
            after = Look(engine, progress)
            findings, look.notes = compared(findings, after.findings), after.notes
    look.notes[:0] = notes
    return report_of(settings, look, findings, time.perf_counter() - began)


def compared(before: Sequence[Finding], after: Sequence[Finding]) -> list[Finding]:
    """What was found before mending, with how much of it is right now, and what was found only after."""
    left = {(each.part, each.what): each for each in after}
    found = []
    for each in before:
        still = left.pop((each.part, each.what), None)
        mended = each.count - (still.count if still else 0)
        found.append(each.model_copy(update={"mended": max(mended, 0), "way_out": _LEFT.get(each.part, each.way_out)}))
    return [*found, *left.values()]


def report_of(settings: Settings, look: Look, findings: Iterable[Finding], seconds: float) -> CheckReport:
    """The report of a look."""
    return CheckReport(
        place=gallery_place(settings),
        looked_at=table_counts(look.counts),
        findings=tuple(findings),
        notes=tuple(look.notes),
        seconds=seconds,
    )


def _grouped(faults: Iterable[RowFault]) -> dict[tuple[str, str], list[RowFault]]:
    found: dict[tuple[str, str], list[RowFault]] = {}
    for each in faults:
        found.setdefault((each.table.name, each.why), []).append(each)
    return found
