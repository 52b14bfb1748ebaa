"""The catalog keeps what it was given, once, for many at a time, and says what is wrong in one line."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from ipcir_tools.errors import CatalogError, InvalidRequestError, NotFoundError, SpaceMismatchError
from ipcir_tools.store import database, schema
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.replies import ReplyCount
from ipcir_tools.types import ComposedQuery, FloatArray, ImageRecord, Reply, Turn

SPACE = "toy/3d"


@pytest.fixture
def catalog(open_catalog, tmp_path):
    with open_catalog(tmp_path / "home") as opened:
        yield opened


def record(id_: str, source: str = "/pictures/a.png") -> ImageRecord:
    return ImageRecord(id=id_, source=source, bytes=10, width=4, height=3, format="png")


def vector(seed: int) -> FloatArray:
    drawn = np.random.default_rng(seed).normal(size=3)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def add(catalog: Catalog, id_: str, path: str) -> None:
    catalog.add([record(id_, path)], [FileStamp(path, id_, 10, 1)], {id_: vector(int(id_, 16))}, SPACE)


def turn(id_: str, parent: str | None = None, created: str = "2026-01-01T00:00:00+00:00") -> Turn:
    query = ComposedQuery(reference="a1", modification="in blue", where={"width": {"$gte": 8}})
    return Turn(id=id_, parent=parent, query=query, reference_source="/pictures/a.png", created=created)


# --- opening


def test_a_new_home_belongs_to_its_owner_alone(tmp_path):
    Catalog.open(tmp_path / "deep" / "home ?#%").close()
    assert (tmp_path / "deep" / "home ?#%").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "deep" / "home ?#%" / "catalog.sqlite").is_file()


def is_one_line_with_the_way_out(error: pytest.ExceptionInfo[CatalogError]) -> bool:
    return "\n" not in str(error.value) and "--home" in str(error.value)


def test_a_file_in_the_place_of_the_home(tmp_path):
    (tmp_path / "home").write_text("hello")
    for home in (tmp_path / "home", tmp_path / "home" / "below"):
        with pytest.raises(CatalogError, match="home") as error:
            Catalog.open(home)
        assert is_one_line_with_the_way_out(error)


def test_a_database_that_cannot_be_opened(tmp_path):
    (tmp_path / "catalog.sqlite").mkdir()
    with pytest.raises(CatalogError, match="unable to open") as error:
        Catalog.open(tmp_path)
    assert is_one_line_with_the_way_out(error)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "catalog.sqlite").write_bytes(b"no database at all" * 1000)
    with pytest.raises(CatalogError, match="not a database") as error:
        Catalog.open(tmp_path)
    assert is_one_line_with_the_way_out(error)


def test_damage_that_shows_only_later(tmp_path):
    with Catalog.open(tmp_path) as catalog:
        for n in range(200):
            catalog.put_reply(f"key {n}", Reply(text="words " * 200, kind="imagine"))
    file = tmp_path / "catalog.sqlite"
    size = file.stat().st_size
    with file.open("r+b") as stream:
        stream.seek(size // 3)
        stream.write(b"\xff" * (size - size // 3))  # no page begins so, where random bytes sometimes look like one
    with pytest.raises(CatalogError) as error, Catalog.open(tmp_path) as catalog:
        [catalog.reply(f"key {n}") for n in range(200)]
    assert is_one_line_with_the_way_out(error)


@pytest.mark.parametrize("version", ["1", "99", "odd"])
def test_a_catalog_of_another_version_is_left_alone(tmp_path, version):
    Catalog.open(tmp_path).close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", [version])
    for _ in range(2):
        with pytest.raises(
            CatalogError, match=f"has the schema {version}, and this ipcir-tools has {database.SCHEMA}"
        ) as error:
            Catalog.open(tmp_path)
        assert is_one_line_with_the_way_out(error)


def test_a_catalog_of_the_version_before_is_extended_and_keeps_what_it_has(tmp_path):
    added = {"pictures": ("taken", "camera", "latitude", "longitude", "damaged"), "turns": ("conversation",)}
    with Catalog.open(tmp_path) as catalog:
        catalog.remember([record("ab" * 8)])
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        for index in ("ix_pictures_taken", "ix_turns_conversation"):
            connection.execute(f"DROP INDEX {index}")
        for table, column in ((table, column) for table, columns in added.items() for column in columns):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("DROP TABLE folders")
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
    for _ in range(2):
        with Catalog.open(tmp_path) as catalog:
            found = catalog.records(["ab" * 8])["ab" * 8]
            assert (found, found.taken, found.damaged) == (record("ab" * 8), None, False)
            catalog.remember([found.model_copy(update={"taken": "2024-05-01T10:00:00"})])
            assert catalog.records([found.id])[found.id].taken == "2024-05-01T10:00:00"
            catalog.remember([found])


@pytest.mark.parametrize("url", ["nonsense", "mysterydb://host/x"])
def test_a_url_that_names_no_database(url):
    with pytest.raises(CatalogError):
        Catalog(url)


def test_the_tables_and_upserts_are_postgresql_too():
    dialect = postgresql.dialect()
    for table in schema.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
    upsert = database.insertion("postgresql", schema.files, replace=True).compile(dialect=dialect)
    assert "ON CONFLICT (md5(path)) DO UPDATE SET image_id = excluded.image_id" in str(upsert)


# --- pictures and features


def test_a_known_picture_is_not_yet_in_the_gallery(catalog):
    catalog.remember([record("a1")])
    assert catalog.records(["a1", "b2"]) == {"a1": record("a1")}
    assert (catalog.size(), catalog.revision(), catalog.stamps()) == (0, 0, {})


def test_find_takes_a_prefix_literally(catalog):
    catalog.remember([record(id_) for id_ in ("ab1", "ab2", "ab3", "cd4")])
    assert [found.id for found in catalog.find("ab")] == ["ab1", "ab2"]
    assert [found.id for found in catalog.find("ab", limit=9)] == ["ab1", "ab2", "ab3"]
    assert catalog.find("%") == catalog.find("a_") == []


def test_a_source_is_the_first_file_that_is_still_there(catalog):
    for path in ("/b.png", "/a.png", "/c.png"):
        add(catalog, "a1", path)
    assert catalog.records(["a1"])["a1"].source == "/a.png"
    assert catalog.forget(["/a.png"]) == []
    assert catalog.records(["a1"])["a1"].source == "/b.png"
    assert catalog.revision() == 1  # the picture never left


def test_a_file_with_new_content_replaces_its_picture(catalog):
    add(catalog, "a1", "/a.png")
    add(catalog, "b2", "/a.png")
    assert catalog.gallery_ids() == ["b2"]
    assert catalog.revision() == 2


def test_forgotten_pictures_keep_their_features(catalog):
    add(catalog, "a1", "/a.png")
    assert catalog.forget(["/a.png", "/never.png"]) == ["a1"]
    catalog.add([record("a1", "/new.png")], [FileStamp("/new.png", "a1", 10, 1)], {}, SPACE)
    np.testing.assert_array_equal(catalog.features(["a1"], SPACE)["a1"], vector(0xA1))
    assert catalog.records(["a1"])["a1"].source == "/new.png"


def test_adding_is_all_or_nothing(catalog):
    with pytest.raises(ValueError, match="b2"):
        catalog.add(
            [record("a1"), record("b2")],
            [FileStamp("/a", "a1", 1, 1), FileStamp("/b", "b2", 1, 1)],
            {"a1": vector(1)},
            SPACE,
        )
    assert catalog.records(["a1"]) == {}
    assert catalog.features(["a1"], SPACE) == {}
    assert catalog.space() is None


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf, 1.0], [[1.0, 2.0]], []])
def test_a_bad_vector_is_a_mistake_in_the_program(catalog, bad):
    with pytest.raises(ValueError, match="finite"):
        catalog.put_features({"a1": np.array(bad, np.float32)}, SPACE)


def test_features_of_more_items_than_a_database_takes_at_once(catalog):
    vectors = {f"{n:04x}": vector(n) for n in range(1201)}
    catalog.put_features(vectors, SPACE)
    found = catalog.features([*vectors, "missing"], SPACE)
    assert found.keys() == vectors.keys()
    assert all((found[item] == vectors[item]).all() for item in vectors)
    assert catalog.features(vectors, "another/3d") == {}


def test_the_first_feature_stays(catalog):
    catalog.put_features({"a1": vector(1)}, SPACE)
    catalog.put_features({"a1": vector(2)}, SPACE)
    np.testing.assert_array_equal(catalog.features(["a1"], SPACE)["a1"], vector(1))


def test_a_gallery_has_one_space(catalog):
    catalog.bind_space(SPACE)
    catalog.bind_space(SPACE)
    with pytest.raises(SpaceMismatchError, match=rf"{SPACE}.*other/4d"):
        catalog.bind_space("other/4d")
    assert catalog.space() == SPACE


def test_captions_and_notes(catalog):
    catalog.put_captions({"a1": "a shirt"}, "blip")
    catalog.put_captions({"a1": "a coat", "b2": "a hat"}, "blip")
    assert catalog.captions(["a1", "b2", "c3"], "blip") == {"a1": "a shirt", "b2": "a hat"}
    assert catalog.captions(["a1"], "other") == {}
    catalog.put_captions({"a1": "a scarf"}, "other")
    assert catalog.stored_counts() == {"features": 0, "captions": 3}
    catalog.set_note("schema", "mine")
    catalog.set_note("schema", "mine again")
    assert (catalog.note("schema"), catalog.note("none")) == ("mine again", None)


# --- replies


def reply(text: str = "a blue shirt", kind: str = "imagine", day: int = 1, **more: object) -> Reply:
    return Reply(text=text, kind=kind, created=f"2026-01-{day:02d}T00:00:00+00:00", **more)


def test_a_reply_is_kept_with_all_that_is_known_of_it_until_another_takes_its_place(catalog):
    spent = {"calls": 2, "repairs": 1, "seconds": 0.25, "input_tokens": 30, "output_tokens": 4}
    first = reply(model="openai:a", prompt="imagine.simple@1#01234567", **spent)
    catalog.put_reply("key", first)
    assert (catalog.reply("key"), catalog.reply("none")) == (first, None)
    catalog.put_reply("key", reply("another"))
    assert catalog.reply("key") == reply("another")


def test_a_reply_that_no_database_holds_is_kept_as_far_as_it_goes(catalog):
    catalog.put_reply("key", Reply(text="a\0b \ud83d c \ud83d\ude00 d 😀", kind="imagine"))
    assert catalog.reply("key").text == "a\ufffdb \ufffd c 😀 d 😀"


def test_replies_are_listed_newest_first(catalog):
    for key, each in {"b": reply(day=2), "a": reply(day=1), "c": reply(kind="ask", day=3)}.items():
        catalog.put_reply(key, each)
    catalog.put_reply("d", Reply(text="who knows when", kind="ask"))
    assert [key for key, _ in catalog.replies()] == ["c", "b", "a", "d"]
    assert catalog.replies("imagine", limit=1) == [("b", reply(day=2))]
    assert catalog.replies("rerank") == []


def test_a_reply_is_found_by_how_its_key_begins(catalog):
    for key in ("abcd1", "abcd2", "abcd22", "efgh1"):
        catalog.put_reply(key, reply(key))
    assert catalog.find_reply("efgh") == ("efgh1", reply("efgh1"))
    assert catalog.find_reply("abcd2") == ("abcd2", reply("abcd2"))
    with pytest.raises(InvalidRequestError, match="abcd1 and abcd2"):
        catalog.find_reply("abcd")
    for prefix in ("efg", "", "%%%%", "____", "zzzz", "\udcff\0\udcff\0"):
        with pytest.raises(NotFoundError):
            catalog.find_reply(prefix)


def test_replies_are_counted_by_kind_and_model(catalog):
    catalog.put_reply("1", reply("blau", model="m", day=2, calls=2, input_tokens=10, output_tokens=1))
    catalog.put_reply("2", reply("größer", model="m", day=1, input_tokens=5))
    catalog.put_reply("3", Reply(text="", kind="ask"))
    none_known = ReplyCount("ask", "", 1, 0, None, 0, 0, None, None)
    first, second = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"
    assert catalog.reply_counts() == [none_known, ReplyCount("imagine", "m", 2, 4 + 8, 2, 15, 1, first, second)]
    assert [count.replies for count in catalog.reply_counts("imagine", datetime(2026, 1, 2, tzinfo=UTC))] == [1]
    assert catalog.reply_counts("llm") == []


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({}, ""),
        ({"kind": "ask"}, "ab1 ab2"),
        ({"older_than": datetime(2026, 1, 2, tzinfo=UTC)}, "ab2 c3 d4"),
        ({"older_than": datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=1)))}, "ab2 c3 d4"),
        ({"older_than": datetime(2027, 1, 1, tzinfo=UTC)}, "d4"),
        ({"kind": "ask", "older_than": datetime(2026, 1, 3, tzinfo=UTC)}, "ab1 ab2 c3 d4"),
    ],
)
def test_forgotten_replies_are_all_that_was_asked_for(catalog, chosen, left):
    made = {"ab1": reply(day=1), "ab2": reply(day=2), "c3": reply(kind="ask", day=3), "d4": Reply(text="?", kind="ask")}
    for key, each in made.items():
        catalog.put_reply(key, each)
    catalog.put_captions({"a1": "a shirt"}, "blip")
    assert catalog.forget_replies(**chosen) == 4 - len(left.split())
    assert sorted(key for key, _ in catalog.replies()) == left.split()
    assert catalog.captions(["a1"], "blip")  # only replies go


# --- processes

OPENING = """
import sys, time
from pathlib import Path
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.types import Reply
home, name = Path(sys.argv[1]), sys.argv[2]
(home / f"ready {name}").touch()
while not (home / "go").exists():
    time.sleep(0.001)
with Catalog.open(home / "catalog") as catalog:
    catalog.put_reply(f"by {name}", Reply(text=name, kind="ask"))
"""


def test_processes_that_make_a_catalog_at_once(tmp_path):
    names = ["one", "two"]
    command = [sys.executable, "-c", OPENING, str(tmp_path)]
    running = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for name in names
    ]
    while not all((tmp_path / f"ready {name}").exists() for name in names):
        assert all(process.poll() is None for process in running)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    for process in running:
        assert process.communicate(timeout=120) == ("", "")
        assert process.returncode == 0
    with Catalog.open(tmp_path / "catalog") as catalog:
        assert {key for key, _ in catalog.replies()} == {f"by {name}" for name in names}


def test_replies_are_postgresql_too():
    upsert = database.insertion("postgresql", schema.replies, replace=True).compile(dialect=postgresql.dialect())
    assert "SET reply = excluded.reply, kind = excluded.kind" in str(upsert)


# --- turns


def test_turns_come_back_as_they_were(catalog):
    root, child = turn("aaaa1111"), turn("aaaa2222", parent="aaaa1111")
    catalog.put_turn(root)
    catalog.put_turn(child)
    catalog.put_turn(child)
    assert catalog.turn("aaaa2") == child
    assert catalog.path("aaaa2222") == [root, child]
    assert catalog.turns() == [child, root]
    assert catalog.turns(limit=1) == [child]


def test_a_turn_never_changes(catalog):
    catalog.put_turn(turn("aaaa1111"))
    with pytest.raises(CatalogError, match="aaaa1111"):
        catalog.put_turn(turn("aaaa1111", created="2027-01-01T00:00:00+00:00"))


def test_turns_that_cannot_be_found(catalog):
    for id_ in ("aaaa1111", "aaaa2222"):
        catalog.put_turn(turn(id_))
    with pytest.raises(InvalidRequestError, match="aaaa1111"):
        catalog.turn("aaaa")
    for id_ in ("aaa", "", "%%%%", "bbbb"):
        with pytest.raises(NotFoundError):
            catalog.turn(id_)
    with pytest.raises(NotFoundError, match="cccc"):
        catalog.put_turn(turn("dddd4444", parent="cccc3333"))


def test_an_exact_id_wins_over_longer_ones(catalog):
    for id_ in ("aaaa", "aaaa1", "aaaa2"):
        catalog.put_turn(turn(id_))
    assert catalog.turn("aaaa").id == "aaaa"


# --- many at a time


def test_parallel_writers_lose_nothing(open_catalog, tmp_path):
    ids = [f"{n:02x}" for n in range(48)]
    with open_catalog(tmp_path) as one, open_catalog(tmp_path) as two, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add((one, two)[n % 2], ids[n], f"/{n}.png"), range(48)))
        assert one.gallery_ids() == two.gallery_ids() == ids
        assert one.revision() == 48


# --- as a whole: whatever comes and goes, the catalog is a dictionary from path to picture


class Files(RuleBasedStateMachine):
    paths = st.sampled_from([f"/{name}.png" for name in ("a", "b c", "é\n", "😀", "%_")])
    ids = st.sampled_from([f"{n:016x}" for n in range(4)])

    def __init__(self, open_catalog: Callable[[Path], Catalog] = Catalog.open) -> None:
        super().__init__()
        self.folder, self.open_catalog = TemporaryDirectory(), open_catalog
        self.catalog = open_catalog(Path(self.folder.name))
        self.model: dict[str, str] = {}
        self.revision = 0

    @rule(path=paths, id_=ids)
    def add_file(self, path: str, id_: str) -> None:
        before = set(self.model.values())
        add(self.catalog, id_, path)
        self.model[path] = id_
        self.revision += before != set(self.model.values())

    @rule(some=st.sets(paths))
    def forget_files(self, some: set[str]) -> None:
        before = set(self.model.values())
        self.model = {path: id_ for path, id_ in self.model.items() if path not in some}
        left = before - set(self.model.values())
        assert self.catalog.forget(some) == sorted(left)
        self.revision += bool(left)

    @rule()
    def reopen(self) -> None:
        self.catalog.close()
        self.catalog = self.open_catalog(Path(self.folder.name))

    @invariant()
    def agrees(self) -> None:
        ids = sorted(set(self.model.values()))
        assert {path: stamp.image_id for path, stamp in self.catalog.stamps().items()} == self.model
        assert (self.catalog.gallery_ids(), self.catalog.size()) == (ids, len(ids))
        assert self.catalog.revision() == self.revision
        assert self.catalog.matrix(SPACE)[0] == ids
        if ids:
            np.testing.assert_array_equal(self.catalog.matrix(SPACE)[1], [vector(int(id_, 16)) for id_ in ids])
        for id_, known in self.catalog.records(ids).items():
            assert known.source == min(path for path, held in self.model.items() if held == id_)

    def teardown(self) -> None:
        self.catalog.close()
        self.folder.cleanup()


def test_any_history_of_files(open_catalog):
    run_state_machine_as_test(
        lambda: Files(open_catalog), settings=settings(max_examples=8, stateful_step_count=12, deadline=None)
    )
