"""The door of the package: quick, complete and documented. And the guard under which all tests run."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ipcir_tools
from ipcir_tools.errors import IPCIRError

ROOT = Path(__file__).parent.parent
FILES = sorted(path for folder in ("ipcir_tools", "chains", "prompts") for path in (ROOT / folder).rglob("*.py"))
MODELS = {"torch", "torchvision", "transformers", "open_clip", "chromadb"}
ALL = {"langchain", "langchain_core", "numpy", "PIL", "sqlalchemy", *MODELS}


def loaded_by(statement: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after the statement."""
    program = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_that_takes_time():
    assert loaded_by("import ipcir_tools") & ALL == set()


def test_the_command_line_loads_nothing_that_takes_time():
    assert loaded_by("import ipcir_tools.cli.main") & ALL == set()


def test_engine_tool_and_demo_load_no_model_library():
    assert loaded_by("from ipcir_tools import *\nimport ipcir_tools.demo.play, ipcir_tools.fakes") & MODELS == set()


NAMES = [
    "BadImageError",
    "Benchmark",
    "BusyError",
    "CatalogError",
    "ComposedImageRetriever",
    "ComposedQuery",
    "Composer",
    "EmptyGalleryError",
    "Engine",
    "Hit",
    "IPCIRError",
    "IPCIRMiddleware",
    "IPCIRToolkit",
    "ImageRecord",
    "ImaginedTarget",
    "IndexReport",
    "InvalidRequestError",
    "Judgement",
    "ModelUnavailableError",
    "NotAllowedError",
    "NotFoundError",
    "OpenClipEmbeddings",
    "Probe",
    "Query",
    "SearchOptions",
    "SearchResult",
    "Settings",
    "Skip",
    "SpaceMismatchError",
    "TrainedComposer",
    "Turn",
    "build_agent",
    "build_dialogue",
    "compose_search_tool",
    "evaluate",
    "load_captioner",
    "load_circo",
    "load_cirr",
    "load_encoder",
    "load_fashioniq",
    "load_genecis",
    "load_image_generator",
    "load_jsonl",
    "load_prompt",
]
"""The public names; one more or one less is a decision."""


def test_the_public_names_are_these():
    assert sorted(ipcir_tools.__all__) == NAMES == dir(ipcir_tools)
    assert {error.__name__ for error in (IPCIRError, *IPCIRError.__subclasses__())} < set(NAMES)


def test_every_public_name_resolves():
    for name in ipcir_tools.__all__:
        assert getattr(ipcir_tools, name).__name__ == name


@pytest.mark.parametrize("room", ["chains", "demo", "display", "evaluation", "evaluation.benchmarks", "prompts"])
def test_what_a_room_exports_resolves(room):
    package = importlib.import_module(f"ipcir_tools.{room}")
    for name in package.__all__:
        assert getattr(package, name).__name__ in (name, "tuple")  # Box is a tuple


def shown_code() -> Iterator[tuple[str, str]]:
    """The Python of the README and of each notebook."""
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "ipcir_tools" / "docs").glob("*.md"))):
        for block in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            yield path.name, block
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                yield path.name, "".join(cell["source"])


def test_readme_and_notebooks_import_no_deeper_than_one_room():
    found = [
        (name, module)
        for name, code in shown_code()
        for module in re.findall(r"^\s*(?:from|import) (ipcir_tools[\w.]*)", code, re.MULTILINE)
    ]
    assert {name for name, _ in found} >= {"programs.md", "agents.md", "01_search.ipynb", "04_methods.ipynb"}
    assert [pair for pair in found if pair[1].count(".") > 1] == []


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Motor"):
        _ = ipcir_tools.Motor
    assert not hasattr(ipcir_tools, "__wrapped__")


# --- docstrings


def undocumented(node: ast.AST, path: str) -> Iterator[str]:
    """Public classes, functions and methods without a docstring; what stands inside a function is not public."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            if not says_something(child):
                yield f"{path}:{child.lineno} {child.name}"
            if isinstance(child, ast.ClassDef):
                yield from undocumented(child, path)


def says_something(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return len(re.findall(r"\w+", ast.get_docstring(node) or "")) >= 2


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_everything_public_is_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert says_something(tree), "the module has no docstring"
    assert list(undocumented(tree, path.name)) == []


# --- the guard of conftest.py


def test_no_test_connects_beyond_this_machine():
    for family, host in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as outward:
            for reach in (outward.connect, outward.connect_ex, lambda address, s=outward: s.sendto(b"x", address)):
                with pytest.raises(RuntimeError, match=host):
                    reach((host, 80))


@pytest.mark.parametrize("name", ["huggingface.co", b"huggingface.co", "nothing.invalid"])
def test_no_test_queries_a_name_server(name):
    with pytest.raises(RuntimeError, match="offline"):
        socket.getaddrinfo(name, 443)


def test_this_machine_may_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()
    assert socket.getaddrinfo("192.0.2.1", 80)  # an address needs no name server
    near, far = socket.socketpair(socket.AF_UNIX)
    near.close()
    far.close()


def test_nothing_of_the_developers_own_settings_is_left(home):
    ours = {"IPCIR_DUPLICATES", "IPCIR_VERIFY"}  # switched off for the tests: see conftest.py
    assert not [name for name in os.environ if name.startswith(("IPCIR_", "OPENAI_")) and name not in ours]
    assert Path("~/.ipcir").expanduser() == home / ".ipcir"
