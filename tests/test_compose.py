"""The compose chain on a real catalog: what is made, how often, and what the parts are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from langchain_core.runnables import RunnableLambda
from PIL import Image

from ipcir_tools.catalog import Catalog
from ipcir_tools.chains.compose import ComposeRequest, Step, build_compose_chain, compose_all
from ipcir_tools.chains.imagine import Imagination, build_imagine_chain
from ipcir_tools.composers import COMPOSERS
from ipcir_tools.errors import InvalidRequest, NotFound
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.features import Features
from ipcir_tools.images import load
from ipcir_tools.settings import Settings
from ipcir_tools.types import ImaginedTarget

MADE = {
    "modification": {"texts": 1},
    "reference": {"images": 1},
    "sum": {"images": 1, "texts": 1},
    "imagined": {"captions": 1, "texts": 1},
    "imagined+reference": {"images": 1, "captions": 1, "texts": 1},
}


class Bench:
    """Pictures in plain colours, known to a catalog, with the chain over them."""

    def __init__(self, folder):
        self.catalog = Catalog.open(folder / "home")
        self.encoder = FakeEncoder()
        self.captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} square")
        self.ids = {}
        for colour in ("red", "green", "white"):
            path = folder / f"{colour}.png"
            Image.new("RGB", (16, 16), COLOURS[colour]).save(path)
            record = load(path, Settings()).record
            self.catalog.remember([record])
            self.ids[colour] = record.id
        self.heard = []
        self.imagine = RunnableLambda(self._imagine)
        self.restart()

    def restart(self) -> None:
        """As a new process would begin: the catalog is all that is left."""
        self.features = Features(
            self.catalog, Settings(), lambda: self.encoder, lambda: self.captioner, lambda: self.captioner.id
        )

    def _imagine(self, request) -> Imagination:
        self.heard.append(request)
        return build_imagine_chain(None).invoke(request)

    def request(self, colour="red", modification="in blue", **more) -> ComposeRequest:
        return ComposeRequest(self.ids[colour], modification, **more)

    def compose(self, *requests):
        return compose_all(requests, self.features, self.imagine)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.catalog.close()


# --- what is made


@pytest.mark.parametrize("composer", COMPOSERS)
def test_only_what_the_composer_needs_is_made_and_only_once(bench, composer):
    first = bench.compose(bench.request(composer=composer))[0]
    assert bench.features.made == MADE[composer]
    bench.restart()
    again = bench.compose(bench.request(composer=composer))[0]
    assert bench.features.made == {}
    assert np.array_equal(first.probe.vector, again.probe.vector)


@pytest.mark.parametrize("composer", COMPOSERS)
def test_what_was_not_needed_is_none(bench, composer):
    composed = bench.compose(bench.request(composer=composer))[0]
    needs = COMPOSERS[composer].needs
    assert (composed.image is not None) == ("reference" in needs)
    assert (composed.text is not None) == bool(needs & {"modification", "imagined"})
    assert (composed.caption, composed.imagination is not None) == (
        ("a red square", True) if "imagined" in needs else (None, False)
    )


def test_the_same_request_many_times_is_made_once(bench):
    several = bench.compose(*[bench.request()] * 3)
    assert bench.features.made == {"images": 1, "captions": 1, "texts": 1}
    assert (bench.encoder.images_encoded, bench.captioner.images_captioned, bench.encoder.texts_encoded) == (1, 1, 1)
    assert len({composed.probe.vector.tobytes() for composed in several}) == 1


def test_a_batch_gives_what_its_requests_give_one_by_one(bench, tmp_path):
    requests = [
        bench.request(colour, text, composer=composer, weight=weight)
        for colour, text, weight in (("red", "in blue", None), ("green", "make it pink", 0.3))
        for composer in COMPOSERS
    ]
    together = bench.compose(*requests)
    (tmp_path / "fresh").mkdir()
    alone = Bench(tmp_path / "fresh")
    for request, composed in zip(requests, together, strict=True):
        single = alone.compose(request)[0]
        assert np.allclose(composed.probe.vector, single.probe.vector, atol=1e-6)
        assert replace(composed, probe=None, image=None, text=None, timings={}, counts={}) == replace(
            single, probe=None, image=None, text=None, timings={}, counts={}
        )
    alone.catalog.close()


def test_nothing_asked_is_nothing_made(bench):
    assert bench.compose() == []
    assert bench.features.made == {}


def test_a_picture_that_is_open_already_is_not_opened_again(bench, tmp_path):
    (tmp_path / "red.png").unlink()
    picture = Image.new("RGB", (16, 16), COLOURS["red"])
    composed = bench.compose(bench.request(pixels={bench.ids["red"]: picture}))[0]
    assert composed.caption == "a red square"
    assert np.allclose(composed.image, bench.encoder.embed_images([picture])[0], atol=1e-6)


# --- what comes out


def test_the_probe_is_the_fusion_of_the_imagined_text_with_the_picture(bench):
    composed = bench.compose(bench.request(weight=0.5))[0]
    assert composed.imagination.target.description == "a blue square"
    assert np.allclose(composed.text, bench.encoder.embed_texts(["a blue square"])[0], atol=1e-6)
    middle = composed.text + composed.image
    assert np.allclose(composed.probe.vector, middle / np.linalg.norm(middle), atol=1e-6)


def test_the_weight_is_the_composers_until_the_user_names_one(bench):
    requests = [bench.request(), bench.request(composer="sum"), bench.request(weight=0.3), bench.request(weight=0.0)]
    composed = bench.compose(*requests)
    assert [each.weight for each in composed] == [0.8, 0.5, 0.3, 0.0]
    assert np.allclose(composed[3].probe.vector, composed[3].image, atol=1e-6)


@pytest.mark.parametrize("composer", COMPOSERS)
def test_timings_name_the_parts_that_ran(bench, composer):
    needs = COMPOSERS[composer].needs
    expected = {"encode_image"} if "reference" in needs else set()
    expected |= {"caption", "imagine"} if "imagined" in needs else set()
    timings = bench.compose(bench.request(composer=composer))[0].timings
    assert set(timings) - {"encode_text"} == expected
    assert ("encode_text" in timings) or composer == "reference"
    assert all(seconds >= 0 for seconds in timings.values())


async def test_the_chain_is_a_runnable_for_threads_and_loops(bench):
    chain = build_compose_chain(bench.features, bench.imagine)
    here = chain.invoke(bench.request())
    there = await chain.ainvoke(bench.request())
    assert np.array_equal(here.probe.vector, there.probe.vector)
    assert [each.weight for each in chain.batch([bench.request(weight=0.1), bench.request(weight=0.2)])] == [0.1, 0.2]


# --- dialogues

BLUE = ImaginedTarget(description="a blue square", origin="rules")


def test_words_as_they_were_typed_are_all_words_of_the_dialogue(bench):
    request = bench.request(
        modification="with dots", composer="sum", history=(Step("in blue", None), Step("wide", BLUE))
    )
    assert request.asked == "in blue, wide, with dots"
    composed = bench.compose(request)[0]
    assert np.allclose(composed.text, bench.encoder.embed_texts(["in blue, wide, with dots"])[0], atol=1e-6)


def test_the_imaginer_hears_what_each_turn_gave(bench):
    composed = bench.compose(bench.request(modification="with dots", history=(Step("in blue", BLUE),)))[0]
    assert bench.heard[0].caption == "a red square"
    assert bench.heard[0].history == (("in blue", BLUE),)
    assert "blue" in composed.imagination.target.description


def test_turns_that_imagined_nothing_hand_their_words_on(bench):
    history = (Step("wide", None), Step("in blue", BLUE), Step("brighter", None), Step("larger", None))
    bench.compose(bench.request(modification="with dots", history=history))
    assert bench.heard[0].history == (("wide, in blue", BLUE),)
    assert bench.heard[0].modification == "brighter, larger, with dots"


def test_a_request_without_turns_before_has_none(bench):
    bench.compose(bench.request())
    assert (bench.heard[0].history, bench.heard[0].modification) == ((), "in blue")


# --- what is wrong


def test_an_unknown_composer_is_refused_before_anything_is_made(bench):
    with pytest.raises(InvalidRequest, match="magic"):
        bench.compose(bench.request(), bench.request(composer="magic"))
    assert bench.features.made == {}


def test_an_unknown_reference_is_named(bench):
    with pytest.raises(NotFound, match="0123456789abcdef"):
        bench.compose(ComposeRequest("0123456789abcdef", "in blue"))
