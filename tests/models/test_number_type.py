"""The number type on a CPU: what a test on the machine chooses, keeps and reports."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_clips import pictures, save_model

from ipcir_tools.cli.main import app
from ipcir_tools.models import hub, number_type
from ipcir_tools.models import open_clip as open_clip_encoder
from ipcir_tools.models.loading import load_encoder
from ipcir_tools.models.number_type import NumberTypeTest, chosen_type, kept_tests
from ipcir_tools.models.user_cache import cache_folder

ALIKE = NumberTypeTest("m", "p", "t", 10.0, 40.0, 0.99995, 0.9995)


@pytest.fixture(autouse=True)
def gaining_processor(monkeypatch, tmp_path):
    """An empty cache, and a processor that has the instructions."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(number_type, "processor_gains", lambda: True)
    monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())


class Sample:
    """Pictures and texts whose features turn by ``angle`` in bfloat16."""

    def __init__(self, angle: float = 0.001) -> None:
        self.angle, self.runs = angle, 0

    def pictures(self, dtype):
        self.runs += 1
        turned = self.angle if dtype == "bfloat16" else 0.0
        return np.array([[np.cos(turned), np.sin(turned)], [0, 7]], dtype=np.float32)

    texts = pictures


@pytest.mark.parametrize(
    ("changed", "dtype"),
    [
        ({}, "bfloat16"),
        ({"bfloat16_per_s": 11.0}, "float32"),
        ({"mean": 0.9998}, "float32"),
        ({"worst": 0.998}, "float32"),
    ],
)
def test_bfloat16_must_be_faster_and_agree(changed, dtype):
    assert NumberTypeTest(**(vars(ALIKE) | changed)).dtype == dtype


def test_features_that_turn_do_not_agree_however_fast_they_come():
    assert number_type.run_test("m", Sample(0.0)).mean == 1
    far = number_type.run_test("m", Sample(0.1))
    assert (far.worst, far.dtype) == (pytest.approx(np.cos(0.1), abs=1e-4), "float32")


def test_a_model_is_tested_once_on_a_machine(monkeypatch):
    sample = Sample()
    first = chosen_type("m", 10**8, lambda: sample)
    runs = sample.runs
    assert chosen_type("m", 10**8, lambda: pytest.fail("tested again")) == first
    assert sample.runs == runs > 0
    assert [(each.model, each.dtype) for each in kept_tests()] == [("m", first)]
    monkeypatch.setattr("torch.__version__", "0.0")  # another torch is faster at other things
    chosen_type("m", 10**8, lambda: sample)
    assert sample.runs > runs


def test_nothing_is_tested_where_nothing_can_be_gained(monkeypatch):
    fail = lambda: pytest.fail("tested")  # noqa: E731
    assert chosen_type("small", number_type.SMALL - 1, fail) == "float32"
    monkeypatch.setattr(number_type, "processor_gains", lambda: False)
    assert chosen_type("large", 10**9, fail) == "float32"
    assert kept_tests() == []


def test_a_cache_that_is_damaged_or_cannot_be_written_means_another_test():
    sample = Sample()
    chosen_type("m", 10**8, lambda: sample)
    (file,) = (cache_folder() / "number-types").iterdir()
    file.write_text("{")
    runs = sample.runs
    chosen_type("m", 10**8, lambda: sample)
    assert sample.runs > runs
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("no folder")
    assert chosen_type("m", 10**8, lambda: sample) in ("float32", "bfloat16")


def test_an_operation_that_torch_lacks_in_bfloat16_means_float32():
    class Lacking(Sample):
        def pictures(self, dtype):
            raise RuntimeError("not implemented for BFloat16")

    assert chosen_type("m", 10**8, Lacking) == "float32"


# ---- on a model --------------------------------------------------------------------------------------
def test_an_encoder_is_tested_on_itself_and_the_settings_override(tmp_path, monkeypatch):
    monkeypatch.setattr(number_type, "SMALL", 0)
    monkeypatch.setattr(number_type, "FASTER", 0.0)  # so small a model gains nothing
    name = f"open_clip:local-dir:{save_model(tmp_path / 'tiny')}"
    chosen, exact = load_encoder(name, device="cpu"), load_encoder(name, device="cpu", dtype="float32")
    (kept,) = kept_tests()
    assert (chosen.dtype, exact.dtype, chosen.space) == ("bfloat16", "float32", exact.space)
    assert chosen.space.startswith(f"{kept.model}/")
    assert kept.mean >= number_type.MEAN
    agreement = (chosen.embed_images(pictures(9)) * exact.embed_images(pictures(9))).sum(axis=1)
    assert agreement.mean() >= number_type.MEAN
    assert agreement.min() >= number_type.WORST


def test_the_command_reports_what_was_chosen(monkeypatch):
    from typer.testing import CliRunner

    number_type.keep(ALIKE)
    document = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert document["number_types"] == [vars(ALIKE) | {"dtype": "bfloat16"}]
    lines = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["models"]).stdout.splitlines()
    assert lines[-1].split() == ["m", "bfloat16", "10.0/s", "40.0/s", "0.999950", "0.999500"]
