"""What may not be tuned on."""

from __future__ import annotations

import pytest

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.runs.tune import refuse_test


@pytest.mark.parametrize("name", ["wardrobe test", "CIRR test1", "CIRCO test", "FashionIQ val (original)", "GeneCIS"])
def test_what_final_figures_are_measured_on_is_refused(name):
    with pytest.raises(InvalidRequestError, match="tune on a validation part"):
        refuse_test(name)


@pytest.mark.parametrize("name", ["wardrobe val", "CIRR val", "CIRCO val", "mine"])
def test_a_validation_part_is_not(name):
    refuse_test(name)
