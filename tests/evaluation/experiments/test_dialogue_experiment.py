"""Dialogues measured: the protocol on hand-made features, and the wardrobe's own dialogues on the small models."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from langchain_core.runnables import RunnableLambda

from ipcir_tools.chains.composition import chain
from ipcir_tools.chains.imagination.results import Imagination
from ipcir_tools.cli import main
from ipcir_tools.composers.calibration import UNCALIBRATED
from ipcir_tools.composers.fusion import normalise
from ipcir_tools.demo.experiments import likeness, play_dialogues
from ipcir_tools.demo.world.garments import Garment, Scene
from ipcir_tools.demo.world.wardrobe import Drawn
from ipcir_tools.engine.engine import Engine
from ipcir_tools.evaluation.experiments.dialogues import report_json, run_dialogues, session_of
from ipcir_tools.evaluation.runs import run
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import FileStamp
from ipcir_tools.store.features import text_key
from ipcir_tools.types import ImageRecord, ImaginedTarget

PICTURES = {"ref": [1, 0, 0], "near": [0.9, 0.4, 0], "goal": [0.5, 0.5, 0.6], "far": [-1, 0, 0.2]}
TEXTS = {"one": [0.9, 0.4, 0.1], "two": [0.5, 0.5, 0.6]}
"""The imagined text of the first round lies at "near", that of the second at "goal"."""


@pytest.fixture
def engine(tmp_path):
    with Engine.open(Settings(home=tmp_path / "home", composer="imagined", models="demo")) as opened:
        vectors = {name: normalise(np.array(row, np.float32)) for name, row in PICTURES.items()}
        records = [
            ImageRecord(id=name, source=f"/{name}.png", bytes=1, width=1, height=1, format="png") for name in PICTURES
        ]
        stamps = [FileStamp(f"/{name}.png", name, 1, 1) for name in PICTURES]
        opened.catalog.add(records, stamps, vectors, "hand/3d")
        texts = {text_key(text): normalise(np.array(row, np.float32)) for text, row in TEXTS.items()}
        opened.catalog.put_features(texts, "hand/3d")
        opened.components.captioner_id = "hand"
        opened.components.calibrator = SimpleNamespace(current=lambda: UNCALIBRATED)  # features by hand as they are
        opened.catalog.put_captions(dict.fromkeys(PICTURES, "a thing"), "hand")
        opened.components.imagine = RunnableLambda(
            lambda asked: Imagination(
                ImaginedTarget(description=asked.modification, origin="rules"), None, (), 0, cached=False
            )
        )
        yield opened


ONE = session_of("ref", [("one", "near"), ("two", "goal")])
LIKE_GOAL = {"near": 0.5, "far": 0.0, "goal": 1.0}


def test_the_rounds_by_hand(engine):
    report = run_dialogues(engine, [ONE], lambda id_, _: LIKE_GOAL[id_])
    assert [each.hits for each in report.so_far.plain] == [{1: 100.0, 10: 100.0}] * 2
    assert [each.hits for each in report.final.plain] == [{1: 0.0, 10: 100.0}, {1: 100.0, 10: 100.0}]
    assert (report.dialogues, report.gallery, report.imaginer, report.fallbacks) == (1, 4, "rules", 0)


def test_the_user_judges_what_is_shown_but_never_the_target(engine, monkeypatch):
    judged = []
    real = chain.compose_all
    monkeypatch.setattr(run, "compose_all", lambda asked, *a, **b: judged.extend(asked) or real(asked, *a, **b))
    report = run_dialogues(engine, [ONE], lambda id_, _: LIKE_GOAL[id_])
    feedback = [request for request in judged if request.liked]
    assert {tuple(request.liked) for request in feedback} == {("near",)}
    assert {tuple(request.disliked) for request in feedback} == {("far",)}
    assert report.final.with_feedback[0].hits == {1: 100.0, 10: 100.0}  # both rivals were judged and are left out


def test_a_dialogue_that_ended_keeps_its_last_rank(engine):
    short = session_of("ref", [("one", "goal")])
    report = run_dialogues(engine, [ONE, short], lambda id_, _: LIKE_GOAL[id_])
    assert [each.hits[1] for each in report.final.plain] == [0.0, 50.0]


def test_likeness_is_the_share_of_looks_in_common():
    garment = Garment("skirt", "red", "plain", "short")
    scene = Scene("studio", "flat", "normal", "neutral", "left", "near", seed=1)
    same, other = Drawn("a", garment, scene), Drawn("b", garment.changed(colour="blue"), scene)
    assert likeness(same, Drawn("c", garment, scene.__class__(**{**scene.__dict__, "seed": 9}))) == 1.0
    assert 0.9 < likeness(same, other) < 1.0


@pytest.fixture(scope="module")
def wardrobe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dialogues")
    with Engine.open(Settings(home=folder, models="demo")) as opened:
        return report_json(play_dialogues(opened, folder, lambda *_: None, dialogues=40))


def test_more_rounds_find_more_and_feedback_helps(wardrobe):
    plain, judged = wardrobe["rounds"], wardrobe["rounds_with_feedback"]
    assert plain[-1]["Hits@10"] >= plain[0]["Hits@10"]
    for before, after in zip(plain, judged, strict=True):
        assert after["Hits@1"] > before["Hits@1"]
        assert after["Hits@10"] >= before["Hits@10"]


def test_the_command_prints_the_report_as_one_document(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["ipcir", "eval", "wardrobe-dialogues", "--dialogues", "4", "--json",
                                      "--home", str(tmp_path)])  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main.main()
    document = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert (document["dialogues"], document["gallery"]) == (4, 72)
    assert [list(each) for each in document["rounds"]] == [["round", "Hits@1", "Hits@10"]] * 5
    assert list(document["edits_so_far"]) == ["rounds", "rounds_with_feedback"]
