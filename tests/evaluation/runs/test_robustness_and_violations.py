"""How much a figure depends on the wording, and how many of the first hits are known to be wrong."""

from __future__ import annotations

import pytest

from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import measures
from ipcir_tools.evaluation.metrics.robustness import robustness
from ipcir_tools.evaluation.metrics.violations import BREAKS, LOSES
from ipcir_tools.evaluation.runs.violations import least_violations, truth_is_known, violations_of

GALLERY = tuple(f"{i}.jpg" for i in range(12))


def benchmark(*queries: Query, **more) -> Benchmark:
    return Benchmark("toy", queries, GALLERY, {}, keeps_reference=False, measures=measures("R", 1), notes=(), **more)


def query(number: str = "1", **more) -> Query:
    return Query(number, reference="0.jpg", modification="in blue", targets=("1.jpg",), **more)


def test_robustness_is_over_wordings_and_its_worst_is_that_of_a_wording_not_of_a_query():
    found = robustness("edit", "R@1", [[100, 100, 0, 100], [100, 100, 100, 100], [0, 100, 0, 100]])
    assert found.figures == (75.0, 100.0, 50.0)
    assert (found.mean, found.worst, found.best, found.ratio) == (75.0, 50.0, 100.0, 0.5)
    assert found.spread == pytest.approx(20.41, abs=0.01)
    assert found.always == 50.0, "two of four queries are found under every wording"


def test_a_method_that_finds_nothing_is_robust_and_without_wordings_there_is_none():
    assert robustness("edit", "R@1", [[0.0], [0.0]]).ratio == 1.0
    with pytest.raises(ValueError, match="at least one wording"):
        robustness("edit", "R@1", [])


def test_negatives_are_violations_of_an_unknown_kind():
    toy = benchmark(query(negatives=("2.jpg", "3.jpg")), query("2"))
    found = violations_of("edit", toy, {"1": ("2.jpg", "1.jpg", "5.jpg", "3.jpg"), "2": ("2.jpg",)})
    assert (found.queries, found.share, found.breaks, found.loses) == (1, 50.0, None, None)
    assert least_violations(toy) is None


def test_where_it_is_known_of_every_picture_both_kinds_are_counted():
    wrong = {"2.jpg": (BREAKS,), "3.jpg": (BREAKS, LOSES), "4.jpg": (LOSES,)}
    toy = benchmark(query(), violations=lambda _, name: wrong.get(name, ()))
    found = violations_of("edit", toy, {"1": ("1.jpg", "2.jpg", "3.jpg", "7.jpg")})
    assert (found.share, found.breaks, found.loses) == (50.0, 50.0, 25.0)


def test_only_the_first_ten_count():
    toy = benchmark(query(), violations=lambda _, name: (BREAKS,) if name == "11.jpg" else ())
    assert violations_of("edit", toy, {"1": GALLERY}).share == 0.0


def test_the_least_possible_is_what_the_gallery_forces():
    toy = benchmark(query(), violations=lambda _, name: () if name in ("0.jpg", "1.jpg", "5.jpg") else (LOSES,))
    assert least_violations(toy) == 80.0, "of ten places two can be right: the reference itself is left out"


def test_without_any_truth_there_is_nothing_to_tell():
    assert not truth_is_known(benchmark(query()))
    assert violations_of("edit", benchmark(query()), {"1": GALLERY}) is None
