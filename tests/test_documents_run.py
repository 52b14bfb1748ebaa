"""What README and the pages show runs: every command of ``ipcir`` and every block of Python."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import chain

import pytest
from documents import DOCUMENTS, ROOT, Command, all_commands, commands, is_named_only, python_blocks
from llm_server import LLMServer, imagining
from s3_server import S3Server, s3_server
from shown_commands import QUICK, SLOW
from shown_world import small_world

from ipcir_tools import Engine, Settings
from ipcir_tools.demo import demo_wardrobe, draw
from ipcir_tools.evaluation.experiments import search_overhead

ELSEWHERE = {
    "index /mnt/photos --ray-address": "there is one machine here; tests/store/ray_kills.py has clusters on it",
}
"""Commands of ``ipcir`` that no test runs as they are shown."""
OTHERS = {
    "python3 -m venv": "before anything is installed; .ci/run makes its environment so",
    "pip install": "it asks a package registry; the extras are looked up below, and .ci/run installs the package",
    "pytest": "this is it",
    "ruff": ".ci/run runs it",
    "mypy": ".ci/run runs it",
    "python -m ipcir_tools.demo.training.train": "it trains for hours",
    "langgraph dev": "a program of its own, in no extra; tests/agents/dialogue runs the graph that it serves",
    "curl localhost:2024": "it asks that program",
    "claude mcp add": "a program of its own; what it would start is run here",
    "createdb": "tests/postgres_server.py makes databases",
    "chroma run": "tests/chroma_server.py runs it",
    "psql": "tests/store/test_postgresql.py gives a role the same rights",
    "export": "it sets what tests/test_settings.py reads",
    "xargs": "it copies what the command before it prints",
}
"""Programs beside ``ipcir`` that stand in blocks."""

SHOWN = {each.arguments: each for path in DOCUMENTS for each in commands(path) if not is_named_only(each)}


def prepared_by(command: Command, table: dict) -> object:
    """What a table has for a command, by how it begins."""
    line = shlex.join(command.arguments)
    return next((each for prefix, each in table.items() if line.startswith(prefix)), None)


ALL = [each for each in SHOWN.values() if not prepared_by(each, ELSEWHERE)]
LONG = [each for each in ALL if prepared_by(each, SLOW) and not prepared_by(each, QUICK)]


def run(command: Command, request, tmp_path, preparations, *, fakes: bool) -> None:
    with small_world(request, tmp_path, fakes=fakes) as world:
        words = [word.replace("~", str(tmp_path)) for word in command.arguments]
        if prepare := prepared_by(command, preparations):
            words = prepare(world, words)
        turn = world.turn() if "TURN" in words else ""
        words = [turn if word == "TURN" else word for word in words if word != "3f2a91"]  # an id that stands for any
        if words:
            world(*words)


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.mark.parametrize("command", [each for each in ALL if each not in LONG], ids=str)
def test_a_command_runs(command, request, tmp_path, capfd):
    run(command, request, tmp_path, QUICK, fakes=True)
    assert "error:" not in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("command", LONG, ids=str)
def test_a_command_that_takes_long_runs(command, request, tmp_path, capfd):
    run(command, request, tmp_path, SLOW, fakes=False)
    assert "error:" not in capfd.readouterr().err


def test_every_other_program_is_known():
    shown = [each for path in DOCUMENTS for each in all_commands(path) if each.shown and each.program != "ipcir"]
    lines = [f"{each.program} {shlex.join(each.arguments)}" for each in shown]
    assert [line for line in lines if not line.startswith(tuple(OTHERS))] == []
    assert [name for name in OTHERS if not any(line.startswith(name) for line in lines)] == []
    assert [name for name in ELSEWHERE if not any(prepared_by(each, {name: 1}) for each in SHOWN.values())] == []


def test_every_preparation_has_its_command():
    for name in chain(QUICK, SLOW):
        assert any(prepared_by(each, {name: True}) for each in SHOWN.values()), name


NAMED = {each.words: each for path in DOCUMENTS for each in all_commands(path) if each.program in ("python", "pytest")}


def test_modules_and_files_that_are_named_exist():
    modules = [words[words.index("-m") + 1] for words in NAMED if "-m" in words and words[0].endswith("python")]
    assert modules
    ours = [name for name in modules if not name.startswith("tests.")]  # which is no package that is installed
    assert [name for name in ours if find_spec(name) is None] == []
    assert [name for name in {*modules} - {*ours} if not (ROOT / name.replace(".", "/") / "__main__.py").exists()] == []
    files = [word for words in NAMED for word in words if word.endswith(".py")]
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []


@pytest.mark.slow
def test_experiments_that_are_named_run(capsys):
    small = ["--pictures", "60", "--runs", "4", "--encoder", search_overhead.DrawnEncoder.name]
    named = [each for each in NAMED.values() if search_overhead.__name__ in each.words]
    assert named
    for command in named:
        search_overhead.main([*command.words[3:], *small])
        assert "searches/s" in capsys.readouterr().out or "--callers" not in command.words


def test_extras_that_are_named_exist():
    named = " ".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"(?:ipcir-tools|\.)\[([a-z]+)\]", named)) <= set(extras)


# --- Python

PRINTED = {"programs.md": r"1 \d\.\d+ .*\.jpg\n(?s:.*)a blue dress with short sleeves\n", "agents.md": ""}
ASKED = {"programs.md": "with long sleeves", "agents.md": "a red dress"}
"""What the snippets print, and what they search for."""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """A folder in which the snippets run: pictures, and a gallery of them."""
    folder = tmp_path_factory.mktemp("snippets")
    made = demo_wardrobe(1).pictures[:24]
    for _ in draw(made, folder / "pictures"):
        pass
    (folder / "pictures" / made[0].name).rename(folder / "pictures" / "one.jpg")
    with Engine.open(Settings(home=folder / "my-gallery", models="demo")) as engine:
        engine.index([folder / "pictures"])
    return folder


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if python_blocks(path)], ids=lambda path: path.name)
def test_its_python_runs(document, gallery, monkeypatch, httpserver, capsys):
    monkeypatch.chdir(gallery)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", LLMServer(httpserver, imagining).url)
    names: dict = {}
    for number, block in enumerate(python_blocks(document), 1):
        exec(compile(block, f"{document.name}, block {number}", "exec"), names)
    names["engine"].close()
    assert re.search(PRINTED[document.name], capsys.readouterr().out)
    with Engine.open(Settings(home=gallery / "my-gallery")) as engine:
        assert ASKED[document.name] in [turn.query.modification for turn in engine.turns()]


def test_no_document_lost_its_python():
    assert {path.name for path in DOCUMENTS if python_blocks(path)} == set(PRINTED) == set(ASKED)
