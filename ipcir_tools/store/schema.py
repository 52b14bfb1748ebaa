"""The catalog's tables in SQLAlchemy Core, for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    false,
    types,
)


def _as_text(value: Any) -> Any:
    """In SQLite one damaged bit makes bytes of a text: they are read as the text, and the row's checksum tells."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def encodable(value: Any) -> Any:
    """A value to ask SQLite for: what a damaged text was read as cannot be written, and is then not found."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


class _String(types.String):
    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _as_text if dialect.name == "sqlite" else None

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return encodable if dialect.name == "sqlite" else None


class _Text(_String, types.Text):
    pass


# Texts compare and sort by their code points everywhere: elsewhere PostgreSQL would go by the server's language, in
# which a date's punctuation counts for nothing.
String = _String().with_variant(types.String(collation="C"), "postgresql")
Text = _Text().with_variant(types.Text(collation="C"), "postgresql")

metadata = MetaData()


def _checksum() -> Column[int]:
    """Of the row: see :mod:`ipcir_tools.store.checksums`."""
    return Column("checksum", BigInteger, nullable=True)


meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))

pictures = Table(
    "pictures",
    metadata,
    Column("id", String, primary_key=True),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("format", String, nullable=False),
    Column("taken", String, nullable=True, index=True),
    Column("camera", Text, nullable=True),
    Column("latitude", Float, nullable=True),
    Column("longitude", Float, nullable=True),
    Column("damaged", Boolean, nullable=False, server_default=false()),
    _checksum(),
)
"""Every picture with a record, :class:`ipcir_tools.types.ImageRecord`. ``name`` and ``folder`` are the two parts of
``source``, for filters."""

files = Table(
    "files",
    metadata,
    Column("path", Text, primary_key=True),
    Column("image_id", ForeignKey("pictures.id"), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=True),
    _checksum(),
)
"""The gallery: a picture belongs to it while a file here has its id."""

changes = Table(
    "changes",
    metadata,
    Column("image_id", String, primary_key=True),
    Column("revision", BigInteger, nullable=False, index=True),
    Column("entered", Boolean, nullable=False),
)
"""The last time that a picture entered or left the gallery, and the gallery's revision after it: what has changed since
a revision is read from here. The rows of a catalog of an earlier version begin at its revision then."""

folders = Table(
    "folders",
    metadata,
    Column("path", Text, primary_key=True),
    Column("exclude", Text, nullable=False, server_default="[]"),
    Column("seen", String, nullable=False),
    _checksum(),
)
"""The folders and files that were indexed by name, each with its own patterns of what to leave out, as a JSON list, and
when it was last indexed: UTC time, ISO 8601."""

features = Table(
    "features",
    metadata,
    Column("item", String, primary_key=True),
    Column("space", String, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
    _checksum(),
)
"""Vectors as little-endian float32."""

captions = Table(
    "captions",
    metadata,
    Column("image_id", String, primary_key=True),
    Column("captioner", String, primary_key=True),
    Column("caption", Text, nullable=False),
    _checksum(),
)

replies = Table(
    "replies",
    metadata,
    Column("key", String, primary_key=True),
    Column("reply", Text, key="text", nullable=False),
    Column("kind", String, nullable=False),
    Column("model", String, nullable=False),
    Column("prompt", String, nullable=False),
    Column("calls", Integer, nullable=True),
    Column("repairs", Integer, nullable=True),
    Column("seconds", Float, nullable=True),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("created", String, nullable=False),
    _checksum(),
)
"""The fields of ``types.Reply``."""

turns = Table(
    "turns",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("parent", ForeignKey("turns.id"), nullable=True),
    Column("created", String, nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("conversation", String, nullable=True, index=True),
    _checksum(),
)
"""``serial`` orders turns of the same second. ``conversation`` is the thread or session that took the turn, if any."""
