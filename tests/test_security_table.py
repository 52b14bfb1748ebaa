"""The table in SECURITY.md names tests that are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::((?:\w+::)*)(\w+)`")


def rows() -> list[list[str]]:
    """The rows of the table, as cells."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("| promise | test | figure |")[2]
    lines = [line for line in text.splitlines() if line.startswith("|")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@cache
def names(path: Path) -> frozenset[str]:
    """The functions of a test file."""
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(each.name for each in found if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def test_there_is_a_table():
    assert len(rows()) > 20
    assert all(len(row) == 3 for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_promise_has_tests_that_are_there(row):
    promise, tests, _ = row
    named = _TEST.findall(tests)
    assert named, f"no test is named for {promise!r}"
    assert _TEST.sub("", tests).strip(" ,") == ""
    for file, _, name in named:
        assert name.startswith("test_")
        assert (ROOT / file).is_file(), file
        assert name in names(ROOT / file), f"{file} has no {name}"
