"""The compose chain on a real catalog: what is made, how often, and what the parts receive."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from PIL import Image
from stand_ins import FlatImageGenerator, StandInNetwork

from ipcir_tools.chains.composition.chain import build_compose_chain, compose_all
from ipcir_tools.chains.composition.requests import PART_OF_IT, ComposeRequest, Step, request_of
from ipcir_tools.chains.imagination.chain import build_imagine_chain
from ipcir_tools.chains.imagination.results import Imagination, NotedCaption
from ipcir_tools.chains.imagination.rules import imagine_by_rules
from ipcir_tools.composers import COMPOSERS
from ipcir_tools.composers.aligned import move_proxies
from ipcir_tools.composers.calibration import UNCALIBRATED
from ipcir_tools.composers.fusion import pool
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError, NotFoundError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.images.reading import load
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.features import Features
from ipcir_tools.types import ComposedQuery, Hit, ImaginedTarget, NotedReference, Turn

MADE = {
    "modification": {"texts": 1},
    "reference": {"images": 1},
    "sum": {"images": 1, "texts": 1},
    "imagined": {"captions": 1, "texts": 1},
    "imagined+reference": {"images": 1, "captions": 1, "texts": 1},
    # "a red square", "a blue square" and "in blue".
    "edit": {"images": 1, "captions": 1, "texts": 3},
    # The caption and its only edit, which all fifteen captions of a plain square share.
    "proxy-image": {"images": 1, "captions": 15, "texts": 2, "drawings": 4},
    "ensemble": {"images": 1, "captions": 15, "texts": 2},
    "semantic-delta": {"captions": 15, "texts": 2},
    "discount": {"images": 1, "captions": 1, "texts": 2},
    # "a blue square", and by role "blue", "square" and "red".
    "signed": {"images": 1, "captions": 1, "texts": 4},
    "ast": {"images": 1, "captions": 1, "texts": 2},
    "caption-fusion": {"images": 1, "captions": 1, "texts": 3},
    "paracosm": {"captions": 1, "texts": 2, "drawings": 1},
    "pic2word": {"images": 1, "texts": 1},
    "searle": {"images": 1, "texts": 1},
    "aligned": {"images": 1, "captions": 1, "texts": 1},
}
TIMED = {"drawn", "pic2word", "searle", "aligned"}
"""Parts that are made of others, the networks' by their composers; the time of each is given by its name."""


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
        self.imagined_requests = []
        self.imagine = RunnableLambda(self._imagine)
        self.calibration = UNCALIBRATED
        self.image_generator = FlatImageGenerator()
        self.restart()

    def restart(self) -> None:
        """As a new process would begin: the catalog is all that is left."""
        self.features = Features(
            self.catalog, Settings(), lambda: self.encoder, lambda: self.captioner, lambda: self.captioner.id
        )

    def trained_network(self, name: str) -> StandInNetwork:
        return StandInNetwork(name, self.encoder)

    def _imagine(self, request) -> Imagination:
        self.imagined_requests.append(request)
        return build_imagine_chain(None).invoke(request)

    def request(self, colour="red", modification="in blue", **more) -> ComposeRequest:
        return ComposeRequest(self.ids[colour], modification, **more)

    def compose(self, *requests):
        return compose_all(requests, self)


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
    assert (composed.text is not None) == (composer != "reference")
    assert (composed.caption, composed.imagination is not None) == (
        ("a red square", True) if COMPOSERS[composer].imagines else (None, False)
    )
    made = {part for part, value in vars(composed.parts).items() if value is not None}
    assert made == needs | {"weight", "kept", "calibration"}


def test_the_same_request_many_times_is_made_once(bench):
    several = bench.compose(*[bench.request(composer="imagined+reference")] * 3)
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
        none = dict.fromkeys(("probe", "make_verification_probe", "image", "text", "parts"))
        bare = {**none, "timings": {}, "counts": {}}
        assert replace(composed, **bare) == replace(single, **bare)
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
    composed = bench.compose(bench.request(weight=0.5, composer="imagined+reference"))[0]
    assert composed.imagination.target.description == "a blue square"
    assert np.allclose(composed.text, bench.encoder.embed_texts(["a blue square"])[0], atol=1e-6)
    middle = composed.text + composed.image
    assert np.allclose(composed.probe.vector, middle / np.linalg.norm(middle), atol=1e-6)


def test_the_weight_is_the_composers_until_the_user_names_one(bench):
    fusion = bench.request(composer="imagined+reference")
    requests = [fusion, bench.request(composer="sum"), bench.request(weight=0.3), bench.request(weight=0.0)]
    composed = bench.compose(*requests)
    assert [each.weight for each in composed] == [0.8, 0.5, 0.3, 0.0]
    assert np.allclose(composed[3].probe.vector, composed[3].image, atol=1e-6)


@pytest.mark.parametrize("composer", COMPOSERS)
def test_timings_name_the_parts_that_ran(bench, composer):
    needs = COMPOSERS[composer].needs
    expected = {"encode_image"} if "reference" in needs else set()
    expected |= {"caption", "imagine"} if COMPOSERS[composer].imagines else set()
    expected |= (needs | {composer}) & TIMED | ({"calibrate"} if COMPOSERS[composer].mixes else set())
    timings = bench.compose(bench.request(composer=composer))[0].timings
    assert set(timings) - {"encode_text"} == expected
    assert ("encode_text" in timings) == (composer not in {"reference", "pic2word", "searle"})
    assert all(seconds >= 0 for seconds in timings.values())


async def test_the_chain_is_a_runnable_for_threads_and_loops(bench):
    chain = build_compose_chain(bench)
    here = chain.invoke(bench.request())
    there = await chain.ainvoke(bench.request())
    assert np.array_equal(here.probe.vector, there.probe.vector)
    assert [each.weight for each in chain.batch([bench.request(weight=0.1), bench.request(weight=0.2)])] == [0.1, 0.2]


# --- several captions


def says(bench, *captions: str) -> None:
    """The captioner's beams, the best first."""
    bench.captioner._caption_batch = lambda images, n: [[captions[i % len(captions)] for i in range(n)]] * len(images)


def test_every_caption_is_edited_and_the_best_is_shown(bench):
    variants = ["a red square", "a red tile on a wall"]
    says(bench, *variants)
    composed = bench.compose(bench.request(composer="ensemble:captions=2"))[0]
    assert sorted(request.caption for request in bench.imagined_requests) == variants
    assert (composed.caption, composed.imagination.target.description) == ("a red square", "a blue square")
    captions, edits = composed.parts.captions, composed.parts.edits
    assert captions.shape == edits.shape
    targets = [(caption, imagine_by_rules(caption, "in blue")) for caption in variants]
    rows = [(caption, edit) for caption, each in targets for edit in (each.description, *each.alternatives)]
    assert len(rows) == 3, "the second has an alternative, which is an edit too"
    for i, of in enumerate((captions, edits)):
        assert np.allclose(of, bench.encoder.embed_texts([row[i] for row in rows]), atol=1e-6)


def test_equal_captions_are_imagined_once_and_count_as_often_as_they_occur(bench):
    says(bench, "a red square", "a red square", "a red tile")
    composed = bench.compose(bench.request(composer="semantic-delta:captions=6"))[0]
    assert sorted(request.caption for request in bench.imagined_requests) == ["a red square", "a red tile"]
    same = (composed.parts.captions @ bench.encoder.embed_texts(["a red square"])[0] > 0.999).sum()
    assert (same, len(composed.parts.captions)) == (4, 6)


def test_several_captions_are_kept_by_how_many_and_apart_from_the_one(bench):
    bench.compose(*(bench.request(composer=f"ensemble:captions={n}") for n in (2, 3)), bench.request())
    assert bench.features.made["captions"] == 2 + 3 + 1
    ids = [bench.ids["red"]]
    bench.restart()
    assert bench.features.several_captions(ids, 3) == {ids[0]: ("a red square",) * 3}
    assert bench.features.captions(ids) == bench.features.known_captions(ids) == {ids[0]: "a red square"}
    assert bench.features.made == {}


def test_one_caption_is_the_one_that_is_known(bench):
    bench.compose(bench.request(composer="imagined+reference"))
    bench.restart()
    bench.compose(bench.request(composer="ensemble:captions=1"))
    assert bench.features.made == {"texts": 1}, "of the caption itself"


def test_a_target_that_is_there_already_is_the_only_edit(bench):
    imagination = Imagination(
        ImaginedTarget(description="a pink square", origin="llm"), None, (), calls=1, cached=False
    )
    composed = bench.compose(bench.request(composer="semantic-delta", imagination=imagination))[0]
    assert bench.imagined_requests == []
    assert bench.features.made == {"captions": 1, "texts": 2}
    assert np.allclose(composed.parts.edits, bench.encoder.embed_texts(["a pink square"]), atol=1e-6)
    assert composed.counts["llm_calls"] == 1


def test_calls_are_counted_over_all_captions(bench):
    says(bench, "a red square", "a red tile", "a red tile")
    target = ImaginedTarget(description="a blue square", origin="llm")
    bench.imagine = RunnableLambda(lambda request: Imagination(target, None, (), calls=1, cached=False))
    assert bench.compose(bench.request(composer="ensemble:captions=3"))[0].counts["llm_calls"] == 2


# --- roles


def test_a_role_of_nothing_is_zeros(bench):
    target = ImaginedTarget(description="a blue square", add=("blue", "wide"), origin="llm")
    imagination = Imagination(target, None, (), calls=0, cached=True)
    parts = bench.compose(bench.request(composer="signed", imagination=imagination))[0].parts
    assert np.allclose(parts.add, bench.encoder.embed_texts(["blue, wide"])[0], atol=1e-6)
    assert not parts.keep.any()
    assert not parts.remove.any()
    assert parts.keep.shape == parts.imagined.shape


# --- parts that are made of others


def test_what_is_drawn_is_the_description_and_only_once(bench):
    several = bench.compose(*[bench.request(composer="proxy-image")] * 2, bench.request("green", "in blue"))
    assert bench.image_generator.drawn == 4
    blue = bench.encoder.embed_images([Image.new("RGB", (16, 16), COLOURS["blue"])])[0]
    assert np.allclose(several[0].parts.drawn, np.stack([blue] * 4), atol=1e-6)
    assert several[0].counts["drawings_made"] == 4
    bench.restart()
    bench.compose(bench.request(composer="proxy-image"), bench.request(composer="proxy-image:drawings=6"))
    assert bench.image_generator.drawn == 4 + 6, (
        "more of them are drawn with those there are, none of these is encoded again"
    )
    assert "drawings_made" not in bench.compose(bench.request())[0].counts


def test_a_description_that_cannot_be_drawn_leaves_the_others_drawn(bench):
    def draw(description, seeds, reference):
        if "pink" in description:
            raise InvalidRequestError("pink cannot be drawn")
        return [Image.new("RGB", (16, 16), COLOURS["blue"]) for _ in seeds]

    bench.image_generator._draw = draw
    requests = [bench.request(modification=text, composer="proxy-image") for text in ("in pink", "in blue")]
    with pytest.raises(InvalidRequestError, match="pink"):
        bench.compose(*requests)
    bench.image_generator._draw = None
    assert bench.compose(requests[1])[0].parts.drawn.shape[0] == 4


def test_a_image_generator_that_edits_is_shown_the_reference_and_kept_apart_for_each(bench):
    seen = []

    def draw(description, seeds, reference):
        seen.append(reference and reference.getpixel((0, 0)))
        return [Image.new("RGB", (16, 16), COLOURS["blue"]) for _ in seeds]

    bench.image_generator._draw, bench.image_generator.edits = draw, True
    requests = [bench.request(colour, "in blue", composer="proxy-image") for colour in ("red", "green")]
    bench.compose(*requests)
    assert sorted(seen) == sorted([COLOURS["red"], COLOURS["green"]])
    bench.compose(*requests)
    assert len(seen) == 2
    bench.image_generator.edits = False
    bench.compose(*requests)
    assert seen[2:] == [None], "both come to a blue square"


def test_the_word_of_a_picture_stands_in_the_users_sentence(bench):
    asked = bench.request(modification="with dots", composer="pic2word", history=(Step("in blue", None),))
    composed = bench.compose(asked)[0]
    middle = composed.image + bench.encoder.embed_texts(["in blue, with dots"])[0]
    assert np.allclose(composed.probe.vector, middle / np.linalg.norm(middle), atol=1e-6)
    assert np.array_equal(composed.text, composed.probe.vector)


def test_the_two_inversions_do_not_share_what_is_kept(bench):
    bench.compose(bench.request(composer="pic2word"), bench.request(composer="searle"))
    assert bench.features.made["texts"] == 2


def test_the_proxy_that_is_aligned_is_the_fusion(bench):
    weights = (None, 0.3)
    requests = [bench.request(composer=name, weight=w) for w in weights for name in ("imagined+reference", "aligned")]
    fused, aligned, fused3, aligned3 = (each.probe.vector for each in bench.compose(*requests))
    for plain, composed in ((fused, aligned), (fused3, aligned3)):
        assert np.allclose(composed, move_proxies(bench.trained_network("aligned"), plain[None])[0], atol=1e-6)


@pytest.mark.parametrize("composer", ["proxy-image", "pic2word", "searle", "aligned"])
def test_what_is_not_available_is_reported_before_anything_is_made(bench, composer):
    class Bare:
        features, imagine, calibration = bench.features, bench.imagine, UNCALIBRATED

        def trained_network(self, name):
            raise ModelUnavailableError(f"no {name} network")

        @property
        def image_generator(self):
            raise ModelUnavailableError("no image generator")

    with pytest.raises(ModelUnavailableError, match=f"no {composer}|no image generator"):
        compose_all([bench.request(), bench.request(composer=composer)], Bare())
    assert bench.features.made == {}
    assert compose_all([bench.request()], Bare())[0].caption == "a red square"


def test_another_imagination_can_stand_in(bench):
    target = ImaginedTarget(description="a pink square", origin="llm")
    other = RunnableLambda(lambda request: Imagination(target, None, (), calls=1, cached=False))
    composed = compose_all([bench.request()], bench, imagine=other)[0]
    assert (composed.imagination.target, bench.imagined_requests) == (target, [])


# --- traces


class Tree(BaseCallbackHandler):
    """Records the runs by their paths of names."""

    def __init__(self):
        self.paths, self.runs, self.open = {}, {}, []

    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, tags=None, metadata=None, **more):
        self.paths[run_id] = f"{self.paths[parent_run_id]} > {more['name']}" if parent_run_id else more["name"]
        self.runs[self.paths[run_id]] = (set(tags), metadata, threading.get_ident())
        self.open.append(run_id)

    def on_chain_end(self, outputs, *, run_id, **more):
        self.open.remove(run_id)

    on_chain_error = on_chain_end


STEPS = [
    "encode_image",
    "caption",
    "imagine",
    "imagine > imagine.rules",
    "calibrate",
    "encode_text",
    "compose.imagined+reference",
]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_a_trace_shows_every_step_by_its_name(bench, way):
    tree, bench.imagine = Tree(), build_imagine_chain(None)
    chain, request, config = (
        build_compose_chain(bench),
        bench.request(weight=0.3, composer="imagined+reference"),
        {"callbacks": [tree], "tags": ["my"]},
    )
    chain.invoke(request, config) if way == "invoke" else await chain.ainvoke(request, config)
    assert list(tree.runs) == ["compose", *(f"compose > {name}" for name in STEPS)]
    assert all({"compose", "my"} <= tags for tags, *_ in tree.runs.values())
    assert all(name.split(" > ")[-1] in tags for name, (tags, *_) in tree.runs.items() if " > imagine" not in name)
    assert tree.runs["compose > compose.imagined+reference"][1]["composer"] == "imagined+reference"
    assert tree.runs["compose > imagine > imagine.rules"][1]["origin"] == "rules"
    assert tree.open == []
    steps = {thread for name, (_, _, thread) in tree.runs.items() if name.count(" > ") == 1}
    assert len(steps) == 1, "no step has a thread of its own"


def test_a_step_that_fails_ends_with_its_error(bench):
    tree = Tree()
    with pytest.raises(NotFoundError):
        build_compose_chain(bench).invoke(ComposeRequest("0123456789abcdef", "in blue"), {"callbacks": [tree]})
    assert (list(tree.runs), tree.open) == (["compose", "compose > encode_image"], [])


def test_requests_of_one_composer_are_one_step(bench):
    tree = Tree()
    requests = [bench.request(composer=name) for name in ("sum", "modification", "sum", "sum:weight=0.3")]
    together = compose_all(requests, bench, {"callbacks": [tree]})
    assert [each.weight for each in together] == [0.5, 0.5, 0.5, 0.3]
    assert {"encode_image", "calibrate", "encode_text", "compose.sum", "compose.modification"} == set(tree.runs)


def test_a_model_inside_a_part_is_traced_in_its_place(bench):
    tree, inner = Tree(), RunnableLambda(lambda picture: "a red square", name="chat")
    bench.captioner._captions = inner.invoke
    build_compose_chain(bench).invoke(bench.request(), {"callbacks": [tree]})
    assert "compose > caption > chat" in tree.runs


# --- dialogues

BLUE = ImaginedTarget(description="a blue square", origin="rules")


def test_words_as_they_were_typed_are_all_words_of_the_dialogue(bench):
    request = bench.request(
        modification="with dots", composer="sum", history=(Step("in blue", None), Step("wide", BLUE))
    )
    assert request.text == "in blue, wide, with dots"
    composed = bench.compose(request)[0]
    assert np.allclose(composed.text, bench.encoder.embed_texts(["in blue, wide, with dots"])[0], atol=1e-6)


def test_the_imaginer_gets_the_result_of_each_turn(bench):
    composed = bench.compose(bench.request(modification="with dots", history=(Step("in blue", BLUE),)))[0]
    assert bench.imagined_requests[0].caption == "a red square"
    assert bench.imagined_requests[0].history == (("in blue", BLUE),)
    assert "blue" in composed.imagination.target.description


def test_turns_that_imagined_nothing_hand_their_words_on(bench):
    history = (Step("wide", None), Step("in blue", BLUE), Step("brighter", None), Step("larger", None))
    bench.compose(bench.request(modification="with dots", history=history))
    assert bench.imagined_requests[0].history == (("wide, in blue", BLUE),)
    assert bench.imagined_requests[0].modification == "brighter, larger, with dots"


def test_a_request_without_turns_before_has_none(bench):
    bench.compose(bench.request())
    assert (bench.imagined_requests[0].history, bench.imagined_requests[0].modification) == ((), "in blue")


# --- what is wrong


def test_an_unknown_composer_is_refused_before_anything_is_made(bench):
    with pytest.raises(InvalidRequestError, match="magic"):
        bench.compose(bench.request(), bench.request(composer="magic"))
    assert bench.features.made == {}


def test_an_unknown_reference_is_named(bench):
    with pytest.raises(NotFoundError, match="0123456789abcdef"):
        bench.compose(ComposeRequest("0123456789abcdef", "in blue"))


# --- several references


def test_of_several_references_a_composer_has_the_means_and_the_imagination_the_captions_with_their_notes(bench):
    others = (NotedReference(id=bench.ids["green"], note="its colour"),)
    composed = bench.compose(bench.request(modification="with the colour of 2", composer="edit", others=others))[0]
    images = [bench.features.images([bench.ids[name]])[bench.ids[name]] for name in ("red", "green")]
    weights = np.array([1.0, PART_OF_IT], np.float32)
    assert np.allclose(composed.image, pool(np.stack(images), weights), atol=1e-6)
    before = bench.encoder.embed_texts(["a red square", "a green square"])
    assert np.allclose(composed.parts.before, pool(before, weights), atol=1e-6)
    (asked,) = bench.imagined_requests
    assert (asked.caption, asked.others) == ("a red square", (NotedCaption("a green square", "its colour"),))
    assert composed.caption == "a red square"


def test_notes_hold_for_the_first_target_and_later_turns_go_on_from_it(bench):
    others = (NotedReference(id=bench.ids["green"], note="its colour"),)
    first = ImaginedTarget(description="a green square", origin="rules")
    bench.compose(bench.request(others=others, note="its size", history=(Step("small", first),)))
    (asked,) = bench.imagined_requests
    assert (asked.note, asked.others) == ("", (NotedCaption("a green square"),))


@pytest.mark.parametrize(("modification", "repeated"), [("without the belt", True), ("in green", False)])
def test_an_edit_that_leaves_the_description_as_it_was_does_not_show_the_same_hit_again(bench, modification, repeated):
    before = ImaginedTarget(description="a blue square", origin="rules")
    history = (Step("in blue", before),)
    composed = bench.compose(bench.request(modification=modification, history=history, shown="seen"))[0]
    assert (composed.imagination.target.description == "a blue square") == repeated
    assert composed.left_out == {bench.ids["red"]} | ({"seen"} if repeated else set())


def test_the_first_hit_of_the_turn_before_counts_unless_it_was_liked():
    hit = Hit(id="first", rank=1, score=1.0, source="first.png")
    turn = Turn(id="t1", query=ComposedQuery(reference="a", modification="in blue"), hits=(hit,), created="")
    again = ComposedQuery(reference="a", modification="without the belt")
    assert request_of(again, [turn]).shown == "first"
    assert request_of(again.model_copy(update={"liked": ("first",)}), [turn]).shown is None
    assert request_of(again.model_copy(update={"reference": "b"}), [turn]).shown is None
    assert request_of(again.model_copy(update={"modification": ""}), [turn]).shown is None
    assert request_of(again, []).shown is None
