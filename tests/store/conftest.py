"""What tests of the index share: a catalog of drawn features and a folder for what is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
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
