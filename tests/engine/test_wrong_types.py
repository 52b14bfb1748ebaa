"""Arguments of a wrong type are refused in one line that names the right one."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ipcir_tools import BadImageError, Engine, InvalidRequestError, Settings
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.models import loading

ENCODER, CAPTIONER = "open_clip:fake/types", "transformers:fake/types"


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: FakeEncoder(name))
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: ScriptedCaptioner(id=CAPTIONER))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("red", "blue", "green"):
        Image.new("RGB", (24, 24), name).save(pictures / f"{name}.png")
    with Engine.open(Settings(home=tmp_path / "home", encoder=ENCODER, captioner=CAPTIONER)) as opened:
        opened.index([pictures])
        yield opened


@pytest.fixture
def photo(tmp_path) -> Path:
    return tmp_path / "pictures" / "red.png"


@pytest.mark.parametrize("wrong", [3, b"red", {"red"}, 2.5])
def test_a_reference_of_another_type(engine, wrong):
    with pytest.raises(InvalidRequestError, match=f"a string, a Path or a PIL image, not {type(wrong).__name__}"):
        engine.search(wrong, "in blue")


def test_a_hit_is_not_its_id(engine, photo):
    hit = engine.search(photo, "in blue").hits[0]
    with pytest.raises(InvalidRequestError, match="not Hit: of a hit, give its id"):
        engine.search(hit, "in green")
    assert engine.search(hit.id, "in green").turn.query.reference == hit.id


def test_an_image_without_pixels(engine):
    with pytest.raises(BadImageError, match="no pixels"):
        engine.search(Image.new("RGB", (0, 0)), "in blue")


@pytest.mark.parametrize("wrong", [None, 3, ["in blue"]])
def test_a_modification_that_is_no_text(engine, photo, wrong):
    with pytest.raises(InvalidRequestError, match=f"must be a text, not {type(wrong).__name__}"):
        engine.search(photo, wrong)


@pytest.mark.parametrize(
    ("option", "wrong", "expected"),
    [
        ("k", "3", "k must be a whole number, not str"),
        ("k", 2.5, "k must be a whole number, not float"),
        ("k", True, "k must be a whole number, not bool"),
        ("weight", "x", "The weight must be a number from 0 to 1, not str"),
        ("rerank", "5", "rerank must be a whole number, not str"),
        ("composer", 3, "The composer must be a name, such as 'sum' or 'discount:b=0.5', not int"),
        (
            "colour",
            "red",
            "There is no option 'colour' of a search: there are k, weight, where, composer, verify, rerank",
        ),
    ],
)
def test_an_option_of_another_type(engine, photo, option, wrong, expected):
    with pytest.raises(InvalidRequestError, match=expected):
        engine.search(photo, "in blue", **{option: wrong})


def test_a_turn_is_named_by_its_id(engine, photo):
    result = engine.search(photo, "in blue")
    for wrong in (result, result.turn, None):
        with pytest.raises(InvalidRequestError, match=r"the id of an earlier turn, such as result\.turn\.id, not"):
            engine.refine(wrong, "in green")


def test_a_rank_may_be_a_number(engine, photo):
    root = engine.search(photo, "in blue")
    assert engine.refine(root.turn.id, liked=[1]).turn.query.liked == (root.hits[0].id,)


def test_one_path_is_no_list_of_paths(engine, photo):
    for one in (photo, str(photo)):
        with pytest.raises(InvalidRequestError, match=r"takes a list of paths: write engine\.index\(\["):
            engine.index(one)
