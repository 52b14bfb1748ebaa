"""What tests of the index share: a catalog of drawn features and a folder for what is made of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import whole_gallery
from drawn_gallery import MANY, drawn, fill

from ipcir_tools.store.catalog import Catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path) as opened:
        fill(opened, drawn(MANY))
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery with all that a home folder can hold, made once; see :mod:`whole_gallery`."""
    return whole_gallery.make(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Path:
    """A copy of its home folder."""
    shutil.copytree(whole / "home", tmp_path / "home")
    return tmp_path / "home"
