"""The tree in the docstring of ``errors`` is the tree of classes."""

from __future__ import annotations

import inspect
import re

import pytest

import ipcir_tools
from ipcir_tools import errors

LINE = re.compile(r"^    (?P<branch>(?:[| ] {3})*\+-- )?(?P<name>[A-Z]\w+) {2,}\S")
CLASSES = {name: each for name, each in vars(errors).items() if inspect.isclass(each) and issubclass(each, Exception)}


def drawn_parents() -> dict[str, str]:
    """The parent of every error that the docstring draws."""
    parents: dict[str, str] = {}
    path = ["Exception"]
    for found in map(LINE.match, (errors.__doc__ or "").splitlines()):
        if found:
            depth = len(found["branch"] or "") // 4 + 1
            path[depth:] = [found["name"]]
            parents[found["name"]] = path[depth - 1]
    return parents


def test_the_docstring_draws_the_tree_as_it_is():
    assert drawn_parents() == {name: each.__base__.__name__ for name, each in CLASSES.items()}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_is_caught_as_the_root_and_keeps_its_text(name):
    with pytest.raises(errors.IPCIRError, match=r"^say what to do$"):
        raise CLASSES[name]("say what to do")


def test_the_root_can_be_caught_without_knowing_the_module():
    assert ipcir_tools.IPCIRError is errors.IPCIRError
