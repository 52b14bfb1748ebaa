"""Odd pictures are right or named: those that are soon decoded. All of them, with what they cost, are in
``odd_pictures_whole.py``."""

from __future__ import annotations

import pytest
from odd_pictures import Odd, odd_pictures
from odd_pictures.judging import fault_of

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.reading import decode
from ipcir_tools.settings import Settings


@pytest.fixture(scope="module")
def soon_decoded() -> list[Odd]:
    return [each for each in odd_pictures() if not each.heavy]


def test_there_are_hundreds_of_many_kinds(soon_decoded):
    assert len(soon_decoded) >= 300
    assert len({each.kind for each in soon_decoded}) >= 130


def test_each_is_right_or_named(soon_decoded):
    wrong = []
    for each in soon_decoded:
        try:
            outcome = decode(each.content(), "a file", Settings())
        except BadImageError as error:
            outcome = error
        if fault := fault_of(each, outcome):
            wrong.append(f"{each.kind}: {fault}")
    assert not wrong, "\n".join(wrong)
