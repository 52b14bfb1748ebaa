"""FashionIQ (Wu et al., CVPR 2021, arXiv 1905.12794): dresses, shirts and tops, two captions a query.

Protocol: every category has its own gallery and the figure is the unweighted mean over the categories. The reference
stays in the ranking. Two galleries are in use and do not compare: "original", the whole split (the zero-shot
standard), and "VAL", only the references and targets of the queries (easier).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks.annotations import (
    NAMES,
    Item,
    check_none,
    find_annotation,
    locate,
    pictures_or,
    read_as,
    read_items,
    unknown,
)
from ipcir_tools.evaluation.benchmarks.benchmark import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import measures

SOURCE = "github.com/XiaoxiaoGuo/fashion-iq"
PICTURES = "github.com/hongwang600/fashion-iq-metadata"
CATEGORIES = ("dress", "shirt", "toptee")
Gallery = Literal["original", "VAL"]
Captions = Literal["joined", "both orders"]
_NOISE = ".?, "


class _Item(Item):
    candidate: str
    target: str
    captions: tuple[str, str]


def load_fashioniq(
    folder: Path,
    pictures: Path | None = None,
    *,
    gallery: Gallery = "original",
    captions: Captions = "joined",
    categories: Sequence[str] = CATEGORIES,
) -> Benchmark:
    """The validation part from ``captions/cap.CATEGORY.val.json`` and ``image_splits/split.CATEGORY.val.json``.

    ``captions``: "joined" is ``{first} and {second}``; with "both orders" the other order is a paraphrase. An
    empty caption leaves the other one alone; a query of which both are empty is blank. Raises NotFoundError
    where a file is missing and InvalidRequestError where one is wrong.
    """
    if not categories:
        raise InvalidRequestError(f"Name at least one category of FashionIQ: {', '.join(CATEGORIES)}.")
    parts = [_load_part(folder, category, gallery, captions) for category in categories]
    union = tuple(dict.fromkeys(name for part in parts for name in part.gallery))
    root = pictures_or(folder, pictures, "images")
    return Benchmark(
        name=f"FashionIQ val ({gallery})",
        queries=tuple(query for part in parts for query in part.queries),
        gallery=union,
        paths=locate(union, possible_paths, root, PICTURES),
        keeps_reference=True,
        measures=measures("R", 10, 50),
        notes=_notes(parts, gallery, captions),
        folder=root,
        source=PICTURES,
        is_test=True,  # the only part whose truth is public
    )


def split_names(folder: Path, category: str, part: str) -> tuple[str, ...]:
    """The pictures of a category's part. Raises as :func:`load_fashioniq`."""
    path = find_annotation(folder, _paths("image_splits", f"split.{category}.{part}.json"), SOURCE)
    names = read_as(path, NAMES, SOURCE)
    return tuple(dict.fromkeys(names))


def possible_paths(name: str) -> tuple[str, str]:
    """The files that a picture may have."""
    return f"{name}.png", f"{name}.jpg"


@dataclass(frozen=True)
class _Part:
    """One category."""

    category: str
    queries: tuple[Query, ...]
    gallery: tuple[str, ...]
    empty: tuple[str, ...]
    """Ids of the queries of which one caption is empty."""


def _load_part(folder: Path, category: str, gallery: Gallery, captions: Captions) -> _Part:
    path = find_annotation(folder, _paths("captions", f"cap.{category}.val.json"), SOURCE)
    known = dict.fromkeys(split_names(folder, category, "val"))
    items = read_items(path, _Item, SOURCE)
    _check(path, items, known, f"split.{category}.val.json")
    union = dict.fromkeys(name for item in items for name in (item.candidate, item.target))
    own = tuple(known) if gallery == "original" else tuple(union)
    ids = [f"{category}/{i}" for i in range(len(items))]
    queries = tuple(_query(id_, item, category, own, captions) for id_, item in zip(ids, items, strict=True))
    empty = tuple(id_ for id_, item in zip(ids, items, strict=True) if len(_nonempty(item)) == 1)
    return _Part(category, queries, own, empty)


def _check(path: Path, items: list[_Item], known: dict[str, None], where: str) -> None:
    named = ((f"item {i}", (item.candidate, item.target)) for i, item in enumerate(items))
    check_none(path, unknown(named, known, where), SOURCE)


def _paths(part: str, name: str) -> tuple[str, ...]:
    return f"{part}/{name}", name


def _nonempty(item: _Item) -> list[str]:
    """The captions that are not empty, stripped."""
    return [stripped for caption in item.captions if (stripped := caption.strip(_NOISE + "\n\t"))]


def _query(id_: str, item: _Item, category: str, gallery: tuple[str, ...], captions: Captions) -> Query:
    texts = _nonempty(item)
    both = captions == "both orders" and len(texts) == 2
    return Query(
        id=id_,
        reference=item.candidate,
        modification=" and ".join(texts),
        targets=(item.target,),
        gallery=gallery,
        group=category,
        paraphrases=(" and ".join(reversed(texts)),) if both else (),
    )


def _notes(parts: Sequence[_Part], gallery: Gallery, captions: Captions) -> tuple[str, ...]:
    kind = "the whole split of each category" if gallery == "original" else "only references and targets, so easier"
    sizes = ", ".join(f"{part.category} {len(part.queries):,} queries over {len(part.gallery):,}" for part in parts)
    other = ", averaged with the other order" if captions == "both orders" else ""
    empty = [id_ for part in parts for id_ in part.empty]
    return (
        f"gallery {gallery!r}: {kind}; {sizes}",
        f"captions joined as '{{first}} and {{second}}'{other}; {len(empty)} queries have an empty caption, "
        f"the other one stands alone: {', '.join(empty) or 'none'}",
        "the reference stays in the ranking",
        "the figure is the unweighted mean over the categories",
    )
