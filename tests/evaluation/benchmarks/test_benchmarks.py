"""Loaders, by files of the published schemas, and the published files themselves where they are at hand.

The real annotations lie in ``../shared/data`` beside the checkout, which CI has. Elsewhere the same tests run on files
of the same schema and the same sizes that are made here.
"""

from __future__ import annotations

import json
import re
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.evaluation.benchmarks import crop_of, load_circo, load_cirr, load_fashioniq, load_genecis, load_jsonl
from ipcir_tools.evaluation.metrics.metrics import Measure
from ipcir_tools.evaluation.metrics.statistics import grouped_mean
from ipcir_tools.evaluation.runs.ranking import Ranker
from ipcir_tools.evaluation.runs.submissions import circo_submission, cirr_submission, write_submission
from ipcir_tools.types import NotedReference

REAL = Path(__file__).parents[4] / "shared" / "data"


def written(path: Path, content: Any) -> Path:
    """``content`` as a JSON file; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def touched(folder: Path, *names: str) -> Path:
    """Empty files in a folder: loaders look at names alone."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


# --- files of each schema, of any size


def cirr_item(i: int, size: int) -> dict[str, Any]:
    names = [f"dev-{(i + step) % size}" for step in range(6)]
    return {
        "pairid": 12_000 + i,
        "reference": names[0],
        "target_hard": names[1],
        "target_soft": {names[1]: 1.0},
        "caption": "show two of them ",
        "img_set": {"id": i, "members": names[::-1], "reference_rank": 5, "target_rank": 4},
    }


def make_cirr(folder: Path, queries: int = 8, size: int = 7, split: str = "val") -> Path:
    items = [cirr_item(i, size) for i in range(queries)]
    if split == "test1":
        for item in items:
            del item["target_hard"], item["target_soft"]
    written(folder / f"captions/cap.rc2.{split}.json", items)
    written(folder / f"image_splits/split.rc2.{split}.json", {f"dev-{i}": f"./dev/dev-{i}.png" for i in range(size)})
    return folder


def circo_item(i: int, size: int) -> dict[str, Any]:
    targets = [1_000 + (i + step) % size for step in range(1, 2 + i % 3)]
    return {
        "reference_img_id": 1_000 + i % size,
        "target_img_id": targets[0],
        "relative_caption": "has two dogs",
        "shared_concept": "a dog",
        "gt_img_ids": targets,
        "id": i,
        "semantic_aspects": ["cardinality"],
    }


def make_circo(folder: Path, queries: int = 6, size: int = 60, split: str = "val") -> Path:
    items = [circo_item(i, size) for i in range(queries)]
    if split == "test":
        for item in items:
            del item["target_img_id"], item["gt_img_ids"]
    written(folder / f"annotations/{split}.json", items)
    return folder


FASHION = {"dress": (2_017, 3_817, 2_628), "shirt": (2_038, 6_346, 3_089), "toptee": (1_961, 5_373, 2_902)}
"""Queries, pictures of the split, pictures that the queries name."""
EMPTY = {"shirt": (1_928,), "toptee": (676, 1_076)}


def make_fashioniq(folder: Path, sizes: dict[str, tuple[int, int, int]], empty: dict[str, tuple[int, ...]]) -> Path:
    for category, (queries, size, named) in sizes.items():
        names = [f"{category.upper()}{i:06d}" for i in range(size)]
        pairs = list(islice(cycle(names[:named]), 2 * queries))
        items = [
            {"candidate": pairs[2 * i], "target": pairs[2 * i + 1], "captions": ["is blue.", " has long sleeves "]}
            for i in range(queries)
        ]
        for i in empty.get(category, ()):
            items[i]["captions"][0] = ""
        written(folder / f"captions/cap.{category}.val.json", items)
        written(folder / f"image_splits/split.{category}.val.json", names)
    return folder


def make_genecis(folder: Path) -> Path:
    for task in ("focus_object", "change_object"):
        items = [
            {
                "condition": "car",
                "reference": {"val_image_id": 100 + i, "instance_annotations": [1]},
                "target": {"val_image_id": 200 + i},
                "gallery": [{"val_image_id": 300 + i + j} for j in range(14)],
            }
            for i in range(3)
        ]
        written(folder / f"{task}.json", items)
    for task, size in (("focus_attribute", 9), ("change_attribute", 14)):
        items = [
            {
                "condition": "color",
                "reference": {"image_id": 7, "instance_bbox": [1, 2, 30, 40], "object_name": "bus"},
                "target": {"image_id": 7, "instance_bbox": [50.5, 2, 30, 40], "object_name": "bus"},
                "gallery": [{"image_id": 8 + j, "instance_bbox": [0, 0, 9, 9]} for j in range(size)],
            }
        ]
        written(folder / f"{task}.json", items)
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> Path:
    """The published annotations, or files of the same sizes."""
    if REAL.is_dir():
        return REAL
    folder = tmp_path_factory.mktemp("published")
    make_cirr(folder / "cirr", 4_181, 2_297)
    make_circo(folder / "circo", 220, 1_121)
    make_fashioniq(folder / "fashioniq", FASHION, EMPTY)
    return folder


# --- the published files


def test_cirr_as_published(published):
    found = load_cirr(published / "cirr")
    assert (len(found.queries), len(found.gallery), found.keeps_reference) == (4_181, 2_297, False)
    assert {len(query.subset) for query in found.queries} == {5}
    assert all(query.main in query.subset and query.reference not in query.subset for query in found.queries)
    assert [measure.name for measure in found.measures] == [
        *("R@1", "R@5", "R@10", "R@50"),
        *("R_subset@1", "R_subset@2", "R_subset@3"),
    ]


def test_circo_as_published(published):
    found = load_circo(published / "circo")
    assert (len(found.queries), found.keeps_reference) == (220, True)
    assert all(query.main == query.targets[0] for query in found.queries)
    assert any("NOT the 123,403" in note for note in found.notes)


@pytest.mark.parametrize(("gallery", "sizes"), [("original", [3_817, 6_346, 5_373]), ("VAL", [2_628, 3_089, 2_902])])
def test_fashioniq_as_published(published, gallery, sizes):
    found = load_fashioniq(published / "fashioniq", gallery=gallery)
    categories = ("dress", "shirt", "toptee")
    by_group = [[query for query in found.queries if query.group == group] for group in categories]
    assert [len(each) for each in by_group] == [2_017, 2_038, 1_961]
    assert [len(each[0].gallery) for each in by_group] == sizes
    assert any("3 queries have an empty caption" in note for note in found.notes)
    assert any("shirt/1928, toptee/676, toptee/1076" in note for note in found.notes)


LOADERS = {"cirr": load_cirr, "circo": load_circo}


def scores_by_truth(found, sign: int) -> np.ndarray:
    """Every query's main target first, then its other targets, then the rest; or, by ``sign``, the other way round."""
    place = {name: i for i, name in enumerate(found.gallery)}
    scores = np.tile(np.linspace(0, 0.5, len(place), dtype=np.float32), (len(found.queries), 1))
    for row, query in zip(scores, found.queries, strict=True):
        row[[place[name] for name in query.targets]] = sign
        row[place[query.main]] = 2 * sign
    return scores


@pytest.mark.parametrize("name", LOADERS)
def test_a_perfect_ranking_has_every_figure_at_one_hundred(published, name):
    found = LOADERS[name](published / name)
    scored = Ranker(found).rank(found.queries, scores_by_truth(found, 1))
    assert {measure.of(each) for measure in found.measures for each in scored} == {100}
    assert [each.ranks for each in scored] == [tuple(range(1, len(q.targets) + 1)) for q in found.queries]


@pytest.mark.parametrize("name", LOADERS)
def test_a_reversed_ranking_has_every_figure_at_zero(published, name):
    found = LOADERS[name](published / name)
    scored = Ranker(found).rank(found.queries, scores_by_truth(found, -1))
    assert {measure.of(each) for measure in found.measures for each in scored} == {0}
    ranked = len(found.gallery) - (not found.keeps_reference)
    assert {each.main for each in scored} == {ranked}
    assert {each.ranks[-1] for each in scored} == {ranked}
    assert {each.subset for each in scored} == {5 if name == "cirr" else None}


def test_features_drawn_at_random_find_what_chance_finds(published):
    """All 4,181 queries through the metrics; the expectation of R@K is K in 2,296, of R_subset@K one fifth of K."""
    found = load_cirr(published / "cirr")
    rng = np.random.default_rng(0)
    texts, pictures = (
        rng.standard_normal((len(each), 32)).astype(np.float32) for each in (found.queries, found.gallery)
    )
    scored = Ranker(found).rank(found.queries, texts @ pictures.T)
    for measure in found.measures:
        chance = measure.k / (5 if measure.kind == "R_subset" else 2_296)
        spread = 100 * (chance * (1 - chance) / len(scored)) ** 0.5
        # Queries share targets, so hits come in clusters and spread more than independent ones.
        assert np.mean([measure.of(each) for each in scored]) == pytest.approx(100 * chance, abs=6 * spread)


# --- CIRR


def test_one_query_of_cirr(tmp_path):
    query = load_cirr(make_cirr(tmp_path)).queries[0]
    assert (query.id, query.reference, query.modification) == ("12000", "dev-0", "show two of them")
    assert (query.targets, query.main) == (("dev-1",), "dev-1")
    assert query.subset == ("dev-5", "dev-4", "dev-3", "dev-2", "dev-1")


def test_the_hidden_split_of_cirr_has_nothing_to_measure(tmp_path):
    found = load_cirr(make_cirr(tmp_path, split="test1"), split="test1")
    assert (found.hidden, found.measures) == (True, ())
    assert all(query.targets == () and len(query.subset) == 5 for query in found.queries)


def test_a_server_scores_the_parts_whose_truth_it_keeps(tmp_path):
    for split, server in (("val", None), ("test1", "CIRR")):
        found = load_cirr(make_cirr(tmp_path / split, split=split), split=split)
        assert (found.server, found.is_test) == (server, server is not None)
    for split, server in (("val", None), ("test", "CIRCO")):
        found = load_circo(make_circo(tmp_path / split, split=split), split=split)
        assert (found.server, found.is_test) == (server, server is not None)


def test_pictures_of_cirr_are_found_in_the_official_place_and_in_another(tmp_path):
    folder = make_cirr(tmp_path / "cirr")
    with pytest.raises(NotFoundError, match="name the folder"):
        load_cirr(folder).file("dev-3")
    names = [f"dev/dev-{i}.png" for i in range(7)]
    elsewhere = touched(tmp_path / "nlvr2", *names)
    assert load_cirr(folder, elsewhere).file("dev-3") == elsewhere / "dev/dev-3.png"
    official = touched(folder / "img_raw", *names)
    assert load_cirr(tmp_path / "cirr").file("dev-3") == official / "dev/dev-3.png"


def test_missing_pictures_are_counted_and_never_left_out(tmp_path):
    pictures = touched(tmp_path / "pictures", "dev/dev-0.png")
    with pytest.raises(
        NotFoundError, match=r"6 of 7 pictures are missing .* first is dev/dev-1.png: get them from NLVR2"
    ):
        load_cirr(make_cirr(tmp_path), pictures)
    with pytest.raises(NotFoundError, match="nowhere does not exist: get them from NLVR2"):
        load_cirr(tmp_path, tmp_path / "nowhere")


def test_a_missing_file_is_named_with_where_to_get_it(tmp_path):
    with pytest.raises(
        NotFoundError, match=r"captions/cap.rc2.val.json is missing .* get it from github.com/Cuberick-Orion"
    ):
        load_cirr(tmp_path)
    (make_cirr(tmp_path) / "image_splits/split.rc2.val.json").unlink()
    with pytest.raises(NotFoundError, match=r"image_splits/split.rc2.val.json is missing"):
        load_cirr(tmp_path)


def spoil_cirr(folder: Path, change: dict[str, Any]) -> Path:
    path = make_cirr(folder) / "captions/cap.rc2.val.json"
    items = json.loads(path.read_text())
    items[3] |= change
    written(path, items)
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"caption": None, "pairid": "x"}, r"item 3: pairid: .*integer.*; caption: .*string"),
        ({"reference": "dev-99"}, r"item 3 \(pairid 12003\): dev-99 is not in split.rc2.val.json"),
        ({"target_hard": None}, r"item 3 \(pairid 12003\): target_hard is missing"),
        ({"target_hard": "dev-3"}, r"item 3 \(pairid 12003\): target_hard is not among the other"),
        ({"img_set": {"members": ["dev-3", "dev-4"]}}, r"item 3 .* six pictures"),
        ({"pairid": 12_000}, r"the id 12000 occurs 2 times"),
    ],
    ids=["fields", "unknown picture", "no target", "target outside", "set", "twice"],
)
def test_wrong_entries_of_cirr_are_named(tmp_path, change, message):
    with pytest.raises(InvalidRequestError, match=message + r".*get it again from github.com/Cuberick-Orion"):
        load_cirr(spoil_cirr(tmp_path, change))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', "\x00"])
def test_a_file_that_is_no_list_of_queries_is_refused(tmp_path, text):
    (make_cirr(tmp_path) / "captions/cap.rc2.val.json").write_text(text)
    with pytest.raises(InvalidRequestError, match=r"cap.rc2.val.json .*get it again"):
        load_cirr(tmp_path)


# --- CIRCO


def test_one_query_of_circo(tmp_path):
    query = load_circo(make_circo(tmp_path)).queries[2]
    assert (query.id, query.reference, query.modification) == ("2", "1002", "has two dogs")
    assert (query.targets, query.main) == (("1003", "1004", "1005"), "1003")


def test_the_gallery_of_circo_is_what_coco_lists(tmp_path):
    images = [{"id": 1_000 + i, "file_name": f"{1_000 + i:012d}.jpg", "height": 9} for i in range(70)]
    written(make_circo(tmp_path) / "COCO2017_unlabeled/annotations/image_info_unlabeled2017.json", {"images": images})
    found = load_circo(tmp_path)
    assert (len(found.gallery), found.paths["1004"]) == (70, "000000001004.jpg")
    assert "by its image info" in " ".join(found.notes)


def test_without_image_info_the_gallery_of_circo_is_the_folder(tmp_path):
    pictures = touched(tmp_path / "unlabeled2017", *(f"{1_000 + i:012d}.jpg" for i in range(65)))
    found = load_circo(make_circo(tmp_path))
    assert (len(found.gallery), found.file("1064")) == (65, pictures / "000000001064.jpg")
    assert "the files in the folder" in " ".join(found.notes)


def test_the_reference_rule_of_circo_is_reported(tmp_path):
    official, other = load_circo(make_circo(tmp_path)), load_circo(tmp_path, keep_reference=False)
    assert (official.keeps_reference, other.keeps_reference) == (True, False)
    assert "the reference stays in the ranking (official)" in official.notes
    assert "the reference is left out of the ranking (not the official rule)" in other.notes


def change_circo(folder: Path, i: int, **change: Any) -> Path:
    path = make_circo(folder) / "annotations/val.json"
    items = json.loads(path.read_text())
    items[i] |= change
    written(path, items)
    return folder


def test_the_semantic_aspects_of_circo_are_its_kinds_of_queries(tmp_path):
    aspects = ["negation", "viewpoint", "negation"]
    found = load_circo(change_circo(tmp_path, 2, semantic_aspects=aspects))
    assert (found.queries[2].kinds, found.queries[3].kinds) == (("negation", "viewpoint"), ("cardinality",))
    assert found.kind_measure == Measure("mAP", 10)
    assert any(note.startswith("3 semantic aspects, of 6 queries, are reported by mAP@10") for note in found.notes)


def test_circo_without_semantic_aspects_or_truth_has_no_figures_by_kind(tmp_path):
    plain = {name: value for name, value in circo_item(0, 60).items() if name != "semantic_aspects"}
    written(tmp_path / "older/annotations/val.json", [plain])
    older = load_circo(tmp_path / "older")
    hidden = load_circo(make_circo(tmp_path / "test", split="test"), split="test")
    assert hidden.kind_measure is None
    assert not [note for each in (older, hidden) for note in each.notes if "aspects" in note]


def test_recall_on_circo_counts_the_target_that_the_caption_was_written_for(tmp_path):
    query = load_circo(change_circo(tmp_path, 2, target_img_id=1_004)).queries[2]
    assert (query.targets, query.main) == (("1003", "1004", "1005"), "1004")


def test_a_main_target_that_is_no_target_is_refused(tmp_path):
    with pytest.raises(InvalidRequestError, match=r"item 1 \(id 1\): gt_img_ids should hold target_img_id"):
        load_circo(change_circo(tmp_path, 1, target_img_id=1_050))


# --- FashionIQ

SMALL = {"dress": (4, 9, 6), "shirt": (3, 5, 4), "toptee": (2, 4, 4)}


def test_captions_are_stripped_and_joined_and_an_empty_one_leaves_the_other_alone(tmp_path):
    folder = make_fashioniq(tmp_path, SMALL, {"shirt": (1,)})
    found = {query.id: query for query in load_fashioniq(folder).queries}
    assert (found["dress/0"].modification, found["dress/0"].paraphrases) == ("is blue and has long sleeves", ())
    assert found["shirt/1"].modification == "has long sleeves"
    both = {query.id: query for query in load_fashioniq(folder, captions="both orders").queries}
    assert both["dress/0"].paraphrases == ("has long sleeves and is blue",)
    assert both["shirt/1"].paraphrases == ()


def test_marks_around_a_caption_are_no_part_of_it(tmp_path):
    item = {"candidate": "DRESS000000", "target": "DRESS000001", "captions": [" is blue,", "has long sleeves?. \n"]}
    written(make_fashioniq(tmp_path, SMALL, {}) / "captions/cap.dress.val.json", [item])
    (query,) = load_fashioniq(tmp_path, categories=("dress",)).queries
    assert query.modification == "is blue and has long sleeves"


def test_a_benchmark_without_its_pictures_says_where_to_get_them(tmp_path):
    for found, source in (
        (load_cirr(make_cirr(tmp_path / "cirr")), "NLVR2"),
        (load_circo(make_circo(tmp_path / "circo")), "cocodataset.org"),
        (load_fashioniq(make_fashioniq(tmp_path / "fashioniq", SMALL, {})), "fashion-iq-metadata"),
        (load_genecis(make_genecis(tmp_path / "genecis")), "visualgenome.org"),
    ):
        with pytest.raises(NotFoundError, match=rf"name the folder with --pictures \(get them from .*{source}"):
            found.file(found.gallery[0])


def test_a_blank_request_is_kept_and_recognised_by_every_loader(tmp_path):
    folder = make_fashioniq(tmp_path / "fashioniq", SMALL, {"shirt": (1,)})
    item = [{"candidate": "DRESS000000", "target": "DRESS000001", "captions": ["", " . "]}]
    written(folder / "captions/cap.dress.val.json", item)
    cirr = spoil_cirr(make_cirr(tmp_path / "cirr"), {"caption": " \n"})
    circo = change_circo(make_circo(tmp_path / "circo"), 1, relative_caption="\u200b ")
    for found, id_ in (
        (load_fashioniq(folder), "dress/0"),
        (load_cirr(cirr), "12003"),
        (load_circo(circo), "1"),
    ):
        assert [query.id for query in found.queries if query.is_blank] == [id_]
    assert "1 queries have an empty caption, the other one stands alone: shirt/1" in load_fashioniq(folder).notes[1]


def test_each_category_has_its_own_gallery(tmp_path):
    folder = make_fashioniq(tmp_path, SMALL, {})
    for gallery, sizes in (("original", {9, 5, 4}), ("VAL", {6, 4})):
        found = load_fashioniq(folder, gallery=gallery)
        assert {len(query.gallery) for query in found.queries} == sizes
        scored = Ranker(found).rank(found.queries, np.zeros((9, len(found.gallery)), np.float32))
        assert [each.main for each in scored] == [len(query.gallery) for query in found.queries]


def test_categories_weigh_the_same(tmp_path):
    found = load_fashioniq(make_fashioniq(tmp_path, SMALL, {}), categories=("dress", "toptee"))
    groups = [query.group for query in found.queries]
    assert grouped_mean([100.0 * (group == "dress") for group in groups], groups) == 50


def test_pictures_of_fashioniq_come_as_png_or_jpg(tmp_path):
    pictures = touched(tmp_path / "images", *(f"DRESS{i:06d}.{'jpg' if i % 2 else 'png'}" for i in range(9)))
    found = load_fashioniq(make_fashioniq(tmp_path, SMALL, {}), categories=("dress",))
    assert [found.file(name).suffix for name in found.gallery[:2]] == [".png", ".jpg"]
    assert found.folder == pictures


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"captions": ["one"]}, "item 1: captions.1: field required"),
        ({"target": "NOBODY"}, "item 1: NOBODY is not in split.dress.val.json"),
    ],
)
def test_wrong_entries_of_fashioniq_are_named(tmp_path, change, message):
    path = make_fashioniq(tmp_path, SMALL, {}) / "captions/cap.dress.val.json"
    items = json.loads(path.read_text())
    items[1] |= change
    written(path, items)
    with pytest.raises(InvalidRequestError, match=message):
        load_fashioniq(tmp_path)
    assert len(load_fashioniq(tmp_path, categories=("shirt",)).queries) == 3


# --- GeneCIS


def test_the_four_tasks_of_genecis(tmp_path):
    found = load_genecis(make_genecis(tmp_path))
    tasks = ["focus_attribute", "change_attribute", "focus_object", "change_object"]
    assert list(dict.fromkeys(query.group for query in found.queries)) == tasks
    assert all(query.gallery[0] == query.main for query in found.queries)
    assert [len(query.gallery) for query in found.queries] == [10, 15, 15, 15, 15, 15, 15, 15]
    assert found.notes[:3:2] == (
        "focus_attribute: 1 queries, 1 over 10 pictures each",
        "focus_object: 3 queries, 3 over 15 pictures each",
    )
    assert found.paths["200"] == "val2017/000000000200.jpg"


def test_objects_of_one_picture_are_different_pictures(tmp_path):
    found = load_genecis(make_genecis(tmp_path), tasks=("focus_attribute",))
    query = found.queries[0]
    assert (query.reference, query.main) == ("7@1,2,30,40", "7@50.5,2,30,40")
    assert found.paths[query.reference] == found.paths[query.main] == "VG_100K/7.jpg"
    assert found.boxes[query.main] == (50.5, 2, 30, 40)


def test_what_is_cut_out_stays_within_the_picture():
    assert crop_of((100, 100, 10, 20), (640, 480)) == (93, 86, 110, 120)
    assert crop_of((2, 2, 10, 20), (640, 480)) == (0, 0, 17, 34)
    assert crop_of((630, 470, 10, 10), (640, 480)) == (623, 463, 640, 480)


def test_pictures_of_genecis_lie_in_several_folders(tmp_path):
    names = [f"VG_100K{'_2' if i % 2 else ''}/{i}.jpg" for i in range(7, 22)]
    pictures = touched(tmp_path / "pictures", *names)
    found = load_genecis(make_genecis(tmp_path), pictures, tasks=("change_attribute",))
    assert found.file("7@1,2,30,40") == pictures / "VG_100K_2/7.jpg"
    assert found.file("8@0,0,9,9") == pictures / "VG_100K/8.jpg"


def test_a_target_that_is_its_own_distractor_counts_once(tmp_path):
    path = make_genecis(tmp_path) / "focus_object.json"
    items = json.loads(path.read_text())
    items[0]["gallery"][5] = items[0]["target"]
    written(path, items)
    found = load_genecis(tmp_path, tasks=("focus_object",))
    assert len(found.queries[0].gallery) == 14
    assert "2 over 15, 1 over 14 pictures each; 1 list the target again" in found.notes[0]


@pytest.mark.parametrize(
    ("task", "message"),
    [("focus_object", "item 0: every picture should have val_image_id"), ("focus_attribute", "instance_bbox")],
)
def test_pictures_without_their_ids_are_named(tmp_path, task, message):
    path = make_genecis(tmp_path) / f"{task}.json"
    items = json.loads(path.read_text())
    items[0]["gallery"][0] = {"image_id" if "attribute" in task else "id": 1}
    written(path, items)
    with pytest.raises(InvalidRequestError, match=message):
        load_genecis(tmp_path)


@pytest.mark.parametrize(
    "box",
    ["[NaN, 2, 30, 40]", "[1, 2, Infinity, 40]", "[1e308, 2, 1e308, 40]", "[1, 2, -30, 40]", "[1, 2, 30, 0]"],
)
def test_a_box_that_is_none_is_named(tmp_path, box):
    path = make_genecis(tmp_path) / "change_attribute.json"
    path.write_text(path.read_text().replace("[50.5, 2, 30, 40]", box))
    with pytest.raises(
        InvalidRequestError, match=r"change_attribute\.json, item 0: instance_bbox \[.*\] should be left, top"
    ):
        load_genecis(tmp_path)


def test_a_box_may_begin_beyond_its_picture(tmp_path):
    path = make_genecis(tmp_path) / "change_attribute.json"
    path.write_text(path.read_text().replace("[50.5, 2, 30, 40]", "[-1, -0.5, 30, 40]"))
    assert load_genecis(tmp_path).boxes["7@-1,-0.5,30,40"] == (-1, -0.5, 30, 40)


def test_an_unknown_task_is_refused(tmp_path):
    with pytest.raises(InvalidRequestError, match="tasks of GeneCIS are focus_attribute"):
        load_genecis(tmp_path, tasks=("change_colour",))


# --- a user's own file


@pytest.fixture
def pictures(tmp_path) -> Path:
    return touched(tmp_path / "shop", "a.jpg", "b.jpg", "more/c.png", "notes.txt")


def lines(folder: Path, *each: Any) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in each), encoding="utf-8")
    return path


def line(**change: Any) -> dict[str, Any]:
    return {"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]} | change


def test_a_file_of_lines_over_a_folder(pictures):
    found = load_jsonl(lines(pictures, line(), "", line(id="x", targets=["./more/c.png", "b.jpg"])))
    assert found.gallery == ("a.jpg", "b.jpg", "more/c.png")
    assert [(query.id, query.targets) for query in found.queries] == [("1", ("b.jpg",)), ("x", ("more/c.png", "b.jpg"))]
    assert found.file("more/c.png") == pictures / "more/c.png"
    assert {measure.kind for measure in found.measures} == {"R", "Hits", "mAP"}
    assert (found.left_out, found.notes[-1]) == ((), "0 lines left out")


def test_the_file_may_lie_elsewhere_and_one_target_each_needs_no_hits(pictures, tmp_path):
    found = load_jsonl(lines(tmp_path, line()), pictures)
    assert {measure.kind for measure in found.measures} == {"R", "mAP"}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("{", "line 2: the entry: invalid json"),
        (line(targets=[]), "line 2: targets: .*at least 1"),
        (line(modification=" "), "line 2: modification: .*at least 1"),
        (line(targets="b.jpg"), "line 2: targets: .*array"),
        (line(targets=["b.jpg", "../secret.jpg"]), r"line 2: no such picture in the folder: \.\./secret\.jpg"),
        (line(reference="notes.txt"), "line 2: no such picture in the folder: notes.txt"),
        (line(targets=["a.jpg"]), "line 2: the reference is a target"),
        (line(id=1), "line 2: the id 1 is already used"),
        (line(id=True), "line 2: id: input should be a valid string"),
        (line(reference=True), "line 2: reference: input should be a valid string"),
        (line(reference=[]), "line 2: reference: input should be a valid string"),
        (line(reference=["a.jpg", {"note": "its collar"}]), r"line 2: others\.0\.reference: field required"),
        (line(reference=[{"note": "its collar"}, "a.jpg"]), "line 2: reference: input should be a valid string"),
        (line(reference=["a.jpg", "./a.jpg"]), "line 2: reference: a picture is named twice"),
        (line(reference=["a.jpg", "b.jpg"]), "line 2: the reference is a target"),
        (line(reference=["a.jpg", "no.jpg"]), r"line 2: no such picture in the folder: no\.jpg"),
        (line(negatives=["no.jpg"]), r"line 2: no such picture in the folder: no\.jpg"),
        (line(negatives=["more/c.png", "b.jpg"]), r"line 2: negatives: a target is among them: b\.jpg"),
        (line(negatives="b.jpg"), "line 2: negatives: .*array"),
        (line(wordings=["in azure", " "]), r"line 2: wordings\.1: .*at least 1"),
        (line(kinds=[1]), r"line 2: kinds\.0: input should be a valid string"),
    ],
    ids=str,
)
def test_a_line_that_is_no_query_is_named_and_counted(pictures, wrong, why):
    found = load_jsonl(lines(pictures, line(), wrong))
    assert len(found.queries) == 1
    assert len(found.left_out) == 1
    assert re.match(why, found.left_out[0])
    assert found.notes[-1].startswith("1 lines left out: line 2")


def test_a_line_may_hold_all_that_is_known_of_a_query(pictures):
    references = [{"reference": "./a.jpg", "note": "its collar "}, "more/c.png"]
    told = line(reference=references, negatives=["a.jpg", "a.jpg"], wordings=["blue, please", "in blue"], kinds=["add"])
    found = load_jsonl(lines(pictures, told, line(paraphrases=["make it blue"])))
    first, second = found.queries
    assert (first.reference, first.note, first.others) == ("a.jpg", "its collar", (NotedReference(id="more/c.png"),))
    assert first.references == ("a.jpg", "more/c.png")
    assert (first.negatives, first.kinds) == (("a.jpg",), ("add",))
    assert (first.wordings, second.wordings) == (("blue, please",), ("make it blue",))
    assert (first.paraphrases, second.paraphrases) == ((), ())  # those would be averaged, not measured one by one
    assert [note for note in found.notes if note.startswith("1 queries have")] == [
        "1 queries have several references: what is said of the reference holds for each of them",
        "1 queries have negatives, pictures that are known to be wrong",
        "1 queries have kinds of their edit",
    ]


def test_a_reference_may_carry_its_note_without_a_list(pictures):
    query = load_jsonl(lines(pictures, line(reference={"reference": "a.jpg", "note": "its cut"}))).queries[0]
    assert (query.reference, query.note, query.others) == ("a.jpg", "its cut", ())


def test_kinds_of_edits_are_measured_over_all_answers_where_there_are_several(pictures):
    one, several = lines(pictures, line()), lines(pictures.parent, line(targets=["b.jpg", "more/c.png"]))
    assert load_jsonl(one).kind_measure is None
    assert load_jsonl(several, pictures).kind_measure == Measure("mAP", 10)


def test_no_reference_of_several_is_ranked(pictures):
    found = load_jsonl(lines(pictures, line(reference=["a.jpg", "more/c.png"])))
    scores = np.array([[3.0, 1.0, 2.0]], np.float32)  # both references score higher than the target
    assert Ranker(found).rank(found.queries, scores)[0].ranks == (1,)
    assert Ranker(found).top(found.queries, scores, 3) == [("b.jpg",)]


def test_a_file_in_the_place_of_the_folder_of_pictures_is_an_error(pictures, tmp_path):
    file = pictures / "a.jpg"
    for load in (
        lambda: load_jsonl(lines(pictures, line()), file),
        lambda: load_cirr(make_cirr(tmp_path / "cirr"), file),
        lambda: load_circo(make_circo(tmp_path / "circo"), file),
        lambda: load_fashioniq(make_fashioniq(tmp_path / "fashioniq", SMALL, {}), file),
        lambda: load_genecis(make_genecis(tmp_path / "genecis"), file),
    ):
        with pytest.raises(InvalidRequestError, match=r"a\.jpg is a file: name the folder .* with --pictures"):
            load()


def test_a_reference_that_stays_may_be_a_target(pictures):
    assert load_jsonl(lines(pictures, line(targets=["a.jpg"])), keep_reference=True).queries[0].main == "a.jpg"


def test_a_file_without_a_query_is_refused(pictures):
    with pytest.raises(InvalidRequestError, match=r"holds no query \(2 lines are not valid, the first is line 1: "):
        load_jsonl(lines(pictures, "{", "[]"))
    with pytest.raises(InvalidRequestError, match=r"holds no query \(it is empty\)"):
        load_jsonl(lines(pictures, ""))
    with pytest.raises(NotFoundError, match=r"no\.jsonl is missing"):
        load_jsonl(pictures / "no.jsonl")


# --- submissions


@pytest.fixture
def cirr(tmp_path):
    return load_cirr(make_cirr(tmp_path, 3, 60, "test1"), split="test1")


def best(benchmark, k: int = 50, *, subset: bool = False) -> dict[str, tuple[str, ...]]:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((len(benchmark.queries), len(benchmark.gallery))).astype(np.float32)
    ranker = Ranker(benchmark)
    found = (ranker.top_of_subset if subset else ranker.top)(benchmark.queries, scores, k)
    return {query.id: names for query, names in zip(benchmark.queries, found, strict=True)}


def test_both_files_for_the_server_of_cirr(cirr, tmp_path):
    recall = cirr_submission(cirr, best(cirr), "recall")
    assert list(recall)[:3] == ["version", "metric", "12000"]
    assert (recall["version"], recall["metric"], len(recall["12002"])) == ("rc2", "recall", 50)
    subset = cirr_submission(cirr, best(cirr, 3, subset=True), "recall_subset")
    assert subset["metric"] == "recall_subset"
    assert all(set(subset[query.id]) <= set(query.subset) for query in cirr.queries)
    write_submission(recall, tmp_path / "out" / "recall.json")
    assert json.loads((tmp_path / "out" / "recall.json").read_text()) == recall


def test_the_file_for_the_server_of_circo(tmp_path):
    found = load_circo(make_circo(tmp_path, split="test"), split="test")
    with pytest.raises(InvalidRequestError, match="Query 0 has 6 pictures: the server takes exactly 50"):
        circo_submission(found, best(found, 6))  # without COCO's list, the gallery is the six references
    written(
        tmp_path / "annotations/image_info_unlabeled2017.json",
        {"images": [{"id": 1_000 + i, "file_name": f"{i}.jpg"} for i in range(80)]},
    )
    found = load_circo(tmp_path, split="test")
    content = circo_submission(found, best(found))
    assert list(content) == ["0", "1", "2", "3", "4", "5"]
    assert all(len(set(ids)) == 50 and all(isinstance(id_, int) for id_ in ids) for ids in content.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda top: {**top, "12001": top["12001"][:49]}, "Query 12001 has 49 pictures: the server takes exactly 50"),
        (lambda top: {**top, "12001": (*top["12001"][:49], top["12001"][0])}, "Query 12001 names a picture twice"),
        (lambda top: {**top, "12001": (*top["12001"][:49], "dev-1")}, "names dev-1, which cannot be found"),
        (lambda top: {**top, "12001": (*top["12001"][:49], "me.png")}, "names me.png, which cannot be found"),
        (lambda top: {id_: top[id_] for id_ in list(top)[1:]}, "1 query has no pictures: 12000;"),
        (lambda top: {**top, "5": ()}, "CIRR test1 has no query 5"),
    ],
    ids=["too few", "twice", "the reference", "unknown", "a query missing", "a query too many"],
)
def test_what_the_server_would_refuse_is_refused_here(cirr, change, message):
    top = best(cirr)
    if "dev-1" in message:
        assert cirr.queries[1].reference == "dev-1"
    with pytest.raises(InvalidRequestError, match=message):
        cirr_submission(cirr, change(top), "recall")


def test_the_subset_file_takes_members_of_the_subset_alone(cirr):
    top = {id_: names[:3] for id_, names in best(cirr).items()}
    with pytest.raises(InvalidRequestError, match="which cannot be found by it"):
        cirr_submission(cirr, top, "recall_subset")


def test_a_submission_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidRequestError, match=r"below\.json cannot be written \("):
        write_submission({}, tmp_path / "file" / "below.json")


def test_a_line_without_an_id_gives_way_to_one_that_took_its_number(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    line = '"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]}'
    (tmp_path / "q.jsonl").write_text('{"id": "2", ' + line + "\n{" + line + "\n")
    assert [query.id for query in load_jsonl(tmp_path / "q.jsonl").queries] == ["2", "line 2"]
