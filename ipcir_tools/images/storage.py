"""The one place that tells files of this machine from objects elsewhere: whether they are there, what they are, bytes.

Files are asked of the system as ever; for objects, and only for them, fsspec is imported.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ipcir_tools.errors import InvalidRequestError, NotFoundError, UnreadableFileError
from ipcir_tools.images.file_status import GONE, FileStatus
from ipcir_tools.settings import Settings
from ipcir_tools.sources import ObjectUrl, Source
from ipcir_tools.text import path_excerpt


def file_status(source: Source | str) -> FileStatus | None:
    """Size and times; ``GONE`` if there is no such file, None if that cannot be found out. A string is a path."""
    if isinstance(source, ObjectUrl):
        return _object_status(source)
    try:
        status = os.stat(source)  # noqa: PTH116 - a Path of each of 100,000 files costs more than asking for it
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except OSError:
        return None
    return FileStatus(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _object_status(url: ObjectUrl) -> FileStatus | None:
    from ipcir_tools.images.object_store import object_status

    try:
        return object_status(url)
    except NotFoundError:
        return GONE
    except UnreadableFileError:
        return None


def is_gone(source: Source) -> bool:
    """Whether there is no such file or folder; False where that cannot be found out."""
    if isinstance(source, ObjectUrl):
        return _object_status(source) == GONE
    try:
        source.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def not_there(name: str) -> NotFoundError:
    """The error for a file or folder that was named and does not exist."""
    return NotFoundError(f"{path_excerpt(name, 200)} does not exist: check the name of the file or folder.")


def exists(source: Source) -> bool:
    """Whether there is such a file or folder, a link to nothing included for neither.

    Raises InvalidRequestError for an object of which that cannot be found out: without its package, without a key.
    """
    if not isinstance(source, ObjectUrl):
        return os.path.exists(source)  # noqa: PTH110 - Path's raises for forbidden folders
    try:
        return is_folder(source) is not None
    except NotFoundError:
        return False
    except UnreadableFileError as error:
        raise InvalidRequestError(f"{path_excerpt(source.text, 200)} {error}.") from None


def is_folder(source: Source) -> bool:
    """Whether it is a folder. Of an object it raises NotFoundError and UnreadableFileError, with the reason alone."""
    if not isinstance(source, ObjectUrl):
        return source.is_dir()
    from ipcir_tools.images.object_store import object_status

    return object_status(source) is None


def may_be_folder(source: Source) -> bool:
    """The same, and True for an object of which that cannot be found out."""
    try:
        return is_folder(source)
    except NotFoundError:
        return False
    except UnreadableFileError:
        return True


def is_empty(folder: Source) -> bool:
    """Whether there is nothing at all in a folder; False where that cannot be found out, as of one without objects,
    which is gone in most stores."""
    if isinstance(folder, ObjectUrl):
        return False
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def read_object(url: ObjectUrl, settings: Settings, status: FileStatus | None = None) -> bytes:
    """The bytes of an object. Raises NotFoundError, BadImageError and UnreadableFileError, with the reason alone."""
    from ipcir_tools.images import object_store

    return object_store.read_object(url, settings.max_bytes, status)


def read_beginning(url: ObjectUrl, n: int) -> bytes:
    """The first ``n`` bytes of an object. Raises NotFoundError and UnreadableFileError, with the reason alone."""
    from ipcir_tools.images import object_store

    return object_store.read_beginning(url, n)


# --- what agents may name


def allowed_paths(settings: Settings) -> list[Path]:
    """The folders of this machine in ``allow_folders``, without links."""
    return [Path(os.path.realpath(each.expanduser())) for each in settings.allow_folders if isinstance(each, Path)]


def allowed_urls(settings: Settings) -> list[ObjectUrl]:
    """Those of object stores."""
    return [ObjectUrl(each) for each in settings.allow_folders if isinstance(each, str)]


_AMBIGUOUS = re.compile(
    r"[\\?#\x00-\x1f\x7f-\x9f\u2028\u2029]|%(?:2[ef35]|3f|5c|7f|[01][0-9a-f])|/[. ]+(?:/|$)", re.IGNORECASE
)
"""What some store reads as a separator, a folder above, or the end of the name: in SMB ``\\`` is ``/``, in S3
``?versionId=`` is another object. Percent signs that stand for one of these, too, and names of dots and spaces."""


def is_allowed_object(source: Source, settings: Settings) -> bool:
    """Whether an object lies in an allowed folder, by its name alone: nobody is asked, and what any store may read as
    a way out, whichever it is, is refused."""
    if not isinstance(source, ObjectUrl) or _AMBIGUOUS.search(source.text):
        return False
    return any(source == folder or source.text.startswith(f"{folder}/") for folder in allowed_urls(settings))
