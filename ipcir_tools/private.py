"""Folders and files for their owner alone, whatever the umask is; and what others can reach of those made before.

On Windows a file belongs to its folder's owner by the rights that it inherits: nothing is done there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FOLDER, FILE = 0o700, 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH


def private_folder(path: Path) -> Path:
    """The folder, made where it is not there, with the folders above it that are not: each for its owner alone.

    A folder that is there stays as it is. Raises OSError.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        try:
            each.mkdir(mode=FOLDER)
        except FileExistsError:  # another process was faster
            if not each.is_dir():
                raise
        else:
            each.chmod(FOLDER)  # the umask may have taken the owner's own rights away
    if not path.is_dir():
        raise FileExistsError(f"{path} is a file")
    return path


def private_file(path: Path) -> Path:
    """The file, made empty where it is not there, for its owner alone; one that is there stays as it is.

    Raises OSError.
    """
    with suppress(FileExistsError):
        os.close(private_opener(os.fspath(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        path.chmod(FILE)
    return path


def private_opener(path: str, flags: int) -> int:
    """For ``open(..., opener=private_opener)``: a file that is made is for its owner alone."""
    return os.open(path, flags, FILE)


def close_folder(folder: Path) -> None:
    """Let nobody but the owner reach a folder that we made, and what is in it. Raises OSError."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(FOLDER if path.is_dir() else FILE)


def exposed(folder: Path, names: Iterable[str]) -> list[Path]:
    """What others on this machine can reach of a folder of ours: itself, where they may write in it, and of the things
    in it whose names begin so, those that they may read or change. Empty where the folder is somebody else's."""
    if os.name == "nt":
        return []
    beginnings = tuple(names)
    try:
        mode = _own_mode(folder)
        open_ones = [folder] if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX else []
        if mode & _OTHERS_ENTER:
            inner = (path for path in sorted(folder.iterdir()) if path.name.startswith(beginnings))
            open_ones += [path for path in inner if _own_mode(path) & _OTHERS]
        return open_ones
    except OSError:
        return []


def close_to_others(paths: Iterable[Path]) -> None:
    """Take all rights of others away. Raises OSError."""
    for path in paths:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~_OTHERS)


def _own_mode(path: Path) -> int:
    """The permissions of a file that belongs to this user; none for others' and for links."""
    status = path.lstat()
    return 0 if stat.S_ISLNK(status.st_mode) or status.st_uid != os.geteuid() else stat.S_IMODE(status.st_mode)
