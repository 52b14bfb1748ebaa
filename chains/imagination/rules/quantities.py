"""Clauses about what there is and how many: *without X*, *only one X*, *there are two X*, *add an X*."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase, head_noun, parse
from ipcir_tools.chains.imagination.rules.edits import Add, Aside, Become, Count, Drop, Edit, Keep, Set
from ipcir_tools.chains.imagination.rules.phrases import known_number, mentions, same_kind, same_noun
from ipcir_tools.chains.imagination.rules.predicates import read_predicate
from ipcir_tools.chains.imagination.rules.split import split_list
from ipcir_tools.chains.imagination.rules.text import is_gerund, is_plural, simplify
from ipcir_tools.chains.imagination.rules.things import read_additions, read_drops


def read_removal(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *without X, Y and Z*."""
    edits: list[Edit] = []
    text = re.sub(r"\s+(?:from|in) (?:the )?(?:image|photo|picture|scene|background)$", "", text)
    for i, part in enumerate(split_list(text)):
        number = re.fullmatch(r"(one|two|three)(?: of)?(?: the)? ([\w-]+)", part)
        if (
            number
            and same_kind(number.group(2), caption.noun)
            and _is_all(part, lexicon.NUMBERS[number.group(1)], caption)
        ):
            edits += read_drops(number.group(2))
        elif number and same_kind(number.group(2), caption.noun):
            edits.append(Count(f"-{lexicon.NUMBERS[number.group(1)]}", number.group(2)))
        elif i and lexicon.slot_of(part.split()[0]) in ("colour", "pattern"):
            edits += read_predicate(part, caption)
        else:
            edits += read_drops(part)
    return edits


def _is_all(part: str, number: int, caption: Phrase) -> bool:
    """Whether the number covers all of them: *three cups* of three cups, but not *three of the cups*."""
    return number > 1 and number == known_number(caption) and " of " not in part


def read_some(found: re.Match[str], caption: Phrase) -> list[Edit]:
    """The edits of *one has a cap*, *one of the dogs is black*: a remark at the end of the description."""
    which, of, verb, rest = found.groups()
    if (of and not same_kind(of, caption.noun)) or re.search(r"\b(?:same|similar|different|other)\b", rest):
        return [] if of else [Keep("")]
    noun = "of them " if rest.startswith(("a ", "an ")) else ""
    text = f"with {simplify(rest)}" if verb in ("has", "have", "with") else noun + simplify(rest)
    return [Aside(f"{which} {text}")]


def read_fewer(noun: str, caption: Phrase) -> list[Edit]:
    """The edits of *fewer X*: a count, the opposite attribute, or a removal."""
    if same_noun(noun, caption.noun) or noun in lexicon.GENERIC:
        return [Count("few", noun)]
    if is_plural(noun) and mentions(caption, noun):
        return [Count("few", noun)]
    return (
        [Set(lexicon.OPPOSITES.get(noun, ""))] if lexicon.slot_of(noun) and noun in lexicon.OPPOSITES else [Drop(noun)]
    )


def read_only(found: re.Match[str], caption: Phrase) -> list[Edit]:
    """The edits of *only one X*."""
    thing = re.sub(r"^.*?\b(?:only|just) ", "", found[0])
    left = "" if found[0].startswith(("only ", "just ")) else thing
    doing_so = re.fullmatch(
        rf"{found[1]}(?: of (?:them|(?:the|these|those) ([\w-]+))| (?!\w+ing\b)([\w-]+))? ((\w+)(?: .+)?)", left
    )
    if doing_so and (is_gerund(doing_so[4]) or doing_so[4] in lexicon.PREPOSITIONS - {"of"} | lexicon.PARTICIPLES):
        of = doing_so[1] or doing_so[2] or ""
        if not of or same_kind(of, caption.noun):
            return [Count(found[1], of), *read_predicate(doing_so[3], caption)]
    noun = head_noun(re.sub(r"^\w+ of (?:the )?", "", thing)) if " " in thing else ""
    if noun and noun not in lexicon.GENERIC | {"them"} and not same_kind(noun, caption.noun):
        return [Add(thing)]
    if noun and " of " not in thing and (parse(thing).adjectives or parse(thing).tail):
        return [Become(thing)]
    return [Count(found[1], noun if noun not in lexicon.GENERIC | {"them"} else "")]


def read_only_kind(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *only X*: other things are removed; *only men* of a group of people gives a group of men."""
    what = re.sub(r"^(?:the|some) ", "", text)
    noun = head_noun(what)
    if re.match(r"(?:a few|a couple of|a single|several|many) ", what) and same_noun(noun, caption.noun):
        return [Become(what)]
    if what == noun and same_noun(noun, caption.noun):
        beside = [head_noun(item) for item in caption.features]
        beside += [
            head_noun(part.strip(", ").removeprefix("and "))
            for part in caption.tail
            if part[:1] in ",a" and re.match(r"(?:,|and )", part)
        ]
        return [Keep(noun), *(Drop(item) for item in beside)]
    if what == noun and is_plural(noun) and same_kind(noun, caption.noun):
        return [Become(what)]
    return []


def read_addition(whole: str, text: str, caption: Phrase) -> list[Edit]:
    """The edits of *add X*; *add two X* means two more where the caption shows X."""
    number = re.fullmatch(r"(an?|one|two|three|four|five) ([\w-]+)", text)
    if number and whole.startswith("add ") and same_noun(number.group(2), caption.noun) and not caption.is_garment:
        return [Count(f"+{lexicon.NUMBERS.get(number.group(1), 1)}", number.group(2))]
    return read_additions(text, caption)
