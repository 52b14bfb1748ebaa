"""CIRCLED (Takeda et al., 2026, arXiv 2605.26734): dialogues of two to six turns over FashionIQ, CIRR and CIRCO.

Each turn names the picture that the user picked and what should change about it, and comes nearer to the target.
Protocol: galleries, pictures and the rule on the reference are those of the parent benchmark, whose split files are
needed beside the sessions. A turn builds on the turns before it; the targets are the same in all turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field

from ipcir_tools.evaluation.benchmarks import circo, cirr, fashioniq
from ipcir_tools.evaluation.benchmarks.annotations import (
    Item,
    PossiblePaths,
    check_none,
    find_annotation,
    locate,
    pictures_or,
    read_items,
    repeated,
    unknown,
)
from ipcir_tools.evaluation.benchmarks.benchmark import Query, Session, SessionBenchmark
from ipcir_tools.evaluation.benchmarks.query_lines import count_note
from ipcir_tools.evaluation.metrics.metrics import Measure, measures

SOURCE = "huggingface.co/datasets/tk1441/CIRCLED"
_SUFFIXES = (".jpg", ".jpeg", ".png")
_Id = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]


class _Turn(Item):
    turn: int
    reference_image_id: _Id
    relative_caption: str


class _Session(Item):
    session_id: str
    subset: str
    ground_truth_ids: tuple[_Id, ...] = Field(min_length=1)
    num_turns: int
    turns: tuple[_Turn, ...] = Field(min_length=1)


@dataclass(frozen=True)
class _Parent:
    """The parent benchmark's part that sessions search."""

    gallery: Sequence[str]
    where: str
    """What lists the gallery."""
    note: str
    root: Path | None
    possible_paths: PossiblePaths
    source: str
    """Where to get the pictures."""
    keeps_reference: bool


def load_circled(folder: Path, pictures: Path | None = None, *, split: str = "cirr_val") -> SessionBenchmark:
    """The sessions of ``SPLIT.json`` below ``folder``, over the gallery of their parent benchmark.

    The parent's split file is searched for in ``cirr``, ``CIRCO`` or ``fashion-iq`` below ``folder``, else as the
    parent does below ``folder`` itself; ``pictures`` is as for the parent. Sessions with a picture that is not in the
    gallery are left out, listed, and count as failed.

    Raises NotFoundError where a file is missing and InvalidRequestError where one is wrong.
    """
    path = find_annotation(folder, (f"{split}.json", f"data/{split}.json", f"circled/{split}.json"), SOURCE)
    items = read_items(path, _Session, SOURCE, name="session_id")
    _check(path, items, split)
    parent = _parent(folder, pictures, split, items)
    known = dict.fromkeys(parent.gallery)
    left_out = [line for item in items for line in _unknown_pictures(item, known, parent.where)[:1]]
    sessions = {item.session_id: _session(item) for item in items if not _unknown_pictures(item, known, parent.where)}
    return SessionBenchmark(
        name=f"CIRCLED {split}",
        queries=tuple(replace(session[-1], id=id_) for id_, session in sessions.items()),
        gallery=tuple(parent.gallery),
        paths=locate(parent.gallery, parent.possible_paths, parent.root, parent.source),
        keeps_reference=parent.keeps_reference,
        measures=_measures(items),
        notes=(
            f"{len(items):,} sessions of CIRCLED {split}, {sum(len(item.turns) for item in items):,} turns",
            parent.note,
            f"the reference of a turn {'stays in' if parent.keeps_reference else 'is left out of'} its ranking",
            "a turn builds on the turns before; where it names another reference, its caption replaces their words",
            "figures are of each session's last turn; in the rounds a session that ended keeps its last rank",
            count_note("sessions left out", left_out),
        ),
        folder=parent.root,
        left_out=tuple(left_out),
        source=parent.source,
        is_test=split.endswith("val"),
        sessions=sessions,
    )


def _check(path: Path, items: Sequence[_Session], split: str) -> None:
    wrong = [f"session {item.session_id}: {why}" for item in items if (why := _fault(item, split))]
    check_none(path, [*wrong, *repeated(item.session_id for item in items)], SOURCE)


def _fault(item: _Session, split: str) -> str:
    """What is wrong with a session; empty where nothing is."""
    if item.subset != split:
        return f"subset is {item.subset}, not {split}"
    if item.num_turns != len(item.turns):
        return f"num_turns is {item.num_turns}, but turns holds {len(item.turns)}"
    numbers = [turn.turn for turn in item.turns]
    return "turns should be in order, by turn" if numbers != sorted(set(numbers)) else ""


def _session(item: _Session) -> Session:
    targets = tuple(dict.fromkeys(_name(item.subset, id_) for id_ in item.ground_truth_ids))
    return tuple(
        Query(
            id=f"{item.session_id}, turn {turn.turn}",
            reference=_name(item.subset, turn.reference_image_id),
            modification=turn.relative_caption.strip(),
            targets=targets,
        )
        for turn in item.turns
    )


def _name(split: str, id_: str) -> str:
    """A picture's name in its parent: without the suffix of a file, and COCO's numbers without their leading zeros."""
    path = PurePosixPath(id_)
    name = path.stem if path.suffix.lower() in _SUFFIXES else path.name
    return str(int(name)) if split.startswith("circo") and name.isdecimal() else name


def _unknown_pictures(item: _Session, known: Mapping[str, None], where: str) -> list[str]:
    """A line for each picture of a session that the parent's gallery lacks."""
    named = [
        (f"turn {turn.turn}: reference_image_id", [_name(item.subset, turn.reference_image_id)]) for turn in item.turns
    ]
    named.append(("ground_truth_ids", [_name(item.subset, id_) for id_ in item.ground_truth_ids]))
    return [f"session {item.session_id}: {line}" for line in unknown(named, known, where)]


def _measures(items: Sequence[_Session]) -> tuple[Measure, ...]:
    if any(len(set(item.ground_truth_ids)) > 1 for item in items):
        return (*measures("Hits", 1, 5, 10, 50), *measures("mAP", 5, 10, 25, 50))
    return measures("R", 1, 5, 10, 50)


# --- the parents


def _parent(folder: Path, pictures: Path | None, split: str, items: Sequence[_Session]) -> _Parent:
    benchmark, *category, part = split.split("_")
    if benchmark == "cirr":
        return _cirr(_below(folder, "cirr"), pictures, part)
    if benchmark == "circo":
        return _circo(_below(folder, "CIRCO"), pictures, items)
    return _fashioniq(_below(folder, "fashion-iq"), pictures, category[0], part)


def _below(folder: Path, name: str) -> Path:
    return folder / name if (folder / name).is_dir() else folder


def _cirr(folder: Path, pictures: Path | None, part: str) -> _Parent:
    paths = cirr.split_paths(folder, part)
    return _Parent(
        gallery=tuple(paths),
        where=f"split.rc2.{part}.json",
        note=f"gallery: the {len(paths):,} pictures of CIRR {part}",
        root=pictures_or(folder, pictures, *cirr.FOLDERS),
        possible_paths=lambda name: (paths[name],),
        source=cirr.PICTURES,
        keeps_reference=False,
    )


def _circo(folder: Path, pictures: Path | None, items: Sequence[_Session]) -> _Parent:
    root = pictures_or(folder, pictures, *circo.FOLDERS)
    rounds = [query for item in items for query in _session(item)]
    named = {name for query in rounds for name in (query.reference, *query.targets)}
    files, note = circo.gallery_files(folder, root, [int(name) for name in named if name.isdecimal()])
    return _Parent(
        gallery=tuple(files),
        where="the gallery",
        note=note,
        root=root,
        possible_paths=lambda name: (files[name],),
        source=circo.PICTURES,
        keeps_reference=True,
    )


def _fashioniq(folder: Path, pictures: Path | None, category: str, part: str) -> _Parent:
    names = fashioniq.split_names(folder, category, part)
    return _Parent(
        gallery=names,
        where=f"split.{category}.{part}.json",
        note=f"gallery: the {len(names):,} pictures of FashionIQ {category} {part}",
        root=pictures_or(folder, pictures, "images"),
        possible_paths=lambda name: (
            *fashioniq.possible_paths(name),
            *(f"{category}/{path}" for path in fashioniq.possible_paths(name)),
        ),
        source=fashioniq.PICTURES,
        keeps_reference=True,
    )
