"""GeneCIS (Vaze et al., CVPR 2023, arXiv 2306.07969): conditional similarity, four tasks, a small gallery a query.

Protocol: R@1, 2, 3 in the query's own gallery, the target first and its distractors behind it; the figure is the
unweighted mean over the tasks. As the target always stands at index 0, ties must count against it. The pictures of
the object tasks are COCO's val2017; those of the attribute tasks are objects cut out of Visual Genome's pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks.annotations import (
    Item,
    check_none,
    find_annotation,
    locate,
    pictures_or,
    read_items,
)
from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Box, Query
from ipcir_tools.evaluation.metrics.metrics import measures

SOURCE = "github.com/facebookresearch/genecis"
PICTURES = "cocodataset.org (val2017) and visualgenome.org (version 1.2)"
TASKS = ("focus_attribute", "change_attribute", "focus_object", "change_object")
_COCO = ("val2017/", "coco/val2017/", "")
_GENOME = ("VG_100K/", "VG_100K_2/", "VG_All/", "visual_genome/", "")
_DILATION = 0.7
_LARGEST = 1e6
"""Pixels; NaN is no smaller."""


class _Picture(Item):
    val_image_id: int | None = None
    image_id: int | None = None
    instance_bbox: Box | None = None

    @property
    def name(self) -> str:
        """Of the picture, or of the object in it."""
        if self.instance_bbox:
            return f"{self.image_id}@{','.join(f'{each:g}' for each in self.instance_bbox)}"
        return f"{self.val_image_id if self.image_id is None else self.image_id}"


class _Item(Item):
    condition: str
    reference: _Picture
    target: _Picture
    gallery: tuple[_Picture, ...]

    @property
    def pictures(self) -> tuple[_Picture, ...]:
        return self.reference, self.target, *self.gallery


@dataclass
class _Loaded:
    """The tasks that were read so far."""

    queries: list[Query] = field(default_factory=list)
    possible_paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def load_genecis(folder: Path, pictures: Path | None = None, *, tasks: Sequence[str] = TASKS) -> Benchmark:
    """The tasks from ``TASK.json`` below ``folder`` (or ``genecis/TASK.json``).

    ``pictures`` holds ``val2017`` and ``VG_100K``, ``VG_100K_2``. Raises NotFoundError where a file is missing and
    InvalidRequestError where one is wrong.
    """
    if not tasks or set(tasks) - set(TASKS):
        raise InvalidRequestError(f"The tasks of GeneCIS are {', '.join(TASKS)}.")
    loaded = _Loaded()
    for task in tasks:
        _add_task(loaded, folder, task)
    root = pictures_or(folder, pictures, "images")
    return Benchmark(
        name="GeneCIS",
        queries=tuple(loaded.queries),
        gallery=tuple(dict.fromkeys(name for query in loaded.queries for name in query.gallery or ())),
        paths=locate(loaded.possible_paths, lambda name: loaded.possible_paths[name], root, PICTURES),
        keeps_reference=True,
        measures=measures("R", 1, 2, 3),
        notes=(
            *loaded.notes,
            "every query has its own gallery; ties count against the target",
            "the reference stays in the ranking where it is in the gallery",
            "the figure is the unweighted mean over the tasks",
        ),
        folder=root,
        source=PICTURES,
        is_test=True,  # it has one part
        boxes=loaded.boxes,
    )


def _add_task(loaded: _Loaded, folder: Path, task: str) -> None:
    path = find_annotation(folder, (f"{task}.json", f"genecis/{task}.json"), SOURCE)
    items = read_items(path, _Item, SOURCE)
    check_none(path, [f"item {i}: {why}" for i, item in enumerate(items) if (why := _item_fault(item, task))], SOURCE)
    queries = [_query(f"{task}/{i}", item, task) for i, item in enumerate(items)]
    loaded.queries += queries
    for picture in (each for item in items for each in item.pictures):
        loaded.possible_paths[picture.name] = _paths(picture)
        if picture.instance_bbox:
            loaded.boxes[picture.name] = picture.instance_bbox
    again = sum(item.target.name in {each.name for each in item.gallery} for item in items)
    loaded.notes.append(
        _task_note(task, queries) + (f"; {again} list the target again, it counts once" if again else "")
    )


def _item_fault(item: _Item, task: str) -> str:
    """What is wrong with an item, if anything."""
    if not item.gallery:
        return "gallery is empty"
    needed = "image_id and instance_bbox" if task.endswith("attribute") else "val_image_id"
    ids = "image_id" if task.endswith("attribute") else "val_image_id"
    complete = all(
        getattr(each, ids) is not None and (each.instance_bbox is not None or ids == "val_image_id")
        for each in item.pictures
    )
    if not complete:
        return f"every picture should have {needed}"
    wrong = next((each.instance_bbox for each in item.pictures if not _is_box(each.instance_bbox)), None)
    return f"instance_bbox {list(wrong)} should be left, top, width and height in pixels" if wrong else ""


def _is_box(box: Box | None) -> bool:
    """Whether it can be a part of a picture; a box may begin beyond the left or the upper edge."""
    return box is None or (all(abs(each) <= _LARGEST for each in box) and box[2] > 0 and box[3] > 0)


def _query(id_: str, item: _Item, task: str) -> Query:
    own = dict.fromkeys([item.target.name, *(each.name for each in item.gallery)])
    return Query(
        id=id_,
        reference=item.reference.name,
        modification=item.condition.strip(),
        targets=(item.target.name,),
        gallery=tuple(own),
        group=task,
    )


def _paths(picture: _Picture) -> tuple[str, ...]:
    if picture.image_id is not None:
        return tuple(f"{folder}{picture.image_id}.jpg" for folder in _GENOME)
    return tuple(f"{folder}{picture.val_image_id:012d}.jpg" for folder in _COCO)


def _task_note(task: str, queries: Sequence[Query]) -> str:
    sizes = Counter(len(query.gallery or ()) for query in queries)
    counts = ", ".join(f"{count:,} over {size}" for size, count in sorted(sizes.items(), reverse=True))
    return f"{task}: {len(queries):,} queries, {counts} pictures each"


def crop_of(box: Box, size: tuple[int, int]) -> Box:
    """What is cut out for an object: left, top, right, bottom, within a picture of ``size`` (width, height).

    The benchmark widens the box by 0.7 of its width and height to the left and to the top, and sets the far edges
    from there; the cut is then padded with black to a square.
    """
    left, top = max(0.0, box[0] - _DILATION * box[2]), max(0.0, box[1] - _DILATION * box[3])
    right, bottom = left + (1 + _DILATION) * box[2], top + (1 + _DILATION) * box[3]
    return left, top, min(float(size[0]), right), min(float(size[1]), bottom)
