"""What a turn asks for, read from the turns before it; and what feedback does to a probe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ipcir_tools.chains.composition.requests import (
    FADING,
    PICKED,
    ComposeRequest,
    Step,
    effective_composer,
    imagine_request,
    request_of,
)
from ipcir_tools.chains.imagination.results import ImagineRequest
from ipcir_tools.composers import COMPOSERS
from ipcir_tools.composers.feedback import GAIN, LOSS, with_feedback
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import ComposedQuery, ImaginedTarget, Probe, Turn


def target(description: str) -> ImaginedTarget:
    return ImaginedTarget(description=description, origin="rules")


BLUE, DOTTED = target("a blue shirt"), target("a blue dotted shirt")


def asked(modification: str = "", reference: str | None = "A", **more) -> ComposedQuery:
    return ComposedQuery(reference=reference, modification=modification, **more)


def turns(*steps: tuple[ComposedQuery, ImaginedTarget | None] | ComposedQuery) -> list[Turn]:
    """A path of these queries, with what was imagined for them."""
    path: list[Turn] = []
    for query, imagined in (step if isinstance(step, tuple) else (step, None) for step in steps):
        parent = path[-1].id if path else None
        path.append(Turn(id=f"t{len(path)}", parent=parent, query=query, imagined=imagined, created="2026-01-01"))
    return path


# --- the words of a dialogue


def test_a_root_has_nothing_before_it():
    request = request_of(asked("in blue"), [])
    assert (request.reference, request.modification, request.history, request.picked) == ("A", "in blue", (), 0)
    assert (dict(request.liked), dict(request.disliked)) == ({}, {})


def test_the_edits_so_far_come_with_their_targets_root_first():
    request = request_of(asked("shorter"), turns((asked("in blue"), BLUE), (asked("dotted"), DOTTED)))
    assert request.history == (Step("in blue", BLUE), Step("dotted", DOTTED))
    assert (request.words, request.text) == (("in blue", "dotted", "shorter"), "in blue, dotted, shorter")


def test_a_turn_without_words_is_no_step():
    request = request_of(asked("dotted"), turns((asked("in blue"), BLUE), (asked(liked=("B",)), BLUE)))
    assert request.history == (Step("in blue", BLUE),)


def test_a_pick_leaves_the_words_before_it_behind():
    request = request_of(asked("dotted", "B"), turns((asked("in blue"), BLUE), asked("", "B")))
    assert (request.reference, request.picked, request.words) == ("B", 1, ("dotted",))
    assert request.history == (Step("in blue", BLUE),)


def test_the_words_of_the_pick_itself_belong_to_the_new_reference():
    request = request_of(asked("dotted", "B"), turns((asked("in blue"), BLUE), (asked("short", "B"), BLUE)))
    assert (request.picked, request.words) == (1, ("short", "dotted"))


def test_only_the_last_pick_counts():
    request = request_of(asked("dotted", "A"), turns(asked("in blue"), asked("short", "B"), asked("", "A")))
    assert (request.picked, request.words) == (2, ("dotted",))


def test_a_hit_picked_after_a_search_by_words_is_a_pick():
    request = request_of(asked("dotted", "B"), turns(asked("a red shirt", None), asked("", "B")))
    assert (request.picked, request.words) == (1, ("dotted",))


# --- feedback fades


def judged(query: ComposedQuery, *before: ComposedQuery) -> tuple[dict[str, float], dict[str, float]]:
    request = request_of(query, turns(*before))
    return dict(request.liked), dict(request.disliked)


def test_the_judgements_of_this_turn_count_whole():
    assert judged(asked("in blue", liked=("B", "C"), disliked=("D",))) == ({"B": 1, "C": 1}, {"D": 1})


def test_every_later_edit_halves_a_judgement_and_turns_without_words_do_not():
    first = asked("in blue", liked=("B",), disliked=("C",))
    assert judged(asked(liked=("D",)), first) == ({"B": 1, "D": 1}, {"C": 1})
    assert judged(asked("dotted"), first) == ({"B": FADING}, {"C": FADING}) == ({"B": 0.5}, {"C": 0.5})
    assert judged(asked("short", liked=("D",)), first, asked("dotted")) == ({"B": FADING**2, "D": 1}, {"C": FADING**2})


def test_the_last_word_on_a_picture_counts():
    assert judged(asked(disliked=("B",)), asked("in blue", liked=("B",))) == ({}, {"B": 1})
    assert judged(asked(liked=("B",)), asked("in blue", disliked=("B",))) == ({"B": 1}, {})
    assert judged(asked("dotted", liked=("B",)), asked("in blue", liked=("B",))) == ({"B": 1}, {})


def test_a_pick_drops_the_words_before_it():
    before = asked("in blue", liked=("B",), disliked=("C",))
    assert judged(asked("", "B", liked=("D",)), before) == ({"D": 1}, {})
    assert judged(asked("dotted", "B"), before, asked("", "B", disliked=("E",))) == ({}, {"E": FADING})


PICTURES = st.sampled_from("ABC")
QUERIES = st.builds(
    lambda words, reference, liked, disliked: asked(
        words, reference, liked=tuple(sorted(liked)), disliked=tuple(sorted(disliked - liked))
    ),
    st.sampled_from(["", "in blue", "dotted", "shorter"]),
    PICTURES,
    st.frozensets(st.sampled_from("DEFG")),
    st.frozensets(st.sampled_from("DEFG")),
)


@given(st.lists(QUERIES, min_size=1, max_size=8))
def test_any_dialogue_keeps_its_words_and_the_last_judgements_since_the_pick(queries):
    *before, last = queries
    request = request_of(last, turns(*before))
    picked = max(i for i in range(len(queries)) if i == 0 or queries[i].reference != queries[i - 1].reference)
    since = queries[picked:]
    assert [step.modification for step in request.history] == [
        each.modification for each in before if each.modification
    ]
    assert request.words == tuple(each.modification for each in since if each.modification)
    expected = ({}, {})
    for i, each in enumerate(since):
        for pictures, mine, other in ((each.liked, 0, 1), (each.disliked, 1, 0)):
            for picture in pictures:
                expected[other].pop(picture, None)
                expected[mine][picture] = FADING ** sum(1 for later in since[i + 1 :] if later.modification)
    assert (request.liked, request.disliked) == expected


# --- which composer speaks


@pytest.mark.parametrize("composer", COMPOSERS)
def test_with_a_picture_and_words_it_is_the_one_that_was_asked_for(composer):
    assert effective_composer(ComposeRequest("A", "in blue", composer)).name == composer


@pytest.mark.parametrize("composer", COMPOSERS)
def test_a_picture_without_words_is_searched_by_itself(composer):
    assert effective_composer(ComposeRequest("A", "", composer)).name == "reference"
    picked = ComposeRequest("B", "", composer, history=(Step("in blue", BLUE),), picked=1)
    assert effective_composer(picked).name == "reference"


@pytest.mark.parametrize("composer", COMPOSERS)
def test_the_words_of_the_turns_before_are_words(composer):
    assert effective_composer(ComposeRequest("A", "", composer, history=(Step("in blue", BLUE),))).name == composer


@pytest.mark.parametrize("composer", COMPOSERS)
def test_words_without_a_picture_are_searched_as_they_are_until_they_are_edited(composer):
    edited = ComposeRequest(None, "in blue", composer, history=(Step("a red shirt", None),))
    assert effective_composer(ComposeRequest(None, "a red shirt", composer)).name == "modification"
    assert effective_composer(edited).name == ("imagined" if COMPOSERS[composer].imagines else "modification")


def test_an_unknown_composer_is_refused_with_and_without_a_picture():
    for reference in ("A", None):
        with pytest.raises(InvalidRequestError, match="magic"):
            effective_composer(ComposeRequest(reference, "in blue", "magic"))


# --- the request to the imaginer

RED = "a red shirt"


def imagine_after(modification: str, *history: Step, reference: str | None = "A", picked: int = 0, caption: str = RED):
    """The request to the imaginer, without its reference, which one test checks."""
    asked = imagine_request(ComposeRequest(reference, modification, history=history, picked=picked), caption)
    return replace(asked, reference=None) if isinstance(asked, ImagineRequest) else asked


def test_the_request_names_the_reference_and_holds_it_where_it_is_open():
    picture = Image.new("RGB", (8, 8))
    asked = imagine_request(ComposeRequest("A", "in blue", pixels={"A": picture, "B": Image.new("RGB", (8, 8))}), RED)
    assert (asked.reference, asked.pixels) == ("A", picture)
    assert imagine_request(ComposeRequest("A", "in blue"), RED) == asked, (
        "where the pixels are from makes no difference"
    )


def test_the_request_holds_the_caption_and_every_turn_with_its_target():
    assert imagine_after("in blue") == ImagineRequest(RED, "in blue")
    steps = (Step("in blue", BLUE), Step("dotted", DOTTED))
    expected = (("in blue", BLUE), ("dotted", DOTTED))
    assert imagine_after("shorter", *steps) == ImagineRequest(RED, "shorter", expected)


def test_words_without_an_imagination_are_handed_on():
    assert imagine_after("shorter", Step("in blue", None)) == ImagineRequest(RED, "in blue, shorter")
    made = imagine_after("shorter", Step("wide", None), Step("in blue", BLUE), Step("dotted", None))
    assert made == ImagineRequest(RED, "dotted, shorter", (("wide, in blue", BLUE),))


def test_without_new_words_the_target_stays():
    assert imagine_after("", Step("in blue", BLUE)) is BLUE
    assert imagine_after("", Step("in blue", BLUE), Step("dotted", None)) == ImagineRequest(
        RED, "dotted", (("in blue", BLUE),)
    )


def test_a_pick_stands_between_the_turns_with_the_look_of_the_picture():
    picked = (PICKED, target(RED))
    before, after = Step("in green", target("a green hat")), Step("in blue", BLUE)
    assert imagine_after("in blue", before, picked=1) == ImagineRequest(
        RED, "in blue", (("in green", before.imagined), picked)
    )
    assert imagine_after("dotted", before, after, picked=1) == ImagineRequest(
        RED, "dotted", (("in green", before.imagined), picked, ("in blue", BLUE))
    )


def test_words_without_an_imagination_before_a_pick_are_not_handed_on():
    picked = (PICKED, target(RED))
    assert imagine_after("in blue", Step("a green hat", None), picked=1) == ImagineRequest(RED, "in blue", (picked,))
    assert imagine_after("", Step("a green hat", None), Step("in blue", None), picked=1) == ImagineRequest(
        RED, "in blue", (picked,)
    )


def test_a_picture_without_a_caption_can_be_picked():
    made = imagine_after("in blue", Step("a green hat", None), picked=1, caption="")
    assert made.history == ((PICKED, target("a picture")),)


def test_without_a_picture_the_first_words_stand_for_its_caption():
    words = {"reference": None, "caption": ""}
    first = Step(RED, None)
    assert imagine_after("in blue", first, **words) == ImagineRequest(RED, "in blue")
    assert imagine_after("dotted", first, Step("in blue", BLUE), **words) == ImagineRequest(
        RED, "dotted", (("in blue", BLUE),)
    )
    assert imagine_after("dotted", first, Step("in blue", None), **words) == ImagineRequest(RED, "in blue, dotted")
    assert imagine_after("", first, Step("in blue", BLUE), **words) is BLUE


# --- Rocchio

X, Y, Z = np.eye(3, dtype=np.float32)


def moved(liked=(), disliked=()) -> list[float]:
    return with_feedback(Probe(X), liked, disliked).vector.tolist()


def unit(*vector: float) -> object:
    return pytest.approx((np.array(vector) / np.linalg.norm(vector)).tolist(), abs=1e-6)


def test_without_feedback_the_probe_is_as_it_was():
    probe = Probe(X)
    assert with_feedback(probe, [], []) is probe


@pytest.mark.parametrize(
    ("liked", "disliked", "expected"),
    [
        ([(Y, 1.0)], [], (1, GAIN, 0)),
        ([], [(Y, 1.0)], (1, -LOSS, 0)),
        ([(Y, 1.0)], [(Z, 1.0)], (1, GAIN, -LOSS)),
        ([(Y, 1.0), (Z, 1.0)], [], (1, GAIN / 2, GAIN / 2)),
        ([(Y, 0.5)], [], (1, GAIN / 2, 0)),
        ([(Y, 0.5), (Z, 1.0)], [], (1, GAIN / 3, GAIN * 2 / 3)),
        ([(X, 1.0)], [], (1, 0, 0)),
    ],
)
def test_the_probe_moves_by_the_formula(liked, disliked, expected):
    assert moved(liked, disliked) == unit(*expected)


def test_a_rule_that_is_not_linear_gets_the_same_added_to_its_scores():
    probe = Probe(X, rescore=lambda features: np.asarray((features**2).sum(axis=1), np.float32))
    after = with_feedback(probe, [(Y, 1.0)], [(Z, 0.5)])
    assert after.vector.tolist() == unit(1, GAIN, -LOSS / 2)
    assert after.score(np.stack([X, Y, Z])).tolist() == pytest.approx([1, 1 + GAIN, 1 - LOSS / 2])


UNITS = st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(UNITS, UNITS, st.sampled_from([1.0, 0.5, 0.25]))
def test_likes_draw_nearer_and_dislikes_push_away(query, picture, weight):
    q, p = (np.asarray(v / np.linalg.norm(v), np.float32) for v in (query, picture))
    more, less = with_feedback(Probe(q), [(p, weight)], []).vector, with_feedback(Probe(q), [], [(p, weight)]).vector
    assert np.linalg.norm(more) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(less) == pytest.approx(1, abs=1e-5)
    assert less @ p - 1e-5 <= q @ p <= more @ p + 1e-5
