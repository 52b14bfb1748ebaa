"""CIRCO (Baldrati et al., ICCV 2023, arXiv 2303.15247): open-domain pictures, several targets a query.

Protocol: mAP@K over all targets; Recall@K counts ``target_img_id`` alone. The gallery is COCO's unlabeled2017 with
123,403 pictures, and officially the reference stays in the ranking. The truth of ``test`` is hidden. Since 2024 the
official scorer also gives mAP@10 for each of the nine semantic aspects that the queries are annotated with.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from ipcir_tools.evaluation.benchmarks.annotations import (
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
from ipcir_tools.evaluation.metrics.metrics import Measure, measures

SOURCE = "github.com/miccunifi/CIRCO"
PICTURES = "cocodataset.org (2017 unlabeled images and their image info)"
Split = Literal["val", "test"]
ASPECT_MEASURE = Measure("mAP", 10)
"""What the official scorer measures each semantic aspect in."""
FULL = 123_403
"""Pictures of unlabeled2017."""
FOLDERS = ("COCO2017_unlabeled/unlabeled2017", "unlabeled2017")
"""Where the pictures are below the folder of annotation files."""
_INFO = "annotations/image_info_unlabeled2017.json"


class _Item(Item):
    id: int
    reference_img_id: int
    relative_caption: str
    target_img_id: int | None = None
    gt_img_ids: tuple[int, ...] = ()
    semantic_aspects: tuple[str, ...] = ()


class _Picture(Item):
    id: int
    file_name: str


class _Info(Item):
    images: tuple[_Picture, ...]


def load_circo(
    folder: Path, pictures: Path | None = None, *, split: Split = "val", keep_reference: bool = True
) -> Benchmark:
    """A split from ``annotations/SPLIT.json`` below ``folder``.

    The gallery is what COCO's image info lists, else what the folder of pictures holds (both found by themselves in
    ``COCO2017_unlabeled`` below ``folder``), else only what the annotations name, as the notes state. Raises
    NotFoundError where a file is missing and InvalidRequestError where one is wrong.
    """
    path = find_annotation(folder, (f"annotations/{split}.json", f"{split}.json"), SOURCE)
    items = read_items(path, _Item, SOURCE)
    root = pictures_or(folder, pictures, *FOLDERS)
    named = {each for item in items for each in (item.reference_img_id, *item.gt_img_ids)}
    gallery, note = gallery_files(folder, root, named)
    _check(path, items, gallery, split)
    return Benchmark(
        name=f"CIRCO {split}",
        queries=tuple(_query(item) for item in items),
        gallery=tuple(gallery),
        paths=locate(gallery, lambda name: (gallery[name],), root, PICTURES),
        keeps_reference=keep_reference,
        measures=() if split == "test" else (*measures("mAP", 5, 10, 25, 50), *measures("R", 5, 10, 25, 50)),
        notes=(
            f"{len(items):,} queries of CIRCO {split}" + ("; the truth is hidden" if split == "test" else ""),
            note,
            "the reference stays in the ranking (official)"
            if keep_reference
            else "the reference is left out of the ranking (not the official rule)",
            "mAP counts all targets, R@K the one that the caption was written for",
            *_aspect_notes(items),
        ),
        folder=root,
        source=PICTURES,
        server="CIRCO" if split == "test" else None,
        is_test=split == "test",
        kind_measure=None if split == "test" else ASPECT_MEASURE,
    )


def _query(item: _Item) -> Query:
    return Query(
        id=str(item.id),
        reference=str(item.reference_img_id),
        modification=item.relative_caption.strip(),
        targets=tuple(str(each) for each in item.gt_img_ids),
        main=str(item.target_img_id) if item.gt_img_ids else "",
        kinds=tuple(dict.fromkeys(item.semantic_aspects)),
    )


def _aspect_notes(items: list[_Item]) -> tuple[str, ...]:
    annotated = sum(bool(item.semantic_aspects and item.gt_img_ids) for item in items)
    if not annotated:
        return ()
    aspects = {aspect for item in items for aspect in item.semantic_aspects}
    return (
        f"{len(aspects)} semantic aspects, of {annotated:,} queries, are reported by {ASPECT_MEASURE.name}, as by the "
        "official scorer; a query counts for each of its own",
    )


def gallery_files(folder: Path, root: Path | None, named: Iterable[int]) -> tuple[dict[str, str], str]:
    """File names by picture, and the report's note on this gallery.

    It is what COCO's image info lists, else what the folder of pictures ``root`` holds, else the ``named`` pictures.
    """
    info = next((each for each in (folder / "COCO2017_unlabeled" / _INFO, folder / _INFO) if each.is_file()), None)
    if info:
        listed = read_as(info, TypeAdapter(_Info), PICTURES)
        gallery = {str(each.id): each.file_name for each in listed.images}
        return gallery, _gallery_note(gallery, "COCO's unlabeled2017 by its image info")
    if root and root.is_dir():
        files = sorted(each.name for each in root.glob("*.jpg") if each.stem.isdecimal())
        gallery = {str(int(Path(name).stem)): name for name in files}
        return gallery, _gallery_note(gallery, "the files in the folder of pictures")
    gallery = {str(each): f"{each:012d}.jpg" for each in sorted(named)}
    return gallery, _gallery_note(gallery, "only those that the annotations name")


def _gallery_note(gallery: dict[str, str], origin: str) -> str:
    note = f"gallery: {len(gallery):,} pictures, {origin}"
    if len(gallery) == FULL:
        return note
    return f"{note}, NOT the {FULL:,} of the protocol: the figures do not compare with published ones"


def _check(path: Path, items: list[_Item], gallery: dict[str, str], split: Split) -> None:
    places = [f"item {i} (id {item.id})" for i, item in enumerate(items)]
    named = ([str(item.reference_img_id), *(str(each) for each in item.gt_img_ids)] for item in items)
    wrong = unknown(zip(places, named, strict=True), gallery, "the gallery")
    if split == "val":
        wrong += [
            f"{place}: gt_img_ids should hold target_img_id, each picture once"
            for place, item in zip(places, items, strict=True)
            if item.target_img_id not in item.gt_img_ids or len(set(item.gt_img_ids)) != len(item.gt_img_ids)
        ]
    check_none(path, [*wrong, *repeated(str(item.id) for item in items)], SOURCE)
