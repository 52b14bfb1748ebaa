"""Turns in the catalog."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ipcir_tools.store.schema import turns as turn_rows


def _body(connection: Connection, id: str) -> str | None:
    return connection.scalar(select(turn_rows.c.body).where(turn_rows.c.id == id))
