"""The gallery's map in a notebook."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ipcir_tools.display import draw_map
from ipcir_tools.display.map_drawing import apart
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.settings import Settings


@pytest.fixture
def engine(tmp_path):
    colours = ("red", "darkred", "blue", "navy", "green")
    for colour in colours:
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{colour}.png")
    with Engine.open(Settings(home=tmp_path / "home", encoder="open_clip:fake/colours")) as engine:
        engine.components.encoder = FakeEncoder("open_clip:fake/colours")
        yield engine


def test_each_picture_is_on_the_map_and_those_of_a_turn_stand_out(engine, tmp_path):
    engine.index([tmp_path], captions=False)
    html = draw_map(engine).html
    assert html.count("<image ") == 5
    assert "opacity='.25'" not in html
    turn = engine.search(tmp_path / "red.png", "in blue", k=2, composer="reference").turn
    marked = draw_map(engine, turn).html
    assert marked.count("<image ") == 5
    assert marked.count("opacity='.25'") == 2
    assert [marked.count(f">{mark}</text>") for mark in ("reference", "1", "2", "3")] == [1, 1, 1, 0]
    assert "5 pictures" in repr(draw_map(engine))


def test_pictures_that_are_gone_are_dots(engine, tmp_path):
    engine.index([tmp_path], captions=False)
    (tmp_path / "red.png").unlink()
    html = draw_map(engine).html
    assert (html.count("<image "), html.count("<circle ")) == (4, 1)


def test_too_few_pictures_have_no_map(engine):
    assert "no map" in draw_map(engine).html


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 40), st.integers(0, 99))
def test_pictures_are_pushed_apart_and_stay_where_they_were_by_and_large(n, seed):
    places = np.random.default_rng(seed).random((n, 2)) * 400
    moved = apart(places, np.full(n, 30.0))
    gaps = np.abs(moved[:, None] - moved[None]).max(axis=2) + 99 * np.eye(n)
    assert np.isfinite(moved).all()
    assert gaps.min() >= 24
    assert np.abs(moved - places).max() < 120


def test_equal_places_are_pushed_apart_too():
    moved = apart(np.zeros((12, 2)), np.full(12, 30.0))
    gaps = np.abs(moved[:, None] - moved[None]).max(axis=2) + 99 * np.eye(12)
    assert gaps.min() > 15
