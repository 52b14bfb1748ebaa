"""Benchmarks by name: what can be refused before anything is loaded, and a new one as one file and one line."""

from __future__ import annotations

import ast
import inspect
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ipcir_tools.cli.benchmark_options import KNOWN, BenchmarkOptions
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks import registry
from ipcir_tools.evaluation.benchmarks.registry import ANY, BENCHMARKS, JSONL, BenchmarkEntry, choose

TOY = """
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import measures

def load_toy(folder, pictures=None, *, split="val"):
    query = Query("1", "a.png", "in blue", ("b.png",))
    return Benchmark(f"toy {split}", (query,), ("a.png", "b.png"), {}, False, measures("R", 1), (), folder)
"""


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.mark.parametrize("entry", [*KNOWN.values(), JSONL], ids=[*KNOWN, "jsonl"])
def test_every_loader_takes_the_options_of_its_entry(entry: BenchmarkEntry):
    module, _, function = entry.loader.partition(":")
    parameters = inspect.signature(getattr(import_module(module), function)).parameters
    assert set(entry.options) <= set(parameters)
    assert next(iter(parameters)) in ("folder", "path")
    assert ("progress" if entry.generated else "pictures") in parameters
    assert entry.tuning is None or entry.tuning in entry.options.get("split", ("",))


def test_the_default_of_a_loader_is_the_first_value_of_its_entry():
    for entry in KNOWN.values():
        module, _, function = entry.loader.partition(":")
        parameters = inspect.signature(getattr(import_module(module), function)).parameters
        for option, values in entry.options.items():
            assert values == ANY or parameters[option].default == values[0]


def test_a_toy_benchmark_is_one_file_and_one_line(tmp_path: Path, monkeypatch):
    (tmp_path / "toy_benchmark.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = {**BENCHMARKS, "toy": BenchmarkEntry("toy_benchmark:load_toy", {"split": ("val", "test")}, tuning="val")}
    try:
        choice = choose("toy", tmp_path, known=known, split="test")
        assert choice.is_test
        assert choice.load(tmp_path, silent).name == "toy test"
        assert not choose("toy", tmp_path, known=known).is_test
    finally:
        sys.modules.pop("toy_benchmark", None)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nothing", {}, "There is no benchmark 'nothing': name wardrobe, .*cirr, .*genecis, or a .jsonl file"),
        ("cirr", {"folder": None}, "Name the folder with the annotation files of cirr: --folder FOLDER"),
        ("cirr", {"split": "train"}, "--split of cirr is 'val' or 'test1': there is no 'train'"),
        ("fashioniq", {"gallery": "all"}, "--gallery of fashioniq is 'original' or 'VAL'"),
        ("fashioniq", {"split": "val"}, "fashioniq has no --split: its options are --gallery, --captions"),
        ("genecis", {"keep_reference": True}, "genecis has no --keep-reference: it has no options"),
        ("mine.jsonl", {"split": "val"}, "mine.jsonl has no --split: its options are --keep-reference"),
    ],
)
def test_what_can_never_be_loaded_is_refused(name, options, message, tmp_path):
    with pytest.raises(InvalidRequestError, match=message):
        choose(name, **{"folder": tmp_path, "known": KNOWN, **options})


def test_the_validation_part_is_the_default_for_tuning(tmp_path):
    options = BenchmarkOptions(folder=tmp_path)
    assert options.choose("wardrobe").is_test
    assert options.choose("wardrobe", tuning=True).options == {"split": "val"}
    assert options.choose("cirr", tuning=True).options == {"split": "val"}
    assert options.choose("mine.jsonl", tuning=True).options == {}
    assert options.choose("genecis", tuning=True).is_test


def test_every_benchmark_has_a_home_of_its_own(tmp_path):
    homes = {choose(name, tmp_path, known=KNOWN).home(None) for name in (*KNOWN, "mine.jsonl", "other/mine.jsonl")}
    homes.add(choose("cirr", tmp_path, split="test1").home(None))
    assert len(homes) == len(KNOWN) + 3
    assert choose("cirr", tmp_path).home(tmp_path / "own") == tmp_path / "own"


def test_the_registry_imports_no_benchmark():
    tree = ast.parse(Path(registry.__file__).read_text())
    top = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert {name for name in top if name and name.startswith("ipcir_tools")} == {"ipcir_tools.errors"}
