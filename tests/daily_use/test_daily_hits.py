"""What owners of photographs do with hits: copies, lost files, paths for other programs, export, a gallery to read."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colour_folder import draw, run, use_fake_models
from PIL import Image

from ipcir_tools.agents.tools import tool_named
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.replay import replay
from ipcir_tools.fakes import COLOURS
from ipcir_tools.retriever import ComposedImageRetriever
from ipcir_tools.settings import Settings
from ipcir_tools.store import working_copy

NAMES = ("red", "orange", "pink", "yellow", "green", "blue")


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> Path:
    """Six colours in one layout each, the red one three times: as PNG, as JPEG, and in another folder."""
    use_fake_models(monkeypatch)
    folder = tmp_path / "pictures"
    for sub in ("a", "b"):
        (folder / sub).mkdir(parents=True)
    for name in NAMES:
        Image.new("RGB", (24, 24), COLOURS[name]).save(folder / "a" / f"IMG_{name}.png")
    Image.new("RGB", (24, 24), COLOURS["red"]).save(folder / "a" / "IMG_red.jpg", quality=95)
    Image.new("RGB", (30, 30), COLOURS["red"]).save(folder / "b" / "IMG_red.png")
    return folder
