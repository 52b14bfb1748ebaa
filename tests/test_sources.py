"""Texts of where pictures are: paths, and URLs of objects."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.sources import (
    ObjectUrl,
    folders_around,
    is_object_url,
    joined,
    source_folder,
    source_of,
    source_parts,
    url_text,
)

PARTS = st.lists(st.text("ab.# ?%:\\é", min_size=1, max_size=5), min_size=1, max_size=5)


@given(PARTS)
def test_a_url_is_taken_apart_and_put_together(parts):
    text = "s3://" + "/".join(parts)
    assert joined(source_parts(text)) == text
    url = ObjectUrl(text)
    assert url.name == parts[-1]
    assert [str(each) for each in url.parents] == list(folders_around(text))
    assert source_folder(text) == (str(url.parents[0]) if url.parents else text)
    assert url / "c.png" == ObjectUrl(f"{text}/c.png")


@given(st.lists(st.text("ab.é", min_size=1, max_size=5), max_size=5))
def test_a_path_is_taken_apart_as_ever(parts):
    text = "/" + "/".join(parts)
    assert joined(source_parts(text)) == str(PurePath(text))
    assert source_folder(text) == str(PurePath(text).parent)
    assert folders_around(text) == tuple(map(str, PurePath(text).parents))


@pytest.mark.parametrize(
    ("named", "url"),
    [
        ("s3://bucket/a", "s3://bucket/a"),
        ("S3://Bucket/a/", "s3://Bucket/a"),
        ("s3a://bucket/a", "s3://bucket/a"),
        ("gcs://bucket", "gs://bucket"),
        ("az://container/a b.jpg", "az://container/a b.jpg"),
        ("memory://photos", "memory://photos"),
        ("sftp://me@host:22/photos", "sftp://me@host:22/photos"),
        (Path("s3://bucket/a"), "s3://bucket/a"),
        (ObjectUrl("s3://bucket/a"), "s3://bucket/a"),
    ],
)
def test_an_object_has_one_url_however_it_is_named(named, url):
    assert source_of(named) == ObjectUrl(url)


@pytest.mark.parametrize(
    "named", ["photos", "/photos/s3", "C:/photos", "~/a", "a:b", "http://host/a.png", Path("a:/b")]
)
def test_what_is_no_object_is_a_path(named):
    assert source_of(named) == Path(named)
    assert not is_object_url(str(named))


def test_a_file_url_is_a_path_of_this_machine(tmp_path):
    assert source_of("file:///a%20b/c") == Path("/a b/c")
    assert source_of("file://localhost/a") == source_of("local:///a") == Path("/a")
    (tmp_path / "a%20b").mkdir()
    assert source_of(f"file://{tmp_path}/a%20b") == tmp_path / "a%20b", "what is there is meant"


def test_a_folder_that_is_called_as_a_protocol_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert url_text(Path("s3:/a")) == "s3://a"
    (tmp_path / "s3:").mkdir()
    assert url_text(Path("s3:/a")) is None
