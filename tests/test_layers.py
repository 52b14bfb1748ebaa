"""Imports run downward only, and what is heavy is imported where it is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "ipcir_tools": ROOT / "ipcir_tools",
    "ipcir_tools.chains": ROOT / "chains",
    "ipcir_tools.prompts": ROOT / "prompts",
}

HOUSE = {
    "values": "errors types fusion settings models pauses",
    "files and rows": "frames pixels images schema filters membership database kept_replies"
    " catalog fetching references thumbnails showing tiles",
    "words": "rules.lexicon rules.wordings rules.text rules.caption rules.edits rules.draft rules.split rules.things"
    " rules.predicates rules.scenes rules.readings rules.views rules.grammar rules.attributes rules.nouns rules.counts"
    " rules.actions rules.cleaning rules.imagine rules"
    " prompts.loading prompts",
    "engine parts": "composers.composer composers.directions composers.feedback composers.single composers.fused"
    " composers.proxy_image composers.ensemble composers.semantic_delta composers.discount composers.signed"
    " composers.ast"
    " composers.pic2word composers.searle composers.aligned composers queries devices hub inversion inversion.pseudo"
    " encoder inversion.network inversion.training inversion.pic2word inversion.phrases inversion.oti inversion.searle"
    " inversion.aligned captioner drawer drawer_openai drawer_diffusers networks chroma gallery patience"
    " captioning features"
    " calibration duplicates indexing reply_cache",
    "chains": "chains chains.trouble chains.waiting chains.asking chains.llm chains.imagination chains.wrapping"
    " chains.replies chains.half_said chains.tracing chains.rendering chains.keeping chains.writer chains.imaginer"
    " chains.workshop chains.imagine chains.requests chains.telling chains.bricks"
    " chains.deriving chains.compose chains.judgements chains.rerank",
    "engine": "parts engine",
    "evaluation": "evaluation evaluation.metrics evaluation.statistics evaluation.benchmarks.benchmark"
    " evaluation.benchmarks.annotations evaluation.benchmarks.circo evaluation.benchmarks.cirr"
    " evaluation.benchmarks.fashioniq evaluation.benchmarks.genecis evaluation.benchmarks.jsonl"
    " evaluation.benchmarks.captions evaluation.benchmarks"
    " evaluation.ranking evaluation.writing evaluation.submissions evaluation.speed evaluation.ablation"
    " evaluation.absence evaluation.dialogues"
    " evaluation.report evaluation.asked_once evaluation.stock evaluation.curve evaluation.measuring evaluation.summary"
    " evaluation.runner evaluation.submitting evaluation.tuning evaluation.report_style evaluation.report_drawings"
    " evaluation.report_markdown evaluation.report_html evaluation.own_embeddings evaluation.caption_space"
    " evaluation.comparison evaluation.watching evaluation.ground evaluation.comparing evaluation.comparison_html"
    " training_data",
    "operations": "presenting sheet operations.operation operations.searching"
    " operations.parts operations.looking operations",
    "dialogues": "lines chains.doubt chains.wording chains.hearing chains.stages chains.dialog",
    "faces": "toolkit chains.agent retriever embeddings mcp_server",
    "demo": "demo demo.world demo.words demo.edits demo.backdrop demo.cloth demo.view demo.figures demo.render"
    " demo.drawing"
    " demo.benchmark demo.stocking demo.as_benchmark demo.lexicon demo.corpus demo.learning demo.small_clip"
    " demo.small_blip demo.card demo.train"
    " demo.play demo.dialogues demo.absence",
    "command line": "history trying printing printing_eval printing_cache printing_prompts"
    " replaying voice cli_shared cli_benchmarks chat cli_captions cli_eval"
    " cli_train cli_tune"
    " cli_dialogue cli_cache cli_compare cli_prompts cli",
    "for tests": "fakes",
    "the door": "",
}
"""Every module, from the ground up. A module imports only what stands before it, so ``fakes`` is imported by none."""

HEAVY = {
    "torch",
    "torchvision",
    "transformers",
    "open_clip",
    "chromadb",
    "huggingface_hub",
    "langchain",
    "openai",
    "diffusers",
}
AGENTS = "ipcir_tools.chains.agent"
"""A middleware is a subclass of LangChain's, so this module imports it at once and is itself imported late."""
TRAINING = {f"ipcir_tools.demo.{name}" for name in ("learning", "small_clip", "small_blip", "train")}
"""They do nothing but train, so they import torch like anybody."""


@dataclass(frozen=True)
class Import:
    """One import statement's module; ``lazy`` if it runs when a function is called."""

    source: str
    target: str
    line: int
    lazy: bool

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}, imports {self.target}"


def modules() -> dict[str, Path]:
    """Files by module name."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


MODULES = modules()
ORDER = {
    f"ipcir_tools.{name}".removesuffix("."): place
    for place, name in enumerate([*(name for names in HOUSE.values() for name in names.split()), ""])
}


def imports_in(source: str, text: str) -> list[Import]:
    """What a module imports; what only the type checker sees does not count."""
    return list(_walk(source, ast.parse(text), lazy=False))


def _walk(source: str, node: ast.AST, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).removeprefix("typing.") == "TYPE_CHECKING":
            children: list[ast.AST] = list(child.orelse)
            yield from (found for each in children for found in _walk(source, ast.Module([each], []), lazy))
            continue
        for target in _targets(child):
            yield Import(source, target, child.lineno, lazy)
        yield from _walk(source, child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def _targets(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        origin = "." * node.level + (node.module or "")
        names = [f"{origin}.{alias.name}" for alias in node.names]
        return sorted({name if name in MODULES else origin for name in names})
    return []


IMPORTS = [found for name, path in MODULES.items() for found in imports_in(name, path.read_text(encoding="utf-8"))]


def ours(target: str) -> bool:
    return target.startswith(("ipcir_tools", "."))


def test_every_module_has_its_place_in_the_house():
    assert set(MODULES) - set(ORDER) == set(), "give the new module its place in HOUSE"
    assert set(ORDER) - set(MODULES) == set(), "HOUSE names what does not exist"


@pytest.mark.parametrize("source", MODULES)
def test_imports_run_downward_only(source):
    upward = [
        str(each)
        for each in IMPORTS
        if each.source == source and ours(each.target) and ORDER.get(each.target, 10_000) >= ORDER.get(source, -1)
    ]
    assert upward == []


COMMANDS = {"ipcir_tools.cli", "ipcir_tools.cli_eval", "ipcir_tools.cli_benchmarks"}


def test_nothing_but_the_command_line_knows_the_demo():
    knowing = {each.source for each in IMPORTS if each.target.startswith("ipcir_tools.demo")}
    assert {name for name in knowing if not name.startswith("ipcir_tools.demo")} == COMMANDS


def test_the_command_line_meets_the_demo_in_its_own_commands_only():
    assert all(each.lazy for each in IMPORTS if each.source in COMMANDS and ".demo" in each.target)


def test_heavy_libraries_are_imported_when_they_are_used():
    early = [each for each in IMPORTS if not each.lazy and each.target.partition(".")[0] in HEAVY]
    assert [str(each) for each in early if each.source not in {*TRAINING, AGENTS}] == []
    assert [str(each) for each in IMPORTS if each.target == AGENTS and not each.lazy] == []


def test_nobody_who_serves_users_imports_the_training():
    allowed = TRAINING | {"ipcir_tools.demo.card"}
    assert {each.source for each in IMPORTS if each.target in TRAINING} <= allowed


def test_the_walk_sees_what_it_should():
    text = (
        "from typing import TYPE_CHECKING\n"
        "from ipcir_tools import images, Engine\n"
        "if TYPE_CHECKING:\n    import torch\n"
        "else:\n    import json\n"
        "def load():\n    if True:\n        import open_clip.factory\n"
    )
    assert {(each.target, each.lazy) for each in imports_in("x", text)} == {
        ("typing", False),
        ("ipcir_tools.images", False),
        ("ipcir_tools", False),
        ("json", False),
        ("open_clip.factory", True),
    }
