"""Hits copied into a folder, in their order."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.images.files import text_path
from ipcir_tools.types import Hit, Skip

_LONGEST = 255
"""Bytes of a file's name on most systems."""


def copy_hits(hits: Sequence[Hit], folder: Path) -> tuple[int, int, tuple[Skip, ...]]:
    """Copy the files of hits into ``folder``, which is made, each with its rank before its name.

    How many were copied, how many were there already, and what could not be copied, with the reasons. A file that is
    there and holds something else stays: the copy gets a number behind its name. Raises InvalidRequestError where the
    folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequestError(
            f"The folder {folder} cannot be made ({error.strerror}): name another one."
        ) from error
    digits, copied, known, skipped = max(2, len(str(len(hits)))), 0, 0, []
    for hit in hits:
        try:
            is_new = _copy(text_path(hit.source), folder, f"{hit.rank:0{digits}d}-")
        except FileNotFoundError:
            skipped.append(Skip(source=hit.source, reason="the file is gone"))
        except OSError as error:
            skipped.append(Skip(source=hit.source, reason=f"cannot be copied ({error.strerror or error})"))
        else:
            copied, known = copied + is_new, known + (not is_new)
    return copied, known, tuple(skipped)


def _copy(file: Path, folder: Path, prefix: str) -> bool:
    """Copy a file under the first name that is free; False where an equal copy is there already. Raises OSError."""
    with file.open("rb") as source:
        for name in _names(file, prefix):
            place = folder / name
            try:
                target = place.open("xb")
            except FileExistsError:
                if place.is_file() and _holds_the_same(place, file):
                    return False
                continue
            try:
                with target:
                    shutil.copyfileobj(source, target)
                shutil.copystat(file, place)
            except OSError:
                place.unlink(missing_ok=True)  # no half copies
                raise
            return True
    raise OSError("no name is free")


def _names(file: Path, prefix: str) -> Iterator[str]:
    """The name with its rank, then with a number behind it as well, none longer than a file system takes."""
    for n in count(1):
        stem, end = prefix + file.stem, f"{f'-{n}' if n > 1 else ''}{file.suffix}"
        while len(os.fsencode(stem + end)) > _LONGEST and len(stem) > len(prefix):
            stem = stem[:-1]
        yield stem + end


def _holds_the_same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as a, other.open("rb") as b:
        while block := a.read(1 << 20):
            if block != b.read(1 << 20):
                return False
    return True
