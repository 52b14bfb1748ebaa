"""What a user can fix ends with one line on standard error and status 2: no traceback, nothing on standard output."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from ipcir_tools.cli import main
from ipcir_tools.cli.commands.compare import _caption_files
from ipcir_tools.cli.options import path
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner
from ipcir_tools.models import loading
from ipcir_tools.settings import Settings
from ipcir_tools.types import ComposedQuery, Turn

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"

LOAD_ENCODER = loading.load_encoder


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def ipcir(monkeypatch, capfd):
    """The command line in this process, with fakes for the models."""
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: FakeEncoder(name))
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: ScriptedCaptioner(id=CAPTIONER))
    monkeypatch.setenv("IPCIR_ENCODER", ENCODER)
    monkeypatch.setenv("IPCIR_CAPTIONER", CAPTIONER)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ipcir", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        return Ended(int(ended.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def indexed(tmp_path_factory) -> Path:
    """A home with eleven squares that tests copy and never change, its pictures beside it."""
    place = tmp_path_factory.mktemp("indexed")
    (place / "pictures").mkdir()
    for colour, rgb in COLOURS.items():
        Image.new("RGB", (24, 24), rgb).save(place / "pictures" / f"{colour}.png")
    settings = Settings(home=place / "home", encoder=ENCODER, captioner=CAPTIONER)
    with Engine.open(settings) as engine:
        engine.components.encoder = FakeEncoder(ENCODER)
        engine.index([place / "pictures"])
        for i in (1, 2):
            query = ComposedQuery(reference=engine.catalog.gallery_ids()[0], modification="in blue")
            engine.catalog.put_turn(
                Turn(id=f"t000000000a{i}", query=query, reference_source="x", created="2020-01-01T00:00:00+00:00")
            )
    return place


@pytest.fixture
def home(indexed, tmp_path) -> Path:
    return Path(shutil.copytree(indexed / "home", tmp_path / "home"))


@pytest.fixture
def red(indexed) -> Path:
    return indexed / "pictures" / "red.png"


def is_one_line(ended: Ended, *words: str, status: int = 2) -> bool:
    """Whether the command ended as an error should, naming the words."""
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert ended.err.endswith("\n")
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert [word for word in words if word not in line] == [], line
    assert ended.status == status
    return True


# --- what was asked for


def test_a_missing_file(ipcir, home):
    assert is_one_line(ipcir("search", "no/such.png", "in blue", "--home", home), "no/such.png", "check the path")


def test_an_unknown_id(ipcir, home):
    ended = ipcir("search", "0123456789abcdef", "in blue", "--home", home)
    assert is_one_line(ended, "0123456789abcdef", "take an id from earlier hits")


def test_a_reference_that_is_no_picture(ipcir, home, tmp_path):
    (tmp_path / "words.png").write_text("This is no picture.")
    ended = ipcir("search", tmp_path / "words.png", "in blue", "--home", home)
    assert is_one_line(ended, "words.png", "not a picture in a known format")


def test_a_url(ipcir, home):
    ended = ipcir("search", "https://example.com/a.png", "in blue", "--home", home)
    assert is_one_line(ended, "https://example.com/a.png", "IPCIR_ALLOW_URLS=true")


@pytest.mark.parametrize("text", ["", "  \n "])
def test_empty_text(ipcir, home, red, text):
    for ended in (
        ipcir("search", red, text, "--home", home),
        ipcir("refine", "t000000000a1", text, "--home", home),
    ):
        assert is_one_line(ended, "The modification is empty", "such as")


def test_an_empty_gallery(ipcir, tmp_path, red):
    for ended in (
        ipcir("search", red, "in blue", "--home", tmp_path / "new"),
        ipcir("refine", "t000000000a1", "in blue", "--home", tmp_path / "new"),
    ):
        assert is_one_line(ended, str(tmp_path / "new"), "empty", "ipcir index FOLDER")


@pytest.mark.parametrize("k", ["0", "-1"])
def test_k_below_one(ipcir, home, red, k):
    assert is_one_line(ipcir("search", red, "in blue", "-k", k, "--home", home), f"k is {k}", "1 to 1000")


@pytest.mark.parametrize("weight", ["-0.5", "7", "nan"])
def test_a_weight_out_of_bounds(ipcir, home, red, weight):
    ended = ipcir("search", red, "in blue", "--weight", weight, "--home", home)
    assert is_one_line(ended, f"{float(weight)}", "from 0", "to 1")


def test_an_unknown_composer(ipcir, home, red):
    ended = ipcir("search", red, "in blue", "--composer", "magic", "--home", home)
    assert is_one_line(ended, "'magic'", "imagined+reference")


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("format=png", '{"format": "jpeg"}'),
        ('["png"]', '{"format": "jpeg"}'),
        ('{"colour": "red"}', "fields: name, folder, format"),
        ('{"width": {"$near": 3}}', "operators: $eq"),
        ("null", '{"format": "jpeg"}'),
    ],
)
def test_a_filter_that_cannot_be_read(ipcir, home, red, where, says):
    assert is_one_line(ipcir("search", red, "in blue", "--where", where, "--home", home), says)


def test_a_folder_to_index_that_does_not_exist(ipcir, home, tmp_path, red):
    ended = ipcir("index", red, tmp_path / "nowhere", "--home", home)
    assert is_one_line(ended, "nowhere does not exist", "check the name")


# --- turns


def test_an_unknown_turn(ipcir, home):
    assert is_one_line(ipcir("refine", "t999", "in blue", "--home", home), "'t999'", "that a search printed")


def test_an_ambiguous_beginning_of_a_turn(ipcir, home):
    ended = ipcir("refine", "t000000000a", "in blue", "--home", home)
    assert is_one_line(ended, "t000000000a1", "t000000000a2", "give more of the id")


# --- models


def test_a_gallery_made_by_another_encoder(ipcir, home, red):
    for command in (("search", red, "in blue"), ("refine", "t000000000a1", "in blue"), ("index", red)):
        ended = ipcir(*command, "--encoder", "open_clip:another/one", "--home", home)
        assert is_one_line(ended, ENCODER, "open_clip:another/one", "another --home")


@pytest.mark.parametrize("name", ["ViT-B-32", "open_clip:", "clip:ViT-B-32/openai", "open_clip:hf-hub:noslash"])
def test_a_malformed_encoder(ipcir, tmp_path, red, name, monkeypatch):
    monkeypatch.setattr(loading, "load_encoder", LOAD_ENCODER)
    ended = ipcir("index", red, "--encoder", name, "--home", tmp_path / "new")
    assert is_one_line(ended, "open_clip:MODEL/PRETRAINED")


def test_a_folder_without_a_model(ipcir, home, tmp_path, red):
    ended = ipcir("search", red, "in blue", "--encoder", f"open_clip:local-dir:{tmp_path}", "--home", home)
    assert is_one_line(ended, str(tmp_path))


def test_a_malformed_captioner(ipcir, home, red):
    ended = ipcir("search", red, "in blue", "--captioner", "blip", "--home", home)
    assert is_one_line(ended, "'blip'", "transformers:ORG/NAME")


def test_models_of_an_unknown_set(ipcir, home, red):
    ended = ipcir("search", red, "in blue", "--models", "best", "--home", home)
    assert is_one_line(ended, "models", "'default' or 'demo'")


def test_a_language_model_of_an_unknown_provider(ipcir, home, red):
    ended = ipcir("search", red, "in blue", "--llm", "nobody:gpt", "--home", home)
    assert is_one_line(ended, "nobody:gpt", "IPCIR_LLM_BASE_URL")


def test_a_language_model_without_its_key(ipcir, home, red, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ended = ipcir("search", red, "in blue", "--llm", "openai:gpt-4o-mini", "--home", home)
    assert is_one_line(ended, "openai:gpt-4o-mini", "OPENAI_API_KEY")


@pytest.mark.slow
def test_weights_that_cannot_be_downloaded(tmp_path, red):
    """The real loader in a process of its own; the hub is a port without a server."""
    ended = separately(
        *("index", red, "--encoder", "open_clip:ViT-B-32/laion2b_s34b_b79k", "--home", tmp_path / "new"),
        HOME=str(tmp_path),
        HF_ENDPOINT="http://127.0.0.1:9",
    )
    assert is_one_line(ended, "ViT-B-32/laion2b_s34b_b79k", "http://127.0.0.1:9", "--models demo", "local-dir:FOLDER")
    again = separately("search", red, "in blue", "--home", tmp_path / "new", HOME=str(tmp_path))
    assert is_one_line(again, "is empty")


# --- files


@pytest.mark.parametrize("sheet", ["a-file/hits.png", "hits.xyz", "hits", "folder"])
def test_a_sheet_into_an_impossible_place(ipcir, home, red, tmp_path, sheet):
    (tmp_path / "a-file").touch()
    (tmp_path / "folder").mkdir()
    ended = ipcir("search", red, "in blue", "--sheet", tmp_path / sheet, "--home", home)
    assert is_one_line(ended, str(tmp_path / sheet), "name a .png file in a folder of yours")


def test_a_home_that_is_a_file(ipcir, tmp_path, red):
    (tmp_path / "home").touch()
    assert is_one_line(ipcir("index", red, "--home", tmp_path / "home"), str(tmp_path / "home"), "is a file")


def test_a_catalog_that_is_none(ipcir, home, red):
    (home / "catalog.sqlite").write_bytes(b"This is no database." * 500)
    for file in home.glob("catalog.sqlite-*"):
        file.unlink()
    assert is_one_line(ipcir("search", red, "in blue", "--home", home), str(home))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IPCIR_K", "many"),
        ("IPCIR_K", "0"),
        ("IPCIR_WEIGHT", "2"),
        ("IPCIR_MODELS", "best"),
        ("IPCIR_DTYPE", "int4"),
        ("IPCIR_BATCH_SIZE", "-1"),
        ("IPCIR_LLM_TIMEOUT", "soon"),
        ("IPCIR_ALLOW_URLS", "maybe"),
    ],
)
def test_nonsense_in_the_environment(ipcir, home, red, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    field = name.removeprefix("IPCIR_").lower()
    assert is_one_line(ipcir("search", red, "in blue", "--home", home), field, "IPCIR_ variable")


def test_a_message_is_one_line_whatever_is_in_it(ipcir, home):
    ended = ipcir("search", "no/such [bold]\n\nfile\x1b[31m.png", "in blue", "--home", home)
    assert is_one_line(ended, "[bold]")
    assert "\x1b" not in ended.err


# --- faults of ours


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("the roof\nis off")


def test_a_fault_of_ours_is_one_line_with_status_1(ipcir, home, red, monkeypatch):
    monkeypatch.setattr(Engine, "search", broken)
    ended = ipcir("search", red, "in blue", "--home", home)
    assert is_one_line(ended, "RuntimeError: the roof is off", "IPCIR_DEBUG=1", status=1)


def test_its_traceback_is_shown_on_request(home, red, monkeypatch):
    monkeypatch.setattr(Engine, "search", broken)
    monkeypatch.setattr(sys, "argv", ["ipcir", "search", str(red), "in blue", "--home", str(home)])
    monkeypatch.setenv("IPCIR_ENCODER", ENCODER)
    monkeypatch.setenv("IPCIR_DEBUG", "1")
    with pytest.raises(RuntimeError, match="the roof"):
        main.main()


def test_debugging_does_not_make_a_users_mistake_a_fault(ipcir, home, red, monkeypatch):
    monkeypatch.setenv("IPCIR_DEBUG", "1")
    assert is_one_line(ipcir("search", red, "", "--home", home), "The modification is empty")


# --- usage


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["search", "a.png"], "modification"),
        (["index"], "FOLDER"),
        (["search", "a.png", "in blue", "-k", "many"], "'-k'"),
        (["search", "a.png", "in blue", "--wieght", "1"], "--wieght"),
        (["serach", "a.png", "in blue"], "serach"),
    ],
)
def test_wrong_usage_names_what_is_wrong(ipcir, arguments, names):
    ended = ipcir(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert names in ended.err
    assert "Traceback" not in ended.err


SHARED = ("--home", "--models", "--encoder", "--captioner", "--json")
ASKING = (*SHARED, "-k", "--llm", "--weight", "--composer", "--where", "--sheet")
OPTIONS = {
    "index": SHARED,
    "search": ASKING,
    "refine": ASKING,
    "demo": (*SHARED, "-k", "--llm"),
}


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(ipcir, flag):
    ended = ipcir(flag)
    assert ended.status == 0
    assert all(re.search(rf"\b{command}\b", ended.out) for command in OPTIONS)


@pytest.mark.parametrize("command", OPTIONS)
def test_help_names_every_option(ipcir, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    ended = ipcir(command, "--help")
    assert ended.status == 0
    assert [option for option in OPTIONS[command] if option not in ended.out] == []


def test_help_loads_no_model_library():
    program = (
        "import sys; sys.argv = ['ipcir', 'search', '--help']\n"
        "from ipcir_tools.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'open_clip', 'chromadb', 'langchain_core', 'sqlalchemy', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def separately(*arguments: object, **environment: str) -> Ended:
    """The command line in a process of its own, with the real models."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("IPCIR_", "HF_"))}
    done = subprocess.run(
        [sys.executable, "-m", "ipcir_tools.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**clean, "OMP_NUM_THREADS": "1", **environment},
        timeout=300,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_an_error_leaves_the_gallery_as_it_was(ipcir, home, red):
    before = json.loads(ipcir("index", red.parent, "--home", home, "--json").out)
    ipcir("search", red, "", "--home", home)
    ipcir("index", "nowhere", "--home", home)
    after = json.loads(ipcir("index", red.parent, "--home", home, "--json").out)
    assert before["unchanged"] == after["unchanged"] == len(COLOURS)


def test_the_home_folder_is_meant_by_a_tilde_that_the_shell_leaves(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path("~/a.png") == tmp_path / "a.png"
    assert _caption_files("~/captions.jsonl", tmp_path, "a:b", None)[0] == tmp_path / "captions.jsonl"


# ---- what the parser of options refuses --------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serch"], ["'serch'", "search", "See `ipcir -h`."]),
        (["search", "--nope", "a.jpg", "in blue"], ["--nope", "See `ipcir search -h`."]),
        (["search"], ["reference", "See `ipcir search -h`."]),
        (["search", "a.jpg", "in blue", "-k", "many"], ["-k", "integer"]),
        (["mcp", "--http", "--port", "99999999"], ["--port", "65535"]),
        (["cache", "clear", "--nope"], ["--nope", "See `ipcir cache clear -h`."]),
    ],
)
def test_the_parser_of_options(ipcir, arguments, words):
    assert is_one_line(ipcir(*arguments), *words)


def test_no_arguments_are_the_help(ipcir):
    ended = ipcir()
    assert "Commands" in ended.out + ended.err
    assert "error" not in ended.err


def test_completion_is_offered_for_the_shell(ipcir, monkeypatch):
    monkeypatch.setenv("_IPCIR_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "ipcir search a.jpg blue --composer ed")
    monkeypatch.setenv("COMP_CWORD", "5")
    assert ipcir().out.split() == ["edit"]
