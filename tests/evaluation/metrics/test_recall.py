"""Ranks, recall, average precision and their intervals: by hand, by invariants, and against a second implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import (
    Measure,
    Scored,
    average_precision,
    first_places,
    main_ranks,
    measures,
    rank_of,
    target_ranks,
)
from ipcir_tools.evaluation.metrics.statistics import difference, estimate, grouped_mean
from ipcir_tools.evaluation.runs.ranking import Ranker

# --- ranks of several targets


@pytest.mark.parametrize(
    ("scores", "targets", "left_out", "ranks"),
    [
        ([0.9, 0.5, 0.1], [0, 2], [], (1, 3)),
        ([0.9, 0.5, 0.5], [1, 2], [], (2, 3)),
        ([0.5, 0.5, 0.5], [0, 1], [], (2, 3)),
        ([0.5, 0.5, 0.5], [0, 1, 2], [], (1, 2, 3)),
        ([0.9, 0.5, 0.1], [2], [0], (2,)),
        ([0.9, 0.5, 0.1], [0, 2], [0, 1], (1, 2)),
        ([0.9, 0.5, 0.1], [2], [0, 0], (2,)),
    ],
    ids=str,
)
def test_ranks_of_several_targets_by_hand(scores, targets, left_out, ranks):
    assert target_ranks(np.array([scores], np.float32), [targets], [left_out]) == [ranks]


def sorted_plainly(scores: list[float], targets: set[int], left_out: set[int]) -> list[int]:
    """The whole ranking, equals sorted so that targets come last."""
    taking_part = [i for i in range(len(scores)) if i in targets or i not in left_out]
    return sorted(taking_part, key=lambda i: (-scores[i], i in targets))


def trec_average_precision(ranking: list[int], targets: set[int], k: int) -> float:
    """As trec_eval goes down a ranking, with CIRCO's denominator."""
    found, total = 0, 0.0
    for depth, place in enumerate(ranking[:k], start=1):
        if place in targets:
            found += 1
            total += found / depth
    return total / min(len(targets), k)


LEVELS = [-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]  # few, so that ties are common


@st.composite
def blocks(draw):
    """Scores ``[q, n]`` with the targets and what is left out of each row."""
    n = draw(st.integers(1, 9))
    places = st.integers(0, n - 1)
    rows = draw(
        st.lists(
            st.tuples(
                st.lists(st.sampled_from(LEVELS), min_size=n, max_size=n),
                st.lists(places, min_size=1, max_size=n, unique=True),
                st.lists(places, max_size=3),
            ),
            min_size=1,
            max_size=6,
        )
    )
    return [list(part) for part in zip(*rows, strict=True)]


@given(blocks())
def test_a_block_agrees_with_sorting_each_of_its_rows(block):
    scores, targets, left_out = block
    found = target_ranks(np.array(scores, np.float32), targets, left_out)
    for row, own, out, ranks in zip(scores, targets, left_out, found, strict=True):
        ranking = sorted_plainly(row, set(own), set(out))
        assert ranks == tuple(i for i, place in enumerate(ranking, start=1) if place in own)
        for k in (1, 2, 5, 10):
            assert average_precision(ranks, k) == pytest.approx(trec_average_precision(ranking, set(own), k))


def test_a_target_takes_part_even_if_it_is_left_out():
    scores = np.array([[0.9, 0.7, 0.5]], np.float32)
    assert target_ranks(scores, [[0, 2]], [[0]]) == [(1, 3)], "the first stands before the last"
    assert target_ranks(scores, [[2]], [[0]]) == [(2,)]
    assert target_ranks(scores, [[0]], [[0, 1]]) == [(1,)]
    assert main_ranks(scores, [0], [[0]]).tolist() == [1]
    assert target_ranks(np.full((1, 3), 0.5, np.float32), [[0, 2]], [[0, 1]]) == [(1, 2)]


@given(blocks())
def test_the_main_target_stands_behind_its_equals(block):
    scores, targets, left_out = block
    mains = [own[0] for own in targets]
    found = main_ranks(np.array(scores, np.float32), mains, left_out)
    for row, main, out, rank in zip(scores, mains, left_out, found, strict=True):
        assert rank == rank_of(np.array(row, np.float32), main, out)


@given(blocks())
def test_the_main_targets_rank_is_one_of_the_targets(block):
    scores, targets, left_out = block
    scores = np.array(scores, np.float32)
    mains = main_ranks(scores, [own[0] for own in targets], left_out, targets)
    for rank, ranks in zip(mains.tolist(), target_ranks(scores, targets, left_out), strict=True):
        assert rank in ranks


@given(blocks(), st.permutations(range(9)))
def test_the_order_of_the_gallery_does_not_matter(block, order):
    scores, targets, left_out = block
    order = [place for place in order if place < len(scores[0])]
    moved = {place: i for i, place in enumerate(order)}
    again = target_ranks(
        np.array(scores, np.float32)[:, order],
        [[moved[place] for place in own] for own in targets],
        [[moved[place] for place in out] for out in left_out],
    )
    assert again == target_ranks(np.array(scores, np.float32), targets, left_out)


@given(blocks(), st.integers(1, 12))
def test_the_first_places_are_a_sorted_row(block, k):
    scores, _, left_out = block
    found = first_places(np.array(scores, np.float32), k, left_out)
    for row, out, places in zip(scores, left_out, found, strict=True):
        rest = [i for i in range(len(row)) if i not in out]
        assert list(places) == sorted(rest, key=lambda i: -row[i])[:k]


@given(st.sets(st.integers(1, 40), min_size=1), st.integers(1, 40))
def test_average_precision_is_a_share_and_perfect_only_for_the_first_places(ranks, k):
    value = average_precision(sorted(ranks), k)
    assert 0 <= value <= 1
    assert (value == pytest.approx(1)) == (set(range(1, min(len(ranks), k) + 1)) <= ranks)
    assert average_precision([rank + 1 for rank in ranks], k) <= value


def test_average_precision_by_hand():
    assert average_precision([1, 3], 5) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert average_precision([1, 3, 9], 2) == pytest.approx((1 / 1) / 2)
    assert average_precision([6], 5) == 0


def test_a_query_without_targets_has_no_value():
    with pytest.raises(ValueError, match="needs"):
        average_precision([], 5)


def test_a_score_that_is_no_number_is_refused_and_not_passed_over():
    broken = np.array([[0.1, 0.2], [np.nan, 0.2]], np.float32)
    for ask in (
        lambda: target_ranks(broken, [[0], [1]]),
        lambda: first_places(broken, 1),
        lambda: rank_of(broken[1], 0),
    ):
        with pytest.raises(ValueError, match="not numbers"):
            ask()


# --- measures

FOUND = Scored("q", ranks=(2, 4, 30), main=4, subset=2)


def test_each_measure_of_one_query_in_percent():
    names = {
        measure.name: measure.of(FOUND)
        for measure in (*measures("R", 2, 5), *measures("Hits", 1, 2), Measure("mAP", 5), *measures("R_subset", 1, 2))
    }
    assert names == {
        "R@2": 0,
        "R@5": 100,
        "Hits@1": 0,
        "Hits@2": 100,
        "mAP@5": pytest.approx(100 * (1 / 2 + 2 / 4) / 3),
        "R_subset@1": 0,
        "R_subset@2": 100,
    }


def test_a_subset_is_measured_only_where_there_is_one():
    with pytest.raises(ValueError, match="query q has no subset"):
        Measure("R_subset", 1).of(Scored("q", (1,), 1))


# --- a benchmark's rules


def benchmark(*queries: Query, keeps_reference: bool = False) -> Benchmark:
    return Benchmark(
        name="hand",
        queries=queries,
        gallery=tuple("abcde"),
        paths={},
        keeps_reference=keeps_reference,
        measures=measures("R", 1),
        notes=(),
    )


FALLING = np.array([[0.9, 0.7, 0.5, 0.5, 0.1]], np.float32)


def test_the_reference_takes_part_only_if_the_benchmark_says_so():
    query = Query("1", "a", "in blue", ("c", "e"))
    assert Ranker(benchmark(query)).rank([query], FALLING) == [Scored("1", (3, 4), 3)]
    assert Ranker(benchmark(query, keeps_reference=True)).rank([query], FALLING) == [Scored("1", (4, 5), 4)]


def test_a_reference_that_is_a_target_stays_before_the_main_one():
    query = Query("1", "a", "in blue", ("a", "c"), main="c")
    assert Ranker(benchmark(query)).rank([query], FALLING) == [Scored("1", (1, 4), 4)]


def test_the_main_target_need_not_be_the_first_found():
    query = Query("1", "a", "in blue", ("b", "e"), main="e")
    assert Ranker(benchmark(query)).rank([query], FALLING) == [Scored("1", (1, 4), 4)]


def test_the_subset_is_ranked_on_its_own():
    query = Query("1", "a", "in blue", ("d",), subset=("b", "d", "e"))
    assert Ranker(benchmark(query)).rank([query], FALLING) == [Scored("1", (3,), 3, subset=2)]


def test_own_galleries_are_ranked_each_in_its_own_size():
    queries = (
        Query("1", "a", "in blue", ("c",), gallery=("c", "d")),
        Query("2", "a", "in blue", ("c",)),
        Query("3", "a", "in blue", ("c",), gallery=("e", "c", "a")),
    )
    ranker = Ranker(benchmark(*queries, keeps_reference=True))
    assert [each.main for each in ranker.rank(queries, FALLING.repeat(3, axis=0))] == [2, 4, 2]
    assert ranker.top(queries, FALLING.repeat(3, axis=0), 2) == [("c", "d"), ("a", "b"), ("a", "c")]


def test_equal_scores_in_a_gallery_of_fifteen_never_help_the_first():
    """GeneCIS: the target stands at index 0, so a method that knows nothing must not win."""
    names = tuple("abcdefghijklmno")
    query = Query("1", "z", "with a car", ("a",), gallery=names)
    made = Benchmark("hand", (query,), names, {}, keeps_reference=True, measures=(), notes=())
    assert Ranker(made).rank([query], np.zeros((1, 15), np.float32))[0].main == 15


def test_the_best_are_named_without_the_reference():
    query = Query("1", "a", "in blue", (), subset=("e", "b"))
    ranker = Ranker(benchmark(query))
    assert ranker.top([query], FALLING, 3) == [("b", "c", "d")]
    assert ranker.top_of_subset([query], FALLING, 3) == [("b", "e")]


def test_what_cannot_be_ranked_is_refused():
    query = Query("7", "a", "in blue", ())
    with pytest.raises(ValueError, match="truth of query 7 is hidden"):
        Ranker(benchmark(query)).rank([query], FALLING)
    with pytest.raises(ValueError, match=r"should be \[1, 5\]"):
        Ranker(benchmark(query)).top([query], FALLING[:, :4], 1)


# --- how sure a figure is

HITS = [100.0] * 30 + [0.0] * 70


def test_the_interval_of_a_share_is_that_of_the_binomial():
    found = estimate(HITS, samples=20_000)
    assert found.mean == 30
    spread = 100 * 1.96 * (0.3 * 0.7 / 100) ** 0.5
    assert (found.low, found.high) == (pytest.approx(30 - spread, abs=1.5), pytest.approx(30 + spread, abs=1.5))


def test_resampling_distinct_values_is_resampling_queries():
    """The short cut against the plain bootstrap, which draws queries."""
    values = np.random.default_rng(1).gamma(2, 10, 60)
    plain = np.random.default_rng(2).choice(values, (20_000, 60)).mean(axis=1)
    found = estimate(values, samples=20_000)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])), abs=0.4)


def test_groups_weigh_the_same_whatever_their_size():
    values, groups = [100.0] * 1 + [0.0] * 9, ["small"] + ["large"] * 9
    assert (grouped_mean(values), grouped_mean(values, groups)) == (10, 50)
    found = estimate(values, groups)
    assert (found.mean, found.low, found.high) == (50, 50, 50)  # within its group no query differs


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).gamma(2, 10, 60)
    assert estimate(values) == estimate(values)
    assert estimate(values) != estimate(values, seed=1)


def test_a_method_does_not_differ_from_itself():
    found = difference(HITS, HITS)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_gain_on_every_tenth_query_is_distinguished_from_chance():
    better = [100.0 if i % 10 == 0 else value for i, value in enumerate(HITS)]
    found = difference(better, HITS, samples=20_000)
    assert (found.mean, found.better, found.worse) == (7, 7, 0)
    assert 0 < found.low < 7 < found.high
    assert found.p == pytest.approx(2 / 2**7, abs=0.003)  # all seven signs the same


def test_what_is_seen_is_one_of_the_chances_itself():
    """(1 + those as far off) / (1 + all): never zero, and one where nothing differs."""
    always = difference([100.0] * 64, [0.0] * 64, samples=199)  # 2 of 2**64 flips are as far off: none is drawn
    assert always.p == pytest.approx(1 / 200)
    assert difference(HITS, HITS, samples=199).p == pytest.approx(200 / 200)


@given(st.lists(st.tuples(st.sampled_from([0, 50, 100]), st.sampled_from([0, 50, 100])), min_size=1, max_size=30))
def test_differences_turn_round(pairs):
    first, second = zip(*pairs, strict=True)
    one, other = difference(first, second, samples=200), difference(second, first, samples=200)
    assert one.mean == pytest.approx(-other.mean)
    assert (one.better, one.worse) == (other.worse, other.better)
    assert one.low <= one.high
    assert 0 < one.p <= 1


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [[1.0], [2.0]]])
def test_a_mean_of_nothing_is_refused(values):
    with pytest.raises(ValueError, match="at least one query"):
        estimate(values)


def test_pairs_and_groups_must_fit():
    with pytest.raises(ValueError, match="same queries"):
        difference([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="2 values and 1 groups"):
        grouped_mean([1.0, 2.0], ["a"])
