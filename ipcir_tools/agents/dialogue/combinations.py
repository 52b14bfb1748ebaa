"""Lines that combine pictures: *3 with the collar of 5*, *the pattern of 2 on 4*, *in the colour of the second*."""

from __future__ import annotations

import re
from typing import Any

from ipcir_tools.agents.dialogue.commands import Combination, format_combination
from ipcir_tools.agents.dialogue.picture_names import ANY, ENDS, LEAD, MAX_RANK_DIGITS, ONE, TAKE, parse_names
from ipcir_tools.engine.reference_list import named_references
from ipcir_tools.engine.reference_words import Reference
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import quote
from ipcir_tools.types import Turn

_WORD = r"(?!(?:of|from|on|onto|over|in|with|without|and|or|but|as|to|for|like|the|its|a|an)\b)[a-z][a-z\u2019'-]*"
_PART = rf"(?:the|its) (?:same |exact )?{_WORD}(?: {_WORD}){{0,2}}"
_FROM = r"(?:of|from|as in|as on|as|like in|like on|like)"
_OWNED = rf"(?:{_PART} {_FROM} {ONE}|(?<![\w#.]){ANY}['\u2019]s {_WORD}(?: {_WORD})?)"
_SEVERAL = rf"{_OWNED}(?:(?:, and|,| and) (?:(?:with|in) )?{_OWNED}){{0,2}}"
_BEGIN = rf"(?:{TAKE}|(?:(?:something|one) )?(?:just )?(?:like|similar to)|combine|mix|put|have)"
_END = rf"{ENDS}(?! (?:and|in) [0-9#])"

_BASE_FIRST = re.compile(
    rf"{LEAD}(?:{_BEGIN} )?(?P<base>{ONE}),?(?: but)?(?: (?:with|in|having|wearing|showing|plus|and))+ "
    rf"(?P<parts>{_SEVERAL}){_END}",
    re.IGNORECASE,
)
_PART_FIRST = re.compile(
    rf"{LEAD}(?:{_BEGIN} (?:with )?)?(?P<part>{_OWNED}) (?P<joint>on|onto|over|for|with|in) "
    rf"(?P<base>{_OWNED}|{ONE}){_END}",
    re.IGNORECASE,
)
_PARTS = re.compile(
    rf"{LEAD}(?:(?:(?:make|give|put|have) it |(?:{_BEGIN}|add|apply|copy) )?(?:with|in|having|wearing|showing) "
    rf"|(?:{_BEGIN}|give it|add|apply|copy) )(?P<parts>{_SEVERAL}){_END}|(?P<alone>{_SEVERAL})(?=[.!]*$)",
    re.IGNORECASE,
)
_SPLIT = re.compile(_OWNED, re.IGNORECASE)
_OF = re.compile(rf"(?P<part>.+?) {_FROM} (?P<owner>{ONE})", re.IGNORECASE)
_POSSESSED = re.compile(rf"(?P<owner>{ANY})['\u2019]s (?P<part>.+)", re.IGNORECASE)
_BASES = ("on", "onto", "over", "for")


def parse_combination(flat: str) -> tuple[Combination, int] | None:
    """The combination at the beginning of a line, and where it ends; None where there is none."""
    for pattern, read in ((_BASE_FIRST, _base_first), (_PART_FIRST, _part_first), (_PARTS, _addition)):
        if found := pattern.match(flat):
            pictures, is_addition = read(found)
            merged = _each_once(pictures)
            if len(merged) == 1 and not is_addition:  # its own part says nothing of a picture: "5 with the collar of 5"
                merged = ((merged[0][0], ""),)
            return Combination(merged, is_addition, flat), found.end()
    return None


def combined_references(combination: Combination, turn: Turn | None, given: Any = None) -> list[dict[str, Any]] | None:
    """The references of a combination after ``turn``; None where none of its pictures is a hit, so that it is an edit.

    What is only a part of a picture comes beside the references ``given``, or else those of the turn. Raises
    InvalidRequestError where there are none.
    """
    ranks = {str(hit.rank) for hit in turn.hits} if turn else set()
    if all(len(picture) <= MAX_RANK_DIGITS and picture not in ranks for picture, _ in combination.pictures):
        return None
    before: list[tuple[Reference, str]] = [(each.id, each.note) for each in (turn.query.references if turn else ())]
    if given:
        before = [(each.picture, each.note) for each in named_references(given)]
    if combination.is_addition and not before:
        raise InvalidRequestError(
            f"{quote(combination.line)} needs a picture to start from, too: name it first, such as "
            f"'1 {format_combination(combination)}'."
        )
    several = [*(before if combination.is_addition else ()), *combination.pictures]
    return [{"reference": picture, "note": note} for picture, note in several]


Pictures = list[tuple[str, str]]


def _base_first(found: re.Match[str]) -> tuple[Pictures, bool]:
    return [(parse_names(found["base"])[0], ""), *_parts(found["parts"])], False


def _part_first(found: re.Match[str]) -> tuple[Pictures, bool]:
    part, base = _parts(found["part"]), _parts(found["base"]) or [(parse_names(found["base"])[0], "")]
    return [*base, *part] if found["joint"].lower() in _BASES else [*part, *base], False


def _addition(found: re.Match[str]) -> tuple[Pictures, bool]:
    return _parts(found["parts"] or found["alone"]), True


def _parts(text: str) -> Pictures:
    """Each part that a text names, as (picture, note)."""
    return [_part(each) for each in _SPLIT.findall(text)]


def _part(owned: str) -> tuple[str, str]:
    found = _POSSESSED.fullmatch(owned) or _OF.fullmatch(owned)
    assert found is not None  # one of the two made it an _OWNED
    part = re.sub(r"^(?:the|its) (?:same |exact )?", "", found["part"].lower())
    return parse_names(found["owner"])[0], f"the {part}"


def _each_once(pictures: Pictures) -> tuple[tuple[str, str], ...]:
    """The pictures in order, the notes on one joined."""
    notes: dict[str, list[str]] = {}
    for picture, note in pictures:
        notes.setdefault(picture, []).extend([note] if note else [])
    return tuple((picture, " and ".join(each)) for picture, each in notes.items())
