"""Trained networks in an engine: where they are looked for, and the three composers that use them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ipcir_tools.chains.composition.chain import compose_all
from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.composers import fusion, trained_composer
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import ModelUnavailableError, SpaceMismatchError
from ipcir_tools.fakes import COLOURS
from ipcir_tools.models.network import NetworkConfig, load_network, save_network
from ipcir_tools.models.presets import DEFAULT, SETS
from ipcir_tools.models.trained_networks import find_network
from ipcir_tools.settings import Settings

METHODS = ("pic2word", "searle", "aligned")
TEMPLATES = {"pic2word": "a photo of *, {modification}", "searle": "a photo of * that {modification}", "aligned": ""}


def write_network(engine: Engine, method: str, folder: Path, space: str | None = None) -> None:
    """A network with random weights."""
    d = engine.components.encoder.dim
    config = NetworkConfig(
        method=method,
        space=space or engine.components.encoder.space,
        template=TEMPLATES[method],
        wide_in=d,
        hidden=16,
        wide_out=d if method == "aligned" else engine.components.encoder.token_dim,
        dropout=0.1,
        activation="gelu",
    )
    torch.manual_seed(METHODS.index(method))
    save_network(config, config.layers(), folder)


@pytest.fixture
def engine(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for colour in ("red", "blue", "green"):
        Image.new("RGB", (64, 64), COLOURS[colour]).save(pictures / f"{colour}.png")
    with Engine.open(Settings(home=tmp_path / "home", models="demo")) as engine:
        engine.index([pictures])
        yield engine


@pytest.fixture
def red(engine) -> str:
    return next(stamp.image_id for path, stamp in engine.catalog.stamps().items() if path.endswith("red.png"))


def test_networks_in_the_home_are_used_by_their_composers(engine, red):
    networks = {method: engine.settings.home / "networks" / method for method in METHODS}
    for method, folder in networks.items():
        write_network(engine, method, folder)
    names = (*METHODS, "imagined+reference")
    parts = compose_all([ComposeRequest(red, "in blue", name) for name in names], engine.components)
    for method, composed in zip(("pic2word", "searle"), parts, strict=False):
        network = load_network(networks[method], method, engine.components.encoder.space)
        expected = network.queries(engine.components.encoder, composed.image[None], ["in blue"])[0]
        assert np.allclose(composed.probe.vector, expected, atol=1e-5)
    proxy = parts[3].probe.vector
    moved = load_network(networks["aligned"], "aligned", engine.components.encoder.space).apply(proxy[None])[0]
    assert np.allclose(parts[2].probe.vector, fusion.normalise(proxy + moved), atol=1e-5)
    turn = engine.search(red, "in blue", composer="pic2word").turn
    assert all(hit.score == pytest.approx(hit.text_score, abs=1e-5) for hit in turn.hits)
    assert all(hit.image_score is not None for hit in turn.hits)


def test_a_sentence_is_encoded_once_for_each_network(engine, red):
    folder = engine.settings.home / "networks" / "pic2word"
    write_network(engine, "pic2word", folder)
    first = engine.search(red, "in blue", composer="pic2word")
    assert first.counts["text_encodes"] == 1
    assert engine.search(red, "in blue", composer="pic2word").counts["text_encodes"] == 0
    with Engine.open(engine.settings) as later:
        assert later.search(red, "in blue", composer="pic2word").counts["text_encodes"] == 0
    write_network(engine, "searle", folder.parent / "other")
    with Engine.open(engine.settings.model_copy(update={"networks": folder.parent / "other"})) as another:
        assert another.search(red, "in blue", composer="searle").counts["text_encodes"] == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_network_that_was_not_trained_is_named_with_the_command_that_trains_it(tmp_path, method):
    with pytest.raises(ModelUnavailableError) as caught:
        find_network(
            method, "some/128d", Settings(home=tmp_path), SETS[DEFAULT], trained_composer(method).train_command()
        )
    command = "ipcir train aligned TRIPLETS.jsonl" if method == "aligned" else f"ipcir train {method} FOLDER"
    assert all(part in str(caught.value) for part in ("some/128d", str(tmp_path), command, "IPCIR_NETWORKS"))


def test_the_settings_folder_holds_all_networks_or_one_and_comes_first(engine, tmp_path):
    both, one, home = tmp_path / "both", tmp_path / "one", engine.settings.home / "networks"
    write_network(engine, "pic2word", both / "pic2word")
    write_network(engine, "searle", one)
    for method in METHODS:
        write_network(engine, method, home / method)

    def found(method: str, folder: Path | None) -> Path:
        settings = engine.settings.model_copy(update={"networks": folder})
        return find_network(method, engine.components.encoder.space, settings, engine.components.models, "ipcir train")

    assert [found(method, both) for method in METHODS] == [both / "pic2word", home / "searle", home / "aligned"]
    assert [found(method, one) for method in METHODS] == [home / "pic2word", one, home / "aligned"]
    assert [found(method, None) for method in METHODS] == [home / method for method in METHODS]


@pytest.mark.parametrize("method", METHODS)
def test_a_network_of_another_encoder_is_never_used(engine, red, method):
    folder = engine.settings.home / "networks" / method
    write_network(engine, method, folder, space="other/128d")
    settings = Settings(home=engine.settings.home, networks=folder)
    with Engine.open(settings) as named, pytest.raises(SpaceMismatchError, match="other/128d"):
        named.search(red, "in blue", composer=method)
