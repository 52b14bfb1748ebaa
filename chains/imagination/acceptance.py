"""Whether a parsed reply imagines: what it describes is the target, not a copy and not something else.

Small models answer with the example of their prompt, with the caption as it was, or with the request itself. Such a
reply reads like a description and is none. The tests compare words; what a plain English edit should have changed is
asked of the rules of the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from ipcir_tools.chains.imagination.parsing import BadReplyError, Reading
from ipcir_tools.chains.imagination.request_words import (
    COMMANDS,
    EMPTY,
    OTHER_LANGUAGES,
    RequestWords,
    content,
    holds,
    stems,
    word_set,
)
from ipcir_tools.chains.imagination.results import ImagineRequest
from ipcir_tools.chains.imagination.rules.lexicon import DETERMINERS
from ipcir_tools.llm.prompt_text import PromptText, words_of
from ipcir_tools.prompts import Prompt
from ipcir_tools.types import ImaginedTarget

_FORM_WORDS = EMPTY | word_set(
    "description caption text string sentence phrase word words here your insert list item target wanted new changed "
    "edited final value example plain same one lorem ipsum dolor sit amet"
)
"""A placeholder consists of these alone: "<description of the picture>"."""
_ABOUT_ITSELF = re.compile(
    r"\b(?:json|schema|language model|chatbot|as an ai|ai assistant"
    r"|(?:this|the|my|your) (?:prompt|reply|response|instructions?)"
    r"|(?:the|this) (?:caption|description) (?:is|of|should|must))\b",
    re.IGNORECASE,
)
_ABOUT_THE_TASK = re.compile(
    r"\bthe reference\b(?! (?:books?|librar|desk|work|point))"
    r"|\bas in the (?:reference|original|caption|picture|image)\b"
    r"|\b(?:changes?|edits?|modifications?|requests?) (?:(?:is|are|was|were|has been|have been) )?applied\b"
    r"|\bthe same\b.*\bas (?:in )?(?:the )?(?:reference|original|caption|before)\b",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"\b((?:\w+\W+){0,4}?\w+)(?:\W+\1\b){2,}", re.IGNORECASE)
"""The same word, or words, three times in a row."""
_DANGLING = re.compile(
    r"(?:\b(?:an?|the|with|of|and|or|its|his|her|their|at|for|from|by|that|which)|[,;:(-])\s*\Z", re.IGNORECASE
)
_ORDER = re.compile(
    r"\W*(?:please\s+)?(?:(?:search|look)(?:ing)?\s+for|(?:find|show|generate|create|draw|retrieve|return|display)\s+"
    r"(?:me|an?|the|some|all|pictures?|images?|photos?))\b",
    re.IGNORECASE,
)
"""What is said to a search, not of a picture: "search for a blue dress"."""
_OBJECTS = word_set("it the this them that")
"""What an order speaks of: "make it blue", "remove the belt"."""
_NO_SUBJECT = word_set("i should is has with without no not only just same instead completely displays shows more less")
"""With these no description of a picture begins."""
_ENGLISH = word_set(
    "the of with and to from by who which where while its their his her is are there has that or at for"
)
"""Function words that other languages do not have."""
_POLITE = word_set("instead please")
_CHANGING = word_set("it is are be there should has have becomes become than more less not but gone longer number")
"""What is said of a change rather than of a picture: "the mug is green"."""
_ARTICLES = word_set("a an the")
_WHOLE_PICTURE = 4
"""Content words of a request that may describe a whole picture, where the grammar keeps some of the reference."""


class Acceptance:
    """The test of the replies to one prompt. Thread-safe."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = PromptText(prompt)
        self._example_stems = stems(word for text in self._prompt.examples for word in content(text))
        self._shows_picture = bool(prompt.pictures)

    def accepted(self, reading: Reading, request: ImagineRequest) -> Reading:
        """The reading, its lists without what is copied from the prompt or what its own description contradicts.

        Raises ``BadReplyError`` with the reason, for the model and for the user, where the reply does not imagine.
        """
        target, asked = reading.target, RequestWords(request)
        fault = self._fault(target.description, asked) or _contradiction(target)
        if fault is None and not (self._shows_picture and reading.form == "json") and _shares_nothing(target, asked):
            fault = "the description has no word in common with the caption and the request"
        if fault is not None:
            raise BadReplyError(fault)
        return replace(reading, target=self._cleaned(target, asked))

    def _fault(self, text: str, asked: RequestWords) -> str | None:
        """Why a text is no description of the target; None: it may be one."""
        if set(words_of(text)) <= _FORM_WORDS:
            return "the description is a placeholder"
        if _ABOUT_ITSELF.search(text) and not _ABOUT_ITSELF.search(asked.text):
            return "the description is about the reply, not about the picture"
        if _ABOUT_THE_TASK.search(text) and not _ABOUT_THE_TASK.search(asked.text):
            return "the description is about the change, not of the picture"
        if _REPEATED.search(text) and not _REPEATED.search(asked.text):
            return "the description repeats itself"
        if self._is_copied(text, asked):
            return "the description is copied from the instructions"
        if _DANGLING.search(text):
            return "the description ends in the middle of a sentence"
        if _is_request(text, asked):
            return "the description is the request again, not the picture that it asks for"
        if (undone := asked.ignored_by(text)) is not None:
            return f"the description is the caption again, without what was asked for ({undone})"
        if (replaced := asked.replaced_in(text)) is not None:
            return f"the description shows something else than what was asked for ({replaced})"
        return None

    def _is_copied(self, text: str, asked: RequestWords) -> bool:
        """Whether a text stands in the prompt, or at least half of it is of one example and not of the request."""
        words = stems(content(text))
        foreign = words - asked.stems
        if foreign and self._prompt.says(text):
            return True
        copied = max((len(foreign & stems(content(example))) for example in self._prompt.examples), default=0)
        return copied >= 2 and 2 * copied >= len(words)

    def _cleaned(self, target: ImaginedTarget, asked: RequestWords) -> ImaginedTarget:
        known = asked.stems | stems(content(target.description))

        def own(items: Iterable[str]) -> tuple[str, ...]:
            words = {item: stems(content(item)) for item in items}
            return tuple(item for item in words if words[item] & known or not words[item] <= self._example_stems)

        return target.model_copy(
            update={
                "keep": own(target.keep),
                "add": own(target.add),
                "remove": tuple(item for item in own(target.remove) if not holds(target.description, item)),
                "alternatives": tuple(text for text in target.alternatives if self._fault(text, asked) is None),
            }
        )


def _contradiction(target: ImaginedTarget) -> str | None:
    """What the lists say and take back, in words."""
    removed = {" ".join(content(item)) for item in target.remove} - {""}
    for name, items in (("add", target.add), ("keep", target.keep)):
        for item in items:
            if " ".join(content(item)) in removed:
                return f'"{item}" stands in "{name}" and in "remove"'
    return None


def _shares_nothing(target: ImaginedTarget, asked: RequestWords) -> bool:
    """Whether an English description has no word of the request, and takes nothing away that the request names."""
    words = words_of(target.description)
    foreign = OTHER_LANGUAGES.intersection(words)
    if not f"{target.description}{asked.modification}".isascii() or len(foreign) > len(_ENGLISH.intersection(words)):
        return False
    own = stems(content(" ".join([target.description, *target.remove])))
    known = {stem[:4] for stem in asked.stems}
    return bool(known) and not known & {stem[:4] for stem in own}


def _is_request(text: str, asked: RequestWords) -> bool:
    """Whether a description is an order, or holds only words of a request that asks for a change of a picture."""
    words, request = words_of(text), words_of(asked.modification)
    if _ORDER.match(text):
        return True
    if words[0] in COMMANDS and (words == request or not _OBJECTS.isdisjoint(words[1:2])):
        return True
    if words == request and words[0] in _NO_SUBJECT:
        return True
    own, wanted = stems(content(text)), stems(content(asked.modification))
    if not own <= wanted:
        return False
    if not _POLITE.isdisjoint(words):
        return True
    if asked.replaces_the_subject or not stems(content(asked.by_rules.description)) - wanted:
        return False  # for the grammar, too, the request describes a whole picture
    says_a_change = request[0] in COMMANDS or not _CHANGING.isdisjoint(request)
    if len(content(text)) >= _WHOLE_PICTURE and not says_a_change:
        return False
    repeated = _without_articles(text) == _without_articles(asked.modification)
    return (repeated and (says_a_change or request[0] not in DETERMINERS)) or not own & asked.stems_before


def _without_articles(text: str) -> str:
    return " ".join(word for word in words_of(text) if word not in _ARTICLES)
