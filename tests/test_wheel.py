"""The wheel holds everything that the package needs and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "ipcir_tools", "chains", "prompts")
JUNK = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of what goes into the wheel, so that the build leaves nothing behind in the tree."""
    folder = tmp_path_factory.mktemp("source")
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=JUNK)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """The wheel, built as ``python -m build`` builds it, with the setuptools of this environment."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    with ZipFile(next(out.glob("*.whl"))) as opened:
        yield opened


def expected(source: Path) -> set[str]:
    """Every module, prompt and model file of the source tree, as the wheel should name it."""
    wanted = [path for path in (source / "ipcir_tools").rglob("*") if path.suffix == ".py" or path.name == "py.typed"]
    wanted += (source / "ipcir_tools" / "demo" / "models").rglob("*")
    wanted += (source / "ipcir_tools" / "evaluation" / "reports" / "templates").rglob("*")
    wanted += [path for folder in ("static", "templates") for path in (source / "ipcir_tools/web" / folder).rglob("*")]
    wanted += [path for folder in ("chains", "prompts") for path in (source / folder).rglob("*.py")]
    wanted += (source / "prompts").glob("*.md")
    names = {path.relative_to(source).as_posix() for path in wanted if path.is_file() and "egg-info" not in str(path)}
    return {name if name.startswith("ipcir_tools/") else f"ipcir_tools/{name}" for name in names}


def test_the_wheel_holds_the_source_tree_and_no_more(wheel, source):
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = expected(source)
    assert wanted - held == set(), "missing in the wheel: list the package or its data in pyproject.toml"
    assert held - wanted == set()


def test_what_the_package_cannot_do_without_is_there(wheel):
    names = set(wheel.namelist())
    assert {
        "ipcir_tools/py.typed",
        "ipcir_tools/chains/composition/chain.py",
        "ipcir_tools/prompts/imagine.structured.md",
        "ipcir_tools/demo/models/clip/open_clip_config.json",
        "ipcir_tools/evaluation/reports/templates/page.html.jinja",
        "ipcir_tools/evaluation/reports/templates/style.css",
        "ipcir_tools/chains/imagination/rules/imagine.py",
    } <= names


def test_nothing_lands_beside_the_package(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ipcir_tools"}


def test_the_metadata_are_those_of_the_project(wheel):
    folder = next(name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name)
    metadata = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
    project = PROJECT["project"]
    assert (metadata["Name"], metadata["Version"], metadata["License-Expression"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert "ipcir = ipcir_tools.cli.main:main" in wheel.read(f"{folder}/entry_points.txt").decode()
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()


def test_pyproject_lists_every_package():
    folders = {
        path.parent for top in ("ipcir_tools", "chains", "prompts") for path in (ROOT / top).rglob("__init__.py")
    }
    names = {folder.relative_to(ROOT).as_posix().replace("/", ".") for folder in folders}
    found = {name if name.startswith("ipcir_tools") else f"ipcir_tools.{name}" for name in names}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found
