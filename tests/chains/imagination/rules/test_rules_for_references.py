"""What is taken from another reference, by the words of a modification or by a note."""

from __future__ import annotations

import pytest

from ipcir_tools.chains.imagination.prompting import render
from ipcir_tools.chains.imagination.results import ImagineRequest, NotedCaption
from ipcir_tools.chains.imagination.rules import imagine_by_rules
from ipcir_tools.chains.imagination.rules.references import as_one_reference, meant_as_a_whole
from ipcir_tools.prompts import load_prompt

DRESS = "a red plain dress with long sleeves and a round neck"
SHIRT = "a short blue striped shirt with short sleeves, a v-neck, buttons and a pocket"
STRIPED = "a red striped dress with long sleeves and a round neck"
CAT, DOG = "a white cat lying on a grey sofa", "a brown dog with a red hat on a beach at sunset"


@pytest.mark.parametrize(
    ("modification", "expected"),
    [
        ("with the collar of the second", "a red plain dress with long sleeves and a v-neck"),
        ("with the pattern of the second on the first", STRIPED),
        ("put the pattern of the second dress on the first dress", STRIPED),
        ("The pattern of B on the cut of A", STRIPED),
        ("in the colour of 2", "a blue plain dress with long sleeves and a round neck"),
        ("the second's sleeves", "a red plain dress with short sleeves and a round neck"),
        ("with the sleeves and the neckline of picture 2", "a red plain dress with short sleeves and a v-neck"),
        ("give it the buttons of the second one", "a red plain dress with long sleeves, a round neck and buttons"),
        (
            "the pattern of the first on the second",
            "a short blue plain shirt with short sleeves, a v-neck, buttons and a pocket",
        ),
    ],
)
def test_an_attribute_of_another_reference_becomes_one_of_the_reference_that_is_changed(modification, expected):
    assert imagine_by_rules(DRESS, modification, others=[(SHIRT, "")]).description == expected


@pytest.mark.parametrize(
    ("note", "modification", "expected"),
    [
        ("its collar", "", "a red plain dress with long sleeves and a v-neck"),
        ("its collar", "with the collar of the second picture", "a red plain dress with long sleeves and a v-neck"),
        ("its collar", "make it green", "a green plain dress with long sleeves and a v-neck"),
        ("its sleeves and its colour", "with a belt", "a blue plain dress with short sleeves, a round neck and a belt"),
    ],
)
def test_a_note_says_the_same_of_a_reference_that_is_not_mentioned(note, modification, expected):
    assert imagine_by_rules(DRESS, modification, others=[(SHIRT, note)]).description == expected


def test_the_reference_that_is_meant_as_a_whole_is_the_one_that_is_changed():
    target = imagine_by_rules(DRESS, "in green", note="its pattern", others=[(SHIRT, "its shape")])
    assert target.description == "a short green plain shirt with short sleeves, a v-neck, buttons and a pocket"


@pytest.mark.parametrize(
    ("modification", "note", "expected"),
    [
        ("with the hat of the second", "", "a white cat with a red hat lying on a grey sofa"),
        ("the cat of the first on the beach of the second", "", "a white cat lying on a beach"),
        ("", "its background", "a white cat lying on a beach at sunset"),
        ("in the colour of the second", "", "a brown cat lying on a grey sofa"),
        ("in black", "", "a black cat lying on a grey sofa"),
    ],
)
def test_other_pictures_than_garments(modification, note, expected):
    assert imagine_by_rules(CAT, modification, others=[(DOG, note)]).description == expected


def test_what_a_caption_does_not_say_is_taken_with_all_that_it_says():
    target = imagine_by_rules(CAT, "with the mood of the second", others=[(DOG, "")])
    assert "white cat" in target.description
    assert "mood of a brown dog" in target.description


def test_a_language_model_reads_every_caption_with_its_number_and_note():
    request = ImagineRequest(DRESS, "in green", others=(NotedCaption(SHIRT, "its collar"),))
    text = str(render(load_prompt("imagine.structured"), request, None)[-1].content)
    assert f"<caption>\nreference 1: {DRESS}\nreference 2 (its collar): {SHIRT}\n</caption>" in text
    alone = str(render(load_prompt("imagine.structured"), ImagineRequest(DRESS, "in green"), None)[-1].content)
    assert f"<caption>\n{DRESS}\n</caption>" in alone


@pytest.mark.parametrize(
    ("modification", "notes", "expected"),
    [
        ("in green", ("", ""), (True, True)),
        ("in green", ("", "its collar"), (True, False)),
        ("in green", ("the garment", "its collar"), (True, False)),
        ("with the collar of the second", ("", ""), (True, False)),
        ("the pattern of the first on the second", ("", ""), (False, True)),
        ("in green", ("its pattern", "its shape"), (False, True)),
        ("in green", ("its pattern", "its collar"), (True, False)),
    ],
)
def test_a_reference_is_meant_in_part_where_a_note_or_the_words_take_a_part_of_it(modification, notes, expected):
    assert meant_as_a_whole(modification, notes) == expected


@pytest.mark.parametrize(
    ("modification", "left"),
    [
        ("no collar like the second", "no collar"),
        ("without the collar of the second", "without collar"),
        ("with the collar of the fourth", "with the collar of the fourth"),
        ("with 3 buttons of 2 colours", "with 3 buttons of 2 colours"),
        ("with the collar of the second", "with a collar"),
    ],
)
def test_what_is_negated_or_names_no_reference_is_not_taken(modification, left):
    others = [("a blue shirt with a collar and a pocket", "")]
    assert as_one_reference("a red dress", modification, "", others) == ("a red dress", left)
