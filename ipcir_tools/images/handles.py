"""Files opened once: what is read is what was checked, whatever happens to its name in between.

A name may be swapped for a link between a check and an opening. So a file is checked by its handle, and where it
matters which file it is (an agent named it, a listing found it), its path is walked folder by folder, each opened from
the one before, none of them a link. What is no regular file is never opened: a pipe would be waited for, a device might
do something.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.file_status import FileStatus

LINKED = "a link came into its place, or into that of a folder around it: index the folder again"
"""Why a file is not read whose name has no link in it."""

_READ = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"):  # a pipe that comes into the file's place is not waited for
    _READ |= getattr(os, _flag, 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
"""``O_PATH``, where there is one, takes folders that may be passed through and not listed."""
_WALKS = os.open in os.supports_dir_fd and os.stat in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")


@contextmanager
def opened_file(path: Path, *, exact: bool = False) -> Iterator[int]:
    """A handle on a regular file, closed at the end.

    ``exact``: no part of ``path``, which is absolute, may be a link. Raises OSError and ValueError as ``os.open`` does,
    and BadImageError for what is no regular file, and for a link where there may be none.
    """
    handle = _open_exactly(path) if exact else _open(path)
    try:
        _require_regular(os.fstat(handle))
        yield handle
    finally:
        os.close(handle)


def handle_status(handle: int) -> FileStatus:
    """Size and times of an open file."""
    status = os.fstat(handle)
    return FileStatus(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _open(path: Path) -> int:
    _require_regular(path.stat())
    return os.open(path, _READ)


def _open_exactly(path: Path) -> int:
    try:
        return _walk(path) if _WALKS else _open_and_compare(path)
    except OSError as error:
        if error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and _has_link(path)):
            raise BadImageError(LINKED) from error
        raise


def _walk(path: Path) -> int:
    """Open a file from its root folder on, following no link."""
    root, *folders, name = path.parts
    folder = os.open(root, _FOLDER)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            raise BadImageError(LINKED)
        _require_regular(status)
        return os.open(name, _READ | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _open_and_compare(path: Path) -> int:
    """Where folders cannot be walked by their handles: the name has no link in it, and leads to what was opened."""
    handle = _open(path)
    try:
        same = os.path.samestat(os.fstat(handle), os.lstat(path))
        if not same or os.path.normcase(os.path.realpath(path)) != os.path.normcase(path):
            raise BadImageError(LINKED)
    except BaseException:  # an interrupt, too: nobody else knows the handle
        os.close(handle)
        raise
    return handle


def _has_link(path: Path) -> bool:
    """Whether a folder around a file is a link by now: opened as none, it is said to be no folder."""
    with suppress(OSError):
        return any(folder.is_symlink() for folder in path.parents)
    return False


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise BadImageError("it is a folder: name a picture in it")
    if not stat.S_ISREG(status.st_mode):
        raise BadImageError("not a regular file")
