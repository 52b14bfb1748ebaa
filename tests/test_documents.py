"""What README and the pages show can be read: commands parse, Python compiles, links lead somewhere, lines fit."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from documents import DOCUMENTS, ROOT, code_lines, commands, is_named_only, python_blocks, settings_table

from ipcir_tools.cli import main

SHOWN = [command for document in DOCUMENTS for command in commands(document)]


@pytest.mark.parametrize("command", [each for each in SHOWN if not is_named_only(each)], ids=str)
def test_the_parser_reads_it(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    node, context, words = typer.main.get_command(main.app), None, list(command.arguments)
    while hasattr(node, "get_command"):  # a group: down to the command itself
        if not words and getattr(node, "invoke_without_command", False):
            return
        if words[0].startswith("-"):
            context = node.context_class(node, parent=context, info_name="ipcir")
            assert any(words[0] in each.opts for each in node.get_params(context)), words[0]
            return
        context = node.make_context(node.name, words, parent=context)
        _, node, words = node.resolve_command(context, [*context._protected_args, *context.args])
        assert node is not None, str(command)
    with suppress(typer.Exit):
        node.make_context(node.name, words, parent=context)


WIDEST = 96
"""Characters of a line of code that a page of GitHub shows without scrolling."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_fits_the_page(document):
    assert [line for line in code_lines(document) if len(line) > WIDEST] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_is_python(document):
    for block in python_blocks(document):
        ast.parse(block)


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"], ids=lambda path: path.name
)
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
