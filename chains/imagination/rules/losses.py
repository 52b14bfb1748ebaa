"""What a description no longer says, though nobody asked for it to go: said once, in a warning."""

from __future__ import annotations

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.additions import is_addition
from ipcir_tools.chains.imagination.rules.edits import Draft
from ipcir_tools.chains.imagination.rules.phrases import is_place, places_of_others
from ipcir_tools.chains.imagination.rules.text import contains_words, singular, words_in
from ipcir_tools.text import quote
from ipcir_tools.types import ImaginedTarget

SHOWN = 100
"""Characters of a description in a warning."""


def losses(draft: Draft, description: str, modification: str, previous: ImaginedTarget | None) -> list[str]:
    """What was replaced or dropped, as warnings; nothing where the modification named it or gave another value for it.

    A whole scene in the place of the description before is a loss only in a dialogue: of a first modification it is
    the usual form.
    """
    if draft.rewritten and previous:
        start = quote(previous.description, SHOWN)
        return [f'replaced all of {start}: begin with "and" to add to it instead']
    if draft.rewritten or not draft.touched:
        return []
    known = _content(" ".join((description, modification, *draft.remove)))
    tail, others = draft.original.tail, places_of_others(draft.original.tail)
    went_with = {i for i in others if tail[i - 1] not in draft.phrase.tail}
    features = draft.original.features if is_addition(modification) else ()
    kept = draft.phrase.text()
    gone = [part for part in features if not contains_words(kept, part.strip(" ,")) and _unsaid(part, known)]
    gone += [part for i, part in enumerate(tail) if i not in went_with and _is_lost(part, draft, known)]
    places = [part for part in gone if is_place(part)]
    known |= _content(" ".join((*draft.add, *gone)))
    earlier = [item for item in (previous.add if previous else ()) if _was_thing(item, draft) and _unsaid(item, known)]
    return [
        *([f"replaced the scene {quote(' '.join(places))}"] if places else []),
        *(
            f"dropped {quote(part.strip(' ,'))}"
            for part in dict.fromkeys([*(each for each in gone if each not in places), *earlier])
        ),
    ]


def _content(text: str) -> set[str]:
    empty = lexicon.STOPS | lexicon.PREPOSITIONS | lexicon.DETERMINERS
    return {singular(word) for word in words_in(text) if word not in empty}


def _unsaid(part: str, known: set[str]) -> bool:
    words = _content(part)
    return bool(words) and not words & known


def _is_lost(part: str, draft: Draft, known: set[str]) -> bool:
    """Whether a part of the tail is gone: not in other words, not by its name, not for another pose."""
    if part in draft.phrase.tail or not _unsaid(part, known):
        return False
    first = part.split()[0]
    kind = next((kind for kind in (lexicon.POSTURES, lexicon.GAZES) if first in kind), frozenset[str]())
    return not any(new.split()[0] in kind for new in draft.phrase.tail)


def _was_thing(item: str, draft: Draft) -> bool:
    """Whether what the turn before added is a thing that stood in its description: the sleeves of a dress."""
    return contains_words(draft.original.text(), item) and not lexicon.slot_of(item.split()[-1])
