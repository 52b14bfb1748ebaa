"""The catalog's tables and how a database is opened: SQLAlchemy Core, SQLite first, PostgreSQL as well."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

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
)
"""Every picture that is known. ``name`` and ``folder`` are the two ends of ``source``, there to be filtered by."""

files = Table(
    "files",
    metadata,
    Column("path", Text, primary_key=True),
    Column("image_id", ForeignKey("pictures.id"), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
)
"""The gallery: a picture belongs to it while a file names it."""

features = Table(
    "features",
    metadata,
    Column("item", String, primary_key=True),
    Column("space", String, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
"""Vectors as little-endian float32."""

captions = Table(
    "captions",
    metadata,
    Column("image_id", String, primary_key=True),
    Column("captioner", String, primary_key=True),
    Column("caption", Text, nullable=False),
)

replies = Table(
    "replies",
    metadata,
    Column("key", String, primary_key=True),
    Column("reply", Text, key="text", nullable=False),
    Column("kind", String, nullable=False, server_default="imagine"),
    Column("model", String, nullable=False, server_default=""),
    Column("prompt", String, nullable=False, server_default=""),
    Column("calls", Integer, nullable=True),
    Column("repairs", Integer, nullable=True),
    Column("seconds", Float, nullable=True),
    Column("input_tokens", Integer, nullable=False, server_default="0"),
    Column("output_tokens", Integer, nullable=False, server_default="0"),
    Column("created", String, nullable=False, server_default=""),
)
"""The fields of ``types.Reply``. The defaults are what a row of version 1 becomes: only imaginations were kept then."""

turns = Table(
    "turns",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("parent", ForeignKey("turns.id"), nullable=True),
    Column("created", String, nullable=False),
    Column("body", Text, nullable=False),
)
"""``serial`` orders turns of the same second."""
