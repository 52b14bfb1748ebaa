"""Ranks and recall by hand, against a second implementation, and the ablation on a gallery of five."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.runnables import RunnableLambda

from ipcir_tools.chains.composition.requests import ComposeRequest, Step
from ipcir_tools.chains.imagination.results import Imagination
from ipcir_tools.composers import ABLATION
from ipcir_tools.composers.calibration import UNCALIBRATED
from ipcir_tools.composers.fusion import normalise
from ipcir_tools.engine.engine import Engine
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.experiments.ablation import CUTS, run_ablation
from ipcir_tools.evaluation.metrics.metrics import rank_of, recall_at
from ipcir_tools.evaluation.runs.catalog_run import rank_in_gallery
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import FileStamp
from ipcir_tools.store.features import text_key
from ipcir_tools.types import ImageRecord, ImaginedTarget

# --- ranks


@pytest.mark.parametrize(
    ("scores", "target", "left_out", "rank"),
    [
        ([0.9, 0.5, 0.1], 0, [], 1),
        ([0.9, 0.5, 0.1], 2, [], 3),
        ([0.5, 0.5, 0.5], 0, [], 3),
        ([0.5, 0.5, 0.5], 2, [], 3),
        ([0.9, 0.5, 0.5], 1, [0], 2),
        ([0.9, 0.5, 0.1], 1, [0], 1),
        ([0.9, 0.5, 0.1], 1, [2], 2),
        ([0.9, 0.5, 0.1], 0, [0], 1),
        ([0.5], 0, [], 1),
    ],
    ids=lambda value: str(value),
)
def test_ranks_by_hand(scores, target, left_out, rank):
    assert rank_of(np.array(scores, np.float32), target, left_out) == rank


def plainly_ranked(scores: list[float], target: int, left_out: list[int]) -> int:
    """Sort what takes part by score, the target behind its equals, and look where it stands."""
    taking_part = [i for i in range(len(scores)) if i == target or i not in left_out]
    return sorted(taking_part, key=lambda i: (-scores[i], i == target)).index(target) + 1


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=12), st.data())
def test_ranks_agree_with_sorting(scores, data):
    places = st.integers(0, len(scores) - 1)
    target, left_out = data.draw(places), data.draw(st.lists(places, max_size=4))
    given_scores = np.array(scores, np.float32)
    assert rank_of(given_scores, target, left_out) == plainly_ranked(scores, target, left_out)
    assert given_scores.tolist() == scores


# --- recall


def test_recall_by_hand():
    ranks = [1, 1, 3, 11]
    assert [recall_at(ranks, k) for k in (1, 2, 3, 10, 11)] == [50, 50, 75, 75, 100]


def test_recall_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one query"):
        recall_at([], 1)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(1, 30))
def test_recall_grows_with_k_and_ends_at_all(ranks, k):
    assert 0 <= recall_at(ranks, k) <= recall_at(ranks, k + 1) <= 100
    assert recall_at(ranks, max(ranks)) == 100


# --- the ablation

RED, BLUE, HERE, THERE = np.eye(4, dtype=np.float32)
PICTURES = {
    "red-here": RED + HERE,
    "red-here-again": RED + 0.9 * HERE + 0.1 * THERE,
    "red-there": RED + THERE,
    "blue-here": BLUE + HERE,
    "blue-there": BLUE + THERE,
}
TEXTS = {"in blue": BLUE + 0.5 * THERE, "a blue dress": BLUE + 0.1 * THERE}
"""Both texts lean to THERE, for no reason that the user gave."""
QUERIES = (Query("1", "red-here", "in blue", ("blue-here",)), Query("2", "red-there", "in blue", ("blue-there",)))


@pytest.fixture
def engine(tmp_path):
    """An engine over five pictures whose features, captions and texts are known; no model is ever asked."""
    with Engine.open(Settings(home=tmp_path / "home")) as opened:
        records = [
            ImageRecord(id=id_, source=f"/{id_}.png", bytes=1, width=1, height=1, format="png") for id_ in PICTURES
        ]
        stamps = [FileStamp(record.source, record.id, 1, 1) for record in records]
        opened.catalog.add(records, stamps, {id_: normalise(row) for id_, row in PICTURES.items()}, "hand/4d")
        opened.catalog.put_features({text_key(text): normalise(row) for text, row in TEXTS.items()}, "hand/4d")
        opened.catalog.put_captions(dict.fromkeys(PICTURES, "a red dress"), "hand")
        opened.components.captioner_id = "hand"
        opened.components.calibrator = SimpleNamespace(current=lambda: UNCALIBRATED)  # features by hand as they are
        yield opened


def test_the_table_of_five_pictures(engine):
    """Text alone leans to THERE and misses HERE; the reference alone finds its own kind; together they are right."""
    table = run_ablation(engine, QUERIES, ABLATION)
    assert {row.composer: [row.recall[k] for k in CUTS] for row in table.rows} == {
        "modification": [50, 100, 100],
        "reference": [0, 100, 100],
        "sum": [100, 100, 100],
        "imagined": [50, 100, 100],
        "imagined+reference": [100, 100, 100],
    }
    assert [row.weight for row in table.rows] == [None, None, 0.5, None, 0.8]
    assert (table.queries, table.gallery, table.imaginer, table.calls) == (2, 5, "rules", 0)
    assert sum(engine.components.features.made.values()) == 0


def test_the_settings_weight_holds_for_every_fusion(engine):
    engine.components.settings = engine.settings.model_copy(update={"weight": 0.0})
    table = run_ablation(engine, QUERIES, ("reference", "sum", "imagined+reference"))
    assert [row.weight for row in table.rows] == [None, 0.0, 0.0]
    assert len({tuple(row.recall.items()) for row in table.rows}) == 1


def test_one_request_is_ranked_under_its_composer(engine):
    ranks = {}
    for name in ABLATION:
        ranks[name] = rank_in_gallery(engine.components, ComposeRequest("red-here", "in blue", name), "blue-here")
    # The reference alone: its twin stands before the target, and the red one over there scores the same.
    assert ranks == {"modification": 2, "reference": 3, "sum": 1, "imagined": 2, "imagined+reference": 1}


def test_the_turns_before_are_part_of_the_request(engine):
    asked = []
    engine.components.imagine = RunnableLambda(lambda request: asked.append(request) or imagined("rules"))
    target = ImaginedTarget(description="a red dress over there", origin="rules")
    request = ComposeRequest("red-here", "in blue", "imagined+reference", history=(Step("over there", target),))
    rank_in_gallery(engine.components, request, "blue-here")
    assert asked[0].history == (("over there", target),)


def test_a_target_outside_the_gallery_is_no_miss_but_an_error(engine):
    with pytest.raises(LookupError, match="nowhere"):
        run_ablation(engine, [Query("1", "red-here", "in blue", ("nowhere",))])


def imagined(origin: str, calls: int = 0) -> Imagination:
    target = ImaginedTarget(description="a blue dress", origin=origin)
    return Imagination(target, prompt=None, warnings=(), calls=calls, cached=False)


def test_the_table_names_the_author_and_the_cost(engine):
    engine.components.settings = engine.settings.model_copy(update={"llm": "toy"})
    kept = set()

    def write(request):
        origin, calls = ("llm", 1) if request.modification == "in blue" else ("fallback", 2)
        known = request.modification in kept
        kept.add(request.modification)
        return imagined(origin, 0 if known else calls)

    engine.components.imagine = RunnableLambda(write)
    one, failing = QUERIES[0], Query("2", "red-here", "turn it blue", ("blue-here",))
    table = run_ablation(engine, [one, failing], ("imagined", "imagined+reference"))
    assert table.imaginer == "toy (1), rules instead of the model (1)"
    assert table.calls == 3  # of the first composer that imagines: the second finds the replies kept
    assert run_ablation(engine, [one], ("imagined",)).imaginer == "toy"
