"""Training on the command line, on the small CLIP and a few drawn pictures; where the networks are found afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ipcir_tools.cli import main
from ipcir_tools.composers import trained_composer
from ipcir_tools.demo import gallery
from ipcir_tools.demo.world import wardrobe
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError, SpaceMismatchError
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.network import NetworkConfig, load_network, save_network
from ipcir_tools.models.presets import DEFAULT, DEMO, SETS
from ipcir_tools.models.trained_networks import find_network, load_trained, own_folder
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.training import oti
from ipcir_tools.training.checkpoint import CHECKPOINT, finished
from ipcir_tools.training.data import read_pictures, read_triplets, some_captions

METHODS = ("pic2word", "searle", "aligned")
REPORT = ["method", "folder", "examples", "steps", "seconds", "losses", "before", "after", "left_out"]


def silent(what: str, done: int, total: int) -> None:
    """Progress that is not shown."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """Sixty pictures of the train part, one of them twice, twelve triplets, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("shop")
    made = wardrobe.wardrobe("train", families=2)
    for _ in gallery.draw(made.pictures, folder):
        pass
    shutil.copy(folder / made.pictures[0].name, folder / "twin.jpg")
    (folder / "broken.jpg").write_bytes(b"no picture")
    lines = [{"reference": q.reference, "modification": q.modification, "targets": [q.main]} for q in made.queries]
    lines.append({"reference": made.pictures[0].name, "modification": "in blue", "targets": ["broken.jpg"]})
    lines.append({"reference": "gone.jpg", "modification": "in blue", "targets": ["twin.jpg"]})
    (folder / "triplets.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "nouns.txt").write_text("dress\n\nshirt\ncoat\n")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """One home for all, as a user has: what is encoded once is known from then on."""
    return tmp_path_factory.mktemp("home")


Train = Callable[..., str]


@pytest.fixture
def train(home, monkeypatch, capsys) -> Train:
    """``ipcir train`` in this process; what it printed."""

    def run(*arguments: object) -> str:
        words = ["ipcir", "train", *map(str, arguments), "--home", str(home), "--models", "demo"]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        assert not ended.value.code, printed.err
        return printed.out

    return run


def failing(train: Train, *arguments: object) -> str:
    with pytest.raises(AssertionError) as caught:
        train(*arguments)
    return " ".join(str(caught.value).split())


def weights(folder: Path) -> bytes:
    return (folder / "network.safetensors").read_bytes()


# --- training


def test_pic2word_learns_from_pictures_alone(train, shop, home):
    report = json.loads(train("pic2word", shop, "--steps", 40, "--json"))
    assert list(report) == REPORT
    assert (report["method"], report["examples"], report["steps"]) == ("pic2word", 60, 40)
    assert report["losses"][-1] < report["losses"][0]
    assert [line.rpartition("/")[2] for line in report["left_out"]] == ["broken.jpg: not a picture in a known format"]
    assert report["folder"] == str(home / "networks" / "pic2word")
    assert sorted(path.name for path in Path(report["folder"]).iterdir()) == ["network.json", "network.safetensors"]


def test_what_is_learnt_from_does_not_enter_the_gallery_and_is_encoded_once(train, shop, home, monkeypatch):
    train("pic2word", shop, "--steps", 1, "--again")
    with Catalog.open(home) as catalog:
        assert (catalog.size(), catalog.space()) == (0, None)
    monkeypatch.setattr(Encoder, "embed_images", lambda *_: pytest.fail("encoded again"))
    train("pic2word", shop, "--steps", 1, "--again")


def test_the_output_names_what_was_trained_and_where_it_is(train, shop, tmp_path):
    output = train("pic2word", shop, "--steps", 3, "--out", tmp_path / "mine")
    assert "pic2word: 60 examples, 3 steps" in output
    assert f"network: {tmp_path / 'mine'}" in output
    assert "broken.jpg: not a picture in a known format" in output


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_as_it_would_have(train, shop, home, tmp_path):
    steps = ("--steps", 70)  # and a checkpoint after 50
    command = ["train", "pic2word", shop, "--out", tmp_path / "killed", *steps, "--home", home, "--models", "demo"]
    child = subprocess.Popen(
        [sys.executable, "-m", "ipcir_tools.cli.main", *map(str, command)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stderr=subprocess.PIPE,
    )
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    while not checkpoint.exists() and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, child.communicate()
    assert [path.name for path in (tmp_path / "killed").glob("network*")] == []
    train("pic2word", shop, "--out", tmp_path / "killed", *steps)
    train("pic2word", shop, "--out", tmp_path / "whole", *steps)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    assert not checkpoint.exists()


@pytest.mark.parametrize("command", ["pic2word", "searle", "aligned"])
def test_a_finished_training_is_kept_without_again(train, shop, tmp_path, command):
    source = shop / "triplets.jsonl" if command == "aligned" else shop
    network(tmp_path, "aligned" if command == "aligned" else command)
    before = weights(tmp_path)
    error = failing(train, command, source, "--steps", 3, "--out", tmp_path)
    assert f"training in {tmp_path} is finished" in error
    assert "--again" in error
    assert weights(tmp_path) == before


def test_a_training_that_goes_on_in_place_of_a_network_is_not_finished(tmp_path):
    assert not finished(tmp_path)
    assert finished(network(tmp_path))
    (tmp_path / CHECKPOINT).touch()
    assert not finished(tmp_path)


def test_a_finished_training_is_replaced_with_again(train, shop, tmp_path):
    train("pic2word", shop, "--steps", 3, "--out", tmp_path)
    before = weights(tmp_path)
    train("pic2word", shop, "--steps", 4, "--out", tmp_path, "--again")
    assert weights(tmp_path) != before


def test_searle_learns_around_nouns_that_are_named(train, shop, tmp_path, monkeypatch):
    monkeypatch.setattr(oti, "Inversion", partial(oti.Inversion, steps=3))
    nouns = ("--captions", 0, "--concepts", shop / "nouns.txt")
    report = json.loads(train("searle", shop, *nouns, "--steps", 3, "--out", tmp_path, "--json"))
    assert (report["method"], report["examples"]) == ("searle", 60)


def test_align_learns_from_triplets(train, shop):
    report = json.loads(train("aligned", shop / "triplets.jsonl", "--steps", 60, "--json"))
    assert list(report) == [*REPORT, "imagined_by"]
    assert (report["method"], report["steps"], report["imagined_by"]) == ("aligned", 60, {"rules": 12})
    assert report["losses"][-1] < report["losses"][0]
    assert 0 < report["before"] <= report["after"] <= 1
    assert report["left_out"] == [
        "line 14: no such picture in the folder: gone.jpg",
        "query 13: its pictures cannot be read",
    ]


# --- what is trained on


@pytest.fixture
def engine(home, tmp_path) -> Iterator[Engine]:
    """Over a copy of the home, so that what is encoded stays encoded and nothing else is left behind."""
    shutil.copytree(home, tmp_path / "home")
    with Engine.open(Settings(home=tmp_path / "home", models="demo", device="cpu")) as engine:
        yield engine


def test_pictures_are_read_once_each(engine, shop):
    pictures = read_pictures(engine.components, [shop, shop / "twin.jpg"], silent)
    assert len(pictures.ids) == 61
    assert pictures.matrix.shape == (60, engine.components.encoder.dim)
    assert np.linalg.norm(pictures.matrix, axis=1) == pytest.approx(np.ones(60))


def test_a_folder_without_pictures_is_an_error(engine, tmp_path):
    with pytest.raises(InvalidRequestError, match="no picture to learn from"):
        _ = read_pictures(engine.components, [tmp_path], silent).matrix


@pytest.mark.parametrize(("most", "made"), [(0, 0), (1, 1), (7, 7), (59, 30), (60, 60), (100, 60)])
def test_captions_are_spread_over_the_pictures(engine, shop, monkeypatch, most, made):
    monkeypatch.setattr(
        engine.components.features, "captions", lambda ids, **_: {id_: f"caption of {id_}" for id_ in ids}
    )
    pictures = read_pictures(engine.components, [shop], silent)
    captions = some_captions(engine.components, pictures, most, silent)
    assert len(set(captions)) == len(captions) == made <= most


def test_the_proxy_is_the_probe_of_the_untrained_method(engine, shop):
    engine.index([shop])
    triplets = read_triplets(engine.components, shop / "triplets.jsonl", None, silent)
    query = json.loads((shop / "triplets.jsonl").read_text().splitlines()[0])
    shown = engine.search(shop / query["reference"], query["modification"], composer="imagined+reference", k=80).turn
    target = next(hit for hit in shown.hits if hit.source.endswith(query["targets"][0]))
    assert (triplets.proxies.shape, triplets.gallery.shape) == (
        triplets.targets.shape,
        (60, engine.components.encoder.dim),
    )
    assert triplets.proxies[0] @ triplets.targets[0] == pytest.approx(target.score, abs=1e-5)


def test_a_query_with_two_references_is_no_triplet_and_is_named(engine, shop, tmp_path):
    first, second = map(json.loads, (shop / "triplets.jsonl").read_text().splitlines()[:2])
    file = tmp_path / "several.jsonl"
    both = second | {"reference": [second["reference"], "twin.jpg"], "id": "both"}
    file.write_text("\n".join(map(json.dumps, [first, both])))
    triplets = read_triplets(engine.components, file, shop, silent)
    assert len(triplets.targets) == 1
    assert triplets.left_out == ("query both: it has several references",)


def test_a_query_with_two_targets_is_two_triplets(engine, shop, tmp_path):
    asked = json.loads((shop / "triplets.jsonl").read_text().splitlines()[0])
    other = next(path.name for path in sorted(shop.glob("*.jpg")) if path.name not in (*asked["targets"], "broken.jpg"))
    other = other if other != asked["reference"] else "twin.jpg"
    file = tmp_path / "two.jsonl"
    file.write_text(json.dumps(asked | {"targets": [*asked["targets"], other]}))
    triplets = read_triplets(engine.components, file, shop, silent)
    features = read_pictures(engine.components, [shop / name for name in (*asked["targets"], other)], silent).matrix
    np.testing.assert_array_equal(triplets.targets, features)
    np.testing.assert_array_equal(triplets.proxies[0], triplets.proxies[1])


# --- errors


def test_errors_are_one_line(train, shop, tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    own = ("--out", tmp_path / "own")
    assert "no picture to learn from" in failing(train, "pic2word", tmp_path, *own)
    assert "does not exist" in failing(train, "pic2word", tmp_path / "gone", *own)
    assert "holds no noun" in failing(train, "searle", shop, "--concepts", tmp_path / "empty.txt")
    assert "cannot be read" in failing(train, "searle", shop, "--concepts", tmp_path / "gone.txt")
    assert "name some concepts" in failing(train, "searle", shop, "--captions", 0)
    assert "is missing" in failing(train, "aligned", tmp_path / "gone.jsonl", *own)


# --- where networks are found


def network(folder: Path, method: str = "pic2word", space: str = "ours") -> Path:
    """A small network with random weights."""
    config = NetworkConfig(method=method, space=space, wide_in=4, hidden=4, wide_out=4, dropout=0.0, activation="relu")
    save_network(config, config.layers(), folder)
    return folder


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setitem(SETS, DEMO, replace(SETS[DEMO], networks=tmp_path / "demo"))
    return Settings(home=tmp_path / "home")


def find(name: str, settings: Settings, models: str = DEFAULT) -> Path:
    return find_network(name, "ours", settings, SETS[models], trained_composer(name).train_command())


@pytest.mark.parametrize("method", METHODS)
def test_a_network_is_found_where_training_puts_it(settings, method):
    folder = network(own_folder(method, settings), method)
    assert find(method, settings) == folder
    assert load_network(folder, method, "ours").config.method == method


@pytest.mark.parametrize("method", METHODS)
def test_a_network_is_named_by_its_weights(settings, method):
    folder = own_folder(method, settings)
    network(folder, method)
    first, again = (load_trained(method, "ours", settings, SETS[DEFAULT], "ipcir train").id for _ in range(2))
    network(folder, method)  # other random weights
    assert first
    assert first == again != load_trained(method, "ours", settings, SETS[DEFAULT], "ipcir train").id


def test_what_the_settings_name_goes_first_and_may_hold_one_network_or_several(settings, tmp_path):
    network(own_folder("pic2word", settings))
    several, one = network(tmp_path / "several" / "pic2word"), network(tmp_path / "one")
    for named, found in ((tmp_path / "several", several), (one, one)):
        chosen = settings.model_copy(update={"networks": named})
        assert find("pic2word", chosen) == found


def test_what_the_settings_do_not_hold_is_looked_for_elsewhere(settings, tmp_path):
    own, named = network(own_folder("searle", settings), "searle"), network(tmp_path / "one")
    chosen = settings.model_copy(update={"networks": named})
    assert find("searle", chosen) == own


def test_the_demo_brings_its_own(settings, tmp_path):
    shipped = network(tmp_path / "demo" / "pic2word")
    network(own_folder("pic2word", settings), space="another")
    assert find("pic2word", settings, DEMO) == shipped
    with pytest.raises(ModelUnavailableError):
        find("pic2word", settings)


@pytest.mark.parametrize(("method", "command"), [("searle", "searle FOLDER"), ("aligned", "aligned TRIPLETS.jsonl")])
def test_without_a_network_the_command_is_named_that_trains_one(settings, method, command):
    with pytest.raises(ModelUnavailableError, match=f"ipcir train {command} --home"):
        find(method, settings)


def test_a_network_of_another_space_is_mentioned_and_one_that_was_named_is_refused(settings, tmp_path):
    network(own_folder("pic2word", settings), space="another")
    with pytest.raises(ModelUnavailableError, match="there is one for another"):
        find("pic2word", settings)
    chosen = settings.model_copy(update={"networks": network(tmp_path / "one", space="another")})
    with pytest.raises(SpaceMismatchError, match="not for ours"):
        find("pic2word", chosen)


def test_a_damaged_description_is_no_network(settings):
    (network(own_folder("pic2word", settings)) / "network.json").write_text("{")
    with pytest.raises(ModelUnavailableError, match="ipcir train pic2word"):
        find("pic2word", settings)
