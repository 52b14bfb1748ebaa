"""Statements by SQLite's driver give what SQLAlchemy gives, and what listens to statements still hears them."""

from __future__ import annotations

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

from ipcir_tools.store.quick import QuickStatements

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


def test_connections_go_back_to_the_pool(tmp_path):
    made = create_engine(f"sqlite:///{tmp_path / 'a.sqlite'}", pool_size=1, max_overflow=0, pool_timeout=1)
    metadata.create_all(made)
    quick = QuickStatements(made)
    for _ in range(3):
        assert quick.rows(BY_ID, {"values": ["1"]}) == []
    with pytest.raises(Exception, match="least"):
        quick.rows(ABOVE, {"values": ["1"]})
    assert quick.rows(BY_ID, {"values": ["1"]}) == []
    made.dispose()
