"""The wardrobe's image generator: captions read back exactly, other people's words tolerantly, and pictures of what
they say."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import draw_all

from ipcir_tools.chains.imagination.rules import imagine_by_rules
from ipcir_tools.demo.image_generator import WardrobeImageGenerator, garment_of, scene_of
from ipcir_tools.demo.training import corpus
from ipcir_tools.demo.world import captions, garments, wardrobe
from ipcir_tools.demo.world.garments import Garment
from ipcir_tools.errors import InvalidRequestError


@pytest.mark.parametrize("kind", garments.KINDS)
def test_reading_a_caption_is_the_inverse_of_writing_it(kind):
    """For every garment that can be drawn."""
    slots = garments.slots_of(kind)
    for values in product(*(garments.values_of(kind, slot) for slot in slots)):
        garment = Garment(kind, **dict(zip(slots, values, strict=True)))
        assert garment_of(captions.caption(garment)) == garment


def test_the_attributes_in_loose_captions_are_read():
    rng = random.Random(0)
    for garment, scene in corpus.worlds("test", 500, 1):
        read = garment_of(captions.loose_caption(rng, garment, scene, 1.0))
        assert (read.kind, read.colour, read.pattern) == (garment.kind, garment.colour, garment.pattern)


def test_what_the_rules_imagine_of_right_captions_is_the_target():
    made = wardrobe.wardrobe("test", families=20)
    shown = {picture.name: picture.garment for picture in made.pictures}
    for query in made.queries:
        imagined = imagine_by_rules(captions.caption(shown[query.reference]), query.modification)
        assert garment_of(imagined.description) == shown[query.main]


PLAIN = Garment("dress", "red", "plain", "medium", "short", "round neck")


@pytest.mark.parametrize(
    ("words", "garment"),
    [
        ("A red dress.", PLAIN),
        ("dress in red", PLAIN),
        ("a red dress with white buttons and a black belt", PLAIN.changed(buttons=True, belt=True)),
        ("a long-sleeved red dress, belted", PLAIN.changed(sleeve="long", belt=True)),
        ("a long red dress with short sleeves", PLAIN.changed(length="long")),
        ("a red midi dress without a belt, no sleeves mentioned, with polka dots", PLAIN.changed(pattern="dotted")),
        ("a red dress with a V neck and stripes", PLAIN.changed(neck="v-neck", pattern="striped")),
        ("a red dress with a turtle neck", PLAIN.changed(neck="turtleneck")),
        ("gray pants with pockets", Garment("trousers", "grey", "plain", "medium", pocket=True)),
        ("a hoodie", Garment("hoodie", "white", "plain", "medium", "long")),
        ("a cropped navy tee", Garment("t-shirt", "blue", "plain", "short", "short", "round neck")),
        ("a skirt with long sleeves, a collar and buttons", Garment("skirt", "white", "plain", "medium")),
        ("a jacket with a turtleneck", Garment("jacket", "white", "plain", "medium", "long", "round neck")),
    ],
)
def test_other_peoples_words(words, garment):
    assert garment_of(words) == garment


@pytest.mark.parametrize("words", ["", "a dog on a sofa", "addressing the crowd", "a shirtless man"])
def test_what_is_no_garment_is_none(words):
    assert garment_of(words) is None


WORDS = [
    *captions.caption(PLAIN).split(),
    *garments.KINDS,
    *garments.NECKS,
    "no",
    "long",
    "knee-length",
    "stripes",
    "pockets",
]


@given(st.text() | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_whatever_is_read_can_be_drawn(words):
    garment = garment_of(words)
    if garment is not None:
        slots = garments.slots_of(garment.kind)
        assert all(getattr(garment, slot) in garments.values_of(garment.kind, slot) for slot in slots)
        assert len(draw_all(WardrobeImageGenerator(), [words])[0]) == 1


def test_a_scene_is_random_but_for_its_description():
    words = "a dark red dress worn by a person in a garden, close up"
    scenes = [scene_of(words, random.Random(i)) for i in range(20)]
    assert {(s.presentation, s.background, s.size, s.shade) for s in scenes} == {("person", "garden", "near", "deep")}
    assert len({s.light for s in scenes}) > 1


def test_the_image_generator_draws_the_garment_in_several_scenes_the_same_each_time():
    image_generator = WardrobeImageGenerator()
    (drawn,) = draw_all(image_generator, [captions.caption(PLAIN)], 4)
    assert len({picture.tobytes() for picture in drawn}) == 4
    (again,) = draw_all(image_generator, [captions.caption(PLAIN)], 4)
    assert [picture.tobytes() for picture in again] == [picture.tobytes() for picture in drawn]


def test_a_description_without_a_garment_is_an_error_with_a_way_out():
    with pytest.raises(InvalidRequestError, match="names none: choose another image generator"):
        draw_all(WardrobeImageGenerator(), ["a dog on a sofa"])
