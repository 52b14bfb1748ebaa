"""The folders and files that a gallery was made from: their table, and their names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select

from ipcir_tools.batches import chunked
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.images.excluding import folder_text
from ipcir_tools.images.files import located, path_text, text_path
from ipcir_tools.sources import ObjectUrl, Source, is_web_url, source_of, url_text
from ipcir_tools.store.database import CHUNK, Database, put
from ipcir_tools.store.schema import folders
from ipcir_tools.text import path_excerpt


@dataclass(frozen=True)
class FolderRow:
    """A folder or file that was indexed by its name."""

    path: str
    """Absolute, as ``path_text`` writes it."""
    exclude: tuple[str, ...]
    """Patterns of what is left out below it."""
    seen: str
    """When it was last indexed: UTC time, ISO 8601."""


class StoredFolders(Database):
    """The folders and files in a catalog that were indexed by their names."""

    def folders(self) -> dict[str, FolderRow]:
        """All of them by path, in the order of their paths."""
        with self._read() as connection:
            rows = connection.execute(select(folders)).all()
        whole = [row for row in rows if self._is_whole(folders, row, row.path)]
        read = (FolderRow(row.path, tuple(json.loads(row.exclude)), row.seen) for row in whole)
        return {row.path: row for row in sorted(read, key=lambda row: row.path)}

    def put_folders(self, rows: Iterable[FolderRow]) -> None:
        """Store these, in place of earlier ones with the same paths."""
        self.check_changeable()
        values = [{"path": row.path, "exclude": json.dumps(row.exclude), "seen": row.seen} for row in rows]
        with self._write() as connection:
            put(connection, folders, values, replace=True)
        self.damage.mended("folders", [(each["path"],) for each in values])

    def forget_folders(self, paths: Iterable[str]) -> None:
        """Drop these, without dropping their files."""
        self.check_changeable()
        with self._write() as connection:
            for some in chunked(paths, CHUNK):
                connection.execute(delete(folders).where(folders.c.path.in_(some)))


# --- names


_CREDENTIALS = re.compile(
    r"[?&](?:x-amz-\w+|sig|signature|awsaccesskeyid|googleaccessid|token|password)=", re.IGNORECASE
)


def check_name(name: str | Source) -> None:
    """Raise InvalidRequestError for an empty name, which ``Path`` would take for the working directory, and for a URL
    that is none of a folder or an object, or that would store a password in the catalog."""
    if not str(name).strip():
        raise InvalidRequestError(
            "The name of a file or folder is empty (is a variable of the shell not set?): write . for the working "
            "directory."
        )
    if (url := url_text(name)) is not None:
        _check_url(url)


def _check_url(url: str) -> None:
    shown = path_excerpt(url.partition("?")[0], 200)
    source = source_of(url)
    if is_web_url(url):
        raise InvalidRequestError(
            f"{shown} is a web page's address, of which no list of pictures can be had: download them into a folder, "
            "or name an object store such as s3://BUCKET/FOLDER."
        )
    if isinstance(source, ObjectUrl):
        if not source.bucket:
            raise InvalidRequestError(f"{shown} names no bucket: write {source.protocol}://BUCKET/FOLDER.")
        if ":" in source.bucket.rpartition("@")[0] or _CREDENTIALS.search(url):
            raise InvalidRequestError(
                f"The {source.protocol}:// URL carries a password or a signature, which the catalog would keep: name "
                "it without, and set them as for the provider's own programs."
            )


def names_of(path: str | Source) -> tuple[str, ...]:
    """The names under which the catalog may know a path that a person wrote, which need not exist any more.

    Raises InvalidRequestError for an empty one.
    """
    check_name(path)
    if isinstance(url := source_of(path), ObjectUrl):
        return (url.text,)
    if not isinstance(path, str | Path):
        return ()
    text = os.path.expanduser(path)  # noqa: PTH111 - Path's raises for unknown users
    if "\0" in text:
        return ()
    forms = (located(Path(text)), Path(os.path.realpath(text)), located(text_path(text)))
    return tuple(dict.fromkeys([*map(path_text, forms), str(path)]))


def at_or_below(path: str, texts: Iterable[str]) -> set[str]:
    """Those of ``texts`` that are ``path`` itself or below it."""
    beginning = folder_text(path)
    return {text for text in texts if text == path or text.startswith(beginning)}


def innermost(path: str, known: Collection[str]) -> str | None:
    """The innermost of the ``known`` folders that ``path`` is in, or ``path`` itself where it is one."""
    while path not in known:
        parent = os.path.dirname(path)  # noqa: PTH120 - of text that need not be a path of this machine
        if parent == path:
            return None
        path = parent
    return path
