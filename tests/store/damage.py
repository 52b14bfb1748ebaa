"""Kinds of damage to a home folder: what disks, other programs and killed writers do to its files.

Each is a function of the home folder that changes a few bytes or rows behind the catalog's back, and says how a check
is to call it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ipcir_tools.store.chroma import DATABASE, NeighbourIndex
from ipcir_tools.store.working_copy import CATALOG

Damage = Callable[[Path], None]


@dataclass(frozen=True)
class Kind:
    """One kind of damage."""

    name: str
    damage: Damage
    part: str
    """The part of a check's report in which it is to be."""


KINDS: dict[str, Kind] = {}


def kind(part: str) -> Callable[[Damage], Damage]:
    """Adds a function of a home folder to the table."""

    def add(damage: Damage) -> Damage:
        name = damage.__name__.replace("_", " ")
        KINDS[name] = Kind(name, damage, part)
        return damage

    return add


@contextmanager
def catalog(home: Path) -> Iterator[sqlite3.Connection]:
    """The catalog as another program sees it: no checks of keys, and bytes as they are."""
    with closing(sqlite3.connect(home / CATALOG)) as connection:
        connection.text_factory = bytes
        yield connection
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def run(home: Path, statement: str, *values: Any) -> None:
    with catalog(home) as connection:
        connection.execute(statement, values)


PICTURES = "space <> '' AND item NOT LIKE '%:%'"
FIRST = f"rowid = (SELECT min(rowid) FROM features WHERE {PICTURES})"


def change_vector(home: Path, change: Callable[[bytearray], bytes | bytearray], where: str = FIRST) -> None:
    with catalog(home) as connection:
        rows = connection.execute(f"SELECT rowid, vector FROM features WHERE {where}").fetchall()
        assert rows
        for rowid, vector in rows:
            connection.execute("UPDATE features SET vector = ? WHERE rowid = ?", (change(bytearray(vector)), rowid))


def flip(data: bytearray, place: int, bit: int = 0) -> bytearray:
    data[place] ^= 1 << bit
    return data


def as_numbers(data: bytearray, place: int, value: float) -> bytes:
    numbers = np.frombuffer(bytes(data), "<f4").copy()
    numbers[place] = value
    return numbers.tobytes()


def change_text(home: Path, table: str, column: str, change: Callable[[bytearray], bytes], where: str = "1") -> None:
    with catalog(home) as connection:
        found = connection.execute(f"SELECT rowid, {column} FROM {table} WHERE {where} ORDER BY rowid LIMIT 1")
        rowid, text = found.fetchone()
        new = change(bytearray(text))
        connection.execute(f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE rowid = ?", (bytes(new), rowid))


# --- features


@kind("features")
def one_bit_of_a_number_in_a_feature(home: Path) -> None:
    change_vector(home, lambda data: flip(data, 40, 1))


@kind("features")
def an_exponent_bit_in_a_feature(home: Path) -> None:
    change_vector(home, lambda data: flip(data, 43, 6))


@kind("features")
def a_sign_bit_in_a_feature(home: Path) -> None:
    change_vector(home, lambda data: flip(data, 43, 7))


@kind("features")
def nan_in_a_feature(home: Path) -> None:
    change_vector(home, lambda data: as_numbers(data, 3, np.nan))


@kind("features")
def infinity_in_a_feature(home: Path) -> None:
    change_vector(home, lambda data: as_numbers(data, 3, np.inf))


@kind("features")
def a_feature_of_zeros(home: Path) -> None:
    change_vector(home, lambda data: bytes(len(data)))


@kind("features")
def a_short_feature(home: Path) -> None:
    change_vector(home, lambda data: data[:-4])


@kind("features")
def a_long_feature(home: Path) -> None:
    change_vector(home, lambda data: data + bytes(4))


@kind("features")
def half_a_number_in_a_feature(home: Path) -> None:
    change_vector(home, lambda data: data[:-2])


@kind("features")
def an_empty_feature(home: Path) -> None:
    change_vector(home, lambda data: b"")


@kind("features")
def a_feature_that_became_text(home: Path) -> None:
    run(home, f"UPDATE features SET vector = CAST('seven' AS TEXT) WHERE {FIRST}")


@kind("features")
def a_feature_that_became_a_number(home: Path) -> None:
    run(home, f"UPDATE features SET vector = 7 WHERE {FIRST}")


@kind("features")
def a_feature_that_is_gone(home: Path) -> None:
    run(home, f"DELETE FROM features WHERE {FIRST}")


@kind("features")
def all_features_gone(home: Path) -> None:
    run(home, "DELETE FROM features")


@kind("features")
def half_of_the_features_garbled(home: Path) -> None:
    noise = np.random.default_rng(0)
    change_vector(home, lambda data: noise.bytes(len(data)), f"{PICTURES} AND rowid % 2 = 0")


@kind("features")
def two_features_changed_places(home: Path) -> None:
    with catalog(home) as connection:
        some = f"SELECT rowid, vector FROM features WHERE {PICTURES} ORDER BY rowid LIMIT 2"
        (one, first), (two, second) = connection.execute(some).fetchall()
        connection.executemany("UPDATE features SET vector = ? WHERE rowid = ?", [(second, one), (first, two)])


@kind("features")
def a_feature_of_another_picture_by_one_bit(home: Path) -> None:
    change_text(home, "features", "item", lambda data: bytes(flip(data, 5)), PICTURES)


@kind("features")
def a_feature_of_another_space(home: Path) -> None:
    run(home, f"UPDATE features SET space = 'other/64d' WHERE {FIRST}")


@kind("features")
def a_wrong_checksum_of_a_feature(home: Path) -> None:
    run(home, f"UPDATE features SET checksum = checksum + 4096 WHERE {FIRST}")


@kind("features")
def no_checksum_of_a_feature(home: Path) -> None:
    run(home, f"UPDATE features SET checksum = NULL WHERE {FIRST}")


@kind("features")
def one_bit_of_the_feature_of_a_text(home: Path) -> None:
    change_vector(home, lambda data: flip(data, 40, 1), "item LIKE 'text:%'")


# --- captions


@kind("features")
def one_bit_of_a_caption(home: Path) -> None:
    change_text(home, "captions", "caption", lambda data: bytes(flip(data, 2)))


@kind("features")
def a_caption_that_is_no_text(home: Path) -> None:
    change_text(home, "captions", "caption", lambda data: b"\xff\xfe" + bytes(data))


@kind("features")
def a_caption_of_binary_zeros(home: Path) -> None:
    run(home, "UPDATE captions SET caption = zeroblob(9) WHERE rowid = (SELECT min(rowid) FROM captions)")


@kind("features")
def a_caption_without_checksum(home: Path) -> None:
    run(home, "UPDATE captions SET checksum = NULL WHERE rowid = (SELECT min(rowid) FROM captions)")


@kind("features")
def a_caption_of_another_picture(home: Path) -> None:
    change_text(home, "captions", "image_id", lambda data: bytes(flip(data, 3)))


# --- turns and replies

LAST = "serial = (SELECT max(serial) FROM turns)"


@kind("catalog")
def one_bit_of_a_turn(home: Path) -> None:
    change_text(home, "turns", "body", lambda data: bytes(flip(data, len(data) // 2)), LAST)


@kind("catalog")
def a_turn_cut_in_half(home: Path) -> None:
    change_text(home, "turns", "body", lambda data: bytes(data[: len(data) // 2]), LAST)


@kind("catalog")
def an_empty_turn(home: Path) -> None:
    run(home, f"UPDATE turns SET body = '' WHERE {LAST}")


@kind("catalog")
def a_turn_that_is_no_text(home: Path) -> None:
    change_text(home, "turns", "body", lambda data: b"\x80" + bytes(data), LAST)


@kind("catalog")
def a_turn_with_the_text_of_another(home: Path) -> None:
    run(home, f"UPDATE turns SET body = (SELECT body FROM turns ORDER BY serial LIMIT 1) WHERE {LAST}")


@kind("catalog")
def a_root_that_is_gone(home: Path) -> None:
    run(home, "DELETE FROM turns WHERE id = (SELECT parent FROM turns WHERE parent IS NOT NULL LIMIT 1)")


@kind("catalog")
def one_bit_of_a_kept_reply(home: Path) -> None:
    change_text(home, "replies", "reply", lambda data: bytes(flip(data, 1)))


# --- pictures, files, folders


@kind("catalog")
def a_wrong_width(home: Path) -> None:
    run(home, "UPDATE pictures SET width = width + 1 WHERE rowid = 1")


@kind("catalog")
def a_width_that_is_no_number(home: Path) -> None:
    run(home, "UPDATE pictures SET width = 'wide' WHERE rowid = 1")


@kind("catalog")
def a_format_that_is_no_text(home: Path) -> None:
    change_text(home, "pictures", "format", lambda data: b"\xff" + bytes(data))


@kind("catalog")
def a_wrong_date(home: Path) -> None:
    run(home, "UPDATE pictures SET taken = '1999-01-01T00:00:00' WHERE rowid = 1")


@kind("catalog")
def a_picture_in_another_place(home: Path) -> None:
    run(home, "UPDATE pictures SET source = '/elsewhere/x.png', name = 'x.png', folder = '/elsewhere' WHERE rowid = 1")


@kind("catalog")
def a_record_that_is_gone(home: Path) -> None:
    run(home, "DELETE FROM pictures WHERE rowid = 1")


@kind("catalog")
def one_bit_of_a_path(home: Path) -> None:
    change_text(home, "files", "path", lambda data: bytes(flip(data, len(data) - 6)))


@kind("catalog")
def a_file_of_another_picture(home: Path) -> None:
    run(home, "UPDATE files SET image_id = (SELECT image_id FROM files WHERE rowid = 2) WHERE rowid = 1")


@kind("catalog")
def a_file_that_is_gone_from_the_catalog(home: Path) -> None:
    run(home, "DELETE FROM files WHERE rowid = 1")


@kind("catalog")
def a_wrong_size_of_a_file(home: Path) -> None:
    run(home, "UPDATE files SET size = size + 256 WHERE rowid = 1")


@kind("catalog")
def patterns_that_are_no_list(home: Path) -> None:
    run(home, "UPDATE folders SET exclude = '[' WHERE rowid = 1")


# --- counters


@kind("catalog")
def a_revision_that_is_no_number(home: Path) -> None:
    run(home, "UPDATE meta SET value = 'x1' WHERE key = 'revision'")


@kind("catalog")
def a_revision_that_is_gone(home: Path) -> None:
    run(home, "DELETE FROM meta WHERE key = 'revision'")


@kind("catalog")
def an_earlier_revision(home: Path) -> None:
    run(home, "UPDATE meta SET value = '0' WHERE key = 'revision'")


@kind("catalog")
def a_wrong_number_of_pictures(home: Path) -> None:
    run(home, "UPDATE meta SET value = '3' WHERE key = 'size'")


@kind("catalog")
def facts_that_are_no_number(home: Path) -> None:
    run(home, "UPDATE meta SET value = '' WHERE key = 'facts'")


@kind("catalog")
def counters_that_are_gone(home: Path) -> None:
    run(home, "DELETE FROM meta WHERE key != 'schema'")


@kind("catalog")
def nothing_left_of_what_the_catalog_is(home: Path) -> None:
    run(home, "DELETE FROM meta")


@kind("catalog")
def a_size_of_more_bits_than_a_database_has(home: Path) -> None:
    run(home, f"UPDATE meta SET value = '{9 * 10**29}' WHERE key = 'size'")


@kind("catalog")
def a_revision_of_bytes(home: Path) -> None:
    run(home, "UPDATE meta SET value = x'00ff' WHERE key = 'revision'")


@kind("catalog")
def a_beginning_of_the_log_that_is_no_number(home: Path) -> None:
    run(home, "UPDATE meta SET value = 'x1' WHERE key = 'changes'")


@kind("catalog")
def a_space_that_is_gone(home: Path) -> None:
    run(home, "DELETE FROM meta WHERE key = 'space'")


@kind("catalog")
def a_path_of_bytes(home: Path) -> None:
    run(home, "UPDATE files SET path = CAST(path AS BLOB) WHERE rowid = 1")


@kind("catalog")
def an_id_that_is_no_utf_8(home: Path) -> None:
    run(home, "UPDATE files SET image_id = CAST(x'ff' AS TEXT) WHERE rowid = 1")


@kind("catalog")
def another_space(home: Path) -> None:
    run(home, "UPDATE meta SET value = value || 'x' WHERE key = 'space'")


@kind("catalog")
def a_log_that_says_a_picture_left(home: Path) -> None:
    run(home, "UPDATE changes SET entered = 0 WHERE rowid = 1")


@kind("catalog")
def a_log_that_is_empty(home: Path) -> None:
    run(home, "DELETE FROM changes")


# --- the catalog's file


def pages_of(home: Path, name: str) -> list[int]:
    with catalog(home) as connection:
        try:
            found = connection.execute("SELECT pageno FROM dbstat WHERE name = ? ORDER BY pageno", (name,)).fetchall()
        except sqlite3.OperationalError:  # built without dbstat: its root alone
            found = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchall()
    return [row[0] for row in found]


def garble_page(home: Path, page: int) -> None:
    size = 16_384
    with (home / CATALOG).open("r+b") as stream:
        stream.seek((page - 1) * size)
        stream.write(b"\xff" * size)


@kind("catalog")
def a_page_of_an_index_garbled(home: Path) -> None:
    garble_page(home, pages_of(home, "sqlite_autoindex_captions_1")[-1])


@kind("catalog")
def a_page_of_features_garbled(home: Path) -> None:
    garble_page(home, pages_of(home, "features")[-1])


@kind("catalog")
def a_page_of_files_garbled(home: Path) -> None:
    garble_page(home, pages_of(home, "files")[-1])


@kind("catalog")
def the_beginning_of_the_catalog_overwritten(home: Path) -> None:
    with (home / CATALOG).open("r+b") as stream:
        stream.write(bytes(16))


# --- what is made from the catalog


def vectors(home: Path) -> Path:
    (found,) = (home / "index").glob("vectors-*.f32")
    return found


def graph(home: Path) -> Path:
    (found,) = (path for path in (home / "index").iterdir() if path.is_dir())
    return found


def flip_in(path: Path, place: int) -> None:
    path.write_bytes(flip(bytearray(path.read_bytes()), place))


@kind("catalog")
def a_table_gone(home: Path) -> None:
    run(home, "DROP TABLE replies")


@kind("index")
def one_bit_of_the_file_of_features(home: Path) -> None:
    flip_in(vectors(home), 100)


@kind("index")
def the_names_in_the_file_of_features(home: Path) -> None:
    flip_in(vectors(home), -30)


@kind("index")
def the_file_of_features_cut(home: Path) -> None:
    os.truncate(vectors(home), 1_000)


@kind("index")
def the_file_of_features_gone(home: Path) -> None:
    vectors(home).unlink()


@kind("index")
def a_seal_of_features_that_is_none(home: Path) -> None:
    run(home, "UPDATE meta SET value = '{' WHERE key LIKE 'note:vectors:%'")


@kind("index")
def one_bit_of_the_graph(home: Path) -> None:
    (found,) = graph(home).glob("*/data_level0.bin")
    flip_in(found, 500)


@kind("index")
def the_database_of_the_index_garbled(home: Path) -> None:
    database = graph(home) / DATABASE
    database.write_bytes(b"\x7f" * database.stat().st_size)


@kind("index")
def the_index_gone(home: Path) -> None:
    shutil.rmtree(graph(home))


@kind("index")
def rows_of_the_index_gone(home: Path) -> None:
    index = NeighbourIndex.open(graph(home))
    index.drop(sorted(index.ids())[:3])
    index.close()


@kind("index")
def a_seal_of_the_index_that_is_none(home: Path) -> None:
    run(home, "UPDATE meta SET value = 'x' WHERE key LIKE 'note:index:%'")
