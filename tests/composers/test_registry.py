"""Composers of a program and of another package: one file and one registration each."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image
from toy_composer import Toy

from ipcir_tools.cli import main
from ipcir_tools.composers import COMPOSERS, Composer, composer_named, fusion, trained_composer
from ipcir_tools.composers.registry import ComposerRegistry
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.fakes import COLOURS
from ipcir_tools.models.network import load_network
from ipcir_tools.settings import Settings
from ipcir_tools.types import Probe


class Away(Composer):
    """Searches for what is unlike the reference."""

    name = "away"
    needs = frozenset({"reference"})

    def compose(self, parts):
        """``q = -v``."""
        return Probe(-parts.need("reference"))


@pytest.fixture
def registry(monkeypatch) -> ComposerRegistry:
    """The registry of the package, as it was before after the test."""
    monkeypatch.setattr(COMPOSERS, "_composers", {name: COMPOSERS[name] for name in COMPOSERS})
    return COMPOSERS


@pytest.fixture
def pictures(tmp_path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in ("red", "blue", "green", "white"):
        Image.new("RGB", (64, 64), COLOURS[colour]).save(folder / f"{colour}.png")
    return folder


def ipcir(monkeypatch, capsys, *words: object) -> str:
    monkeypatch.setattr(sys, "argv", ["ipcir", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    printed = capsys.readouterr()
    assert not ended.value.code, printed.err
    return printed.out


def red(engine: Engine) -> str:
    return next(stamp.image_id for path, stamp in engine.catalog.stamps().items() if path.endswith("red.png"))


def test_a_composer_of_a_program_is_registered_and_searches(registry, pictures, tmp_path):
    registry.register(Away)
    assert list(COMPOSERS)[-1] == "away"
    assert isinstance(composer_named("away"), Away)
    with Engine.open(Settings(home=tmp_path / "home", models="demo")) as engine:
        engine.index([pictures])
        found = engine.search(red(engine), "in blue", composer="away")
        assert found.turn.query.composer == "away"
        assert all(hit.score == pytest.approx(-hit.image_score, abs=1e-5) for hit in found.turn.hits)


def test_a_trained_composer_is_one_file_and_one_registration(registry, pictures, tmp_path, monkeypatch, capsys):
    registry.register(Toy)
    settings = Settings(home=tmp_path / "home", models="demo")
    with Engine.open(settings) as engine:
        engine.index([pictures])
        with pytest.raises(ModelUnavailableError, match="ipcir train toy FOLDER --home"):
            engine.search(red(engine), "in blue", composer="toy")
    where = ("--home", settings.home, "--models", "demo")
    assert "--dropout" in ipcir(monkeypatch, capsys, "train", "toy", "--help")
    report = json.loads(ipcir(monkeypatch, capsys, "train", "toy", pictures, "--rate", 0.01, "--json", *where))
    assert (report["method"], report["examples"], report["steps"]) == ("toy", 4, 60)
    assert report["losses"][-1] < 0.5 * report["losses"][0]
    with Engine.open(settings) as engine:
        result = engine.search(red(engine), "in blue", composer="toy")
        network = load_network(settings.home / "networks" / "toy", "toy", engine.components.encoder.space)
        both = (
            engine.components.features.images([red(engine)])[red(engine)]
            + engine.components.features.texts(["in blue"])[0]
        )
        probe = fusion.normalise(network.apply(fusion.normalise(both)[None]))[0]
        scores = {hit.source: hit.score for hit in result.turn.hits}
        for source, score in scores.items():
            record = next(stamp.image_id for path, stamp in engine.catalog.stamps().items() if path == source)
            assert score == pytest.approx(float(engine.components.features.images([record])[record] @ probe), abs=1e-4)


def test_only_a_composer_that_needs_a_network_has_one(registry):
    assert trained_composer("searle").train_command() == "ipcir train searle FOLDER"
    with pytest.raises(InvalidRequestError, match="pic2word, searle, aligned"):
        trained_composer("sum")


def test_a_name_that_is_taken_or_cannot_be_typed_is_refused(registry):
    for name in ("sum", "a:b", "a,b", ""):
        with pytest.raises(InvalidRequestError, match=r"choose another name|no name for a composer"):
            registry.register(type("Other", (Away,), {"name": name}))
    registry.register(Away)
    registry.register(Away)
    assert list(registry).count("away") == 1


def install(folder: Path, value: str) -> None:
    """A distribution whose entry point is ``value``, in ``folder``."""
    shutil.copy(Path(__file__).with_name("toy_composer.py"), folder / "other_composer.py")
    info = folder / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ipcir_tools.composers]\ntoy = {value}\n")


def test_another_package_adds_a_composer_by_an_entry_point(tmp_path, monkeypatch):
    install(tmp_path, "other_composer:Toy")
    monkeypatch.syspath_prepend(tmp_path)
    registry = ComposerRegistry(Away)
    assert "away" in registry
    assert registry["toy"].name == "toy"
    assert list(registry) == ["away", "toy"]


@pytest.mark.parametrize("value", ["other_composer:Missing", "no_such_module:Toy", "other_composer:np"])
def test_a_composer_that_cannot_be_loaded_is_left_out_with_a_warning(tmp_path, monkeypatch, value):
    install(tmp_path, value)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.warns(UserWarning, match="left out"):
        assert list(ComposerRegistry(Away)) == ["away"]
