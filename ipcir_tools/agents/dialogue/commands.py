"""What a line of a dialogue means, as values: edits, picks, undo and a few commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ipcir_tools.chains.imagination.rules.utterances import UtteranceKind


@dataclass(frozen=True)
class Combination:
    """Pictures and what is meant of each: *3 with the collar of 5* is ``(("3", ""), ("5", "the collar"))``."""

    pictures: tuple[tuple[str, str], ...]
    is_addition: bool = False
    """Whether they come beside the references so far: *with the collar of 5*."""
    line: str = ""
    """The whole line: its words, where it turns out that there are no such pictures."""


@dataclass(frozen=True)
class Refine:
    """An edit, picks, or both. Pictures are ranks (``3``) or ids, as ``Engine.refine`` takes them."""

    modification: str = ""
    reference: str | None = None
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    combination: Combination | None = None
    """Several references, in the place of ``reference``."""


@dataclass(frozen=True)
class Undo:
    """Back to an earlier turn, ``steps`` before this one."""

    steps: int = 1


@dataclass(frozen=True)
class Goto:
    """To the turn of that id, and a refinement of it."""

    turn: str
    then: Refine | None = None


@dataclass(frozen=True)
class Find:
    """A new dialogue by words alone."""

    text: str


@dataclass(frozen=True)
class New:
    """A new dialogue with a reference, by id, file or URL; the modification may be empty."""

    reference: str
    modification: str = ""


@dataclass(frozen=True)
class Show:
    """This turn once more, or one of its hits."""

    picture: str | None = None


@dataclass(frozen=True)
class Sheet:
    """A contact sheet; None: the program chooses the file's name."""

    file: str | None = None


@dataclass(frozen=True)
class Setting:
    """An option of the searches that follow, as it was typed."""

    name: Literal["k", "where"]
    value: str


@dataclass(frozen=True)
class Command:
    """A line of one word; ``nothing`` is an empty line."""

    name: Literal["nothing", "turns", "help", "quit"]


@dataclass(frozen=True)
class Remark:
    """Small talk or a question, as it was typed: it is answered, and nothing is searched for."""

    kind: UtteranceKind
    text: str = ""


ParsedLine = Refine | Undo | Goto | Find | New | Show | Sheet | Setting | Command | Remark


def format_refinement(refinement: Refine) -> str:
    """A refinement as a line with the same meaning: ``take 3, in green, less like 1``."""
    parts = [f"take {refinement.reference}"] if refinement.reference else []
    parts += [format_combination(refinement.combination)] if refinement.combination else []
    parts += [refinement.modification] if refinement.modification else []
    judged = (("more like", refinement.liked), ("less like", refinement.disliked))
    return ", ".join(parts + [f"{words} {_join(names)}" for words, names in judged if names])


def format_combination(combination: Combination) -> str:
    """A combination as a line with the same meaning, where a line can say it: ``3 with the collar of 5``."""
    names = [f"{note} of {picture}" if note else picture for picture, note in combination.pictures]
    if combination.is_addition:
        return f"with {_join(tuple(names))}"
    (_, first_note), *others = combination.pictures
    if not all(note for _, note in others):
        return f"take {_join(tuple(names))}"
    if first_note:
        return f"{_join(tuple(names[1:]))} on {names[0]}"
    return f"{names[0]} with {_join(tuple(names[1:]))}"


def _join(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
