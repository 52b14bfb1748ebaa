"""The gallery's files against what was indexed: whether they are there, and as they were, by size and times."""

from __future__ import annotations

from collections.abc import Iterable

from ipcir_tools.images.file_status import GONE
from ipcir_tools.images.files import text_path
from ipcir_tools.images.storage import file_status
from ipcir_tools.sources import ObjectUrl
from ipcir_tools.store.catalog import FileStamp
from ipcir_tools.store.check_report import Finding, finding


def file_findings(stamps: Iterable[FileStamp]) -> tuple[list[Finding], int]:
    """What is wrong with files of this machine, and how many objects elsewhere were not looked at."""
    gone, changed, unreadable, elsewhere = [], [], [], 0
    for stamp in stamps:
        source = text_path(stamp.path)
        if isinstance(source, ObjectUrl):
            elsewhere += 1
            continue
        status = file_status(source)
        if status is None:
            unreadable.append(stamp.path)
        elif status == GONE:
            gone.append(stamp.path)
        elif status.differs(stamp):
            changed.append(stamp.path)
    again = "`ipcir index` takes them out, or finds them where they moved to"
    found = {
        "files that are gone": (gone, again),
        "files that have changed": (changed, "`ipcir index` reads them again"),
        "files that cannot be looked at": (unreadable, "connect their drive, or allow reading"),
    }
    return [finding("files", what, paths, way) for what, (paths, way) in found.items() if paths], elsewhere
