"""Picture files by path: how a path is written as text, and which names are those of pictures."""

from __future__ import annotations

import os
import re
from pathlib import Path

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".avif", ".heic", ".heif", ".hif", ".jp2", ".jxl", ".psd", ".svg", ".ico", ".tga"}
    | {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2"}
)
"""What is taken for a picture in a folder. Some of it cannot be opened: it shall be named, not passed over."""


# --- names of files


def path_text(path: Path | str) -> str:
    r"""A path as text that JSON and databases take: bytes that are not UTF-8 are written as ``\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def text_path(text: str) -> Path:
    """The file that ``path_text`` wrote so."""
    if "\\" not in text:
        return Path(text)
    raw = re.sub(rb"\\x([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()), os.fsencode(text))
    named = Path(os.fsdecode(raw))
    return named if os.path.lexists(named) and not os.path.lexists(text) else Path(text)


def located(path: Path) -> Path:
    """``path`` made absolute, links in its folders resolved: the one name of a file in the gallery."""
    path = Path(os.path.expanduser(path))  # noqa: PTH111 - Path's raises for unknown users
    # os.path's tests say no where Path's would raise and so reveal which files exist.
    return Path(os.path.realpath(path)) if os.path.isdir(path) else Path(os.path.realpath(path.parent), path.name)  # noqa: PTH112


def is_gone(path: Path) -> bool:
    """Whether there is no such file or folder; False where that cannot be found out."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def has_picture_suffix(name: str) -> bool:
    """Whether a file with this name is taken for a picture."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - ten times as fast as Path's
