"""What is said of a download: once before its first byte, then how far it is.

A face replaces how by :func:`report_with`; without one the line goes to this package's logger as a warning, which
Python prints on standard error unless the program says otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ipcir_tools.text import byte_size


@dataclass(frozen=True)
class Download:
    """What is about to arrive."""

    name: str
    host: str
    size: int
    """Bytes in all."""
    here: int
    """Bytes of them that an interrupted download left here."""
    folder: Path

    def __str__(self) -> str:
        rest = f", {byte_size(self.here)} of it here already" if self.here else ""
        return (
            f"downloading {self.name}: {byte_size(self.size)}{rest} from {self.host} to {short_path(self.folder)}, once"
        )


Report = Callable[[Download], AbstractContextManager[Callable[[int], None]]]
"""Called before the first byte; the function it gives is told the bytes that are here in all."""


@contextmanager
def log_report(download: Download) -> Iterator[Callable[[int], None]]:
    """One line to the logger."""
    logging.getLogger("ipcir_tools.models").warning("%s", download)
    yield lambda here: None


_REPORTS: list[Report] = [log_report]


@contextmanager
def report_with(report: Report) -> Iterator[None]:
    """Tell of this process's downloads by ``report`` while the block runs."""
    _REPORTS.append(report)
    try:
        yield
    finally:
        _REPORTS.remove(report)


def reporting(download: Download) -> AbstractContextManager[Callable[[int], None]]:
    """Tell of one download."""
    return _REPORTS[-1](download)


def short_path(path: Path) -> str:
    """The path with ``~`` for the user's home."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
