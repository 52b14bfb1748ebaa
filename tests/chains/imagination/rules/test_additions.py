"""What is added to a description keeps what the turns before said; what is lost nevertheless is said."""

from __future__ import annotations

import pytest

from ipcir_tools.chains.imagination.rules import RulesResult, imagine_by_rules, imagine_with_warnings

BOAT = "a sailing boat on the sea"
BEFORE = imagine_by_rules(BOAT, "at night")


def after_night(modification: str) -> RulesResult:
    return imagine_with_warnings(BOAT, modification, BEFORE)


@pytest.mark.parametrize(
    ("modification", "thing"),
    [
        ("and a bird over the sea", "a bird over the sea"),
        ("And, a bird over the sea.", "a bird over the sea"),
        ("plus a dog on the beach", "a dog on the beach"),
        ("also with a tree behind it", "a tree behind it"),
        ("a bird in the sky as well", "a bird in the sky"),
        ("a bird over the sea, too", "a bird over the sea"),
        ("now also a bird over the sea", "a bird over the sea"),
        ("then a cat under the table", "a cat under the table"),
        ("with a bird over the sea", "a bird over the sea"),
        ("add a bird over the sea", "a bird over the sea"),
        ("and add a bird over the sea", "a bird over the sea"),
        ("and there is a bird over the sea", "a bird over the sea"),
        ("and I want a bird over the sea", "a bird over the sea"),
        ("as well as people walking on the beach", "people walking on the beach"),
        ("also two children playing with a ball", "two children playing with a ball"),
        ("and a red boat on the horizon", "a red boat on the horizon"),
        ("also, in addition, a lighthouse on a rock", "a lighthouse on a rock"),
    ],
)
def test_an_addition_with_a_place_keeps_the_dialogue(modification, thing):
    made = after_night(modification)
    for words in ("sailing boat", "on the sea", "at night", thing):
        assert words in made.target.description
    assert made.target.remove == ()
    assert made.warnings == ()


@pytest.mark.parametrize(
    ("modification", "description"),
    [
        ("and a bit bigger", "a big sailing boat on the sea at night"),
        ("also in red", "a red sailing boat on the sea at night"),
        ("and make it red", "a red sailing boat on the sea at night"),
    ],
)
def test_an_attribute_after_and_is_no_thing_beside(modification, description):
    assert after_night(modification).target.description == description


@pytest.mark.parametrize(
    ("modification", "thing"),
    [
        ("and the dog should be brown", "a brown dog"),
        ("and a dog should be in it", "a dog"),
        ("plus the lighthouse has to be white", "a white lighthouse"),
        ("and a cat is sleeping", "a cat sleeping"),
        ("and instead a bird", "a bird"),
        ("also, two men are rowing", "two men rowing"),
    ],
)
def test_a_sentence_that_begins_with_and_never_replaces_all(modification, thing):
    made = after_night(modification)
    for words in ("sailing boat", "on the sea", "at night", thing):
        assert words in made.target.description
    assert made.warnings == ()


def test_what_an_addition_drops_nevertheless_is_named():
    before = imagine_by_rules("a red dress with long sleeves on a hanger", "in blue")
    made = imagine_with_warnings("a red dress with long sleeves on a hanger", "and as a skirt", before)
    assert made.target.description == "a blue skirt on a hanger"
    assert made.warnings == ('dropped "long sleeves"',)


@pytest.mark.parametrize(
    ("modification", "description", "gone"),
    [
        ("at the beach instead", "a sailing boat at the beach at night", "on the sea"),
        ("put it in a forest", "a sailing boat in a forest at night", "on the sea"),
        ("on the moon", "a sailing boat on the moon at night", "on the sea"),
        ("at sunset", "a sailing boat on the sea at sunset", "at night"),
    ],
)
def test_a_scene_that_is_replaced_is_named(modification, description, gone):
    made = after_night(modification)
    assert made.target.description == description
    assert made.warnings == (f'replaced the scene "{gone}"',)


def test_a_description_that_is_replaced_as_a_whole_is_named_in_a_dialogue_alone():
    replaced = "a man walking a dog"
    assert after_night(replaced).warnings == (
        'replaced all of "a sailing boat on the sea at night": begin with "and" to add to it instead',
    )
    assert imagine_with_warnings(BOAT, replaced).warnings == ()


def test_a_thing_that_was_added_has_its_own_place():
    turns = ("and a cat on the sand", "put them in a forest", "in winter", "plus a bird in a tree", "without the cat")
    made = None
    for turn in turns:
        made = imagine_with_warnings("a dog on a beach", turn, made.target if made else None)
    assert made is not None
    assert made.target.description == "a dog in a forest in winter with a bird in a tree"
    assert made.warnings == ()


@pytest.mark.parametrize(
    ("caption", "modification"),
    [
        ("a brown dog playing with a ball on the grass", "without the ball"),
        ("a cat sitting on a couch", "on a bed instead of a couch"),
        ("a cat sitting on a couch", "make it sleep"),
        ("a woman wearing a red dress", "in blue with long sleeves"),
        ("a red t-shirt with long sleeves", "as a skirt"),
    ],
)
def test_what_was_asked_for_is_no_loss(caption, modification):
    assert imagine_with_warnings(caption, modification).warnings == ()


def test_a_thing_of_a_turn_before_that_goes_with_what_it_belonged_to_is_named():
    before = imagine_by_rules("a red dress", "with long sleeves")
    made = imagine_with_warnings("a red dress", "as a skirt", before)
    assert made.target.description == "a red skirt"
    assert made.warnings == ('dropped "long sleeves"',)
