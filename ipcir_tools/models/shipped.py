"""The files of the models that ship with the package, compared with a list of their sums before they are loaded."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import file_digest
from pathlib import Path

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.models.presets import DEMO_FOLDER

SUMS = "SHA256SUMS"
"""The list, as ``sha256sum`` writes and checks it."""
_NOT_LOADED = (SUMS, "README.md", "scores.json")


def check_shipped(folder: Path, digest: Callable[[Path], str]) -> None:
    """Check the files of a folder that is there, where it is one of the package's own models.

    ``digest`` gives the SHA-256 of a file in hex. Raises ModelUnavailableError, which names the file that is missing,
    changed or too much.
    """
    folder = folder.resolve()
    if folder.parent != DEMO_FOLDER.resolve():
        return
    listed = {name: sum_ for name, sum_ in _sums().items() if name.startswith(f"{folder.name}/")}
    files = [path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    there = {f"{folder.name}/{name}" for name in files}
    for name in sorted(listed.keys() | there):
        path = DEMO_FOLDER / name
        if name not in there:
            raise ModelUnavailableError(f"{path} is missing: install ipcir-tools again.")
        if name not in listed or digest(path) != listed[name]:
            raise ModelUnavailableError(
                f"{path} is not the file that ships with ipcir-tools: install it again, or name your own models with "
                "--encoder and --captioner."
            )


def write_sums(folder: Path = DEMO_FOLDER) -> None:
    """Write the list anew, after the models were trained again."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _NOT_LOADED)
    lines = [f"{_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    _sums.cache_clear()


@cache
def _sums() -> dict[str, str]:
    try:
        lines = (DEMO_FOLDER / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ModelUnavailableError(f"{DEMO_FOLDER / SUMS} cannot be read: install ipcir-tools again.") from error
    return {name: sum_ for sum_, _, name in (line.partition("  ") for line in lines)}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
