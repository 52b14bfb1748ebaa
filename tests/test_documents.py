"""What README and the pages show is true: commands are read by the parser and run, Python runs, links lead somewhere."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from documents import DOCUMENTS, ROOT, Command, commands, python_blocks, settings_table
from PIL import Image

from ipcir_tools.cli import main
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner
from ipcir_tools.models import loading
from ipcir_tools.settings import Settings

SHOWN = [command for document in DOCUMENTS for command in commands(document)]
ALONE = {"search", "refine", "remove", "show", "export", "eval", "chat", "train", "tune", "find"}
"""Commands that a sentence may name without their arguments."""
ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"


def is_named_only(command: Command) -> bool:
    """Whether it is the name of a command, or one with something left open."""
    words = [word for word in command.arguments if not word.startswith("-")]
    if {"NAME", "captions"} & set(command.arguments[1:2]) and len(command.arguments) == 2:
        return True
    return len(command.arguments) <= 1 or "..." in words or (len(words) == 1 and words[0] in ALONE)


@pytest.mark.parametrize("command", [each for each in SHOWN if not is_named_only(each)], ids=str)
def test_the_parser_reads_it(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    node, context, words = typer.main.get_command(main.app), None, list(command.arguments)
    while hasattr(node, "get_command"):  # a group: down to the command itself
        if words[0].startswith("-"):
            context = node.context_class(node, parent=context, info_name="ipcir")
            assert any(words[0] in each.opts for each in node.get_params(context)), words[0]
            return
        context = node.make_context(node.name, words, parent=context)
        _, node, words = node.resolve_command(context, [*context._protected_args, *context.args])
        assert node is not None, str(command)
    with suppress(typer.Exit):
        node.make_context(node.name, words, parent=context)


# ---- and they run ------------------------------------------------------------------------------------
NOT_RUN = {
    "demo": "tests/demo runs it",
    "watch": "it does not end",
    "index s3:": "tests/images/test_object_store.py runs it on an S3 server",
    "search s3:": "the same",
    "index --ray": "tests/store/test_ray.py runs it",
    "index '~/Pictures' --ray": "the same",
    "index /mnt": "tests/cli/test_shared_catalog_commands.py runs it on two servers",
    "search /mnt": "the same",
    "index --captions": "tests/store/test_gallery_captions.py runs it",
    "show TURN --show": "tests/cli/test_terminal_pictures.py runs it in a terminal",
    "models": "they ask a hub; tests/models/test_downloads.py has one",
    "prompts try": "it needs a model; tests/cli/test_prompts_command.py has one",
    "prompts compare": "the same",
    "mcp": "tests/agents/test_mcp_transports.py runs it with clients",
    "ui": "tests/web runs it in a browser",
    "chat": "tests/cli/test_chat.py runs it",
    "eval": "tests/evaluation runs it; minutes each",
    "tune": "the same",
    "train": "tests/cli/test_train_command.py runs it",
    "bench": "tests/bench runs it",
    "backup": "tests/store runs it",
    "restore": "the same",
    "verify": "the same",
    "cache clear": "there are no replies here; tests/cli/test_cache_command.py has some",
    "--": "tests/cli/test_cli_errors.py",
}
RUN = [
    each
    for document in DOCUMENTS
    for each in commands(document)
    if not is_named_only(each) and not shlex.join(each.arguments).startswith(tuple(NOT_RUN))
]


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A home folder with pictures, indexed, in which one search was made; fakes for the models."""
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: FakeEncoder(name))
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: ScriptedCaptioner(id=CAPTIONER))
    for name, value in {"HOME": str(tmp_path), "IPCIR_ENCODER": ENCODER, "IPCIR_CAPTIONER": CAPTIONER}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    names = ["Pictures/beach.jpg", "Pictures/2019/one.jpg", "Pictures/2024/two.png", "a.jpg", "b.jpg"]
    for name, colour in zip([*names, *(f"Pictures/{each}.png" for each in COLOURS)], COLOURS.values(), strict=False):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 24), colour).save(name)
    Path("prompts").mkdir()
    with Engine.open(Settings()) as engine:
        engine.index([tmp_path])
        return engine.find("red").turn.id


@pytest.mark.parametrize("command", RUN, ids=str)
def test_it_runs(command, pictures, monkeypatch, capfd, tmp_path):
    words = [word.replace("TURN", pictures).replace("~", str(tmp_path)) for word in command.arguments]
    words = [word for word in words if not re.fullmatch(r"[0-9a-f]{6}", word)]  # an id that stands for any
    monkeypatch.setattr(sys, "argv", ["ipcir", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    written = capfd.readouterr()
    assert ended.value.code in (0, None), written.err
    assert written.err == "" or "error" not in written.err


# ---- Python, links, settings -------------------------------------------------------------------------
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_is_python(document):
    for block in python_blocks(document):
        ast.parse(block)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        place, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (document.parent / place) if place else document
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def anchors(path: Path) -> set[str]:
    """The names of a document's headings, as in links."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_the_table_of_settings_is_that_of_the_code():
    tables = [path for path in DOCUMENTS if "| `IPCIR_HOME` |" in path.read_text(encoding="utf-8")]
    if not tables:
        pytest.skip("no document has it")
    assert settings_table() in tables[0].read_text(encoding="utf-8"), "write it by `python tests/documents.py`"
    assert ROOT in tables[0].parents
