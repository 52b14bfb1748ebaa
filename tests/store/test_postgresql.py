"""A PostgreSQL server as the catalog: the same as SQLite for who uses it, and nothing secret in what it says."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ipcir_tools.errors import CatalogError, InvalidRequestError
from ipcir_tools.settings import Settings, load_settings
from ipcir_tools.store import database
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.types import ComposedQuery, ImageRecord, Reply, Turn

SPACE = "toy/3d"
SECRET = "s3cret"
TURN = Turn(
    id="t1",
    parent=None,
    query=ComposedQuery(reference="a1", modification="in blue"),
    reference_source="/a.png",
    created="2026-01-01T00:00:00+00:00",
)


def record(id_: str, source: str, **facts: object) -> ImageRecord:
    return ImageRecord(**{"id": id_, "source": source, "bytes": 10, "width": 4, "height": 3, "format": "png", **facts})


def add(catalog: Catalog, *records: ImageRecord) -> None:
    stamps = [FileStamp(each.source, each.id, each.bytes, 1) for each in records]
    catalog.add(records, stamps, {each.id: np.ones(3, np.float32) for each in records}, SPACE)


@pytest.fixture
def catalog(catalog_url):
    with Catalog(catalog_url) as opened:
        yield opened


# --- opening, and what errors say


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{SECRET}@127.0.0.1:9/photos",
        f"postgres://ann:{SECRET}@127.0.0.1:9/photos?connect_timeout=1",
        f"postgresql+psycopg2://127.0.0.1:9/photos?user=ann&password={SECRET}",
    ],
)
def test_a_server_that_is_not_there_is_one_line_without_the_password(url):
    with pytest.raises(CatalogError, match=r"127\.0\.0\.1:9/photos") as caught:
        Catalog.of(Settings(catalog_url=url))
    assert "IPCIR_CATALOG_URL" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:zap@{SECRET}@127.0.0.1:9/x",
        f"postgresql://ann:zap@{SECRET}/more@127.0.0.1:9/x",
        f"postgresql://ann:zap@host/{SECRET}@127.0.0.1:9/x",
        f"postgresql://ann:zap@host/x?{SECRET}@127.0.0.1:9/x",
        f"postgresql://{SECRET}/x?y@127.0.0.1:9/x",
    ],
)
def test_an_at_sign_that_is_not_escaped_is_refused_before_anything_is_asked(url):
    with pytest.raises(CatalogError, match="write %40") as caught:
        Catalog.of(Settings(catalog_url=url))
    assert SECRET not in str(caught.value)
    assert "zap" not in str(caught.value)


@pytest.mark.parametrize(
    "end",
    [
        f"127.0.0.1:9/x%3Fpassword={SECRET}",
        f"127.0.0.1:9/x&password={SECRET}",
        f"127.0.0.1:9/x?sslmode={SECRET}",
        f"127.0.0.1:9/x?{SECRET}=1",
        f"127.0.0.1:9/x?zapsecret={SECRET}",
        f"127.0.0.1:9/x?hostaddr={SECRET}",
        f"127.0.0.1%20{SECRET}/x",
    ],
)
def test_what_the_driver_repeats_of_a_url_is_masked(end):
    with pytest.raises(CatalogError, match="IPCIR_CATALOG_URL") as caught:
        Catalog.of(Settings(catalog_url=f"postgresql://ann:zap%40zap@{end}"))
    assert SECRET not in str(caught.value)
    assert "zap" not in str(caught.value)


def test_an_unknown_database_is_not_named_where_it_may_be_a_password(postgres):
    url = postgres.url("postgres").replace("/postgres?", f"/x%3Fpassword={SECRET}?")
    with pytest.raises(CatalogError, match="createdb") as caught:
        Catalog(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", [f"postgresql://ann:{SECRET}@host:port/x", f"postgresql://ann:{SECRET}@host"])
def test_what_is_no_url_of_a_database_is_never_repeated(url):
    with pytest.raises(CatalogError, match="postgresql://USER:PASSWORD@HOST/DATABASE") as caught:
        Catalog.of(Settings(catalog_url=url))
    assert SECRET not in str(caught.value)


def test_settings_take_no_other_database_and_show_no_password(monkeypatch):
    with pytest.raises(InvalidRequestError, match="PostgreSQL") as caught:
        load_settings(catalog_url=f"mysql://ann:{SECRET}@host/x")
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("IPCIR_CATALOG_URL", f"postgresql://ann:{SECRET}@host/x")
    settings = load_settings()
    assert SECRET not in repr(settings) + str(settings) + str(settings.model_dump()) + settings.model_dump_json()
    assert database.gallery_place(settings) == "postgresql://host/x"
    monkeypatch.setenv("IPCIR_CATALOG_URL", "")
    assert load_settings().catalog_url is None


def test_the_command_line_says_it_without_the_password(tmp_path):
    command = [sys.executable, "-m", "ipcir_tools.cli.main", "turns", "--json", "--home", str(tmp_path)]
    shown = subprocess.run(
        [*command, "--catalog-url", f"postgresql://ann:{SECRET}@127.0.0.1:9/photos"], capture_output=True, text=True
    )
    assert shown.returncode != 0
    assert "127.0.0.1:9/photos" in shown.stderr
    assert SECRET not in shown.stdout + shown.stderr


def test_a_command_with_a_gallery_of_its_own_leaves_the_shared_one_alone(monkeypatch, tmp_path):
    from ipcir_tools.cli.options import GalleryOptions

    monkeypatch.setenv("IPCIR_CATALOG_URL", "postgresql://host/x")
    assert GalleryOptions().settings().catalog_url is not None
    assert GalleryOptions().settings(home=tmp_path).catalog_url is None
    chosen = GalleryOptions(catalog_url="postgresql://host/y").settings(home=tmp_path)
    assert chosen.catalog_url is not None


def test_without_its_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CatalogError, match=r"pip install 'ipcir-tools\[postgres\]'"):
        Catalog("postgresql://127.0.0.1/x")


def test_a_database_that_does_not_exist(postgres):
    with pytest.raises(CatalogError, match="createdb"):
        Catalog(postgres.url("nothing_of_this_name"))


def test_a_database_that_cannot_hold_every_text_is_refused(postgres):
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(CatalogError, match=r"LATIN1.*encoding UTF8"):
        Catalog(postgres.url("latin"))


def test_a_catalog_of_another_version_is_left_alone(catalog_url, catalog, postgres):
    name = catalog_url.partition("?")[0].rpartition("/")[2]
    postgres.run("UPDATE meta SET value = '99' WHERE key = 'schema'", name)
    with pytest.raises(CatalogError, match="has the schema 99"):
        Catalog(catalog_url)


def test_who_may_only_read_reads_and_is_told_why_nothing_is_written(catalog_url, catalog, postgres):
    name = catalog_url.partition("?")[0].rpartition("/")[2]
    add(catalog, record("ab" * 8, "/a.png"))
    postgres.run(f"CREATE ROLE {name}_reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}_reader", name)
    with Catalog(catalog_url.replace("postgres:@", f"{name}_reader@")) as reader:
        assert reader.gallery_ids() == ["ab" * 8]
        with pytest.raises(CatalogError, match=r"permission denied.*read and write them"):
            reader.put_reply("key", Reply(text="words", kind="ask"))


def test_who_may_use_no_sequences_is_told_to_and_then_stores_turns(catalog_url, catalog, postgres):
    name = catalog_url.partition("?")[0].rpartition("/")[2]
    rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
    postgres.run(f"CREATE ROLE {name}_user LOGIN; {rights} TO {name}_user", name)
    with Catalog(catalog_url.replace("postgres:@", f"{name}_user@")) as user:
        with pytest.raises(CatalogError, match="permission denied for sequence") as caught:
            user.put_turn(TURN)
        ways = [rights, "USAGE ON ALL SEQUENCES IN SCHEMA public"]
        assert all(each in str(caught.value) for each in ways)
        postgres.run(f"GRANT {ways[1]} TO {name}_user", name)
        user.put_turn(TURN)
        assert user.turn("t1") == TURN


def test_a_server_that_was_gone_is_found_again(catalog, postgres):
    add(catalog, record("ab" * 8, "/a.png"))
    postgres.stop()
    try:
        with pytest.raises(CatalogError, match="IPCIR_CATALOG_URL"):
            catalog.size()
    finally:
        postgres.start()
    assert catalog.size() == 1
    postgres.stop()  # and where nobody asked in between
    postgres.start()
    assert catalog.size() == 1


# --- what is stored


def test_a_path_longer_than_an_index_entry_is_a_key_like_any_other(catalog):
    letters = np.random.default_rng(0).choice(list("abcdefghijklmnopqrstuvwxyzäöü"), 3_900)
    path = "/" + "".join(letters) + ".png"
    add(catalog, record("ab" * 8, path))
    add(catalog, record("cd" * 8, path))
    assert catalog.stamps()[path].image_id == "cd" * 8
    assert catalog.paths_of(["cd" * 8]) == {"cd" * 8: [path]}
    assert catalog.forget([path]) == ["cd" * 8]
    assert catalog.size() == 0


def test_two_writers_of_the_same_features_do_not_wait_for_each_other(catalog, catalog_url):
    with Catalog(catalog_url) as other, ThreadPoolExecutor(2) as pool:
        for turn in range(4):
            vectors = {f"text:{turn}-{i:04}": np.eye(1, 8, i % 8, dtype=np.float32)[0] for i in range(1_500)}
            reverse = dict(reversed(vectors.items()))
            first = pool.submit(catalog.put_features, vectors, "x/8d")
            second = pool.submit(other.put_features, reverse, "x/8d")
            first.result(), second.result()
            assert len(other.features(vectors, "x/8d")) == len(vectors)


def test_characters_that_the_server_does_not_store_become_marks(catalog):
    catalog.put_captions({"ab" * 8: "a\0dog \ud83d runs"}, "x")
    assert catalog.captions(["ab" * 8], "x") == {"ab" * 8: "a\ufffddog \ufffd runs"}
    assert (catalog.find("\0"), catalog.records(["\ud800"])) == ([], {})


def test_ids_and_ends_of_paths_are_found_in_any_case(catalog):
    add(catalog, record("ab" * 8, "/Photos/IMG_1.JPG"))
    assert [found.id for found in catalog.find("ABAB")] == ["ab" * 8]
    assert catalog.files_ending("img_1.jpg") == {"ab" * 8: "/Photos/IMG_1.JPG"}


PICTURES = (
    record(
        "a" * 16, "/p/Ä b/IMG_1.JPG", bytes=5_000_000_000, width=100_000, height=90_000, taken="2024-05-01T10:00:00"
    ),
    record("b" * 16, "/p/c%d/img_2.jpg", width=800, height=600, format="jpeg", camera="NIKON Ünï", longitude=179.5,
           latitude=10.0, taken="2024-12-31T23:59:59"),
    record("c" * 16, "/p/c_d/x.jpg", width=801, height=900, format="jpeg", damaged=True),
)  # fmt: skip
FILTERS = (
    *({"width": {name: value}} for name in ("$gt", "$gte", "$lt") for value in (800, 800.4, 801, 2**40, -1)),
    *({"megapixels": {"$gt": value}} for value in (0.4, 0.5, 1, 9_000)),
    *({"bytes": {"$lt": value}} for value in (11, 2**40, 2**62)),
    *({"taken": {name: "2024-05"}} for name in ("$eq", "$gt", "$gte", "$lt", "$lte")),
    *({"camera": text} for text in ("nikon", "ünï", "ÜNÏ", "%")),
    *({"folder": text} for text in ("ä b", "Ä B", "c%d", "c_d", "/p", "/p/c_d")),
    *({"name": text} for text in ("img_1.jpg", "IMG_1.JPG", "img")),
    *({"damaged": value} for value in (True, False)),
    {"gps": True},
    {"gps": {"$near": [10, -179.9, 100]}},
    {"gps": {"$within": [0, 170, 20, -170]}},
    {"$not": {"camera": "nikon"}},
    {"caption": "DOG"},
    {"orientation": "landscape"},
    {"width": {"$nin": [800, 801.5]}},
)


def test_filters_choose_the_same_pictures_as_with_sqlite(catalog, tmp_path):
    with Catalog.open(tmp_path) as local:
        for each in (local, catalog):
            add(each, *PICTURES)
            each.put_captions({"a" * 16: "a dog runs"}, "x")
        for where in FILTERS:
            assert catalog.matching(where, "x") == local.matching(where, "x"), where
        assert catalog.filter_values("x") == local.filter_values("x")
        assert list(catalog.picture_folders()) == list(local.picture_folders())


# --- processes

OPENING = """
import sys, time
from pathlib import Path
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.types import Reply
url, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
(folder / f"ready {name}").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
with Catalog(url) as catalog:
    catalog.put_reply(f"by {name}", Reply(text=name, kind="ask"))
"""


def test_processes_that_make_the_tables_at_once(catalog_url, tmp_path):
    names = ["one", "two", "three"]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", OPENING, catalog_url, str(tmp_path), name], stderr=subprocess.PIPE, text=True
        )
        for name in names
    ]
    while not all((tmp_path / f"ready {name}").exists() for name in names):
        assert all(process.poll() is None for process in running)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    for process in running:
        assert process.communicate(timeout=120)[1] == ""
    with Catalog(catalog_url) as catalog:
        assert {key for key, _ in catalog.replies()} == {f"by {name}" for name in names}


WRITING = """
import sys, time
from pathlib import Path
from ipcir_tools.store import membership
from ipcir_tools.store.catalog import Catalog
url, ready = sys.argv[1], Path(sys.argv[2])
with Catalog(url) as catalog, catalog._write() as connection:
    membership.locked_revision(connection)
    ready.touch()
    time.sleep(600)
"""


def test_a_writer_that_is_killed_holds_up_nobody(catalog_url, catalog, tmp_path):
    ready = tmp_path / "ready"
    writer = subprocess.Popen([sys.executable, "-c", WRITING, catalog_url, str(ready)])
    while not Path(ready).exists():
        assert writer.poll() is None
        time.sleep(0.01)
    assert catalog.size() == 0, "reading does not wait"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    add(catalog, record("ab" * 8, "/a.png"))
    assert catalog.revision() == 1
