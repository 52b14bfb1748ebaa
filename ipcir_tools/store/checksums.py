"""A checksum in each row of the catalog, so that what a disk or a program changed behind its back is noticed.

It is the CRC-32 of all that is in the row and cannot be found out from other rows, its key included: a row that stands
in the place of another is noticed, too. It is written with the row (:func:`ipcir_tools.store.database.put`) and
compared when the row is read. It guards against accidents, not against who can write the catalog.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import Float, LargeBinary, Table

CHECKSUM = "checksum"
"""The column."""

_FOUND_OUT = {"pictures": {"source", "name", "folder"}, "turns": {"serial"}}
"""Columns that are not covered: what follows from other rows, or is given by the database."""
_DIMENSION = re.compile(r"/(\d+)d(?:-[0-9a-f]+)?$")

Storable = Callable[[str], str]
"""A text as the database stores it."""


@cache
def covered(table: Table) -> tuple[tuple[str, bool], ...]:
    """The keys of the columns that a table's checksum is of, in order, and whether each is of floating point."""
    left_out = _FOUND_OUT.get(table.name, set()) | {CHECKSUM}
    return tuple((each.key, isinstance(each.type, Float)) for each in table.columns if each.key not in left_out)


def is_binary(table: Table, key: str) -> bool:
    """Whether a column holds bytes, so that bytes in it are no damaged text."""
    return isinstance(table.c[key].type, LargeBinary)


def row_checksum(table: Table, row: Mapping[str, Any], storable: Storable | None = None) -> int:
    """The checksum of a row of ``table``; a column that it lacks is null."""
    total, mark = 0, b""
    for key, is_float in covered(table):
        value = row.get(key)
        if isinstance(value, bytes) and not is_binary(table, key):
            mark += b"\0"  # one damaged bit made bytes of a text
        total = zlib.crc32(encoded_value(value, is_float, storable), zlib.crc32(mark, total))
        mark = b"\x1f"
    return total


def caption_checksum(image_id: str, captioner: str, caption: str) -> int:
    """The same of a caption, at once: a search reads one for each hit."""
    return zlib.crc32(f"{image_id}\x1f{captioner}\x1f{caption}".encode("utf-8", "surrogateescape"))


def feature_checksum(item: str, space: str, vector: bytes) -> int:
    """The same of a feature, at once."""
    return zlib.crc32(vector, zlib.crc32(f"{item}\x1f{space}\x1f".encode("utf-8", "surrogateescape")))


def with_checksum(table: Table, row: Mapping[str, Any], storable: Storable | None = None) -> dict[str, Any]:
    """The row and its checksum."""
    return {**row, CHECKSUM: row_checksum(table, row, storable)}


def encoded_value(value: Any, is_float: bool, storable: Storable | None = None) -> bytes:
    """A value as it counts for the checksum of its row."""
    if isinstance(value, str):
        return (storable(value) if storable else value).encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    if value is None:
        return b"\0"
    return repr(float(value) if is_float else int(value)).encode()


# --- features


def dimension_of(space: str) -> int | None:
    """The dimension that a space's name ends with, as encoders write it; None where it has none."""
    found = _DIMENSION.search(space)
    return int(found[1]) if found else None


def feature_fault(item: str, space: str, vector: Any, checksum: int | None, dim: int | None) -> str | None:
    """What is wrong with a stored feature; None where it is as it was written, of ``dim`` numbers where that is known.

    What has its checksum was found finite before it was written.
    """
    if not isinstance(vector, bytes):
        return "it is not binary"
    if checksum is None:
        return "it has no checksum"
    if feature_checksum(item, space, vector) != checksum:
        return "it does not match its checksum"
    if dim is not None and len(vector) != 4 * dim:
        return f"it has {len(vector) / 4:g} numbers, not {dim}"
    return None


def content_fault(vector: Any, dim: int | None) -> str | None:
    """What is wrong with a feature by its content alone."""
    if not isinstance(vector, bytes) or not vector or len(vector) % 4:
        return "it is no row of numbers"
    if dim is not None and len(vector) != 4 * dim:
        return f"it has {len(vector) // 4} numbers, not {dim}"
    numbers = np.frombuffer(vector, "<f4")
    if not np.isfinite(numbers).all():
        return "its numbers are not finite"
    return None if numbers.any() else "it is zero"


# --- a row with one wrong bit


def corrected(content: bytes, before: bytes, after: bytes, checksum: int, most: int = 65_536) -> bytes | None:
    """``content`` with the one bit turned that was wrong; None where that is not what happened to it.

    ``before`` and ``after`` are what the checksum has around it. CRC-32 is linear: what one wrong bit changes in it
    depends on the bit's place alone, so the place is looked up by walking through them, from the end.
    """
    if len(content) > most:
        return None
    difference = zlib.crc32(after, zlib.crc32(content, zlib.crc32(before))) ^ checksum
    # The effect of a bit in the last byte, then of one in the byte before it: one more zero byte of input.
    tail = len(after)
    effects = [_effect(1 << bit, tail) for bit in range(8)]
    for place in range(len(content) - 1, -1, -1):
        for bit, effect in enumerate(effects):
            if effect == difference:
                turned = bytearray(content)
                turned[place] ^= 1 << bit
                return bytes(turned)
        effects = [_with_zero_byte(effect) for effect in effects]
    return None


def _effect(byte: int, zeros: int) -> int:
    """By what CRC-32 changes where a byte, with ``zeros`` bytes behind it, is changed by ``byte``."""
    return zlib.crc32(bytes([byte]) + bytes(zeros)) ^ zlib.crc32(bytes(1 + zeros))


def _with_zero_byte(effect: int) -> int:
    """The same with one more byte behind it."""
    for _ in range(8):
        effect = (effect >> 1) ^ (0xEDB88320 if effect & 1 else 0)
    return effect
