"""Verification by the captioner: features are kept and shared, what cannot be opened is passed over, auto is cheap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from likelihood_judge import LikelihoodJudge
from PIL import Image

from ipcir_tools.engine import verifier as verifier_module
from ipcir_tools.engine.components import Components
from ipcir_tools.engine.verifier import KeptFeatures, Verifier
from ipcir_tools.engine.verifier_cost import VerifierCost, measure_cost, read_cost
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.fakes import ScriptedCaptioner
from ipcir_tools.models import hub
from ipcir_tools.models.devices import one_core
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog

CAPTIONER = "transformers:fake/colours"


@pytest.fixture
def components(tmp_path) -> Iterator[Components]:
    with Catalog.open(tmp_path / "home") as catalog:
        components = Components(Settings(home=tmp_path / "home", captioner=CAPTIONER), catalog)
        components.captioner_id = CAPTIONER
        yield components


def judged(components: Components, opened: list[str] | None = None) -> LikelihoodJudge:
    """A captioner with likelihoods; a picture ``#n`` has n of blue, and ``gone`` cannot be opened."""
    components.captioner = captioner = LikelihoodJudge(id=CAPTIONER)

    def load_image(pixels, id_):
        if opened is not None:
            opened.append(id_)
        return "its file is gone" if id_ == "gone" else Image.new("RGB", (8, 8), (0, 0, int(id_[1:])))

    components.load_image = load_image
    return captioner


def test_pairs_of_many_queries_share_pictures_and_batches(components):
    opened: list[str] = []
    captioner = judged(components, opened)
    pairs = [("#50", "one"), ("#50", "one two"), ("gone", "one"), ("#100", "one")]
    assert components.verifier.log_likelihoods(pairs) == [4.0, 3.0, None, 9.0]
    assert (sorted(opened), captioner.images_encoded) == (["#100", "#50", "gone"], 2)
    assert components.verifier.log_likelihoods([("#50", "a b c")]) == [2.0]
    assert captioner.images_encoded == components.verifier.images_encoded == 2, "features are kept"
    assert components.verifier.log_likelihoods([]) == []


def test_blocks_change_nothing(components, monkeypatch):
    judged(components)
    pairs = [(f"#{10 * n}", "one two") for n in range(20)]
    together = components.verifier.log_likelihoods(pairs)
    monkeypatch.setattr(verifier_module, "BLOCK", 3)
    assert Verifier(components, KeptFeatures(most=0)).log_likelihoods(pairs) == together


def test_what_is_kept_is_bounded_and_the_last_used_stays():
    kept, each = KeptFeatures(most=300), np.zeros((5, 10), np.float16)
    kept.put({"a": each, "b": each, "c": each})
    assert kept.size == 300
    assert set(kept.get(["a"])) == {"a"}
    kept.put({"d": each})
    assert set(kept.get(["a", "b", "c", "d"])) == {"a", "c", "d"}
    kept.put({"a": each})
    assert kept.size == 300


def test_a_captioner_without_likelihoods_is_refused_and_auto_is_off(components):
    components.captioner = ScriptedCaptioner(id=CAPTIONER)
    for ask in (components.verifier.require, components.verifier.cost, lambda: components.verifier.log_likelihoods([])):
        with pytest.raises(InvalidRequestError, match="--verify off"):
            ask()
    assert components.verifier.auto_amount() == 0


def test_a_chat_captioner_is_refused_without_being_loaded(tmp_path):
    with Catalog.open(tmp_path / "home") as catalog:
        components = Components(Settings(home=tmp_path / "home", captioner="chat:openai:gpt-4o"), catalog)
        assert components.verifier.auto_amount() == 0
        with pytest.raises(InvalidRequestError, match=r"chat:openai:gpt-4o.*gives no likelihoods"):
            components.verifier.require()
        assert components.loaded_captioner is None


def test_auto_loads_nothing_from_the_hub_and_asks_a_missing_model_once(components, monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "download", lambda *args: pytest.fail("the hub was asked"))
    assert components.verifier.auto_amount() == 0
    with Catalog.open(tmp_path / "other") as catalog:
        (tmp_path / "broken").mkdir()
        broken = Components(Settings(home=tmp_path / "other", captioner=f"transformers:{tmp_path / 'broken'}"), catalog)
        assert [broken.verifier.auto_amount() for _ in range(2)] == [0, 0]
        with pytest.raises(ModelUnavailableError):
            broken.verifier.cost()


def test_the_cost_is_measured_once_and_kept(components, monkeypatch, tmp_path):
    judged(components)
    measured = []
    cost = VerifierCost(CAPTIONER, "cpu", "float32", picture=0.02, text=0.005)
    monkeypatch.setattr(verifier_module, "measure_cost", lambda *args: measured.append(args) or cost)
    assert [components.verifier.auto_amount() for _ in range(3)] == [20] * 3
    again = Components(components.settings, components.catalog)
    again.captioner_id = CAPTIONER
    assert again.verifier.auto_amount() == 20, "by the note, with no captioner loaded"
    assert (len(measured), again.loaded_captioner) == (1, None)
    components.verifier.cost(again=True)
    assert len(measured) == 2


@pytest.mark.parametrize(("picture", "text", "amount"), [(0.01, 0.001, 20), (0.04, 0, 20), (0.08, 0, 10), (0.7, 0, 0)])
def test_auto_takes_as_many_as_a_second_allows(picture, text, amount):
    cost = VerifierCost("c", "cpu", "float32", picture, text)
    assert cost.amount == amount
    assert cost.seconds(10) == pytest.approx(10 * (picture + text))


def test_a_note_of_another_version_is_measured_again():
    cost = VerifierCost("c", "cpu", "float32", 0.1, 0.2)
    assert read_cost(cost.dump()) == cost
    assert [read_cost(note) for note in (None, "", "no JSON", '{"captioner": "c"}', "[1]")] == [None] * 5


def test_measuring_reads_pictures_and_scores_texts():
    captioner, asked = LikelihoodJudge(id=CAPTIONER), []
    cost = measure_cost(captioner, lambda n: asked.append(n) or [Image.new("RGB", (8, 8))] * n)
    assert (cost.captioner, cost.device, cost.dtype) == (CAPTIONER, "cpu", "float32")
    assert cost.picture > 0
    assert cost.text > 0
    assert captioner.images_encoded == sum(asked)


def test_one_core_is_one_thread_for_as_long_as_it_lasts():
    import torch

    before = torch.get_num_threads()
    with one_core():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_gallery_without_pictures_is_measured_on_drawn_ones(components):
    assert judged(components) is not None
    assert components.verifier.cost().captioner == CAPTIONER
    assert Path(components.settings.home).is_dir()
