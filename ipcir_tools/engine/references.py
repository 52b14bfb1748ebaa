"""References: which image a search starts from, as a program, a person or an agent names it.

The type says who names it. A program passes a ``Path`` or a PIL image and is trusted: any file of this machine may be
read. A string is what an agent may name: an id, a ``data:`` URI, a URL if URLs are allowed, a file in the gallery or in
an allowed folder.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from PIL import Image

from ipcir_tools.bounds import MAX_PLACE, is_picture_text
from ipcir_tools.engine.reference_words import RANK, RANK_OF_TURN, Reference, hit_of, refuse_word, unique_file, unquoted
from ipcir_tools.engine.visibility import Visibility
from ipcir_tools.errors import BadImageError, InvalidRequestError, NotAllowedError, NotFoundError
from ipcir_tools.images.file_status import GONE
from ipcir_tools.images.files import local_path, located, located_path, path_text, real_path
from ipcir_tools.images.reading import LoadedImage, Side, decode, from_image, image_id, load
from ipcir_tools.images.storage import allowed_paths, file_status, is_allowed_object
from ipcir_tools.settings import Settings
from ipcir_tools.sources import ObjectUrl, Source, is_object_url, source_of
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.text import excerpt, path_excerpt
from ipcir_tools.types import ImageRecord

Fetch = Callable[[str, int], bytes]
"""(URL, most bytes) -> the content of the URL."""

_ID = re.compile(r"[0-9a-f]{6,16}", re.IGNORECASE)
_URL = re.compile(r"https?:", re.IGNORECASE)
_FILE_URI = re.compile(r"file:(?://(?:localhost)?)?(/.*)", re.IGNORECASE | re.DOTALL)
_DATA = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)


def resolve(
    reference: Reference,
    catalog: Catalog,
    settings: Settings,
    *,
    fetch: Fetch | None = None,
    side: Side | None = None,
    visibility: Visibility | None = None,
) -> ImageRecord | LoadedImage:
    """The image that ``reference`` names: its record if the catalog knows it by that name, else the image itself.

    A string is tried in this order: an id or at least its first 6 digits, "2 of turn t...", a base64 ``data:`` URI, an
    http(s) URL (if ``allow_urls``), a file of the gallery or of ``allow_folders``: by its path, a ``file://`` URI, the
    URL of an object in a store, or by the last parts of its path where they are unique. It never reveals whether
    another file exists. ``fetch`` replaces the network. An image that is opened is decoded for ``side``.
    ``visibility``: which of the pictures and turns that the catalog knows a string may name; None: all of them.

    Raises InvalidRequestError, NotFoundError, NotAllowedError or BadImageError with one line that says what to do.
    """
    if not isinstance(reference, str | Path | Image.Image):
        raise InvalidRequestError(
            f"A reference is a string, a Path or a PIL image, not {type(reference).__name__}: of a hit, give its id."
        )
    if isinstance(reference, Path) and isinstance(url := source_of(reference), ObjectUrl):
        reference = url.text  # ``Path`` has made a path of it, which is none of this machine
    if isinstance(reference, str):
        return _from_text(
            unquoted(reference), catalog, settings, fetch, side, visibility or Visibility(catalog, settings)
        )
    try:
        if isinstance(reference, Path):
            return _any_file(str(reference), settings, side)
        return from_image(reference, settings, side=side)
    except BadImageError as error:
        name = path_excerpt(str(reference)) if isinstance(reference, Path) else "image"
        raise _unusable(name, error) from error


def is_picture_id(text: str) -> bool:
    """Whether a text has the form of a picture's id, or of its first digits."""
    return _ID.fullmatch(text) is not None


def local_reference(text: str, catalog: Catalog) -> str | Path:
    """What a person at this machine typed, who may name any file: a Path, unless it can only be something else.

    The id of a known image, a rank ("3"), a ``data:`` URI and a URL stay strings.
    """
    name = text.strip()
    if not name or "\0" in name or len(name) > MAX_PLACE or any(each.fullmatch(name) for each in (RANK, RANK_OF_TURN)):
        return text
    if _URL.match(name) or is_object_url(name) or name[:5].lower() in ("data:", "file:"):
        return text
    if _ID.fullmatch(name) and catalog.find(name.lower()):
        return text
    is_named = not os.path.lexists(_expanded(name)) and not name.startswith(("/", "~")) and catalog.files_ending(name)
    return text if is_named else Path(text)


def _from_text(
    text: str,
    catalog: Catalog,
    settings: Settings,
    fetch: Fetch | None,
    side: Side | None,
    visibility: Visibility,
) -> ImageRecord | LoadedImage:
    if len(text) > MAX_PLACE and not is_picture_text(text):
        raise InvalidRequestError(
            f"The reference has {len(text):,} characters: give the id of an earlier hit, or a path with {MAX_PLACE:,} "
            "at most."
        )
    if not text or "\0" in text:
        raise InvalidRequestError("The reference is empty: give the id of an earlier hit, or a picture file.")
    if _ID.fullmatch(text) and (record := _by_id(text.lower(), visibility)):
        return record
    if of_turn := RANK_OF_TURN.fullmatch(text):
        id_ = hit_of(int(of_turn[1]), visibility.turn(of_turn[2].lower()))
        return catalog.record(id_)
    try:
        if text[:5].lower() == "data:":
            return _from_data(text, settings, side)
        if _URL.match(text):
            return _from_url(text, settings, fetch, side)
        if uri := _FILE_URI.fullmatch(text):
            return _allowed_file(unquote(uri[1], errors="surrogateescape"), catalog, settings, side)
        named = text if is_object_url(text) else unique_file(text, catalog, settings) or text
        if is_object_url(named):
            return _allowed_object(named, catalog, settings, side)
        if _is_word(named):
            refuse_word(named, visibility)
        return _allowed_file(named, catalog, settings, side)
    except BadImageError as error:
        raise _unusable(path_excerpt(text), error) from error


def _unusable(name: str, error: BadImageError) -> BadImageError:
    return BadImageError(f"The reference {name} is no usable picture: {error}.")


def _by_id(text: str, visibility: Visibility) -> ImageRecord | None:
    found = visibility.find(text)
    if len(found) > 1:
        raise InvalidRequestError(f"Several pictures have an id that begins with {text}: give more of its digits.")
    return found[0] if found else None


def _from_data(text: str, settings: Settings, side: Side | None) -> LoadedImage:
    head = _DATA.match(text)
    if head is None:
        raise InvalidRequestError("The reference is a data: URI of an unknown kind: write data:image/png;base64,... .")
    if len(text) > settings.max_bytes * 3 // 2 + 300:  # base64 is 4/3, and there may be line breaks
        raise BadImageError(f"more bytes than the limit of {settings.max_bytes:,} (IPCIR_MAX_BYTES)")
    try:
        data = base64.b64decode("".join(text[head.end() :].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(
            "The reference is a data: URI with damaged base64: send the picture again."
        ) from error
    return decode(data, f"data:{image_id(data)}", settings, side=side)


def _from_url(text: str, settings: Settings, fetch: Fetch | None, side: Side | None) -> LoadedImage:
    if not settings.allow_urls:
        raise NotAllowedError(
            f"The URL {excerpt(text)} is not fetched: set IPCIR_ALLOW_URLS=true to allow URLs, "
            "or give the id of an earlier hit."
        )
    try:
        return decode((fetch or _from_the_net)(text, settings.max_bytes), excerpt(text, 500), settings, side=side)
    except (NotAllowedError, NotFoundError) as error:
        raise type(error)(f"The URL {excerpt(text)} gives no picture: {error}.") from error


def _from_the_net(url: str, max_bytes: int) -> bytes:
    from ipcir_tools.images.fetching import fetch  # an HTTP client that few runs need

    return fetch(url, max_bytes)


def _any_file(text: str, settings: Settings, side: Side | None) -> LoadedImage:
    try:
        return load(_file(text), settings, side=side)
    except NotFoundError as error:
        raise NotFoundError(
            f"There is no file {path_excerpt(text)} and no picture with that id: "
            "check the path, or take an id from earlier hits (`ipcir index FOLDER` adds pictures)."
        ) from error


def _allowed_file(text: str, catalog: Catalog, settings: Settings, side: Side | None) -> ImageRecord | LoadedImage:
    file = _file(text)
    real = real_path(file)
    if any(real.is_relative_to(folder) for folder in allowed_paths(settings)):
        return _load_allowed(real, text, settings, side)
    stamp = catalog.stamp(path_text(file))
    if stamp is None or (real != file and _is_changed(file, stamp)):
        raise NotAllowedError(
            f"The file {path_excerpt(text)} is neither in the gallery nor in an allowed folder: take an id from "
            "earlier hits, or have the folder indexed or named in IPCIR_ALLOW_FOLDERS."
        )
    if _is_changed(file, stamp):
        return _load_allowed(file, text, settings, side)
    return catalog.record(stamp.image_id)


def _allowed_object(text: str, catalog: Catalog, settings: Settings, side: Side | None) -> ImageRecord | LoadedImage:
    """No store is asked for an object that is neither in the gallery nor allowed by its name."""
    url = located(text)
    if is_allowed_object(url, settings):
        return _load_allowed(url, text, settings, side)
    stamp = catalog.stamps().get(path_text(url))
    if stamp is None:
        raise NotAllowedError(
            f"The object {path_excerpt(text)} is neither in the gallery nor below an allowed folder: take an id from "
            "earlier hits, or have its folder indexed or named in IPCIR_ALLOW_FOLDERS."
        )
    if _is_changed(url, stamp):
        return _load_allowed(url, text, settings, side)
    return catalog.record(stamp.image_id)


def _load_allowed(file: Source, text: str, settings: Settings, side: Side | None) -> LoadedImage:
    """The picture in a file that an agent may name; a link that comes into its place meanwhile is not followed."""
    try:
        return load(file, settings, side=side, exact=True)
    except NotFoundError as error:
        raise NotFoundError(
            f"There is no file {path_excerpt(text)}: check the path, or take an id from earlier hits."
        ) from error


def _file(text: str) -> Path:
    try:
        return located_path(local_path(_expanded(text)))
    except ValueError as error:  # no file name can be written so
        raise NotFoundError(
            f"{path_excerpt(text)} cannot be a file: give the id of an earlier hit, or a picture file."
        ) from error


def _expanded(text: str) -> str:
    return os.path.expanduser(text)  # noqa: PTH111 - Path's raises for unknown users


def _is_word(text: str) -> bool:
    """Whether nothing in ``text`` looks like a path, so that it was meant as an id."""
    return not set(text) & set("/\\.~")


def _is_changed(file: Source, stamp: FileStamp) -> bool:
    """Whether the file holds something else than when it was indexed; one that is gone does not."""
    status = file_status(file)
    if status is None or status == GONE:
        return False
    if isinstance(file, ObjectUrl):
        return status.differs(stamp)
    return (status.size, status.mtime_ns) != (stamp.size, stamp.mtime_ns)
