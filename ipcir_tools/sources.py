"""The text of where a picture is: the path of a file of this machine, or the URL of an object (``s3://bucket/a.jpg``).

A path of the standard library makes ``s3:/bucket`` of a URL's ``s3://bucket``: texts are taken apart here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import unquote

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)
_COLLAPSED = re.compile(r"(s3a?|gc?s|az|abfss?|memory|sftp|ssh|smb|ftp|hdfs|file|https?):/(?!/)(.*)", re.DOTALL)
"""What ``Path`` makes of a URL."""
_LOCAL = ("file", "local")
_WEB = ("http", "https")
_SAME = {"s3a": "s3", "gcs": "gs"}
"""Other names of the same protocol: an object has one URL in the gallery."""


@dataclass(frozen=True, order=True, slots=True)
class ObjectUrl:
    """A URL of an object, or of a folder of objects, outside of this machine's own files. It is never opened as a path.

    Its text is as in fsspec: the protocol, the bucket (container, host), the key, in which nothing is escaped.
    """

    text: str

    @property
    def protocol(self) -> str:
        """What stands before ``://``: ``s3``."""
        return self.text.partition("://")[0]

    @property
    def bucket(self) -> str:
        """The first part behind the protocol: a bucket, a container, a server."""
        return self.text.partition("://")[2].partition("/")[0]

    @property
    def name(self) -> str:
        """The last part."""
        return self.text.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """That of the name, with its dot."""
        return PurePath(self.name).suffix

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePath(self.name).stem

    @property
    def parents(self) -> tuple[ObjectUrl, ...]:
        """The folders that it is in, from the innermost to the bucket."""
        parts = source_parts(self.text)
        return tuple(ObjectUrl("/".join(parts[:n])) for n in range(len(parts) - 1, 0, -1))

    def __truediv__(self, name: str) -> ObjectUrl:
        return ObjectUrl(f"{self.text}/{name}")

    def __str__(self) -> str:
        return self.text


Source = Path | ObjectUrl
"""Where a picture is."""


def protocol_of(text: str) -> str | None:
    """The protocol of a URL, in small letters; None for what is no URL."""
    found = _URL.match(text)
    return found[1].lower() if found else None


def is_web_url(text: str) -> bool:
    """Whether it is an http or https URL."""
    return protocol_of(text) in _WEB


def is_object_url(text: str) -> bool:
    """Whether it is a URL of an object or a folder of objects, as ``ObjectUrl`` has them."""
    protocol = protocol_of(text)
    return protocol is not None and protocol not in (*_LOCAL, *_WEB)


def url_text(named: str | Path | ObjectUrl) -> str | None:
    """The URL that somebody named, also where ``Path`` has made a path of it; None for a path."""
    text = str(named)
    if protocol_of(text) is not None:
        return text
    lost = _COLLAPSED.match(text) if isinstance(named, PurePath) else None
    return f"{lost[1]}://{lost[2]}" if lost and not os.path.lexists(text.partition("/")[0]) else None


def source_of(named: str | Path | ObjectUrl) -> Source:
    """The object or the path that somebody named; a ``file://`` URL is a path of this machine."""
    url = url_text(named)
    if url is None or is_web_url(url):
        return Path(str(named)) if isinstance(named, ObjectUrl) else Path(named)
    protocol, _, rest = url.partition("://")
    protocol = protocol.lower()
    if protocol in _LOCAL:
        path = "/" + rest.removeprefix("localhost").lstrip("/")
        return Path(path if os.path.lexists(path) else unquote(path, errors="surrogateescape"))
    return ObjectUrl(f"{_SAME.get(protocol, protocol)}://{rest.rstrip('/')}")


# --- parts of the text


def source_parts(text: str) -> tuple[str, ...]:
    """The parts of a path, or of a URL: its protocol with the bucket, then folders and name."""
    if protocol_of(text) is None:
        return PurePath(text).parts
    protocol, _, rest = text.partition("://")
    bucket, *parts = rest.split("/")
    return (f"{protocol}://{bucket}", *parts)


def joined(parts: tuple[str, ...] | list[str]) -> str:
    """The text that has these parts."""
    return "/".join(parts) if parts and protocol_of(parts[0]) is not None else str(PurePath(*parts))


def folders_around(text: str) -> tuple[str, ...]:
    """The folders that a file or an object is in, from the innermost outwards."""
    if protocol_of(text) is None:
        return tuple(map(str, PurePath(text).parents))
    return tuple(map(str, ObjectUrl(text).parents))


def source_folder(text: str) -> str:
    """The folder that a file or an object is in; that of a bucket is itself, as that of ``/`` is."""
    if protocol_of(text) is None:
        return str(PurePath(text).parent)
    parts = source_parts(text)
    return joined(parts[:-1]) if len(parts) > 1 else text
