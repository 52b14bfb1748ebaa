"""What may not be tuned on."""

from __future__ import annotations

import pytest

from ipcir_tools.cli.benchmark_options import KNOWN
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks.registry import choose
from ipcir_tools.evaluation.runs.tune import refuse_test

TESTS = [("wardrobe", "test"), ("wardrobe", None), ("cirr", "test1"), ("circo", "test"), ("fashioniq", None)]
VALIDATION = [("wardrobe", "val"), ("cirr", "val"), ("cirr", None), ("circo", "val"), ("mine.jsonl", None)]


@pytest.mark.parametrize(("name", "split"), [*TESTS, ("genecis", None)])
def test_what_final_figures_are_measured_on_is_refused(name, split, tmp_path):
    choice = choose(name, tmp_path, known=KNOWN, split=split)
    with pytest.raises(InvalidRequestError, match="tune on a validation part"):
        refuse_test(choice.name, choice.is_test)


@pytest.mark.parametrize(("name", "split"), VALIDATION)
def test_a_validation_part_is_not(name, split, tmp_path):
    choice = choose(name, tmp_path, known=KNOWN, split=split)
    refuse_test(choice.name, choice.is_test)
