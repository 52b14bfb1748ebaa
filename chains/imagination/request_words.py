"""The words of a request that matter: to tell what a description shares with it, and what it leaves undone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache

from ipcir_tools.chains.imagination import rules
from ipcir_tools.chains.imagination.results import ImagineRequest
from ipcir_tools.chains.imagination.rules.caption import parse_caption
from ipcir_tools.chains.imagination.rules.text import normalise
from ipcir_tools.llm.prompt_text import words_of
from ipcir_tools.types import ImaginedTarget


def word_set(text: str) -> frozenset[str]:
    """The words of a text that are separated by spaces."""
    return frozenset(text.split())


EMPTY = word_set(
    "a an the of with in on at to for by from as and or but that which who whose where while it its they them their he "
    "she his her this these those there is are was were be been being has have had having does do did so very some "
    "any picture pictures image images photo photos photograph photography shot showing shows show shown depicting "
    "depicts depicted featuring features scene"
)
"""Words that say nothing of what is to be seen."""
COMMANDS = word_set(
    "make change turn replace remove add put give swap set take switch convert transform use let keep find get show "
    "delete erase drop substitute"
)
REQUESTING = COMMANDS | word_set(
    "want wants need i me my you please would should could can like likes same similar again more instead just now "
    "one ones something anything such also too only exactly rather than not no without back before previous "
    "previously original first second third fourth last earlier undo forget revert return reference other both "
    "looks look looking see thanks thank yes ok okay colour color size shape kind"
)
"""Words of asking, which no description has to repeat."""
OTHER_LANGUAGES = word_set(
    "ein eine einem einen einer der das mit und auf im ist un une des du avec et le les sur dans en el los las con una "
    "y del di il con e su nel uno um uma com na och med ett het een met op og na w z"
)
"""Function words of other languages, written in ASCII, that English does not have."""

_ENDING = re.compile(r"(?:ings?|ed|er|est|es|s|e|y|ies)\Z")
_SHORTEST_STEM = 3


def content(text: str) -> list[str]:
    """The words of a text in order, without articles and others that say nothing of what is to be seen."""
    return [word for word in words_of(text) if word not in EMPTY]


def stems(words: Iterable[str]) -> set[str]:
    """The words without their endings: enough to tell "longer sleeves" from other words than "a long sleeve"."""
    return {_stem(word) for word in words}


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    stem = _ENDING.sub("", word)
    if len(stem) < _SHORTEST_STEM:
        return word
    return stem[:-1] if len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2] else stem


def holds(text: str, phrase: str) -> bool:
    """Whether a text has the words of a phrase in a row."""
    words = " ".join(words_of(phrase))
    return bool(words) and f" {words} " in f" {' '.join(words_of(text))} "


_EXCLUSIVE = tuple(
    {_stem(word): word for word in values.split()}
    for values in (
        "red orange yellow green blue purple pink brown black white grey gray",
        "striped floral dotted checked",
        "leather silk wool denim velvet linen",
    )
)
"""Values of which a thing has one: stem -> word. Without shades and other synonyms, which may stand for one of them."""


def _values(words: Iterable[str], values: Mapping[str, str]) -> set[str]:
    return {"grey" if values[stem] == "gray" else values[stem] for stem in words if stem in values}


class RequestWords:
    """The words of a request, and what the grammar makes of it."""

    def __init__(self, request: ImagineRequest) -> None:
        self._request = request
        history = [text for modification, target in request.history for text in (modification, target.description)]
        others = [text for each in request.others for text in (each.caption, each.note)]
        self.modification = " ".join([request.modification, *(each.note for each in request.others)])
        self.text = " ".join([request.caption, self.modification, request.note, *others, *history])
        self.stems = stems(content(self.text))

    @cached_property
    def by_rules(self) -> ImaginedTarget:
        """What the grammar makes of the request; it understands plain English only."""
        request = self._request
        previous = request.history[-1][1] if request.history else None
        others = [(each.caption, each.note) for each in request.others]
        return rules.imagine_by_rules(request.caption, request.modification, previous, note=request.note, others=others)

    @cached_property
    def wanted(self) -> list[str]:
        """The content words of the change: no words of asking, and nothing that is to go away."""
        away = stems(word for item in self.by_rules.remove for word in content(item))
        return [word for word in content(self.modification) if word not in REQUESTING and not stems([word]) <= away]

    @cached_property
    def replaces_the_subject(self) -> bool:
        """Whether the grammar puts something else in the place of what the caption is about."""
        noun = stems(content(parse_caption(normalise(self._request.caption)).noun))
        return bool(noun) and not noun & stems(content(self.by_rules.description))

    @property
    def stems_before(self) -> set[str]:
        """The stems of the captions, and of the description of the turn before."""
        return stems(content(" ".join(self._before())))

    def ignored_by(self, text: str) -> str | None:
        """What a description leaves undone that is no more than one of the texts before the change, or that still
        shows what was to go; None: nothing, for one, where the grammar describes the same."""
        described = stems(content(text))
        if content(text) == content(self.by_rules.description):
            return None
        for known in self._before():
            had = stems(content(known))
            undone = [word for word in self.wanted if not stems([word]) & (had | described)]
            again = content(text) == content(known)
            if undone and described and (again or (described < had and self._adds(undone))):
                return " ".join(undone)
        return self._still_shown(text, described) or self._unchanged(text)

    def replaced_in(self, text: str) -> str | None:
        """What was asked for and a description replaces by another value of its kind: purple, where blue was asked for.

        None where it has any other word that the request has not: that may be a synonym.
        """
        added = stems(word for item in self.by_rules.add for word in content(item))
        described = stems(content(text))
        new = described - self.stems
        for values in _EXCLUSIVE:
            wanted = added & values.keys()
            if wanted and new and new <= values.keys() and not _values(wanted, values) & _values(described, values):
                return " ".join(values[stem] for stem in sorted(wanted))
        return None

    def _unchanged(self, text: str) -> str | None:
        """The change, where a description is what the grammar started from and did not leave as it was."""
        start = self._before()[-1]
        meant = [word for word in content(self.by_rules.description) if word not in REQUESTING]
        left = [word for word in content(start) if word not in REQUESTING]
        return self._request.modification if content(text) == content(start) and meant != left else None

    def _before(self) -> list[str]:
        """The captions, and the description of the turn before."""
        captions = [self._request.caption, *(each.caption for each in self._request.others)]
        return captions + [target.description for _, target in self._request.history[-1:]]

    def _adds(self, undone: Iterable[str]) -> bool:
        """Whether the grammar, too, adds one of these words."""
        return bool(stems(undone) & stems(word for item in self.by_rules.add for word in content(item)))

    def _still_shown(self, text: str, described: set[str]) -> str | None:
        """What the change takes away where a description shows all of it, and nothing of what was to come."""
        if content(text) in [content(f"{known} {self.modification}") for known in self._before()] and self._replaces(
            text
        ):
            return f"no {', no '.join(self.by_rules.remove)}"
        if (stems(self.wanted) - stems(content(self._request.caption))) & described:
            return None
        long_gone = self._request.history[-1][1].remove if self._request.history else ()
        removed = [item for item in self.by_rules.remove if item not in long_gone]
        return f"no {', no '.join(removed)}" if removed and all(holds(text, item) for item in removed) else None

    def _replaces(self, text: str) -> bool:
        """Whether the grammar puts one thing in the place of another that a text still shows."""
        return bool(self.by_rules.add) and any(holds(text, item) for item in self.by_rules.remove)
