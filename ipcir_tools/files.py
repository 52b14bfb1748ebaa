"""Writing what was measured into files that a user named: refused early, and no folder is made for nothing."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ipcir_tools.errors import InvalidRequestError


def check_outputs(*paths: Path | None) -> None:
    """Try all files that a run shall write, and refuse one that is named twice. Raises InvalidRequestError."""
    named = [path for path in paths if path]
    for path in named:
        check_writable(path)
    places = [path.expanduser().absolute().resolve() for path in named]
    if twice := [path for path, place in zip(named, places, strict=True) if places.count(place) > 1]:
        raise InvalidRequestError(
            f"{twice[0]} is named for two outputs, and one would overwrite the other: name another file."
        )


def check_writable(path: Path) -> None:
    """Try whether a file can be written, before hours are spent on what goes into it; nothing is left of the trial.

    Raises InvalidRequestError.
    """
    made: list[Path] = []
    try:
        made = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        there = path.exists()
        path.open("ab").close()
        if not there:
            path.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        for folder in made:
            with suppress(OSError):  # it was not made, or somebody has put something into it
                folder.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write a file, and the folders that it lies in. Raises InvalidRequestError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> InvalidRequestError:
    return InvalidRequestError(f"What was measured cannot be written to {path} ({error}): name another file.")
