"""CIRCLED's sessions: small files of its schema over small parents, and what is wrong with others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ipcir_tools.cli.benchmark_options import BenchmarkOptions
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.evaluation.benchmarks import load_circled

NAMES = [f"dev-{i}-img0" for i in range(6)]


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def session(number: int = 0, split: str = "cirr_val", names: list[str] = NAMES, turns: int = 2) -> dict[str, Any]:
    """A session that comes nearer to the last of ``names`` by picking them one after the other."""
    return {
        "session_id": f"{split}_{number:04d}",
        "subset": split,
        "ground_truth_ids": [names[-1]],
        "num_turns": turns,
        "turns": [
            {"turn": i + 1, "reference_image_id": names[i], "relative_caption": f" make change {i + 1} "}
            for i in range(turns)
        ],
    }


def over_cirr(folder: Path, *sessions: dict[str, Any]) -> Path:
    written(folder / "cirr/image_splits/split.rc2.val.json", {name: f"./dev/{name}.png" for name in NAMES})
    written(folder / "cirr_val.json", list(sessions))
    return folder


def test_a_session_is_one_query_a_turn_over_the_parents_gallery(tmp_path):
    found = load_circled(over_cirr(tmp_path, session(0), session(1, turns=3)))
    assert (found.name, found.gallery, found.paths[NAMES[0]]) == (
        "CIRCLED cirr_val",
        tuple(NAMES),
        f"dev/{NAMES[0]}.png",
    )
    rounds = found.sessions["cirr_val_0000"]
    assert [(each.reference, each.modification, each.targets) for each in rounds] == [
        (NAMES[0], "make change 1", (NAMES[-1],)),
        (NAMES[1], "make change 2", (NAMES[-1],)),
    ]
    assert [(query.id, query.reference) for query in found.queries] == [
        ("cirr_val_0000", NAMES[1]),
        ("cirr_val_0001", NAMES[2]),
    ]  # the last turn stands for the session
    assert not found.keeps_reference
    assert [measure.name for measure in found.measures] == ["R@1", "R@5", "R@10", "R@50"]
    assert "2 sessions of CIRCLED cirr_val, 5 turns" in found.notes
    assert "0 sessions left out" in found.notes


def test_over_circo_there_are_several_targets_and_padded_numbers(tmp_path):
    names = [f"{i:012d}.jpg" for i in (7, 21, 300)]
    several = session(0, "circo_val", names) | {"ground_truth_ids": ["000000000300", "000000000021.jpg"]}
    written(tmp_path / "circo_val.json", [several])
    images = [{"id": i, "file_name": f"{i:012d}.jpg"} for i in (7, 21, 300, 400)]
    written(tmp_path / "CIRCO/COCO2017_unlabeled/annotations/image_info_unlabeled2017.json", {"images": images})
    found = load_circled(tmp_path, split="circo_val")
    assert found.gallery == ("7", "21", "300", "400")
    assert [each.reference for each in found.sessions["circo_val_0000"]] == ["7", "21"]
    assert found.queries[0].targets == ("300", "21")
    assert found.keeps_reference
    assert {measure.kind for measure in found.measures} == {"Hits", "mAP"}


def test_over_fashioniq_pictures_may_lie_in_a_folder_of_their_category(tmp_path):
    names = ["B001", "0981234567", "B003"]
    written(tmp_path / "fashion-iq/image_splits/split.shirt.train.json", names)
    written(tmp_path / "fashioniq_shirt_train.json", [session(0, "fashioniq_shirt_train", names)])
    (tmp_path / "pictures/shirt").mkdir(parents=True)
    for name in names:
        (tmp_path / f"pictures/shirt/{name}.jpg").touch()
    found = load_circled(tmp_path, tmp_path / "pictures", split="fashioniq_shirt_train")
    assert found.file("0981234567") == tmp_path / "pictures/shirt/0981234567.jpg"
    assert found.keeps_reference


def test_sessions_with_unknown_pictures_are_listed_and_counted(tmp_path):
    lost, astray = session(1), session(2)
    lost["turns"][1]["reference_image_id"] = "dev-99"
    astray["ground_truth_ids"] = ["dev-98"]
    found = load_circled(over_cirr(tmp_path, session(0), lost, astray))
    assert list(found.sessions) == ["cirr_val_0000"]
    assert found.left_out == (
        "session cirr_val_0001: turn 2: reference_image_id: dev-99 is not in split.rc2.val.json",
        "session cirr_val_0002: ground_truth_ids: dev-98 is not in split.rc2.val.json",
    )
    assert any(note.startswith("2 sessions left out: session cirr_val_0001") for note in found.notes)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"turns": [{"turn": 1, "reference_image_id": 1}]},
            r"\(cirr_val_0001\): turns.0.relative_caption: field required",
        ),
        ({"turns": []}, r"\(cirr_val_0001\): turns: .*at least 1"),
        ({"ground_truth_ids": []}, r"\(cirr_val_0001\): ground_truth_ids: .*at least 1"),
        ({"num_turns": 3}, "session cirr_val_0001: num_turns is 3, but turns holds 2"),
        ({"subset": "circo_val"}, "session cirr_val_0001: subset is circo_val, not cirr_val"),
        ({"turns": session()["turns"][::-1]}, "session cirr_val_0001: turns should be in order"),
        ({"session_id": "cirr_val_0000"}, "the id cirr_val_0000 occurs 2 times"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_by_file_session_and_field(tmp_path, change, why):
    with pytest.raises(InvalidRequestError, match=rf"cirr_val\.json, .*{why}"):
        load_circled(over_cirr(tmp_path, session(0), session(1) | change))


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(NotFoundError, match=r"cirr_val\.json is missing .*: get it from huggingface\.co"):
        load_circled(tmp_path)
    written(tmp_path / "cirr_val.json", [session()])
    with pytest.raises(NotFoundError, match=r"image_splits/split\.rc2\.val\.json is missing .*CIRR"):
        load_circled(tmp_path)


def test_only_an_evaluation_takes_dialogues(tmp_path):
    options = BenchmarkOptions(folder=tmp_path)
    assert options.choose("circled", dialogues=True).name == "circled"
    with pytest.raises(InvalidRequestError, match="circled holds dialogues, which only `ipcir eval circled` measures"):
        options.choose("circled", tuning=True)
