"""The demo end to end on a small world and the real small models: what it shows, and that a second run does nothing."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from ipcir_tools.cli import main
from ipcir_tools.composers import ABLATION
from ipcir_tools.demo import play
from ipcir_tools.demo.world import captions, garments, wardrobe
from ipcir_tools.engine.engine import Engine
from ipcir_tools.evaluation.reports.report import row_label
from ipcir_tools.settings import Settings, load_settings

FAMILIES = 2
WARDROBE = wardrobe.wardrobe


class Played(NamedTuple):
    """Two runs of the demo in one folder."""

    folder: Path
    first: dict[str, Any]
    second: dict[str, Any]
    drawn: dict[str, int]
    """When each picture was written, after the first run."""


@pytest.fixture(scope="module")
def small_world() -> Iterator[None]:
    """The demo's world with few families."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(play.wardrobe, "wardrobe", lambda part, *_: WARDROBE(part, FAMILIES))
        yield


def run_demo(folder: Path) -> dict[str, Any]:
    with Engine.open(load_settings(home=folder, models="demo")) as engine:
        return play.demo_json(play.play(engine, folder, lambda *_: None))


def written(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in (folder / "pictures").iterdir()}


@pytest.fixture(scope="module")
def played(small_world, tmp_path_factory) -> Played:
    folder = tmp_path_factory.mktemp("the demo")  # a folder with a space in its name
    first = run_demo(folder)
    drawn = written(folder)
    return Played(folder, first, run_demo(folder), drawn)


def test_the_document_has_the_shape_that_was_promised(played):
    shown = played.first
    assert json.loads(json.dumps(shown)) == shown
    assert {"dialogue", "ablation", "queries", "gallery", "imaginer"} <= set(shown)
    assert all(list(turn)[:3] == ["turn", "modification", "rank_of_target"] for turn in shown["dialogue"])
    assert all(list(row)[:4] == ["composer", "R@1", "R@5", "R@10"] for row in shown["ablation"])


def test_the_dialogue_is_played_turn_by_turn(played):
    assert [turn["modification"] for turn in played.first["dialogue"]] == list(play.TEXTS)
    pictures = played.first["gallery"]
    assert all(1 <= turn["rank_of_target"] < pictures for turn in played.first["dialogue"])
    with Engine.open(Settings(home=played.folder)) as engine:
        turns = engine.catalog.path(played.first["dialogue"][-1]["turn"])
    assert [turn.id for turn in turns] == [turn["turn"] for turn in played.first["dialogue"]]
    assert [turn.imagined.origin for turn in turns] == ["rules"] * 3
    assert "blue" in turns[0].imagined.description
    assert "long" in turns[1].imagined.description
    assert "belt" not in turns[2].imagined.description


def test_a_rank_is_where_the_target_stands_among_the_hits(played):
    """The rank is taken over the whole gallery; where the target is a hit, both must say the same."""
    made = play.demo_wardrobe()
    with Engine.open(Settings(home=played.folder)) as engine:
        for shown, (_, target) in zip(played.first["dialogue"], made.dialogues[-1].turns, strict=True):
            hits = engine.catalog.turn(shown["turn"]).hits
            at = [hit.rank for hit in hits if Path(hit.source).name == target]
            assert at == ([shown["rank_of_target"]] if shown["rank_of_target"] <= len(hits) else [])


def test_the_demo_finds_what_it_shows(played):
    """The small models were trained on this world: the truth stands among the first screenful in every turn."""
    assert all(turn["rank_of_target"] <= 10 for turn in played.first["dialogue"])


def test_the_share_of_right_captions_is_counted_word_for_word(played):
    """No bound is set here: twelve captions measure no model, its card does."""
    made = play.demo_wardrobe()
    truth = {picture.name: captions.caption(picture.garment) for picture in made.pictures}
    with Engine.open(Settings(home=played.folder)) as engine:
        ids = {Path(path).name: stamp.image_id for path, stamp in engine.catalog.stamps().items()}
        known = engine.components.features.known_captions(ids.values())
    right = [known[ids[query.reference]] == truth[query.reference] for query in made.queries]
    assert played.first["right_captions"] == pytest.approx(100 * sum(right) / len(right), abs=0.01)


def test_the_ablation_is_the_seed_papers(played):
    shown = played.first
    rows = [(row["composer"], row["verified"]) for row in shown["ablation"]]
    assert rows == [*((name, 0) for name in ABLATION), ("edit", 0), ("edit", play.VERIFIED)]
    assert shown["queries"] == 6 * FAMILIES
    assert shown["gallery"] == len(played.drawn) == shown["index"]["added"]
    assert shown["imaginer"] == "rules"
    for row in shown["ablation"]:
        assert 0 <= row["R@1"] <= row["R@5"] <= row["R@10"] <= 100
        assert (row["weight"] is not None) == (row["composer"] in {"sum", "imagined+reference", "edit"})


def test_the_world_of_the_demo_is_held_out_and_large(monkeypatch):
    monkeypatch.setattr(play.wardrobe, "wardrobe", WARDROBE)
    made = play.demo_wardrobe()
    assert all(garments.part_of(picture.garment) == "test" for picture in made.pictures)
    assert len(made.pictures) >= 600
    assert len(made.queries) >= 500
    assert len({picture.name for picture in made.pictures}) == len(made.pictures)


def test_the_sheet_is_drawn(played):
    (path,) = played.first["sheets"]
    assert Path(path).is_relative_to(played.folder)
    with Image.open(path) as sheet:
        assert (sheet.format, sheet.width > 1_000, sheet.height > 600) == ("PNG", True, True)


def test_a_second_run_shows_the_same(played):
    timeless = [{**shown, "index": None} for shown in (played.first, played.second)]
    assert timeless[0] == timeless[1]
    index = played.second["index"]
    assert (index["added"], index["unchanged"], index["removed"]) == (0, len(played.drawn), 0)
    assert written(played.folder) == played.drawn


def test_a_second_run_needs_no_model_at_all(played):
    with Engine.open(load_settings(home=played.folder, models="demo")) as engine:
        turns = engine.catalog.turns(limit=100)
        play.play(engine, played.folder, lambda *_: None)
        assert not engine.components.features.made
        assert {"encoder", "captioner"}.isdisjoint(vars(engine)), "none was even loaded"
        assert engine.catalog.turns(limit=100) == turns


def test_a_picture_that_was_lost_is_drawn_again_as_it_was(played):
    lost = sorted((played.folder / "pictures").iterdir())[0]
    before = lost.read_bytes()
    lost.unlink()
    assert run_demo(played.folder)["dialogue"] == played.first["dialogue"]
    assert lost.read_bytes() == before


def test_progress_is_reported(played):
    steps: list[tuple[str, int, int]] = []
    with Engine.open(load_settings(home=played.folder, models="demo")) as engine:
        play.play(engine, played.folder, lambda *step: steps.append(step))
    assert {"drawing", "scanning"} <= {what for what, _, _ in steps}
    assert all(0 <= done <= total for _, done, total in steps)


def test_a_home_behind_a_link_is_fine(small_world, tmp_path, played):
    (tmp_path / "link").symlink_to(played.folder, target_is_directory=True)
    assert run_demo(tmp_path / "link")["dialogue"] == played.first["dialogue"]


# --- at the command line


def ipcir(monkeypatch, capfd, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["ipcir", *arguments])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main.main()
    out, err = capfd.readouterr()
    assert not ended.value.code, err
    return out


def test_the_command_prints_one_document(played, monkeypatch, capfd):
    out = ipcir(monkeypatch, capfd, "demo", "--home", str(played.folder), "--json")
    assert {**json.loads(out), "index": None} == {**played.second, "index": None}


def test_the_command_shows_it_to_a_person_and_its_advice_works(played, monkeypatch, capfd, tmp_path):
    monkeypatch.setenv("COLUMNS", "100")
    out = ipcir(monkeypatch, capfd, "demo", "--home", str(played.folder))
    for turn in played.first["dialogue"]:
        assert turn["turn"] in out
        assert f"the right picture is at rank {turn['rank_of_target']}" in out
    for row in played.first["ablation"]:
        recalls = [f"{row[name]:.1f}" for name in ("R@1", "R@5", "R@10")]
        name = row_label(row["composer"], row["verified"])
        assert recalls in [line.split()[-3:] for line in out.splitlines() if line.strip().startswith(f"{name} ")]

    advice = [shlex.split(line)[1:] for line in out.splitlines() if line.strip().startswith("ipcir ")]
    assert [command[0] for command in advice] == ["search", "refine", "refine", "index"]
    monkeypatch.chdir(tmp_path)
    for command in advice[:3]:
        assert ipcir(monkeypatch, capfd, *command)
    assert (tmp_path / "hits.png").is_file()
