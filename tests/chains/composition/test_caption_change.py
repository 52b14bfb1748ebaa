"""What an imagined target changes of the caption that it was imagined from."""

from __future__ import annotations

import pytest

from ipcir_tools.chains.composition.caption_change import completed_caption, kept_share
from ipcir_tools.chains.imagination.rules import imagine_by_rules
from ipcir_tools.types import ImaginedTarget


def target(description: str, *remove: str) -> ImaginedTarget:
    return ImaginedTarget(description=description, remove=remove, origin="rules")


@pytest.mark.parametrize(
    ("caption", "remove", "completed"),
    [
        ("a red dress", ("belt",), "a red dress with belt"),
        ("a red dress.", ("belt", "long sleeves"), "a red dress with belt and long sleeves"),
        ("a red dress with a belt", ("belt",), "a red dress with a belt"),
        ("a dress with belts", ("belt",), "a dress with belts"),
        ("a red dress", ("red", "belt"), "a red dress with belt"),
        ("a red dress", (), "a red dress"),
        ("", ("belt",), ""),
    ],
)
def test_a_caption_is_completed_by_what_is_removed_and_not_in_it(caption, remove, completed):
    assert completed_caption(caption, target("a dress", *remove)) == completed


def test_without_the_belt_is_a_change_of_a_caption_without_a_belt():
    """Else caption and description were the same text, and there was no direction at all."""
    caption = "a red dress"
    imagined = imagine_by_rules(caption, "without the belt")
    assert imagined.description == caption
    assert completed_caption(caption, imagined) != caption


@pytest.mark.parametrize(
    ("caption", "description", "share"),
    [
        ("a red dress", "a red dress", 1),
        ("a red dress", "a blue dress", 1 / 2),
        ("dogs on the grass", "a dog at night", 1 / 2),
        ("a brown dog on the grass", "a city at night", 0),
        ("a red dress with a belt", "A Red DRESS", 2 / 3),
        ("", "a city at night", 1),
        ("the", "a city at night", 1),
    ],
)
def test_the_share_of_a_captions_words_that_are_kept(caption, description, share):
    assert kept_share(caption, target(description)) == pytest.approx(share)
