"""Hits copied into a folder, in their order."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import BinaryIO

from ipcir_tools.errors import BadImageError, InvalidRequestError, NotFoundError
from ipcir_tools.images.files import text_path
from ipcir_tools.images.storage import read_object
from ipcir_tools.private import FILE, private_folder
from ipcir_tools.settings import Settings
from ipcir_tools.sources import ObjectUrl, Source
from ipcir_tools.types import Hit, Skip

_LONGEST = 255
"""Bytes of a file's name on most systems."""


def copy_hits(hits: Sequence[Hit], folder: Path, settings: Settings) -> tuple[int, int, tuple[Skip, ...]]:
    """Copy the files of hits into ``folder``, which is made, each with its rank before its name.

    How many were copied, how many were there already, and what could not be copied, with the reasons. A file that is
    there and holds something else stays: the copy gets a number behind its name. Raises InvalidRequestError where the
    folder cannot be made.
    """
    try:
        private_folder(folder)
    except OSError as error:
        raise InvalidRequestError(
            f"The folder {folder} cannot be made ({error.strerror or 'it is no folder'}): name another one."
        ) from error
    digits, copied, known, skipped = max(2, len(str(len(hits)))), 0, 0, []
    for hit in hits:
        try:
            is_new = _copy(text_path(hit.source), folder, f"{hit.rank:0{digits}d}-", settings)
        except (FileNotFoundError, NotFoundError):
            skipped.append(Skip(source=hit.source, reason="the file is gone"))
        except BadImageError as error:
            skipped.append(Skip(source=hit.source, reason=str(error)))
        except OSError as error:
            skipped.append(Skip(source=hit.source, reason=f"cannot be copied ({error.strerror or error})"))
        else:
            copied, known = copied + is_new, known + (not is_new)
    return copied, known, tuple(skipped)


def _copy(file: Source, folder: Path, prefix: str, settings: Settings) -> bool:
    """Copy a file under the first name that is free; False where an equal copy is there already. Raises OSError, and of
    an object what reading it raises."""
    with _opened(file, settings) as source:
        for name in _names(file, prefix):
            place = folder / name
            try:
                target = place.open("xb")
            except FileExistsError:
                if place.is_file() and _holds_the_same(place, source):
                    return False
                continue
            try:
                place.chmod(FILE)
                with target:
                    shutil.copyfileobj(source, target)
                if isinstance(file, Path):
                    shutil.copystat(file, place)
            except OSError:
                place.unlink(missing_ok=True)  # no half copies
                raise
            return True
    raise OSError("no name is free")


def _opened(file: Source, settings: Settings) -> BinaryIO:
    return io.BytesIO(read_object(file, settings)) if isinstance(file, ObjectUrl) else file.open("rb")


def _names(file: Source, prefix: str) -> Iterator[str]:
    """The name with its rank, then with a number behind it as well, none longer than a file system takes."""
    for n in count(1):
        stem, end = prefix + file.stem, f"{f'-{n}' if n > 1 else ''}{file.suffix}"
        while len(os.fsencode(stem + end)) > _LONGEST and len(stem) > len(prefix):
            stem = stem[:-1]
        yield stem + end


def _holds_the_same(place: Path, source: BinaryIO) -> bool:
    """Whether a file holds what ``source`` does, which is read from its beginning and left there."""
    try:
        if place.stat().st_size != source.seek(0, os.SEEK_END):
            return False
        source.seek(0)
        with place.open("rb") as file:
            while block := file.read(1 << 20):
                if block != source.read(1 << 20):
                    return False
        return True
    finally:
        source.seek(0)
