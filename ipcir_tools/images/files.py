"""Picture files by path or URL: how either is written as text, and which names are those of pictures."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from ipcir_tools.errors import UnreadableFileError
from ipcir_tools.sources import ObjectUrl, Source, is_object_url, source_of

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".avif", ".heic", ".heif", ".hif", ".jp2", ".jxl", ".psd", ".svg", ".ico", ".tga"}
    | {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2"}
)
"""What is taken for a picture in a folder. Some of it cannot be opened: it shall be named, not passed over."""


_TRIES = 20

# --- names of files


def path_text(path: Source | str) -> str:
    r"""A path or URL as text that JSON and databases take: bytes that are not UTF-8 are written as ``\xe9``."""
    return os.fsencode(path.text if isinstance(path, ObjectUrl) else path).decode("utf-8", "backslashreplace")


def text_path(text: str) -> Source:
    """The file or object that ``path_text`` wrote so."""
    return ObjectUrl(text) if is_object_url(text) else local_path(text)


def local_path(text: str) -> Path:
    """The same of what can only be a file of this machine."""
    return Path(local_name(text))


def local_name(text: str) -> str:
    """The same as the system calls it: for a look at a file, a path object takes longer to make than the look."""
    if "\\" not in text:
        return text
    raw = re.sub(rb"\\x([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()), os.fsencode(text))
    named = os.fsdecode(raw)
    return named if os.path.lexists(named) and not os.path.lexists(text) else text


def located(named: Source | str) -> Source:
    """The one name of a file in the gallery: an absolute path, links in its folders resolved; of an object its URL."""
    source = source_of(named)
    return source if isinstance(source, ObjectUrl) else located_path(source)


def located_path(path: Path) -> Path:
    """The same of what can only be a file or folder of this machine."""
    path = Path(os.path.expanduser(path))  # noqa: PTH111 - Path's raises for unknown users
    # os.path's tests say no where Path's would raise and so reveal which files exist.
    return real_path(path) if os.path.isdir(path) else real_path(path.parent) / path.name  # noqa: PTH112


def real_path(path: Path) -> Path:
    """The absolute path without links. Raises UnreadableFileError where links come and go while they are followed."""
    for _ in range(_TRIES):
        with suppress(OSError):  # what was a link is none by now
            return Path(os.path.realpath(path))
    raise UnreadableFileError("cannot be read (links come and go in its path)")


def has_picture_suffix(name: str) -> bool:
    """Whether a file with this name is taken for a picture."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - ten times as fast as Path's
