"""The ranges of dependencies have two ends, and what the tests run with lies between them."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EVERY = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]
OTHERS = [each for each in map(Requirement, EVERY) if each.name != "ipcir-tools"]


@pytest.mark.parametrize("needed", OTHERS, ids=lambda needed: needed.name)
def test_a_range_has_two_ends_and_holds_what_is_installed(needed):
    operators = {each.operator for each in needed.specifier}
    assert operators == {">=", "<"}, f"{needed}: name the lowest version that was tried, and the next major one"
    if needed.marker and not needed.marker.evaluate():
        return
    try:
        installed = version(needed.name)
    except PackageNotFoundError:  # an extra that is not asked for here
        return
    assert Version(installed) in needed.specifier, f"{needed.name} {installed} is not in {needed.specifier}"


def test_pillow_is_above_the_releases_that_are_slow_on_hostile_comments():
    [pillow] = [each for each in OTHERS if each.name == "Pillow"]
    assert (
        "12.3.0" not in pillow.specifier
    )  # 20 MB of comments in a GIF: minutes, as it is quadratic; 13.0: a tenth of a second
