"""The wardrobe's truth: other wordings, kinds of edits, what is wrong with a picture, and queries of two references."""

from __future__ import annotations

from dataclasses import fields

import pytest

from ipcir_tools.chains.imagination.rules import imagine_by_rules
from ipcir_tools.demo.world import captions
from ipcir_tools.demo.world.garments import Garment, part_of
from ipcir_tools.demo.world.references import wardrobe_references
from ipcir_tools.demo.world.truth import violations_in
from ipcir_tools.demo.world.wardrobe import wardrobe
from ipcir_tools.evaluation.metrics.violations import BREAKS, LOSES

MADE, REFERENCES = wardrobe("val", families=30), wardrobe_references("val", families=30)
DRAWN = {id(made): {picture.name: picture for picture in made.pictures} for made in (MADE, REFERENCES)}


def garment(made, name: str) -> Garment:
    return DRAWN[id(made)][name].garment


def differences(a: Garment, b: Garment) -> set[str]:
    return {each.name for each in fields(Garment) if getattr(a, each.name) != getattr(b, each.name)}


def test_wordings_are_different_texts_that_mean_the_same():
    for query in MADE.queries:
        texts = {query.modification, *query.wordings}
        assert len(texts) == 6
        reference, target = (captions.caption(garment(MADE, name)) for name in (query.reference, query.main))
        assert {imagine_by_rules(reference, text).description for text in texts} == {target}


def test_every_kind_of_edit_is_there_and_two_edits_have_both():
    kinds = {query.kinds for query in MADE.queries}
    assert {kind for some in kinds for kind in some} == {"add", "remove", "replace", "compare"}
    for query in MADE.queries:
        assert len(query.kinds) <= len(differences(garment(MADE, query.reference), garment(MADE, query.main)))
    example = next(query for query in MADE.queries if query.kinds == ("remove",))
    assert example.wordings[1].startswith(("remove", "make it plain", "make it sleeveless"))


def test_what_is_wrong_with_a_picture_is_told_by_its_garment_alone():
    violations = violations_in(MADE.pictures)
    for query in MADE.queries[:30]:
        reference, target = garment(MADE, query.reference), garment(MADE, query.main)
        assert violations(query, query.main) == ()
        assert violations(query, query.reference) == (BREAKS,)
        for picture in MADE.pictures:
            wrong, edited = differences(picture.garment, target), differences(reference, target)
            expected = ((BREAKS,) if wrong & edited else ()) + ((LOSES,) if wrong - edited else ())
            assert violations(query, picture.name) == expected


def test_the_target_of_two_references_is_the_first_with_one_attribute_of_the_second_in_the_first_scene():
    for query in REFERENCES.queries:
        first, second, target = (garment(REFERENCES, name) for name in (*query.references, query.main))
        (slot,) = differences(first, target)
        assert query.kinds == (slot,)
        assert getattr(target, slot) == getattr(second, slot)
        assert len(differences(first, second)) > 1, "or the second itself would be an answer"
        here, there = (DRAWN[id(REFERENCES)][name].scene for name in (query.reference, query.main))
        assert (here.background, here.presentation) == (there.background, there.presentation)


def test_their_rules_read_every_wording_with_and_without_notes():
    for query in REFERENCES.queries:
        first, second, target = (
            captions.caption(garment(REFERENCES, name)) for name in (*query.references, query.main)
        )
        others = [(second, query.others[0].note)]
        for text in (query.modification, *query.wordings):
            assert imagine_by_rules(first, text, note=query.note, others=others).description == target


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_their_garments_are_of_one_part_and_the_same_every_time(part):
    made = wardrobe_references(part, families=5)
    assert {part_of(picture.garment) for picture in made.pictures} == {part}
    assert made.queries == wardrobe_references(part, families=5).queries
