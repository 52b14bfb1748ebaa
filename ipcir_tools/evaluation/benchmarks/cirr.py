"""CIRR (Liu et al., ICCV 2021, arXiv 2108.04024): pictures of daily life, one target, a subset of look-alikes.

Protocol: the reference is left out of the ranking. R@K over the split's pictures; R_subset@K over the five other
members of the query's image set. The truth of ``test1`` is hidden: it is scored by a server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ipcir_tools.evaluation.benchmarks.annotations import (
    PATHS,
    Item,
    check_none,
    find_annotation,
    locate,
    pictures_or,
    read_as,
    read_items,
    repeated,
    unknown,
)
from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import measures

SOURCE = "github.com/Cuberick-Orion/CIRR (branch cirr_dataset)"
PICTURES = "NLVR2, lil.nlp.cornell.edu/nlvr"
FOLDERS = ("img_raw", "cirr/img_raw")
"""Where the pictures are below the folder of annotation files."""
Split = Literal["val", "test1"]


class _Set(Item):
    members: tuple[str, ...]


class _Item(Item):
    pairid: int
    reference: str
    caption: str
    img_set: _Set
    target_hard: str | None = None


def load_cirr(folder: Path, pictures: Path | None = None, *, split: Split = "val") -> Benchmark:
    """A split from ``captions/cap.rc2.SPLIT.json`` and ``image_splits/split.rc2.SPLIT.json`` below ``folder``.

    ``pictures`` is where the paths of the split start (``img_raw``, found by itself if it is below ``folder``).
    Raises NotFoundError where a file is missing and InvalidRequestError where one is wrong.
    """
    captions = find_annotation(folder, _paths("captions", f"cap.rc2.{split}.json"), SOURCE)
    relative = split_paths(folder, split)
    items = read_items(captions, _Item, SOURCE)
    _check(captions, items, relative, split)
    root = pictures_or(folder, pictures, *FOLDERS)
    return Benchmark(
        name=f"CIRR {split}",
        queries=tuple(_query(item) for item in items),
        gallery=tuple(relative),
        paths=locate(relative, lambda name: (relative[name],), root, PICTURES),
        keeps_reference=False,
        measures=() if split == "test1" else (*measures("R", 1, 5, 10, 50), *measures("R_subset", 1, 2, 3)),
        notes=_notes(split, len(items), len(relative)),
        folder=root,
        source=PICTURES,
        server="CIRR" if split == "test1" else None,
        is_test=split == "test1",
    )


def split_paths(folder: Path, split: str) -> dict[str, str]:
    """The pictures of a split with their relative paths. Raises as :func:`load_cirr`."""
    path = find_annotation(folder, _paths("image_splits", f"split.rc2.{split}.json"), SOURCE)
    return {name: each.removeprefix("./") for name, each in read_as(path, PATHS, SOURCE).items()}


def _paths(part: str, name: str) -> tuple[str, ...]:
    return f"{part}/{name}", f"cirr/{part}/{name}", name


def _query(item: _Item) -> Query:
    return Query(
        id=str(item.pairid),
        reference=item.reference,
        modification=item.caption.strip(),
        targets=_truth(item),
        subset=tuple(name for name in item.img_set.members if name != item.reference),
    )


def _truth(item: _Item) -> tuple[str, ...]:
    return (item.target_hard,) if item.target_hard else ()


def _check(path: Path, items: list[_Item], paths: dict[str, str], split: Split) -> None:
    places = [f"item {i} (pairid {item.pairid})" for i, item in enumerate(items)]
    named = (dict.fromkeys((item.reference, *item.img_set.members, *_truth(item))) for item in items)
    wrong = unknown(zip(places, named, strict=True), paths, f"split.rc2.{split}.json")
    if split == "val":
        wrong += [
            f"{place}: target_hard is missing"
            for place, item in zip(places, items, strict=True)
            if not item.target_hard
        ]
    wrong += [f"{place}: {why}" for place, item in zip(places, items, strict=True) if (why := _odd_set(item))]
    check_none(path, [*wrong, *repeated(str(item.pairid) for item in items)], SOURCE)


def _odd_set(item: _Item) -> str:
    """What is wrong with an image set; empty where it holds six pictures with the reference and the target."""
    members = set(item.img_set.members)
    if len(members) != 6 or len(item.img_set.members) != 6:
        return "img_set.members should be six pictures"
    if item.reference not in members:
        return "the reference is not in img_set.members"
    if item.target_hard and item.target_hard not in members - {item.reference}:
        return "target_hard is not among the other pictures of img_set.members"
    return ""


def _notes(split: Split, queries: int, gallery: int) -> tuple[str, ...]:
    truth = "the truth is hidden: send submission files to the server" if split == "test1" else "truth: target_hard"
    return (
        f"{queries:,} queries of CIRR rc2 {split}; {truth}",
        f"gallery: the {gallery:,} pictures of the split",
        "the reference is left out of the ranking",
        "R_subset ranks the five other members of the query's image set",
    )
