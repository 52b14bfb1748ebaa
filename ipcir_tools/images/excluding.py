"""What is left out of a folder: patterns in gitignore's syntax, by default, by the user, and in ignore files.

Patterns belong to a folder and apply to what is below it. Those that the user gave are asked first, then the ignore
files from the innermost folder outwards, then the defaults; in each the last pattern that matches decides, and one
that begins with ``!`` takes in again. Below a folder that is left out nothing is looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from pathspec import GitIgnoreSpec

from ipcir_tools.errors import BadImageError, InvalidRequestError, NotFoundError, UnreadableFileError
from ipcir_tools.images.files import path_text
from ipcir_tools.images.storage import read_beginning
from ipcir_tools.sources import ObjectUrl, Source, is_object_url, source_folder
from ipcir_tools.text import excerpt

IGNORE_FILE = ".ipcirignore"
"""Name of the ignore files."""

MAX_IGNORE_BYTES = 100_000

DEFAULT_EXCLUDES = (
    *("@eaDir/", r"\#recycle/", r"\#snapshot/", "@Recycle/", "@Transcode/", ".@__thumb/"),  # Synology, QNAP
    *("$RECYCLE.BIN/", "$Recycle.Bin/", "RECYCLER/", "System Volume Information/"),  # Windows
    *(".Trash*/", ".thumbnails/", "lost+found/"),  # Linux, macOS
    "__MACOSX/",  # what macOS adds to ZIP files
    *("**/*.photoslibrary/resources/derivatives/", "**/*.photoslibrary/scopes/"),  # Apple Photos: smaller copies
    *("**/*.photolibrary/Thumbnails/", "**/*.photolibrary/Previews/"),  # iPhoto
    *("**/*.aplibrary/Thumbnails/", "**/*.aplibrary/Previews/"),  # Aperture
    "*.lrdata/",  # Lightroom's previews
    "**/CaptureOne/Cache/",
    "iPod Photo Cache/",
)
"""What is left out of every folder unless ``IPCIR_DEFAULT_EXCLUDES=false``: thumbnails, previews and bins that other
programs keep beside pictures."""


@dataclass(frozen=True)
class Patterns:
    """Patterns of one folder, for paths below it."""

    folder: str
    """The folder's path with a separator at its end."""
    spec: GitIgnoreSpec = field(repr=False)
    for_folders: bool = False
    """Whether none of them can match a file by its own name."""

    @classmethod
    def of(cls, folder: str, lines: Iterable[str]) -> Self:
        """The patterns of a folder from lines that are patterns; see :func:`is_pattern`."""
        lines = [line for line in lines if line.strip() and not line.startswith("#")]
        for_folders = all(line.rstrip().endswith("/") for line in lines)
        return cls(folder_text(folder), GitIgnoreSpec.from_lines(lines), for_folders)

    def excludes(self, path: str, is_folder: bool) -> bool | None:
        """Whether ``path`` is left out or taken in; None where no pattern matches."""
        return self.spec.check_file(path[len(self.folder) :] + ("/" if is_folder else "")).include

    def except_for(self, path: str) -> Patterns:
        """The same without those that leave out the folder ``path`` itself, which was named."""
        relative = path[len(self.folder) :] + "/"
        if self.spec.check_file(relative).include is not True:
            return self
        others = [each for each in self.spec.patterns if not (each.include and each.match_file(relative))]
        return Patterns(self.folder, GitIgnoreSpec(others), self.for_folders)


@dataclass(frozen=True)
class Rules:
    """All patterns that apply in one folder, the outermost first."""

    given: tuple[Patterns, ...] = ()
    ignored: tuple[Patterns, ...] = ()

    def with_given(self, patterns: Patterns) -> Rules:
        """The rules with patterns of the user's for a folder further in."""
        return Rules((*self.given, patterns), self.ignored)

    def with_ignored(self, patterns: Patterns) -> Rules:
        """The rules with those of an ignore file further in."""
        return Rules(self.given, (*self.ignored, patterns))

    def except_for(self, path: str) -> Rules:
        """The rules for a folder that was named itself, so that it is taken in whatever they say."""
        return Rules(*(tuple(each.except_for(path) for each in some) for some in (self.given, self.ignored)))

    @cached_property
    def _for_files(self) -> tuple[Patterns, ...]:
        return tuple(each for each in self._for_folders if not each.for_folders)

    @cached_property
    def _for_folders(self) -> tuple[Patterns, ...]:
        return (*reversed(self.given), *reversed(self.ignored))

    def excludes(self, path: str, is_folder: bool) -> bool:
        """Whether the file or folder with this path is left out; the folder that it is in is not."""
        for patterns in self._for_folders if is_folder else self._for_files:
            if (verdict := patterns.excludes(path, is_folder)) is not None:
                return verdict
        return False


def folder_text(path: str) -> str:
    """The path of a folder with a separator at its end: the beginning of all paths below it."""
    if is_object_url(path):
        return path if path.endswith("/") else f"{path}/"
    return os.path.join(path, "")  # noqa: PTH118 - adds the separator


def check_patterns(lines: Iterable[str]) -> None:
    """Raise InvalidRequestError for a line that is no pattern."""
    for line in lines:
        if not is_pattern(line):
            raise InvalidRequestError(
                f"{excerpt(line)!r} is no pattern of what to leave out: write it as in a .gitignore file, such as "
                "'*.png', 'raw/' or '/2019/'."
            )


def is_pattern(line: str) -> bool:
    """Whether gitignore's syntax has a meaning for ``line``."""
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def pattern_for(path: str, folder: str, is_folder: bool) -> str:
    """The pattern that leaves out ``path`` and nothing else below ``folder``."""
    relative = path[len(folder_text(folder)) :]
    escaped = re.sub(r"([\\*?\[\]#!])", r"\\\1", relative.replace(os.sep, "/"))
    if escaped[-1:].isspace():  # else it would be cut off
        escaped = f"{escaped[:-1]}[{escaped[-1]}]"
    return f"/{escaped}/" if is_folder else f"/{escaped}"


def read_ignore_file(file: Source) -> tuple[Patterns, str]:
    """The patterns of an ignore file, and which of its lines are none; an empty text where all are.

    Raises BadImageError with the reason alone for a file that cannot be used: the folder must be left as it is then,
    for nobody knows what it was to leave out.
    """
    data = _beginning(file)
    if len(data) > MAX_IGNORE_BYTES:
        raise BadImageError(f"the ignore file has more than {MAX_IGNORE_BYTES:,} bytes: its folder is left as it is")
    if b"\0" in data:
        raise BadImageError("the ignore file is no text in UTF-8: its folder is left as it is")
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "backslashreplace").replace("\r\n", "\n").split("\n")
    good = {line: is_pattern(line) for line in lines}
    bad = [f"{number} ({excerpt(line, 40)})" for number, line in enumerate(lines, 1) if not good[line]]
    more = f" and {len(bad) - 3:,} more" if len(bad) > 3 else ""
    wrong = f"no pattern in line {', '.join(bad[:3])}{more}: the other lines are used" if bad else ""
    return Patterns.of(source_folder(path_text(file)), (line for line in lines if good[line])), wrong


def _beginning(file: Source) -> bytes:
    """The bytes of an ignore file, no more than one above the limit. Raises BadImageError with the reason alone."""
    if isinstance(file, ObjectUrl):
        try:
            return read_beginning(file, MAX_IGNORE_BYTES + 1)
        except (NotFoundError, UnreadableFileError) as error:
            raise BadImageError(f"the ignore file {error}: its folder is left as it is") from error
    if not file.is_file():  # opening a FIFO would wait for ever
        raise BadImageError("the ignore file is no regular file: its folder is left as it is")
    try:
        with file.open("rb") as handle:
            return handle.read(MAX_IGNORE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadImageError(f"the ignore file cannot be read ({reason}): its folder is left as it is") from error
