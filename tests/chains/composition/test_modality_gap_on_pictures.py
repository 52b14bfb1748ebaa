"""The demo's models on drawn pictures: a gap as that of published CLIPs changes no order of hits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ipcir_tools.chains.composition.chain import compose_all
from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.world.garments import Garment
from ipcir_tools.demo.world.wardrobe import drawn_scenes
from ipcir_tools.engine.engine import Engine
from ipcir_tools.settings import Settings

WITH_GAP = "python:ipcir_tools.fakes:demo_with_gap"
JACKET = Garment("jacket", "red", "floral", "medium", sleeve="short", neck="collar", pocket=True, belt=True)
GARMENTS = {
    "belt": JACKET,
    "no-belt": JACKET.changed(belt=False),
    "blue": JACKET.changed(colour="blue"),
    "blue-no-belt": JACKET.changed(colour="blue", belt=False),
    "long-sleeves": JACKET.changed(sleeve="long"),
    "no-pocket": JACKET.changed(pocket=False),
}
TEXTS = ("in blue", "with long sleeves", "without the belt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Each garment in the same two scenes."""
    folder = tmp_path_factory.mktemp("jackets")
    for place, scene in enumerate(drawn_scenes(random.Random(0), 2)):
        for name, garment in GARMENTS.items():
            render(garment, scene).save(folder / f"{name}-{place}.png")
    return folder


@pytest.fixture(scope="module")
def engine(folder) -> Iterator[Engine]:
    with Engine.open(Settings(home=folder / "home", models="demo")) as engine:
        engine.index([folder])
        yield engine


@pytest.fixture(scope="module")
def with_gap(folder) -> Iterator[Engine]:
    with Engine.open(Settings(home=folder / "gap", models="demo", encoder=WITH_GAP)) as engine:
        engine.index([folder])
        yield engine


def standardised_scores(engine: Engine, composer: str) -> np.ndarray:
    """``[texts * references, pictures]``: every picture of the gallery scored for every request."""
    components, ids = engine.components, engine.catalog.gallery_ids()
    known = components.features.images(ids)
    features = np.stack([known[id_] for id_ in ids])
    requests = [ComposeRequest(id_, text, composer=composer) for id_ in ids for text in TEXTS]
    scores = np.stack([composed.probe.score(features) for composed in compose_all(requests, components)])
    return (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)


@pytest.mark.parametrize("composer", ["edit", "imagined+reference", "sum", "discount", "signed"])
def test_the_order_of_hits_is_that_without_the_gap(engine, with_gap, composer):
    """Scores differ by their mean and scale alone, so that pictures change places only where they tie."""
    plain, shifted = standardised_scores(engine, composer), standardised_scores(with_gap, composer)
    assert np.abs(plain - shifted).max() < 5e-3


@pytest.mark.parametrize("place", [0, 1])
def test_without_the_belt_finds_the_same_garment_without_it(engine, folder, place):
    result = engine.search(folder / f"belt-{place}.png", "without the belt")
    assert Path(result.hits[0].source).name == f"no-belt-{place}.png"
