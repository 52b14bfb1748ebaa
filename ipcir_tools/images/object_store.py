"""Objects through fsspec: what a folder of them holds, size and version of one, its bytes.

fsspec, and the package that it needs for a protocol, are imported at the first URL. Keys, regions and servers come from
where these packages look for them: the provider's own files and variables, and fsspec's (``FSSPEC_S3_ENDPOINT_URL``).
What goes wrong is told by its kind, never by its own text, which may quote a key, a token or a signed URL.
"""

from __future__ import annotations

import os
import re
import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import IPCIRError, NotFoundError, UnreadableFileError
from ipcir_tools.images.file_status import FileStatus, ObjectStatus, too_many_bytes
from ipcir_tools.images.object_entry import ObjectEntry
from ipcir_tools.sources import ObjectUrl
from ipcir_tools.text import json_digest

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

SECONDS = 60.0
"""That the facts or the bytes of one object may take in all, the tries of the protocol's package included."""

LISTING_SECONDS = 600.0
"""The same of a listing of one folder, which may be of a million objects."""

PACKAGES = {
    **dict.fromkeys(("s3",), "'ipcir-tools[s3]'"),
    **dict.fromkeys(("gs",), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    **dict.fromkeys(("smb",), "smbprotocol"),
}
"""What ``pip install`` takes, by protocol."""

_TIMES = ("LastModified", "mtime", "updated", "last_modified", "modified", "created")
_VERSIONS = ("ETag", "etag", "md5Hash")
_CODE = re.compile(r"[A-Za-z0-9]{3,40}")

_filesystems: dict[tuple[Any, ...], _FileSystem] = {}
_lock = threading.Lock()


def list_objects(folder: ObjectUrl) -> list[ObjectEntry]:
    """What is in a folder, not below it. Raises NotFoundError and UnreadableFileError with the reason alone."""
    filesystem, path = _opened(folder)
    listed = filesystem.call(folder, "ls", path, seconds=LISTING_SECONDS, detail=True)
    return [entry for each in listed if (entry := _entry(folder, path, each)) is not None]


def _entry(folder: ObjectUrl, path: str, facts: dict[str, Any]) -> ObjectEntry | None:
    """An entry of a listing; None for the folder itself and for the mark of a folder, an empty object whose key ends in
    a slash. What has no name, of a key such as ``photos//a.jpg`` or ``photos/a.jpg/``, cannot be listed further."""
    full, is_folder = str(facts["name"]), facts["type"] == "directory"
    here, place = full.rstrip("/") == path.rstrip("/"), full.rstrip("/").rpartition("/")[2]
    if full.endswith("/") and not is_folder:
        where = folder.text if here else f"{folder}/{place}"
        return ObjectEntry("", f"{where}/", _status(facts)) if facts.get("size") else None
    if here:  # the folder itself has no slash behind its name
        return ObjectEntry("", f"{folder}//", None) if full == f"{path.rstrip('/')}/" else None
    return ObjectEntry(place, f"{folder}/{place}", None if is_folder else _status(facts))


def object_status(url: ObjectUrl) -> FileStatus | None:
    """Size, time and version of an object; None for a folder. Raises NotFoundError and UnreadableFileError."""
    filesystem, path = _opened(url)
    facts = filesystem.call(url, "info", path, seconds=SECONDS)
    return None if facts["type"] == "directory" else _status(facts)


def _status(facts: dict[str, Any]) -> ObjectStatus:
    version = next((str(facts[name]) for name in _VERSIONS if facts.get(name)), None)
    seconds = next((_seconds(facts[name]) for name in _TIMES if facts.get(name)), 0.0)
    if version is None:
        return ObjectStatus(int(facts["size"]), int(seconds * 1e9), 0)
    # S3 tells a part of a second in listings alone; what decides is the version
    return ObjectStatus(int(facts["size"]), int(seconds) * 10**9, 1 + int(json_digest(version)[:15], 16))


def _seconds(value: object) -> float:
    """A time in seconds since 1970, however the package writes it; 0 where that is not known."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0.0


def read_object(url: ObjectUrl, most: int, status: FileStatus | None = None) -> bytes:
    """The bytes of an object, of which ``status`` is known or asked for first: no more than ``most`` + 1 are ever sent.

    Raises NotFoundError, BadImageError for too many, and UnreadableFileError, all with the reason alone.
    """
    known = status or object_status(url)
    if known is not None and known.size > most:
        raise too_many_bytes(known.size, most)
    data = read_beginning(url, most + 1, known)
    if len(data) > most:
        raise too_many_bytes(len(data), most)
    return data


def read_beginning(url: ObjectUrl, n: int, status: FileStatus | None = None) -> bytes:
    """The first ``n`` bytes of an object, all where it has fewer. Raises NotFoundError and UnreadableFileError."""
    known = status or object_status(url)
    if known is None:
        raise NotFoundError("is a folder")
    if known.size == 0:  # an empty object has no range of bytes
        return b""
    filesystem, path = _opened(url)
    data: bytes = filesystem.call(url, "cat_file", path, seconds=SECONDS, start=0, end=n)
    return data


# --- file systems


class _FileSystem:
    """One of fsspec's, shared by all threads of a process. One that is not made for several is used by one at a time,
    in a thread of its own, so that it can be left behind where it hangs."""

    def __init__(self, made: AbstractFileSystem) -> None:
        self._made = made
        self._one_at_a_time = threading.Lock()

    def call(self, url: ObjectUrl, method: str, *args: Any, seconds: float, **options: Any) -> Any:
        """The answer of one of its methods. Raises NotFoundError and UnreadableFileError."""
        try:
            self._made.invalidate_cache()  # what it listed before may have changed
            if getattr(self._made, "async_impl", False):
                from fsspec.asyn import sync

                return sync(self._made.loop, getattr(self._made, f"_{method}"), *args, timeout=seconds, **options)
            return self._in_thread(lambda: getattr(self._made, method)(*args, **options), seconds)
        except Exception as error:  # noqa: BLE001 - a protocol's package raises anything
            raise explained(error, url, seconds) from None  # its text may hold a key

    def _in_thread(self, work: Any, seconds: float) -> Any:
        answer: Future[Any] = Future()

        def run() -> None:
            with self._one_at_a_time:
                try:
                    answer.set_result(work())
                except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
                    answer.set_exception(error)

        threading.Thread(target=run, daemon=True, name="ipcir-object-store").start()
        return answer.result(seconds)


def _opened(url: ObjectUrl) -> tuple[_FileSystem, str]:
    """The file system of a URL, made once a process, and the path that it has there."""
    try:
        from fsspec.registry import get_filesystem_class

        kind = get_filesystem_class(url.protocol)
        options = kind._get_kwargs_from_urls(url.text)
        key = (os.getpid(), url.protocol, repr(sorted(options.items())))
        with _lock:
            if key not in _filesystems:
                _filesystems[key] = _FileSystem(kind(**options))
            return _filesystems[key], str(kind._strip_protocol(url.text))
    except IPCIRError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        raise explained(error, url, SECONDS) from None


# --- errors


def explained(error: BaseException, url: ObjectUrl, seconds: float) -> IPCIRError:
    """What went wrong as an error of this package, with the reason alone."""
    if isinstance(error, FileNotFoundError):
        return NotFoundError("does not exist")
    return UnreadableFileError(f"cannot be read ({_reason(error, url, seconds)})")


def _reason(error: BaseException, url: ObjectUrl, seconds: float) -> str:
    kind = type(error).__name__
    if isinstance(error, ImportError):
        package = PACKAGES.get(url.protocol, f"the package that fsspec has for {url.protocol}://")
        return f"{url.protocol}:// needs a package that is not here: pip install {package}"
    if isinstance(error, ValueError) and "Protocol not known" in str(error):
        return f"there is no protocol {url.protocol}://"
    if "credential" in kind.lower():
        return f"no credentials for {url.protocol}:// ({kind}): set them as for the provider's own programs"
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return f"no answer within {seconds:g} seconds"
    code = _code(error)
    if isinstance(error, PermissionError):
        return f"permission denied{f': {code}' if code else ''}"
    if code is None and isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return code or kind


def _code(error: BaseException) -> str | None:
    """The word by which a server names what is wrong, ``SlowDown``, or the status of its answer, ``503``."""
    for each in (error, error.__cause__, error.__context__):
        response = getattr(each, "response", None)
        code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return None
