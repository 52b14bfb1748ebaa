"""Writing files whole: what a user named is checked before the work and replaced in one step after it.

A file that is made is for its owner alone, as it may show private pictures; one that is there keeps its permissions.
"""

from __future__ import annotations

import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.private import FILE, private_file, private_folder

_ADVICE = "name another file"


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A new file beside ``path``, with the same suffix, that takes its place when the block ends.

    A reader never meets half of a file, and where the block raises, ``path`` stays as it was. Missing folders are
    made. What is not a regular file, such as ``/dev/stdout``, is written in place. Raises OSError.
    """
    place = path.resolve()  # a link stays, and the file that it points to is replaced
    if place.exists() and not place.is_file():
        yield place
        return
    private_folder(place.parent)
    part = place.with_name(f".{uuid.uuid4().hex[:8]}-{place.name}")
    try:
        yield private_file(part)
        part.chmod(stat.S_IMODE(place.stat().st_mode) if place.exists() else FILE)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file by ``content``. Raises OSError."""
    with replaced(path) as part:
        part.write_bytes(content)


@contextmanager
def output(path: Path, advice: str = _ADVICE) -> Iterator[Path]:
    """``replaced`` for a file that a user named. Raises InvalidRequestError with the ``advice``, not OSError."""
    with _explained(path, advice), replaced(path) as part:
        yield part


def write_text(path: Path, text: str) -> None:
    """Replace a file that a user named by UTF-8 text. Raises InvalidRequestError."""
    with output(path) as part:
        part.write_text(text, encoding="utf-8")


def check_outputs(*paths: Path | None) -> None:
    """Check all files that a run is to write; one that is named twice is refused. Raises InvalidRequestError."""
    named = [path for path in paths if path]
    for path in named:
        check_writable(path)
    places = [path.expanduser().absolute().resolve() for path in named]
    if twice := [path for path, place in zip(named, places, strict=True) if places.count(place) > 1]:
        raise InvalidRequestError(
            f"{twice[0]} is named for two outputs, and one would overwrite the other: name another file."
        )


def check_writable(path: Path, advice: str = _ADVICE) -> None:
    """Check that a file can be written, before hours are spent on its content; the check leaves nothing behind.

    Raises InvalidRequestError.
    """
    with _explained(path, advice):
        new_folders = [folder for folder in path.parents if not folder.exists()]
        try:
            if path.exists():
                path.open("ab").close()
            with suppress(_Checked), replaced(path) as part:
                part.open("ab").close()
                raise _Checked
        finally:
            for folder in new_folders:
                with suppress(OSError):  # it was not made, or another process has put something into it
                    folder.rmdir()


def made_folder(path: Path, advice: str) -> Path:
    """A folder that a user named, made where it is not there, in which files can be made. Raises InvalidRequestError
    with the ``advice``."""
    try:
        private_folder(path)
        with tempfile.TemporaryFile(dir=path):
            return path
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InvalidRequestError(f"The folder {path} cannot be made or written ({error}): {advice}.") from error


class _Checked(Exception):  # noqa: N818 - no error: it ends a trial before the file is replaced
    pass


@contextmanager
def _explained(path: Path, advice: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name, or no format of Pillow's
        raise InvalidRequestError(f"The file {path} cannot be written ({error}): {advice}.") from error
