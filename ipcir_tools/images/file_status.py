"""What tells that a file or an object has changed without reading it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ipcir_tools.errors import BadImageError


class Stamp(Protocol):
    """A file as it was last seen."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def mtime_ns(self) -> int:
        """When its content was changed."""

    @property
    def ctime_ns(self) -> int | None:
        """As in ``FileStatus``."""


class FileStatus(NamedTuple):
    """Size and times of a file."""

    size: int
    mtime_ns: int
    ctime_ns: int | None
    """Changes with content and name, whatever time a program gives the content; None where that is not known. Of an
    object a number made of its version (ETag), 0 where its store tells none."""

    def differs(self, stamp: Stamp) -> bool:
        """Whether the file is to be read again."""
        if (self.size, self.mtime_ns) != (stamp.size, stamp.mtime_ns):
            return True
        return stamp.ctime_ns is not None and self.ctime_ns != stamp.ctime_ns


class ObjectStatus(FileStatus):
    """Size, time and version of an object: where the version is told, it decides, whatever the time."""

    __slots__ = ()

    def differs(self, stamp: Stamp) -> bool:
        """Whether the object is to be read again."""
        if self.ctime_ns and stamp.ctime_ns:
            return (self.size, self.ctime_ns) != (stamp.size, stamp.ctime_ns)
        return super().differs(stamp)


GONE = FileStatus(-1, -1, None)


def too_many_bytes(size: int, most: int) -> BadImageError:
    """The error for a file or an object of more bytes than ``IPCIR_MAX_BYTES``."""
    return BadImageError(f"{size:,} bytes, more than the limit of {most:,} (IPCIR_MAX_BYTES)")
