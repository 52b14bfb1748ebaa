"""Several references: what is taken from another one, put into plain words about the one that is changed.

"with the collar of the second" is "with a v-neck" where the second's caption says so; the grammar does the rest. A note
("its collar") says the same of a reference that the modification does not mention.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase, feature_key, head_noun, parse_caption
from ipcir_tools.chains.imagination.rules.phrases import same_noun
from ipcir_tools.chains.imagination.rules.text import article, is_plural, normalise

SLOTS = {
    **dict.fromkeys(("colour", "colours", "color", "colors", "shade", "hue", "palette"), "colour"),
    **dict.fromkeys(("pattern", "patterns", "print", "prints", "design", "motif"), "pattern"),
    **dict.fromkeys(("length", "hem", "hemline"), "length"),
    **dict.fromkeys(("material", "fabric", "texture", "cloth"), "material"),
    **dict.fromkeys(("fit",), "fit"),
}
"""What is said of a picture in one adjective: the word for it, and the adjective's slot."""
SHAPES = frozenset(["cut", "shape", "silhouette", "form", "garment", "rest", "base", "body"])
"""Words for all of a picture but what is taken from the others."""
_SCENES = frozenset(["background", "backdrop", "setting", "scene", "surroundings", "place", "location"])
_TOGETHER = re.compile(r"\b(?:both|together|combined?|side by side|next to each other|all of them)\b")

_ORDINALS = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3}
_NO_NOUN = "|".join(sorted(lexicon.PREPOSITIONS | lexicon.STOPS | {"please", "instead", "put", "make", "has", "have"}))
_NAME = r"(?:picture|image|photo|reference|number|item|one)"
_REFERENCE = (
    rf"(?:the |that )?(?:(?P<nth>{'|'.join(_ORDINALS)}|last|other)(?: (?!(?:{_NO_NOUN})\b)[a-z-]+)?"
    rf"|(?:{_NAME} )?(?P<number>[1-4])(?![\w-])(?! (?!(?:{_NO_NOUN})\b)[a-z])|{_NAME} (?P<letter>[a-d])(?![\w-]))"
)
_WORD = (
    r"(?!(?:no|not|without|with|in|on|of|from|to|it|make|but|and|the|a|an|has|have|give|use|take|put|as|like|is|that"
    r"|this)\b)[\w-]+"
)
_ITEM = rf"(?:{_WORD} )?{_WORD}"
_ITEMS = (
    rf"(?:(?:the|its|same|exact|exactly|an?) )*(?P<items>{_ITEM}(?:(?:,| and|, and) (?:(?:the|its|an?) )*{_ITEM})*)"
)
_VERBS = "with|in|has|have|having|give|gives|it|use|using|take|wearing|but|combine|mix|put|apply|copy|add|should|to"
_TAKEN = re.compile(
    rf"\b(?:(?:{_VERBS}) )*(?:(?P<place>on|at|beside|near|under|behind) )?{_ITEMS} "
    rf"(?:of|from|as in|as on|as|like|like in|like on) {_REFERENCE}"
)
_NEGATED = re.compile(r"\b(?:no|not|without|remove|lose|drop)(?: (?:the|any|an?))* $")
"""Before what is not to be taken: "without the collar of the second" removes a collar."""
_OWNED = re.compile(rf"(?:(?:{_VERBS}) )*{_REFERENCE}(?: one| {_NAME})?'s (?P<items>{_ITEM})(?P<place>)")
_BASE = re.compile(
    rf",?(?: but| and| put)* (?<!as )(?<!like )(?:on|onto|over|to|for)"
    rf"(?: the (?:{'|'.join(SHAPES)}) (?:of|from))? {_REFERENCE}"
)
_ANY = re.compile(_REFERENCE)
_LEADING_BASE = re.compile(rf"^(?:like )?{_REFERENCE},?(?: but)? (?=with|in|has|but)")


def as_one_reference(caption: str, modification: str, note: str, others: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The caption to change, and the modification without any mention of other references.

    ``others`` are (caption, note) of the references after the first, in order. The caption that is changed is that of
    the first reference, unless the modification or the notes say otherwise: "the pattern of the first on the second".
    """
    reading = _Reading([caption, *(each for each, _ in others)], [note, *(each for _, each in others)])
    return reading.read(_lettered(modification))


def meant_as_a_whole(modification: str, notes: Sequence[str]) -> tuple[bool, ...]:
    """Whether each reference is meant as a whole, in order: not where a note or the words take a part of it.

    The one that is changed always is.
    """
    reading = _Reading([""] * len(notes), notes)
    reading.read(_lettered(modification))
    parts = [bool(items) or i in reading.mentioned for i, items in enumerate(reading.notes)]
    return tuple(i == reading.base or not part for i, part in enumerate(parts))


def _lettered(modification: str) -> str:
    """In lower case, with "picture" before the letter of one: "on the cut of A"."""
    return re.sub(r"\b(of|on|onto|from|like) ([A-D])\b", r"\1 picture \2", modification).lower()


class _Reading:
    """One reading of a modification over the captions and notes of its references."""

    def __init__(self, captions: Sequence[str], notes: Sequence[str]) -> None:
        self.captions = captions
        self.phrases = [parse_caption(normalise(caption)) for caption in captions]
        self.notes = [_items(note.lower()) for note in notes]
        self.mentioned: set[int] = set()
        self.base = self._base_by_notes()
        """The reference that is changed; the words may name another."""

    def read(self, text: str) -> tuple[str, str]:
        text, named = self._base_by_words(text)
        self.base = base = self.base if named is None else named
        for pattern in (_OWNED, _TAKEN):
            text = pattern.sub(self._taking(base), text)
        clauses = [text] if re.search(r"\w", text) else []
        clauses += [self._clause(item, i) for i, items in self._from_notes(base) for item in items]
        caption = self.captions[base]
        if not any(self.notes) and not self.mentioned and _TOGETHER.search(text):
            caption = " and ".join(each.rstrip(" .") for each in self.captions if each)
            clauses = [_TOGETHER.sub("", text)]
        return caption, ", ".join(clause for clause in clauses if clause)

    def _base_by_notes(self) -> int:
        """The reference that is changed: one whose shape is meant, else the first that is meant as a whole."""
        whole = [i for i, items in enumerate(self.notes) if set(items) & SHAPES]
        whole += [i for i, items in enumerate(self.notes) if not items]
        return whole[0] if whole else 0

    def _base_by_words(self, text: str) -> tuple[str, int | None]:
        """The text without the words that name the reference that is changed, and which one that is."""
        if len(_ANY.findall(text)) < 2:
            return text, None
        for pattern in (_LEADING_BASE, _BASE):
            if found := pattern.search(text):
                index = self._index(found)
                return (text, None) if index is None else (text[: found.start()] + text[found.end() :], index)
        return text, None

    def _index(self, found: re.Match[str]) -> int | None:
        """Which reference is named; None where there is none of that number: the words stay as they are."""
        names = found.groupdict()
        if names["nth"]:
            place = _ORDINALS.get(names["nth"], len(self.captions) - 1)
        else:
            place = int(names["number"]) - 1 if names["number"] else "abcd".index(names["letter"])
        return place if place < len(self.captions) else None

    def _taking(self, base: int) -> Callable[[re.Match[str]], str]:
        def taken(found: re.Match[str]) -> str:
            owner = self._index(found)
            if owner is None:
                return found[0]
            if _NEGATED.search(found.string[: found.start()]):
                return found["items"]
            self.mentioned.add(owner)
            items = [] if owner == base else _items(found["items"])
            return ", ".join(self._clause(item, owner, found["place"] or "") for item in items)

        return taken

    def _from_notes(self, base: int) -> list[tuple[int, list[str]]]:
        """What the notes take from each reference that the modification does not mention."""
        shaped = bool(set(self.notes[base]) & SHAPES) and not self.mentioned
        looks = ["colour", "pattern", "material"] if shaped and base else []
        unsaid = [i for i in range(len(self.notes)) if i != base and i not in self.mentioned]
        return [(i, self.notes[i] or looks) for i in unsaid]

    def _clause(self, item: str, owner: int, place: str = "") -> str:
        """The item of a reference in plain words; of what its caption does not say, all that it says."""
        phrase, head = self.phrases[owner], head_noun(item)
        slot = SLOTS.get(head) or SLOTS.get(item.split()[0], "")
        if slot:
            return _of_slot(slot, phrase)
        if head in _SCENES:
            return " ".join(each for each in phrase.tail if each.split()[0] in lexicon.PLACES)
        if lexicon.slot_of(item):
            return f"make it {item}"
        key = feature_key(item)
        if feature := phrase.feature(key):
            return f"{place or 'with'} {feature}"
        if key in ("sleeves", "neck") and phrase.is_garment:
            adjective = phrase.adjective(key)
            return f"make it {adjective}" if adjective else ""
        if same_noun(head, phrase.noun):
            return f"{place or 'with'} {Phrase(phrase.lead, phrase.adjectives, phrase.noun, phrase.features).text()}"
        if known := _mentioned(head, phrase.text()):
            return f"{place or 'with'} {known}"
        if phrase.is_garment or not phrase.noun:
            return f"with {item if is_plural(head) else article(item) + ' ' + item}"
        return f"with the {item} of {phrase.text()}"


def _items(text: str) -> list[str]:
    """The things that a note or a list names: "its collar and the sleeves" has two."""
    parts = re.split(r",? and |, ", text.strip(" .,"))
    plain = (re.sub(r"^(?:(?:only|just|take|use|its|their|his|her|the|an?) )+", "", part.strip()) for part in parts)
    return [part for part in plain if part]


def _of_slot(slot: str, phrase: Phrase) -> str:
    """An attribute in words; a garment whose caption names no pattern or length is plain, and of medium length."""
    if adjective := phrase.adjective(slot):
        return f"make it {adjective}"
    if slot == "pattern":
        printed = (each for each in phrase.features if head_noun(each) in {*lexicon.PATTERN_NOUNS, "print", "pattern"})
        if known := next(printed, ""):
            return f"with {known}"
    unsaid = {"pattern": "plain", "length": "medium-length"}
    return f"make it {unsaid[slot]}" if slot in unsaid and phrase.is_garment else ""


def _mentioned(noun: str, text: str) -> str:
    """The noun in a caption with the adjectives and the article before it; empty where it is not mentioned."""
    words = text.replace(",", "").split()
    at = next((i for i, word in enumerate(words) if same_noun(word, noun)), -1)
    if at < 0:
        return ""
    start = at
    while start and words[start - 1] not in lexicon.PREPOSITIONS | lexicon.STOPS | lexicon.VERBS:
        start -= 1
        if words[start] in lexicon.DETERMINERS:
            break
    return " ".join(words[start : at + 1])
