"""Checksums of rows: one wrong bit is found and turned back; what is damaged is noticed, named and replaced."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from drawn_gallery import SPACE, drawn, fill
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, bindparam, text

from ipcir_tools.errors import CatalogError
from ipcir_tools.store import schema
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.checksums import caption_checksum, corrected, feature_checksum, row_checksum
from ipcir_tools.store.current_snapshot import CurrentSnapshot
from ipcir_tools.store.migration import CHECKED, NONE, rows_of
from ipcir_tools.store.vector_file import VectorFile
from ipcir_tools.store.working_copy import CATALOG
from ipcir_tools.types import ComposedQuery, Reply, Turn


@given(st.binary(max_size=9), st.binary(min_size=1, max_size=300), st.binary(max_size=9), st.data())
def test_one_wrong_bit_is_turned_back(before, content, after, data):
    checksum = zlib.crc32(before + content + after)
    place = data.draw(st.integers(0, 8 * len(content) - 1))
    wrong = bytearray(content)
    wrong[place // 8] ^= 1 << place % 8
    assert corrected(bytes(wrong), before, after, checksum) == content


@given(st.text(max_size=9), st.text(max_size=9), st.binary(max_size=40))
def test_the_short_ways_are_the_long_one(one, two, content):
    assert feature_checksum(one, two, content) == row_checksum(
        schema.features, {"item": one, "space": two, "vector": content}
    )
    caption = {"image_id": one, "captioner": two, "caption": content.hex()}
    assert caption_checksum(*caption.values()) == row_checksum(schema.captions, caption)


@pytest.fixture
def catalog(open_catalog, tmp_path):
    with open_catalog(tmp_path / "home") as opened:
        fill(opened, drawn(12))
        opened.put_captions({f"{n:016x}": f"caption {n} - ä" for n in range(12)}, "toy")
        opened.put_reply("key", Reply(text="it\0self \ud83d", kind="ask", seconds=0.1, calls=2))
        opened.put_turn(turn("t1"))
        opened.put_turn(turn("t2", "t1"))
        yield opened


def turn(id_: str, parent: str | None = None) -> Turn:
    query = ComposedQuery(reference="a1", modification="größer")
    return Turn(id=id_, parent=parent, query=query, created="2026-01-01T00:00:00+00:00")


def execute(catalog: Catalog, statement: str, **values: object) -> None:
    binary = [bindparam(name, type_=LargeBinary) for name, value in values.items() if isinstance(value, bytes)]
    with catalog.writing() as connection:
        connection.execute(text(statement).bindparams(*binary), values)


FIRST, SECOND = f"{0:016x}", f"{1:016x}"


def test_all_that_is_written_has_its_checksum(catalog):
    with catalog.reading() as connection:
        for table in CHECKED:
            for rows in rows_of(connection, table):
                assert all(row["checksum"] == row_checksum(table, row) for _, row in rows), table.name
    assert catalog.reply("key").calls == 2
    assert [each.id for each in catalog.path("t2")] == ["t1", "t2"]
    assert catalog.damage.lines() == []


def test_a_damaged_feature_is_left_out_named_once_and_replaced_everywhere(catalog, tmp_path):
    rows = drawn(12)
    snapshots = CurrentSnapshot(catalog, VectorFile(catalog, tmp_path / "index"))
    before = snapshots.read()[0]
    wrong = rows[0].copy()
    wrong[0] *= -1
    execute(catalog, f"UPDATE features SET vector = :new WHERE item = '{FIRST}'", new=wrong.tobytes())
    execute(catalog, f"DELETE FROM features WHERE item = '{SECOND}'")
    assert catalog.features([FIRST, SECOND], SPACE) == {}
    assert len(catalog.matrix(SPACE)[0]) == 10
    (line,) = catalog.damage.lines()
    assert "2 features" in line
    assert FIRST in line
    assert "ipcir verify --repair" in line
    assert len(catalog.matrix(SPACE)[0]) == 10
    assert catalog.damage.lines() == [], "it is said once"
    assert len(before) == 12
    catalog.put_features({FIRST: rows[0], SECOND: rows[1]}, SPACE)
    np.testing.assert_array_equal(catalog.matrix(SPACE)[1], rows)
    after = snapshots.read()[0]  # who holds an earlier snapshot takes the new features in
    assert after is not before
    assert len(after) == catalog.size() == 12
    np.testing.assert_array_equal(after.matrix, rows)


def test_damaged_captions_replies_and_turns(catalog):
    execute(catalog, f"UPDATE captions SET caption = 'captiom' WHERE image_id = '{FIRST}'")
    execute(catalog, "UPDATE replies SET reply = 'other'")
    execute(catalog, "UPDATE turns SET body = '{' WHERE id = 't2'")
    assert FIRST not in catalog.captions([FIRST, SECOND], "toy")
    assert catalog.shown_facts([FIRST, SECOND], "toy")[FIRST].caption is None
    assert catalog.captions_of(FIRST) == {}
    assert FIRST not in catalog.first_captions(12, "toy")
    assert (catalog.reply("key"), catalog.replies()) == (None, [])
    assert [each.id for each in catalog.turns()] == ["t1"]
    for read in (catalog.turn, catalog.path):
        with pytest.raises(CatalogError, match="turn t2 is damaged") as error:
            read("t2")
        assert "\n" not in str(error.value)
    assert len(catalog.damage.lines()) == 3
    catalog.put_captions({FIRST: "again"}, "toy")
    catalog.put_reply("key", Reply(text="again", kind="ask"))
    assert catalog.captions([FIRST], "toy") == {FIRST: "again"}
    assert catalog.reply("key").text == "again"


def test_a_damaged_record_is_unknown_and_replaced(catalog):
    record = catalog.records([FIRST])[FIRST]
    execute(catalog, f"UPDATE pictures SET width = width + 1 WHERE id = '{FIRST}'")
    assert catalog.records([FIRST]) == {}
    assert FIRST not in [each.id for each in catalog.find(FIRST[:8], limit=20)]
    catalog.remember([record])
    assert catalog.records([FIRST]) == {FIRST: record}


@pytest.mark.parametrize("bad", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_no_feature_of_zeros_or_worse_enters(catalog, bad):
    with pytest.raises(ValueError, match="finite"):
        catalog.put_features({"a1": np.array(bad, np.float32)}, SPACE)


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_an_earlier_catalog_gets_checksums_and_what_was_bad_already_is_noticed(tmp_path: Path, version: str) -> None:
    with Catalog.open(tmp_path) as catalog:
        fill(catalog, drawn(5_000))
        catalog.put_captions({FIRST: "a coat"}, "toy")
        catalog.put_turn(turn("t1"))
    bad = np.full(8, np.nan, "<f4").tobytes()
    with closing(sqlite3.connect(tmp_path / CATALOG)) as connection, connection:
        connection.execute("UPDATE features SET vector = ? WHERE item = ?", (bad, SECOND))
        for table in CHECKED:
            connection.execute(f"ALTER TABLE {table.name} DROP COLUMN checksum")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", [version])
    for _ in range(2):
        with Catalog.open(tmp_path) as catalog:
            assert len(catalog.matrix(SPACE)[0]) == 4_999
            assert SECOND in catalog.damage.lines()[0]
            assert catalog.captions([FIRST], "toy") == {FIRST: "a coat"}
            assert catalog.turn("t1") == turn("t1")
            with catalog.reading() as connection:
                sums = [row["checksum"] for rows in rows_of(connection, schema.features) for _, row in rows]
            assert (sums.count(NONE), sums.count(None)) == (1, 0)
