"""Imports run downward only (the contracts of ``.importlinter``), and what is heavy is imported where it is used."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("ipcir_tools", "chains", "prompts")
HEAVY = {
    "chromadb",
    "diffusers",
    "huggingface_hub",
    "langchain",
    "open_clip",
    "openai",
    "torch",
    "torchvision",
    "transformers",
}
LATE = {
    "ipcir_tools.agents.agent",  # their middlewares are subclasses of LangChain's
    "ipcir_tools.agents.model_calls",
    "ipcir_tools.demo.training.loop",  # these do nothing but train, so they import torch like any training script
    "ipcir_tools.demo.training.model_card",
    "ipcir_tools.demo.training.small_blip",
    "ipcir_tools.demo.training.small_clip",
    "ipcir_tools.demo.training.train",
    "ipcir_tools.models.mapped_weights",  # subclasses of torch's classes, and what makes models with them
    "ipcir_tools.models.mixed_precision",
    "ipcir_tools.models.open_clip_creation",
    "ipcir_tools.models.packed_layers",
    "ipcir_tools.models.packed_text",
    "ipcir_tools.models.packed_vision",
}
"""Modules that import something heavy at once, and are themselves imported inside functions only."""

LOAD = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def paths() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def modules() -> list[str]:
    """The names of :func:`paths` in their order."""
    names = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths()]
    return [f"ipcir_tools.{name.removeprefix('ipcir_tools.')}".removesuffix(".__init__") for name in names]


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """The package as it is imported, in one tree: ``chains/`` and ``prompts/`` inside it."""
    top = tmp_path_factory.mktemp("tree")
    for folder in FOLDERS:
        target = top / "ipcir_tools" / ("" if folder == "ipcir_tools" else folder)
        shutil.copytree(
            ROOT / folder, target, ignore=shutil.ignore_patterns("__pycache__", "models/*"), dirs_exist_ok=True
        )
    shutil.copy(ROOT / ".importlinter", top)
    return top


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    return subprocess.run(
        command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False
    )


def test_every_contract_is_kept(tree):
    done = lint(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("images/reading.py", "from ipcir_tools.engine import engine", "images.reading -> ipcir_tools.engine.engine"),
        (
            "store/catalog.py",
            "def late():\n    from ipcir_tools.engine import replay",
            "store.catalog -> ipcir_tools.engine.replay",
        ),
        (
            "chains/composition/chain.py",
            "def late():\n    from ipcir_tools.engine import engine",
            "chains.composition.chain -> ipcir_tools.engine.engine",
        ),
        ("engine/replay.py", "from ipcir_tools import fakes", "engine.replay -> ipcir_tools.fakes"),
        ("images/pixels.py", "from chains.imagination import rules", "images.pixels -> chains"),
        (
            "images/pixels.py",
            "def late():\n    from ipcir_tools.images import reading",
            "No cycles are allowed in ipcir_tools.images",
        ),
    ],
)
def test_an_import_that_runs_back_up_is_seen(tree, module, line, broken):
    path = tree / "ipcir_tools" / module
    text = path.read_text(encoding="utf-8")
    try:
        path.write_text(f"{text}\n\n{line}\n", encoding="utf-8")
        done = lint(tree)
        assert done.returncode == 1
        assert broken in " ".join(done.stdout.split())
    finally:
        path.write_text(text, encoding="utf-8")


NAMED = re.compile(r"ipcir_tools(?:\.[a-z0-9_]+)+(?=:[A-Za-z_]\w*$)")
"""A text that names something to import later: ``ipcir_tools.models.open_clip:OpenClipEncoder``."""
BY_NAME = {f"ipcir_tools.composers.{name}" for name in ("aligned", "pic2word", "searle")}
"""Trained composers name the class that trains them, which only ``ipcir train`` imports."""


def test_no_text_names_a_module_of_a_room_above():
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    layers = config["importlinter:contract:rooms"]["layers"].split("\n")
    floors = {name.strip(): len(layers) - i for i, layer in enumerate(layers) for name in layer.split("|")}
    upward = [
        (module, named)
        for module, path in zip(modules(), paths(), strict=True)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (found := NAMED.match(node.value))
        if floors[(named := found[0]).split(".")[1]] > floors.get([*module.split("."), ""][1], len(layers))
    ]
    assert {module for module, _ in upward} == BY_NAME


def test_heavy_libraries_are_imported_when_they_are_used():
    early = [name for name in modules() if name not in LATE]
    done = subprocess.run([sys.executable, "-c", LOAD, *early], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & (HEAVY | {"importlinter"}) == set()
