"""Objects through fsspec, in its store in memory: listings, versions, limits, and what is said when something fails."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import fsspec
import pytest
from picture_files import encoded, two_halves

from ipcir_tools.errors import BadImageError, InvalidRequestError, NotFoundError, UnreadableFileError
from ipcir_tools.images import object_store, presence, storage
from ipcir_tools.images.file_status import ObjectStatus
from ipcir_tools.images.object_store import explained, list_objects, object_status, read_object
from ipcir_tools.images.presence import gone_files
from ipcir_tools.images.reading import load, read_pixels
from ipcir_tools.images.scanning import Scan
from ipcir_tools.images.storage import exists, file_status, is_allowed_object, is_gone
from ipcir_tools.settings import Settings, load_settings
from ipcir_tools.sources import ObjectUrl, source_of
from ipcir_tools.store.folders import check_name

PNG = encoded(two_halves(), "PNG")


@pytest.fixture
def memory():
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


def put(memory, *keys: str, data: bytes = PNG) -> None:
    for key in keys:
        memory.pipe_file(f"/{key}", data)


def scanned(url: str, named: dict[str, list[str]] | None = None) -> Scan:
    scan = Scan(named)
    scan.add(ObjectUrl(url))
    return scan


# --- listing


def test_the_rules_of_folders_are_those_of_object_stores(memory):
    put(memory, "photos/b.png", "photos/2024/a.jpg", "photos/2024/deep/c.webp", "photos/raw/d.png", "photos/keep/e.png")
    put(memory, "photos/@eaDir/small.png", "photos/.hidden/f.png", "photos/.g.png", "photos/notes.txt", "photos/h.tif")
    put(memory, "photos/.ipcirignore", data=b"raw/\n*.tif\n")
    put(memory, "photos/keep/.ipcirignore", data=b"!*.tif\n")
    put(memory, "photos/keep/i.tif")
    scan = scanned("memory://photos", {"memory://photos": ["2024/deep/"]})
    assert list(scan.files) == [
        "memory://photos/b.png",
        "memory://photos/2024/a.jpg",
        "memory://photos/keep/e.png",
        "memory://photos/keep/i.tif",
    ]
    assert scan.listed.keys() == scan.files.keys()
    assert (scan.excluded_files, scan.excluded_folders) == (1, 3)
    assert (scan.hidden_files, scan.hidden_folders, scan.unknown_suffixes) == (1, 1, {".txt": 1})


def test_ignore_files_around_a_folder_count(memory):
    put(memory, "bucket/photos/a.png", "bucket/photos/b.jpg")
    put(memory, "bucket/.ipcirignore", data=b"*.jpg\n")
    assert list(scanned("memory://bucket/photos").files) == ["memory://bucket/photos/a.png"]


def test_a_single_object_is_taken_in_by_its_name(memory):
    put(memory, "photos/a.png")
    assert list(scanned("memory://photos/a.png").files) == ["memory://photos/a.png"]


def test_the_marks_of_folders_are_no_objects(monkeypatch):
    listed = [
        {"name": "bucket/photos/", "size": 0, "type": "file"},
        {"name": "bucket/photos/sub/", "size": 0, "type": "file"},
        {"name": "bucket/photos", "size": 0, "type": "directory"},
        {"name": "bucket/photos/a.png", "size": 3, "type": "file", "ETag": '"x"'},
        {"name": "bucket/photos/sub", "size": 0, "type": "directory"},
    ]
    store = SimpleNamespace(call=lambda *_, **__: listed)
    monkeypatch.setattr(object_store, "_opened", lambda _: (store, "bucket/photos"))
    entries = list_objects(ObjectUrl("s3://bucket/photos"))
    assert [(each.name, each.path, each.is_dir()) for each in entries] == [
        ("a.png", "s3://bucket/photos/a.png", False),
        ("sub", "s3://bucket/photos/sub", True),
    ]


def test_keys_with_nameless_parts_are_told_with_the_reason(memory, monkeypatch):
    put(memory, "photos/a.png", "photos//b.png", "photos/2024//c.png")
    scan = scanned("memory://photos")
    assert list(scan.files) == ["memory://photos/a.png"]
    assert scan.problems.keys() == {"memory://photos//", "memory://photos/2024//"}
    assert "//" in scan.problems["memory://photos//"]
    listed = [{"name": "photos/a.png/", "size": 7, "type": "file"}, {"name": "photos/", "size": 7, "type": "file"}]
    store = SimpleNamespace(call=lambda *_, **__: listed)
    monkeypatch.setattr(object_store, "_opened", lambda _: (store, "photos"))
    found = [(each.name, each.path) for each in list_objects(ObjectUrl("s3://photos"))]
    assert found == [("", "s3://photos/a.png/"), ("", "s3://photos/")]


# --- versions


def status_of(monkeypatch, **facts: object) -> ObjectStatus:
    store = SimpleNamespace(call=lambda *_, **__: {"size": 3, "type": "file", **facts})
    monkeypatch.setattr(object_store, "_opened", lambda _: (store, ""))
    found = object_status(ObjectUrl("s3://bucket/a.png"))
    assert isinstance(found, ObjectStatus)
    return found


def test_a_version_decides_whether_an_object_has_changed_and_else_its_time(monkeypatch):
    first = status_of(monkeypatch, ETag='"a"', LastModified="2024-05-31T10:00:00.5+00:00")
    assert not status_of(monkeypatch, ETag='"a"', LastModified="2025-01-01T00:00:00+00:00").differs(first)
    assert status_of(monkeypatch, ETag='"b"', LastModified="2024-05-31T10:00:00.5+00:00").differs(first)
    assert status_of(monkeypatch, ETag='"a"', LastModified="2024-05-31T10:00:00.5+00:00", size=4).differs(first)
    plain = status_of(monkeypatch, mtime=1_700_000_000)
    assert not status_of(monkeypatch, mtime=1_700_000_000.0).differs(plain)
    assert status_of(monkeypatch, mtime=1_700_000_001).differs(plain)
    assert status_of(monkeypatch, mtime="yesterday").mtime_ns == 0, "a time that cannot be read is none"
    assert 0 < first.ctime_ns < 2**63


# --- bytes


def test_an_object_is_opened_as_a_file_is(memory):
    put(memory, "photos/a.png")
    found = load(ObjectUrl("memory://photos/a.png"), Settings())
    assert (found.record.source, found.record.width, found.record.bytes) == ("memory://photos/a.png", 128, len(PNG))
    assert found.record.taken is not None
    assert read_pixels("memory://photos/none.png", Settings()) == "does not exist"
    put(memory, "photos/empty.png", data=b"")
    assert read_pixels("memory://photos/empty.png", Settings()) == "empty file"
    assert read_pixels("memory://photos", Settings()) == "is a folder"


def test_more_bytes_than_the_limit_are_never_asked_for(memory, monkeypatch):
    put(memory, "photos/a.png")
    asked = []
    cat = type(memory).cat_file
    monkeypatch.setattr(type(memory), "cat_file", lambda self, *a, **k: asked.append(k) or cat(self, *a, **k))
    url = ObjectUrl("memory://photos/a.png")
    with pytest.raises(BadImageError, match="IPCIR_MAX_BYTES"):
        read_object(url, 100)
    assert asked == [], "its size is known before"
    grown = ObjectStatus(50, 0, 0)  # it has grown since it was listed
    with pytest.raises(BadImageError, match="IPCIR_MAX_BYTES"):
        read_object(url, 100, grown)
    assert asked == [{"start": 0, "end": 101}]
    assert read_object(url, len(PNG)) == PNG


# --- failures


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError("s3://bucket?X-Amz-Signature=secret"), "does not exist"),
        (PermissionError("secret"), "cannot be read (permission denied)"),
        (OSError(16, "secret"), "cannot be read (Device or resource busy)"),
        (TimeoutError("secret"), "cannot be read (no answer within 60 seconds)"),
        (type("NoCredentialsError", (Exception,), {})("secret"), "cannot be read (no credentials for s3:// (NoCreden"),
        (type("EndpointConnectionError", (Exception,), {})("secret"), "cannot be read (EndpointConnectionError)"),
        (ImportError("secret"), "pip install 'ipcir-tools[s3]'"),
        (RuntimeError("secret"), "cannot be read (RuntimeError)"),
    ],
)
def test_what_failed_is_told_without_the_text_of_the_error(error, text):
    shown = str(explained(error, ObjectUrl("s3://bucket/a.png"), 60.0))
    assert text in shown
    assert "secret" not in shown


def test_the_servers_word_is_told():
    answered = OSError(5, "secret")
    answered.__cause__ = type("ClientError", (Exception,), {"response": {"Error": {"Code": "SlowDown"}}})()
    assert str(explained(answered, ObjectUrl("s3://b/a"), 60.0)) == "cannot be read (SlowDown)"


def test_a_store_that_cannot_be_asked_is_named_with_the_way_out():
    with pytest.raises(InvalidRequestError, match="pip install gcsfs"):
        exists(ObjectUrl("gs://bucket/photos"))
    with pytest.raises(InvalidRequestError, match="there is no protocol nothing://"):
        exists(ObjectUrl("nothing://bucket"))
    assert not is_gone(ObjectUrl("gs://bucket/photos")), "nothing is known about it"
    assert file_status(ObjectUrl("gs://bucket/photos")) is None
    assert scanned("gs://bucket/photos").closed == ["gs://bucket/photos"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("http://host/a.png", "web page"),
        ("https://host/photos", "web page"),
        ("s3://", "names no bucket"),
        ("sftp://me:secret@host/photos", "password"),
        ("s3://bucket/a.png?X-Amz-Signature=secret", "signature"),
        ("az://container/a?sp=r&sig=secret", "signature"),
    ],
)
def test_names_that_cannot_be_indexed_are_refused_with_the_reason(name, reason):
    with pytest.raises(InvalidRequestError, match=reason) as refused:
        check_name(name)
    assert "secret" not in str(refused.value)


def test_a_store_that_hangs_is_left_behind(memory, monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(object_store, "SECONDS", 0.05)
    monkeypatch.setattr(type(memory), "info", lambda *_, **__: answer.wait(30))
    with pytest.raises(UnreadableFileError, match="no answer within"):
        object_status(ObjectUrl("memory://photos/a.png"))
    answer.set()


# --- gone


def test_objects_are_looked_at_once_a_minute(memory, monkeypatch):
    put(memory, "photos/a.png", "photos/b.png")
    asked = []
    look = storage.is_gone
    monkeypatch.setattr(presence, "is_gone", lambda url: asked.append(url.name) or look(url))
    urls = ["memory://photos/a.png", "memory://photos/b.png", "memory://photos/none.png"]
    assert gone_files(urls) == {"memory://photos/none.png"}
    assert gone_files(urls) == {"memory://photos/none.png"}
    assert sorted(asked) == ["a.png", "b.png", "none.png", "none.png"]
    memory.rm("/photos/a.png")
    monkeypatch.setattr(presence.time, "monotonic", lambda now=time.monotonic: now() + presence.SEEN_SECONDS)
    assert gone_files(urls) == {"memory://photos/a.png", "memory://photos/none.png"}


# --- what agents may name


def test_allowed_folders_may_be_urls(monkeypatch):
    monkeypatch.setenv("IPCIR_ALLOW_FOLDERS", "/a:s3://bucket/photos/:sftp://host:22/b:/c d:file:///e")
    settings = load_settings()
    assert [str(each) for each in settings.allow_folders] == [
        "/a", "s3://bucket/photos", "sftp://host:22/b", "/c d", "/e",
    ]  # fmt: skip
    allowed = ("s3://bucket/photos", "s3://bucket/photos/a/b.png", "sftp://host:22/b/c.png")
    refused = ("s3://bucket/photos2/a.png", "s3://bucket/photos/../a.png", "s3://other/photos/a.png", "sftp://host/b/c")
    assert all(is_allowed_object(ObjectUrl(url), settings) for url in allowed)
    assert not any(is_allowed_object(ObjectUrl(url), settings) for url in refused)


@pytest.mark.parametrize(
    "rest",
    [
        r"\..\..\private$\s.jpg", r"a\..\b.png", "%2e%2e/b.png", "..%2Fb.png", "..%5cb.png",
        "%252e%252e/b.png", "./b.png", "a/..", ".. /b.png", ". ./b.png", "a\n/b.png", "a\0.png", "a%00.png",
        "b.png?versionId=3", "b.png#c", "b%3fc", "b\x85",
    ],
)  # fmt: skip
@pytest.mark.parametrize("folder", ["smb://host/share/photos", "s3://bucket/photos", "sftp://host/photos"])
def test_no_spelling_leads_an_agent_out_of_an_allowed_folder(monkeypatch, folder, rest):
    monkeypatch.setenv("IPCIR_ALLOW_FOLDERS", folder)
    assert is_allowed_object(source_of(f"{folder}/a b/50% é.png"), load_settings())
    assert not is_allowed_object(source_of(f"{folder}/{rest}"), load_settings())


def test_paths_of_this_machine_import_no_fsspec(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    code = f"""
import sys
from pathlib import Path
from ipcir_tools.images.presence import gone_files
from ipcir_tools.images.reading import load
from ipcir_tools.images.scanning import Scan
from ipcir_tools.settings import Settings
scan = Scan()
scan.add(Path({str(tmp_path)!r}))
assert [load(scan.source(text), Settings()).record.width for text in scan.files] == [128]
assert gone_files(["/none"]) == {{"/none"}}
assert "fsspec" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_an_unknown_name_is_not_found(memory):
    with pytest.raises(NotFoundError, match="does not exist"):
        list_objects(ObjectUrl("memory://none"))
