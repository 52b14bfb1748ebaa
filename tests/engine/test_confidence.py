"""No good match: the background by hand, what a result tells of it, and the wardrobe with its targets taken away."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.chains.composition.chain import Composed
from ipcir_tools.composers import Parts
from ipcir_tools.display.results import result_json, result_text
from ipcir_tools.engine.confidence import LEAST, MOST, POOR, Background, fits, is_poor, surprise
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.experiments import absence
from ipcir_tools.evaluation.experiments.absence import AbsentCase, auroc, measure_absence
from ipcir_tools.settings import Settings
from ipcir_tools.store.changes import GalleryState
from ipcir_tools.types import ComposedQuery, Probe, SearchResult, Turn


def test_the_surprise_is_the_share_that_fits_at_least_as_well():
    background = fits(np.eye(2, dtype=np.float32)[[0, 0, 0, 0]], np.array([[0.4, 0], [0.1, 0], [0.3, 0], [0.2, 0]]))
    assert background.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [surprise(best, background) for best in (0.5, 0.35, 0.15, 0.0)] == [0, 0.25, 0.75, 1]


@given(st.lists(st.floats(-1, 1, width=32), min_size=1), st.floats(-1, 1), st.floats(-1, 1))
def test_a_better_hit_is_never_less_unusual(cosines, a, b):
    background = np.sort(np.array(cosines, np.float32))
    low, high = sorted((a, b))
    assert 0 <= surprise(high, background) <= surprise(low, background) <= 1


class CaptionedFeatures:
    """A catalog and features in one: each caption fits its picture by a cosine; counts what is asked."""

    space = "hand/2d"

    def __init__(self, captioned: int) -> None:
        self.captioned, self.encoded, self.version, self.facts, self.made = captioned, 0, 1, 0, Counter()
        self.read = 0

    def state(self):
        return GalleryState(self.version, self.facts, self.space)

    def first_captions(self, n):
        self.read += 1
        return {f"{i:03}": f"{i:03}" for i in range(min(n, self.captioned))}

    def stored(self, ids):
        return {id_: np.array([1, 0], np.float32) for id_ in ids if not id_.startswith("text:")}

    def texts(self, texts, tally):
        self.encoded += len(texts)
        tally["texts"] += len(texts)
        return np.array([[int(text) / 300, 0] for text in texts], np.float32)


def background_of(captioned: CaptionedFeatures) -> Background:
    return Background(captioned, captioned)


def test_a_background_needs_enough_captions_and_is_made_when_they_are_there():
    captioned = CaptionedFeatures(LEAST - 1)
    background = background_of(captioned)
    assert background.surprise([0.9]) is None
    captioned.captioned = LEAST
    assert background.surprise([0.9]) is None, "nothing says that a caption was written"
    captioned.facts += 1
    assert background.surprise([0.9]) == 0


def test_a_later_turn_encodes_nothing_and_reads_once():
    captioned = CaptionedFeatures(300)
    background = background_of(captioned)
    assert [background.surprise([0.9], encode=False) for _ in range(3)] == [None] * 3
    assert (captioned.read, captioned.encoded) == (1, 0)
    assert background.surprise([0.9]) == 0
    assert background.surprise([0.9], encode=False) == 0
    assert (captioned.read, captioned.encoded) == (2, MOST)


def test_a_background_is_made_once_for_a_gallery_and_counted():
    captioned, tally = CaptionedFeatures(300), Counter()
    background = background_of(captioned)
    assert [background.surprise([best, None], tally) for best in (0.0, 0.9)] == [1, 0]
    assert captioned.encoded == tally["text_encodes"] == MOST
    captioned.version += 1
    background.surprise([0.5])
    assert captioned.encoded == 2 * MOST


def test_without_text_scores_nothing_is_known_and_nothing_is_made():
    captioned = CaptionedFeatures(300)
    assert background_of(captioned).surprise([None, None]) is None
    assert captioned.encoded == 0


def result(surprise: float | None) -> SearchResult:
    turn = Turn(id="t1", query=ComposedQuery(reference="aa", modification="in blue"), created="now")
    return SearchResult(turn=turn, surprise=surprise)


def test_only_a_poor_result_is_told_of():
    assert not is_poor(None)
    assert not is_poor(POOR - 0.01)
    assert is_poor(POOR)
    assert result_json(result(0.87654))["unusual"] == 0.877
    assert "no good match: 88% of known captions" in result_text(result(0.87654))
    for fine in (None, 0.0, 0.5):
        assert "unusual" not in result_json(result(fine))
        assert "no good match" not in result_text(result(fine))


def test_auroc_counts_pairs():
    assert auroc([3, 2], [1, 0]) == 1
    assert auroc([0], [1]) == 0
    assert auroc([1], [1]) == 0.5
    high, low = np.array([1, 2, 2, 5]), np.array([2, 0, 3])
    assert auroc(high, low) == pytest.approx(np.mean((high[:, None] > low) + (high[:, None] == low) / 2))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    from ipcir_tools.demo.experiments import wardrobe_absence

    folder = tmp_path_factory.mktemp("absent")
    with Engine.open(Settings(home=folder, models="demo")) as engine:
        yield engine, wardrobe_absence(engine, folder, lambda *_: None, "val", families=3)


def test_a_tiny_wardrobe_with_its_targets_taken_away(found):
    _, measured = found
    assert set(measured) == {"garment", "edit"}
    for each in measured.values():
        assert (each.queries, each.composer) == (18, "edit")
        assert 0.5 < each.auroc <= 1
        assert each.there > each.absent
        assert each.poor_there is None or 0 <= each.poor_there <= each.poor_absent <= 1
    assert measured["edit"].auroc > measured["garment"].auroc, "what the edit asks for is missed more than a garment"


def test_the_reference_is_no_hit_whether_or_not_something_is_taken_away():
    """The reference fits its request best, then the target: 0.8 in the gallery as it is, 0.5 without the target."""
    ids, fit = ["reference", "target", "other"], [1.0, 0.8, 0.5]
    matrix = np.array([[each, np.sqrt(1 - each**2)] for each in fit], np.float32)
    text = np.array([1, 0], np.float32)
    composed = Composed(
        Probe(text),
        lambda: Probe(text),
        frozenset(),
        0.5,
        image=None,
        text=text,
        caption=None,
        imagination=None,
        parts=Parts(weight=0.5),
    )
    case = AbsentCase("reference", "in blue", frozenset({"target"}))
    assert absence._bests(case, composed, ids, matrix) == (pytest.approx(0.8), pytest.approx(0.5))


def test_a_composer_without_an_imagined_text_is_refused(tmp_path):
    with (
        Engine.open(Settings(home=tmp_path, models="demo", composer="reference")) as engine,
        pytest.raises(InvalidRequestError, match="imagined"),
    ):
        measure_absence(engine, [AbsentCase("aa", "in blue", frozenset())])


def test_a_search_tells_its_surprise(found):
    engine, _ = found
    reference = engine.catalog.gallery_ids()[0]
    captions = engine.components.features.known_captions(engine.catalog.gallery_ids())
    missing = [id_ for id_ in engine.catalog.gallery_ids() if id_ not in captions][: max(0, LEAST - len(captions))]
    engine.components.features.captions(missing)
    result = engine.search(reference, "in blue")
    assert result.surprise is not None
    assert 0 <= result.surprise <= 1
    assert engine.find("a blue dress").surprise is None, "typed words fit pictures otherwise than captions do"


def test_a_later_turn_encodes_nothing_for_it():
    captioned = CaptionedFeatures(MOST)
    captioned.features = lambda ids, space: {
        id_: np.array([1, 0], np.float32) for id_ in ids if not id_.startswith("text:")
    }
    background = background_of(captioned)
    assert background.surprise([0.9], encode=False) is None
    assert captioned.encoded == 0
    assert background.surprise([0.9]) is not None
    encoded = captioned.encoded
    assert background.surprise([0.9], encode=False) is not None
    assert captioned.encoded == encoded == MOST
