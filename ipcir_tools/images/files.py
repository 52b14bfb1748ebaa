"""Picture files by path: which there are in folders, and how a path is written as text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ipcir_tools.errors import NotFoundError
from ipcir_tools.text import excerpt

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".avif", ".heic", ".heif", ".hif", ".jp2", ".jxl", ".psd", ".svg", ".ico", ".tga"}
    | {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2"}
)
"""What is taken for a picture in a folder. Some of it cannot be opened: it shall be named, not passed over."""


# --- names of files


def path_text(path: Path) -> str:
    r"""A path as text that JSON and databases take: bytes that are not UTF-8 are written as ``\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def text_path(text: str) -> Path:
    """The file that ``path_text`` wrote so."""
    raw = re.sub(rb"\\x([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()), os.fsencode(text))
    named = Path(os.fsdecode(raw))
    return named if os.path.lexists(named) and not os.path.lexists(text) else Path(text)


def located(path: Path) -> Path:
    """``path`` made absolute, links in its folders resolved: the one name of a file in the gallery."""
    path = Path(os.path.expanduser(path))  # noqa: PTH111 - Path's raises for unknown users
    # os.path's tests say no where Path's would raise and so reveal which files exist.
    return Path(os.path.realpath(path)) if os.path.isdir(path) else Path(os.path.realpath(path.parent), path.name)  # noqa: PTH112


def find_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The picture files in folders and below, and every file that is named itself; each once, in a fixed order.

    What is hidden and folders that are links are passed over. A folder that cannot be listed comes out itself, so
    that reading it gives the reason. Raises NotFoundError, before the first file, if one of ``paths`` does not exist.
    """
    for path in paths:
        if not os.path.exists(located(path)):  # noqa: PTH110 - Path's raises for forbidden folders
            raise NotFoundError(
                f"{excerpt(path_text(path), 200)} does not exist: check the name of the file or folder."
            )
    return _each_once(file for path in paths for file in _below(located(path)))


def _each_once(files: Iterable[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for file in files:
        if file not in seen:
            seen.add(file)
            yield file


def _below(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        yield root
        return
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
        except OSError:
            yield folder
            continue
        visible = [entry for entry in entries if not entry.name.startswith(".")]
        folders += [Path(entry.path) for entry in visible if entry.is_dir(follow_symlinks=False)]
        yield from (Path(entry.path) for entry in reversed(visible) if _may_be_picture(entry))


def _may_be_picture(entry: os.DirEntry[str]) -> bool:
    # entry.is_dir() would raise for a link to itself.
    return os.path.splitext(entry.name)[1].lower() in SUFFIXES and not os.path.isdir(entry.path)  # noqa: PTH112, PTH122
