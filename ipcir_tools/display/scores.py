"""The scores of a hit for people: each with a name and what it means, never a bare log-likelihood."""

from __future__ import annotations

from dataclasses import dataclass

from ipcir_tools.types import Hit, Turn, is_by_chat_model

_ORDINALS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True)
class Score:
    """One score of one hit."""

    key: str
    """``image``, ``text`` or ``verified``."""
    name: str
    short: str
    """The name where there is little room."""
    value: str
    meaning: str
    """The same for all hits of a turn."""
    detail: str = ""
    """What only this one has."""


def hit_scores(hit: Hit, turn: Turn) -> list[Score]:
    """The scores that a hit of a turn has, in the order in which they are made."""
    scores = []
    if hit.image_score is not None:
        meaning = "how much it looks like the reference: 1 is the same picture, 0 is nothing in common"
        scores.append(Score("image", "Like the picture", "picture", f"{hit.image_score:.2f}", meaning))
    if hit.text_score is not None:
        meaning = "how well it fits what was looked for, compared with the other hits: the higher, the better"
        scores.append(Score("text", "Like the words", "words", f"{hit.text_score:.2f}", meaning))
    if hit.verified is not None:
        scores.append(_second_look(hit.verified, turn))
    return scores


def _second_look(value: float, turn: Turn) -> Score:
    """The share of a chat model's statements that hold, or the place by the captioner's log-likelihood."""
    name, short = "Second look", "second look:"
    if is_by_chat_model(turn.query.verify):
        meaning = "how much of what was looked for a language model sees in the picture"
        return Score("verified", name, short, f"{value:.0%}", meaning)
    if [each.rank for each in turn.hits] != list(range(1, len(turn.hits) + 1)):  # chosen hits: others are not there
        meaning = "how well the description fits it: the higher, the better"
        return Score("verified", name, short, f"log-likelihood {value:.1f}", meaning)
    seen = [each.verified for each in turn.hits if each.verified is not None]
    place = 1 + sum(other > value for other in seen)
    shown = f"{'best' if place == 1 else ordinal(place)} of {len(seen)}"
    meaning = f"how well the description fits it, among the {len(seen)} hits here that a model looked at again"
    return Score("verified", name, short, shown, meaning, f"log-likelihood {value:.1f}")


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th ... 11th, 12th ... 21st."""
    return f"{n}{'th' if n % 100 in (11, 12, 13) else _ORDINALS.get(n % 10, 'th')}"
