"""The catalog's tables in SQLAlchemy Core, for SQLite and PostgreSQL."""

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
"""Every picture with a record. ``name`` and ``folder`` are the two parts of ``source``, for filters."""

files = Table(
    "files",
    metadata,
    Column("path", Text, primary_key=True),
    Column("image_id", ForeignKey("pictures.id"), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
)
"""The gallery: a picture belongs to it while a file here has its id."""

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
    Column("kind", String, nullable=False),
    Column("model", String, nullable=False),
    Column("prompt", String, nullable=False),
    Column("calls", Integer, nullable=True),
    Column("repairs", Integer, nullable=True),
    Column("seconds", Float, nullable=True),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("created", String, nullable=False),
)
"""The fields of ``types.Reply``."""

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
