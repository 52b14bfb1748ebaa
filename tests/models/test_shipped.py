"""The models that ship are loaded as they were shipped, or not at all."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.models import hub, presets, shipped
from ipcir_tools.models.presets import DEMO_FOLDER
from ipcir_tools.models.shipped import SUMS, write_sums

CONFIGS = {"clip": "open_clip_config.json", "blip": "config.json", "searle": "network.json", "pic2word": "network.json"}


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped models at another place."""
    folder = tmp_path / "models"
    shutil.copytree(DEMO_FOLDER, folder)
    monkeypatch.setattr(shipped, "DEMO_FOLDER", folder)
    shipped._sums.cache_clear()
    yield folder
    shipped._sums.cache_clear()


def test_the_list_is_that_of_the_files():
    ended = subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=DEMO_FOLDER, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "")
    listed = {line.partition("  ")[2] for line in (DEMO_FOLDER / SUMS).read_text().splitlines()}
    loaded = {path.relative_to(DEMO_FOLDER).as_posix() for path in DEMO_FOLDER.glob("*/*")}
    assert listed == loaded


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_as_it_ships_is_loaded(copy, name):
    assert hub.folder_id(copy / name, CONFIGS[name]) == hub.folder_id(DEMO_FOLDER / name, CONFIGS[name])


@pytest.mark.parametrize("name", ["clip/open_clip_model.safetensors", "blip/tokenizer.json", "searle/network.json"])
def test_a_file_that_was_changed_is_refused_by_name(copy, name):
    path = copy / name
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ModelUnavailableError, match=f"{name} is not the file that ships"):
        hub.folder_id(path.parent, CONFIGS[path.parent.name])


def test_a_file_that_is_missing_or_too_much_is_refused_by_name(copy):
    (copy / "blip" / "tokenizer.json").unlink()
    with pytest.raises(ModelUnavailableError, match=r"blip/tokenizer\.json is missing"):
        hub.folder_id(copy / "blip", "config.json")
    (copy / "clip" / "pytorch_model.bin").touch()
    with pytest.raises(ModelUnavailableError, match=r"clip/pytorch_model\.bin is not the file that ships"):
        hub.folder_id(copy / "clip", "open_clip_config.json")


def test_other_folders_are_as_they_are(tmp_path):
    own = tmp_path / "clip"
    shutil.copytree(DEMO_FOLDER / "clip", own)
    (own / "tokenizer.json").write_text("{}")
    assert hub.folder_id(own, "open_clip_config.json").startswith("clip@")


def test_the_list_is_written_anew_after_training(copy):
    (copy / "searle" / "network.json").write_text("{}")
    write_sums(copy)
    hub.folder_id(copy / "searle", "network.json")


def test_weights_that_ship_are_no_pickles():
    assert {path.suffix for path in presets.DEMO_FOLDER.rglob("*") if path.is_file()} <= {
        ".json",
        ".md",
        ".safetensors",
        "",
    }
