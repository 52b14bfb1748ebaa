"""A search in a new process loads what the query needs, and nothing else: modules are counted, not seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tiny_clips import pictures, save_light_model

from ipcir_tools import Engine, Settings
from ipcir_tools.models.presets import DEMO_FOLDER

HEAVY = ("torch", "torchvision", "open_clip", "transformers", "timm", "chromadb", "huggingface_hub")
CODE = f"""
HEAVY = {HEAVY}
import sys
sys.argv = ["ipcir", *sys.argv[1:]]
from ipcir_tools.cli.main import main
try:
    main()
except SystemExit as exit:
    assert not exit.code
print([name for name in HEAVY if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """A home and a folder of six pictures, indexed with captions."""
    root = tmp_path_factory.mktemp("cold")
    folder = root / "pictures"
    folder.mkdir()
    for number, picture in enumerate(pictures(6)):
        picture.resize((96, 96)).save(folder / f"{number}.png")
    encoder = f"open_clip:local-dir:{save_light_model(root / 'tiny')}"
    chosen = {"encoder": encoder, "captioner": f"transformers:{DEMO_FOLDER / 'blip'}", "captions": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        with Engine.open(Settings(home=root / "home", **chosen)) as engine:
            engine.index([folder])
    return root


def search(root, *arguments, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    command = [sys.executable, "-c", CODE, *arguments, "--home", str(root / "home"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)["hits"]) == 5  # the reference is no hit
    return done.stderr.splitlines()[-1]


def test_a_known_picture_and_words_that_were_never_encoded_load_no_model(gallery, monkeypatch):
    for modification in ("in blue", "with long sleeves", "in blue"):
        loaded = search(gallery, "search", str(gallery / "pictures" / "3.png"), modification, monkeypatch=monkeypatch)
        assert loaded == "[]"
