"""Things in a modification text: with articles, in lists, added, removed or counted."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase, head_noun, parse
from ipcir_tools.chains.imagination.rules.edits import Add, Become, Count, Drop, Edit, Keep, Place, Pose, Set
from ipcir_tools.chains.imagination.rules.phrases import mentions, same_kind, same_noun
from ipcir_tools.chains.imagination.rules.split import split_list
from ipcir_tools.chains.imagination.rules.text import is_gerund, is_plural, simplify, singular, strip_determiner


def is_adjectival(words: str) -> bool:
    """Whether all words are adjectives."""
    known = [word.strip(",") for word in words.split()]
    if not known or (known[-1] in lexicon.ANIMALS | lexicon.PEOPLE or (known[-1] == "light" and len(known) > 1)):
        return False
    known = [
        word
        for word, after in zip(known, [*known[1:], ""], strict=True)
        if word not in lexicon.TINTS or after not in lexicon.COLOURS
    ]
    return bool(known) and all(
        lexicon.slot_of(word) or word in ("and", "all", "in", "color", "colour") for word in known
    )


def with_article(noun: str) -> str:
    """A noun with its article if it needs one."""
    head = head_noun(noun)
    first = noun.split()[0] if noun else ""
    if first in ("a", "an") and is_plural(head) and parse(noun).lead == first and head not in lexicon.PLURAL_ONLY:
        return noun.split(" ", 1)[1]
    if (
        not noun
        or first in lexicon.DETERMINERS
        or first.isdigit()
        or is_plural(head)
        or head in lexicon.MASS
        or lexicon.slot_of(head)
        or head.endswith("ly")
    ):
        return noun
    return "a " + noun


_COMMAND = re.compile(r"([a-z]+) (?:the|an?|some|its|their) (?=\w)")


def is_command(text: str) -> bool:
    """Whether a text begins with an imperative, known or not: *charge the phone*."""
    found = _COMMAND.match(text)
    first = found[1] if found else ""
    return (
        bool(first) and first not in lexicon.PREPOSITIONS | lexicon.DETERMINERS | lexicon.STOPS and not is_gerund(first)
    )


def as_thing(text: str) -> str:
    """A thing with its article, without "another" and "again"."""
    text = text.split(" ", 1)[1] if is_command(text) else text
    text = re.sub(
        r"^(?:the|that|this|another|other|some other|an additional|additional|an extra|extra|any|more|some "
        r"more|back the|also) ",
        "",
        text.strip(),
    )
    return with_article(
        re.sub(
            r"\s+(?:(?<!the )(?<!its )(?<!his )(?<!her )back|again|as well|too|(?<!next )(?<!close )to it|to the "
            r"(?:image|picture|scene|photo)|into "
            r"(?:the )?(?:scene|image|picture))$",
            "",
            text,
        )
    )


def list_things(text: str) -> list[str]:
    """The items of a list of things, each with its article."""
    return [as_thing(part) for part in split_list(simplify(text))]


def read_additions(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *with X*, *has X*: counts, attributes, poses or things to add."""
    text = text.strip(" ,")
    if count := _read_count(text, caption):
        return [count]
    more = re.fullmatch(r"more ([\w-]+)", text)
    if more and caption.is_garment and not _is_thing(more.group(1)):
        return [Set(more.group(1))]
    if re.match(r"(?:the |a )?(?:same|similar|different)\b", text):
        return [Keep(strip_determiner(re.sub(r"^(?:the |a )?same ", "", text)))] if "same" in text else [Keep("")]
    if re.search(r"\b(?:background|backdrop)$", text) and not re.search(r"\bin (?:the )?\w*(?:ground|drop)", text):
        return [read_background(text)]
    return [_read_addition(part, caption) for part in split_list(text)]


def _read_count(text: str, caption: Phrase) -> Count | None:
    """The count in *two of them*, *only two X*, *two more X*, *fewer X*; None where the text is none of these."""
    number = re.fullmatch(
        r"(?:only |just )?(one|two|three|four|five|six|seven|eight|nine|ten|\d+|more|fewer|less|several|many)(?: "
        r"of (?:them|it|these|those|the same|the [\w-]+)| only)?",
        text,
    )
    if number:
        return Count(number.group(1))
    number = re.fullmatch(r"(?:only |just )(one|two|three|four|five|six|a single|an?) (.+)", text)
    if number and same_kind(head_noun(number.group(2)), caption.noun):
        return Count(number.group(1), number.group(2))
    more = re.fullmatch(
        r"(one|two|three|four|five|a|another|an additional|an extra|a second|a third)(?: more| other| "
        r"additional)? ([\w-]+)",
        text,
    )
    if (
        more
        and re.search(r"more|other|add|extra|second|third", text)
        and (
            same_noun(more.group(2), caption.noun)
            or (more.group(2) not in lexicon.MASS and mentions(caption, more.group(2)))
        )
    ):
        return Count("+" + str(lexicon.NUMBERS.get(more.group(1), 1)), more.group(2))
    more = re.fullmatch(r"(more|fewer|less|several|many|few)(?: of the)? ([\w-]+)", text)
    return Count(more.group(1), more.group(2)) if more and _counts_main_thing(more.group(2), caption) else None


def _read_addition(part: str, caption: Phrase) -> Edit:
    """The edit of one item of a list after "with" or "has"."""
    phrase = parse(part)
    if is_gerund(part.split()[0]) and not caption.is_garment:
        return Pose(part)
    if part.startswith(("the ", "both ")) and same_kind(phrase.noun, caption.noun) and phrase.tail:
        return Pose(" ".join(phrase.tail))
    if fewer := re.fullmatch(r"(?:less|fewer) (.+)", part):
        few = is_plural(fewer.group(1)) and mentions(caption, fewer.group(1))
        return Count("few", fewer.group(1)) if few else Drop(fewer.group(1))
    attribute = re.fullmatch(
        r"(?:more |a |an |the |some )*((?:[\w-]+ )*[\w-]+?)(?: (?:colou?rs?|colou?ring|shade|tone|look|"
        r"appearance|style|feel|length))?(?: (?:to|in|on) it)?",
        simplify(part),
    )
    if attribute and is_adjectival(attribute.group(1)):
        return Set(attribute.group(1))
    return Add(as_thing(simplify(part)))


def _counts_main_thing(noun: str, caption: Phrase) -> bool:
    """Whether a number of that noun means the main thing: *more animals* of a monkey are monkeys."""
    kind = singular(noun) in lexicon.HYPERNYMS and same_kind(noun, caption.noun)
    return kind or same_noun(noun, caption.noun)


def _is_thing(word: str) -> bool:
    """Whether the word after "more" is a noun; a countable singular never follows "more", so it is an adjective."""
    known = (
        word in {"pattern", "print", "design", "contrast", "volume", "coverage"}
        or word in lexicon.MASS
        or word in lexicon.FEATURES
        or word in lexicon.PATTERN_NOUNS
        or singular(word) in lexicon.GARMENTS
    )
    return known or is_plural(word) or bool(lexicon.slot_of(word))


def read_drops(text: str) -> list[Edit]:
    """The edits of a list of things to remove."""
    text = re.sub(r"\s+(?:from|in|of|on) (?:the |it\b|this ).*$", "", text)
    return [
        Drop(re.sub(r"^(?:no |without |any |as |so |too |that )+", "", strip_determiner(part)))
        for part in re.split(r"\s*,\s*(?:and |or )?|\s+(?:and|or|nor) ", text)
        if strip_determiner(part)
    ]


def read_background(new: str) -> Edit:
    """The edit for a background."""
    words = strip_determiner(simplify(new).removeprefix("with "))
    if re.match(r"(?:in|on|at|by|near|inside|outside|under|behind)\b", words):
        return Place(words)
    if words.endswith(("background", "backdrop")):
        return Place(f"on {with_article(words)}")
    if all(lexicon.slot_of(word) or word == "and" for word in words.split()):
        return Place(f"on a {words} background")
    return Place(f"with {with_article(words)} in the background")


def read_existence(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *there are two X*: a number where the caption shows X, or else an addition."""
    if re.fullmatch(
        r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|several|many|\d+) [\w-]+", text
    ) and same_noun(head_noun(text), caption.noun):
        return [Become(text)]
    return read_additions(text, caption)
