"""Clauses in which one thing or attribute replaces another: *change X to Y*, *Y instead of X*, *make X Y*."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase, feature_key, head_noun, parse
from ipcir_tools.chains.imagination.rules.edits import Become, Count, Drop, Edit, Pose, Scene, Set, Swap, View
from ipcir_tools.chains.imagination.rules.phrases import container, known_number, mentions, same_kind, same_noun
from ipcir_tools.chains.imagination.rules.predicates import NOUN_VERBS, read_about, read_predicate, read_statement
from ipcir_tools.chains.imagination.rules.text import base_verb, is_gerund, simplify, strip_determiner
from ipcir_tools.chains.imagination.rules.things import is_adjectival, read_additions, read_background
from ipcir_tools.chains.imagination.rules.views import as_pose, read_action, read_style


def read_swap(old: str, new: str, caption: Phrase) -> list[Edit]:
    """The edits of *change X to Y*, for a colour, a number, a background or a thing."""
    old, new = strip_determiner(old), new.strip(" ,")
    attribute = re.fullmatch(
        r"(?:(?:main |whole |overall )?colou?rs?|shade|pattern|print|design|size|length|style|fit|material|fabric|"
        r"type|shape)(?: of (?:the )?(.+))?",
        old,
    )
    part = re.fullmatch(r"(.+?)(?:'s)? (?:colou?rs?|pattern|print|length|size|material|fabric)", old)
    of = (attribute and attribute.group(1)) or (part and part.group(1)) or ""
    if (attribute or part) and new:
        return read_about(of, new, caption)
    if re.fullmatch(r"(?:the )?(?:background|backdrop|setting|scene|location|surroundings?)", old):
        return [read_background(new)]
    if re.fullmatch(r"(?:only |just )?(?:one|two|three|four|five|six|many|several|a few)(?: only| of them)?", new):
        noun = old.split(" ", 1)[1] if old.split()[0] in lexicon.NUMBERS and " " in old else old
        return [Count(re.sub(r"^(?:only|just|a) ", "", new).split()[0], noun)]
    if re.match(r"(?:the )?(?:(?:other|opposite|left|right|back|front) )*(?:side|left|right|camera|back|away)\b", new):
        return [Pose(f"facing {new}")]
    if re.fullmatch(r"(?:number|amount|quantity|count) of .+", old):
        return [Count(new.split()[0], strip_determiner(old.split(" of ", 1)[1]))]
    if old in lexicon.GENERIC or (
        same_noun(old, caption.noun) and " " not in old and _is_attribute_value(new, caption)
    ):
        return read_predicate(new, caption)
    if is_adjectival(strip_determiner(simplify(new))) and same_noun(head_noun(old), caption.noun):
        return read_predicate(new, caption)
    if is_adjectival(strip_determiner(simplify(new))) and not is_adjectival(old):
        return [Set(strip_determiner(simplify(new)), old)]
    return [Swap(re.sub(r"\bones?$", head_noun(old), simplify(new)), old)]


def _is_attribute_value(new: str, caption: Phrase) -> bool:
    """Whether the new value is an attribute or a pose of the thing, not another thing."""
    first = new.split()[0] if new else ""
    return (
        caption.is_garment
        or is_adjectival(strip_determiner(simplify(new)))
        or is_gerund(first)
        or first in lexicon.PREPOSITIONS
    )


def read_past(old: str, new: str, caption: Phrase) -> list[Edit]:
    """The edits of *there was X, now Y*: a new scene where X is another name for the whole reference."""
    head = head_noun(strip_determiner(old))
    known = same_kind(head, caption.noun) or same_noun(head, container(caption)) or mentions(caption, head)
    whole = not known and re.match(r"(?:an?|one|two|three|some) ", new) and (parse(new).tail or parse(new).features)
    return [Drop(strip_determiner(old)), Scene(new)] if whole else read_swap(old, new, caption)


def read_pair(old: str, new: str, caption: Phrase) -> list[Edit]:
    """The edits of *long sleeves to short ones*: two values of one attribute."""
    alike = (is_adjectival(strip_determiner(old)) and is_adjectival(strip_determiner(new))) or feature_key(
        old
    ) == feature_key(new)
    return read_swap(old, new, caption) if alike or head_noun(new) in ("one", "ones") else []


def read_instead(new: str, old: str, caption: Phrase) -> list[Edit]:
    """The edits of *Y instead of X*."""
    if strip_determiner(old) in lexicon.PICTURES | {"photo", "photograph", "picture"}:
        return read_style(strip_determiner(new), caption) or [View("a photo of")]
    new = re.sub(
        r"^(?:(?:it )?(?:should|must) be|in|with|make it|make|has|have|use|be|to|add|put|show) ", "", new.strip(" ,")
    )
    colour_of = re.match(r"(?:the )?(?:color|colour) of (.+?) with (.+)", new)
    if colour_of:
        return [*read_about(colour_of.group(1), colour_of.group(2), caption)]
    beside = re.match(r"(.+?) and ((\w+) .+)", new)
    if beside and is_gerund(beside[3]) and not is_gerund(new.split()[0]) and not new.startswith("make "):
        return [*read_additions(beside[1], caption), *read_instead(beside[2], old, caption)]
    old, plainly = re.sub(r"\bones?$", head_noun(new), strip_determiner(old)), simplify(new)
    many, _, looks = old.partition(" ")
    only_counted = many in lexicon.NUMBERS and (not looks or is_adjectival(looks))
    if only_counted and _is_main_thing(head_noun(plainly), lexicon.NUMBERS[many], caption):
        return [Become(plainly)]
    if is_adjectival(strip_determiner(plainly)):
        return [Set(strip_determiner(plainly)), Drop(old)] if is_adjectival(old) else read_predicate(plainly, caption)
    moved = re.match(r"(?:the )?(.+?) (?:is|are) (.+)", new)
    if moved:
        return [Drop(old), *read_statement(moved.group(1), moved.group(2), caption)]
    first = plainly.split()[0] if plainly else ""
    if is_gerund(first) or first in lexicon.PREPOSITIONS:
        return [*([Drop(old)] if is_gerund(old.split()[0]) else []), read_action(plainly)]
    return [Swap(plainly, old)]


def _is_main_thing(noun: str, number: int, caption: Phrase) -> bool:
    """Whether a noun means the main thing: it is of its kind, or has the same number."""
    if same_kind(noun, caption.noun):
        return True
    as_many = known_number(caption) == number
    return as_many and not mentions(caption, noun)


def read_change(found: re.Match[str], caption: Phrase) -> list[Edit]:
    """The edits of *turn X into Y*, *make X be Y*."""
    old, new = found[1] or "it", found[2]
    verb = new.split()[0]
    if is_gerund(verb) and strip_determiner(old) in ("face", "head", "eyes", "body"):
        return [Pose(as_pose(new))]
    if old == "it" or strip_determiner(old) in lexicon.GENERIC:
        return read_predicate(new, caption)
    if base_verb(verb) and verb not in NOUN_VERBS and not lexicon.slot_of(verb) and found[0].startswith("make"):
        return read_about(old, as_pose(new), caption)
    return read_swap(old, new, caption)


def read_make(rest: str, caption: Phrase) -> list[Edit]:
    """The edits of *make X Y*; finds the end of X."""
    pronoun = re.match(r"(it|them|him|her|this|that|everything) (.+)", rest)
    if pronoun:
        return read_predicate(as_pose(pronoun.group(2)), caption)
    words = simplify(rest).split()
    for i in range(1, len(words)):
        word = words[i]
        ready = words[i - 1] not in lexicon.DETERMINERS and not lexicon.slot_of(words[i - 1])
        verbal = (
            word in ("to", "be", "so")
            or base_verb(word)
            or is_gerund(word)
            or word in lexicon.PARTICIPLES | lexicon.PREPOSITIONS - {"of"}
        )
        if ready and (verbal or word in ("a", "an") or is_adjectival(" ".join(words[i:]))):
            return read_about(" ".join(words[:i]), as_pose(" ".join(words[i:])), caption)
    return []
