"""Statements by SQLite's driver give what SQLAlchemy gives, and what listens to statements still hears them."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    event,
    select,
)
from sqlalchemy.dialects import sqlite

from ipcir_tools.store.quick import AT_HAND, QuickStatements

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Integer),
    Column("share", Float),
    Column("whole", Boolean),
    Column("facts", JSON),
)
ROWS = [
    {
        "id": f"{i:03d}",
        "number": i * 10**12,
        "share": i / 7 if i % 5 else None,
        "whole": i % 2 == 0,
        "facts": {"n": [i]},
    }
    for i in range(300)
]
BY_ID = select(things).where(things.c.id.in_(bindparam("values", expanding=True))).order_by(things.c.id)
ABOVE = BY_ID.where(things.c.number >= bindparam("least"), things.c.whole)


@pytest.fixture(scope="module")
def engine():
    made = create_engine("sqlite://")
    metadata.create_all(made)
    with made.begin() as connection:
        connection.execute(things.insert(), ROWS)
    yield made
    made.dispose()


@settings(max_examples=60, deadline=None)
@given(ids=st.lists(st.integers(0, 400).map("{:03d}".format), min_size=1, max_size=120), least=st.integers(0, 300))
def test_rows_are_those_of_sqlalchemy(engine, ids, least):
    quick = QuickStatements(engine)
    for statement, values in ((BY_ID, {"values": ids}), (ABOVE, {"values": ids, "least": least * 10**12})):
        with engine.connect() as connection:
            expected = [tuple(row) for row in connection.execute(statement, values)]
        for _ in range(2):  # compiled, then kept
            found = quick.rows(statement, values)
            assert [tuple(row) for row in found] == expected
            assert [row.facts for row in found] == [row[4] for row in expected]


def test_who_listens_hears_them(engine):
    heard: list[str] = []
    listener = lambda *arguments: heard.append(arguments[2])  # noqa: E731
    event.listen(engine, "before_cursor_execute", listener)
    try:
        [row] = QuickStatements(engine).rows(BY_ID, {"values": ["007"]})
    finally:
        event.remove(engine, "before_cursor_execute", listener)
    assert (row.number, len(heard)) == (7 * 10**12, 1)


@pytest.fixture
def single(tmp_path):
    """An engine with one connection, which nobody waits for."""
    made = create_engine(f"sqlite:///{tmp_path / 'a.sqlite'}", pool_size=1, max_overflow=0, pool_timeout=1)
    event.listen(made, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    metadata.create_all(made)
    yield made
    made.dispose()


def test_one_connection_serves_all_and_is_given_back(single):
    quick = QuickStatements(single)
    for _ in range(3):
        assert quick.rows(BY_ID, {"values": ["1"]}) == []
    with pytest.raises(Exception, match="least"):
        quick.rows(ABOVE, {"values": ["1"]})
    assert quick.rows(BY_ID, {"values": ["1"]}) == []
    assert single.pool.checkedout() == 1
    quick.close()
    assert single.pool.checkedout() == 0
    assert quick.rows(BY_ID, {"values": ["1"]}) == []
    quick.close()


def test_a_connection_that_is_lent_while_all_are_given_back_follows(single):
    quick = QuickStatements(single)
    with quick._lent():
        quick.close()
    assert single.pool.checkedout() == 0


def test_few_connections_are_kept_at_hand(tmp_path):
    made = create_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    metadata.create_all(made)
    quick = QuickStatements(made)
    with ExitStack() as stack:
        for _ in range(AT_HAND + 3):
            stack.enter_context(quick._lent())
    assert made.pool.checkedout() == AT_HAND
    quick.close()
    made.dispose()


def begin(lent):
    lent.driver_connection.execute("BEGIN IMMEDIATE")


def test_rows_are_inserted_and_counted_where_their_keys_are_new(single):
    quick, insertion = QuickStatements(single), sqlite.insert(things).on_conflict_do_nothing()
    names = ("id", "number", "share", "whole")
    rows = [{name: row[name] for name in names} for row in ROWS[:3]]
    assert quick.insert(insertion, rows[:2], begin) == 2
    assert quick.insert(insertion, rows, begin) == 1
    found = quick.rows(BY_ID, {"values": [row["id"] for row in rows]})
    assert [{name: getattr(row, name) for name in names} for row in found] == rows
    assert quick.insert(insertion, [{"id": "\ud800", "number": 1, "share": None, "whole": None}], begin) == 1
    assert [row.id for row in quick.rows(BY_ID, {"values": ["?"]})] == ["?"]
    quick.close()


@pytest.mark.parametrize("how", ["a row that is refused", "a value that is none"])
def test_an_insert_that_fails_leaves_nothing_and_no_transaction(single, how):
    quick = QuickStatements(single)
    row = {"id": "1", "number": 1}
    bad = row if how == "a row that is refused" else {"id": "2", "number": object()}
    with pytest.raises(sqlite3.Error):
        quick.insert(things.insert(), [row, bad], begin)
    assert quick.rows(BY_ID, {"values": ["1", "2"]}) == []
    assert quick.insert(things.insert(), [row], begin) == 1, "the connection can be used, and nothing is locked"
    quick.close()
