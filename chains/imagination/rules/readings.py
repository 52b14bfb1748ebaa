"""What the patterns of the grammar mean: matched words become edits."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon as lx
from ipcir_tools.chains.imagination.rules.caption import (
    Phrase,
    feature_key,
    head_noun,
    holder,
    known_number,
    names,
    parse,
    same_kind,
    same_noun,
)
from ipcir_tools.chains.imagination.rules.edits import (
    Add,
    Aside,
    Become,
    Count,
    Drop,
    Edit,
    Keep,
    Place,
    Pose,
    Scene,
    Set,
    Swap,
    View,
)
from ipcir_tools.chains.imagination.rules.predicates import NOUN_VERBS, about, doing, drawn, posed, predicate, view
from ipcir_tools.chains.imagination.rules.split import parts_of
from ipcir_tools.chains.imagination.rules.text import bare, base_verb, is_gerund, is_plural, plain
from ipcir_tools.chains.imagination.rules.things import adds, adjectival, background, drops, thing, things_of


def swap(old: str, new: str, caption: Phrase) -> list[Edit]:
    """*change X to Y*: of a colour, a number, a background, a thing."""
    old, new = bare(old), new.strip(" ,")
    attribute = re.fullmatch(
        r"(?:(?:main |whole |overall )?colou?rs?|shade|pattern|print|design|size|length|style|fit|material|fabric|"
        r"type|shape)(?: of (?:the )?(.+))?",
        old,
    )
    part = re.fullmatch(r"(.+?)(?:'s)? (?:colou?rs?|pattern|print|length|size|material|fabric)", old)
    of = (attribute and attribute.group(1)) or (part and part.group(1)) or ""
    if (attribute or part) and new:
        return about(of, new, caption)
    if re.fullmatch(r"(?:the )?(?:background|backdrop|setting|scene|location|surroundings?)", old):
        return [background(new)]
    if re.fullmatch(r"(?:only |just )?(?:one|two|three|four|five|six|many|several|a few)(?: only| of them)?", new):
        counted = old.split(" ", 1)[1] if old.split()[0] in lx.NUMBERS and " " in old else old
        return [Count(re.sub(r"^(?:only|just|a) ", "", new).split()[0], counted)]
    if re.match(r"(?:the )?(?:(?:other|opposite|left|right|back|front) )*(?:side|left|right|camera|back|away)\b", new):
        return [Pose(f"facing {new}")]
    if re.fullmatch(r"(?:number|amount|quantity|count) of .+", old):
        return [Count(new.split()[0], bare(old.split(" of ", 1)[1]))]
    if old in lx.GENERIC or (same_noun(old, caption.noun) and " " not in old and _says_how(new, caption)):
        return predicate(new, caption)
    if adjectival(bare(plain(new))) and same_noun(head_noun(old), caption.noun):
        return predicate(new, caption)
    if adjectival(bare(plain(new))) and not adjectival(old):
        return [Set(bare(plain(new)), old)]
    return [Swap(re.sub(r"\bones?$", head_noun(old), plain(new)), old)]


def _says_how(new: str, caption: Phrase) -> bool:
    """Whether a thing is to look, stand or lie otherwise, not to become another."""
    first = new.split()[0] if new else ""
    return caption.is_garment or adjectival(bare(plain(new))) or is_gerund(first) or first in lx.PREPOSITIONS


def once_was(old: str, new: str, caption: Phrase) -> list[Edit]:
    """*there was X, now Y*: all of the target, where X is another name for all of the reference."""
    head = head_noun(bare(old))
    known = same_kind(head, caption.noun) or same_noun(head, holder(caption)) or names(caption, head)
    whole = not known and re.match(r"(?:an?|one|two|three|some) ", new) and (parse(new).tail or parse(new).features)
    return [Drop(bare(old)), Scene(new)] if whole else swap(old, new, caption)


def pair(old: str, new: str, caption: Phrase) -> list[Edit]:
    """*long sleeves to short ones*: two values of one attribute."""
    alike = (adjectival(bare(old)) and adjectival(bare(new))) or feature_key(old) == feature_key(new)
    return swap(old, new, caption) if alike or head_noun(new) in ("one", "ones") else []


def instead(new: str, old: str, caption: Phrase) -> list[Edit]:
    """*Y instead of X*."""
    if bare(old) in lx.PICTURES | {"photo", "photograph", "picture"}:
        return drawn(bare(new), caption) or [View("a photo of")]
    new = re.sub(
        r"^(?:(?:it )?(?:should|must) be|in|with|make it|make|has|have|use|be|to|add|put|show) ", "", new.strip(" ,")
    )
    made = re.match(r"(?:the )?(?:color|colour) of (.+?) with (.+)", new)
    if made:
        return [*about(made.group(1), made.group(2), caption)]
    beside = re.match(r"(.+?) and ((\w+) .+)", new)
    if beside and is_gerund(beside[3]) and not is_gerund(new.split()[0]) and not new.startswith("make "):
        return [*adds(beside[1], caption), *instead(beside[2], old, caption)]
    old, plainly = re.sub(r"\bones?$", head_noun(new), bare(old)), plain(new)
    many, _, looks = old.partition(" ")
    only_counted = many in lx.NUMBERS and (not looks or adjectival(looks))
    if only_counted and _are_these(head_noun(plainly), lx.NUMBERS[many], caption):
        return [Become(plainly)]
    if adjectival(bare(plainly)):
        return [Set(bare(plainly)), Drop(old)] if adjectival(old) else predicate(plainly, caption)
    moved = re.match(r"(?:the )?(.+?) (?:is|are) (.+)", new)
    if moved:
        return [Drop(old), *said(moved.group(1), moved.group(2), caption)]
    first = plainly.split()[0] if plainly else ""
    if is_gerund(first) or first in lx.PREPOSITIONS:
        return [*([Drop(old)] if is_gerund(old.split()[0]) else []), doing(plainly)]
    return [Swap(plainly, old)]


def _are_these(noun: str, number: int, caption: Phrase) -> bool:
    """Whether a noun means the main thing: by its kind, else because there are as many of it as there were."""
    if same_kind(noun, caption.noun):
        return True
    as_many = known_number(caption) == number
    return as_many and not names(caption, noun)


def changed(found: re.Match[str], caption: Phrase) -> list[Edit]:
    """*turn X into Y*, *make X be Y*."""
    old, new = found[1] or "it", found[2]
    verb = new.split()[0]
    if is_gerund(verb) and bare(old) in ("face", "head", "eyes", "body"):
        return [Pose(posed(new))]
    if old == "it" or bare(old) in lx.GENERIC:
        return predicate(new, caption)
    if base_verb(verb) and verb not in NOUN_VERBS and not lx.slot_of(verb) and found[0].startswith("make"):
        return about(old, posed(new), caption)
    return swap(old, new, caption)


def made(rest: str, caption: Phrase) -> list[Edit]:
    """*make X Y*: finds where X ends."""
    pronoun = re.match(r"(it|them|him|her|this|that|everything) (.+)", rest)
    if pronoun:
        return predicate(posed(pronoun.group(2)), caption)
    words = plain(rest).split()
    for i in range(1, len(words)):
        word = words[i]
        ready = words[i - 1] not in lx.DETERMINERS and not lx.slot_of(words[i - 1])
        verbal = (
            word in ("to", "be", "so")
            or base_verb(word)
            or is_gerund(word)
            or word in lx.PARTICIPLES | lx.PREPOSITIONS - {"of"}
        )
        if ready and (verbal or word in ("a", "an") or adjectival(" ".join(words[i:]))):
            return about(" ".join(words[:i]), posed(" ".join(words[i:])), caption)
    return []


def put(found: re.Match[str], caption: Phrase) -> list[Edit]:
    """*put X on Y*: a thing, a place or a background."""
    what, where = found.group(1).strip(), found.group(2).strip()
    if re.match(r"(?:it|them|him|her) \w", what):
        return []
    if re.search(r"background|backdrop", what):
        return [background(re.sub(r"\s+(?:behind|in).*$", "", what))]
    if bare(what) in lx.GENERIC and where.startswith("in "):
        return inside(where.removeprefix("in "), caption)
    if bare(what) in lx.GENERIC or same_noun(head_noun(what), caption.noun):
        anew = [Become(plain(what))] if re.match(r"(?:an?|one|two|three) ", what) else []
        return [*anew, Place(plain(where))]
    onto = re.sub(r"^(?:on|in|over|onto|around|to|into|at|for) (?:the |a |its |his |her |their )?", "", where)
    if (
        where in ("back", "on", "in", "there")
        or re.fullmatch(r"(?:on|onto|around|to|over|in|into) (?:it|them|him|her)", where)
        or same_noun(onto, caption.noun)
    ):
        return [Add(item) for item in things_of(what)]
    return [Add(f"{thing(plain(what))} {plain(where)}")]


def dropped(text: str, caption: Phrase) -> list[Edit]:
    """*without X, Y and Z*."""
    edits: list[Edit] = []
    text = re.sub(r"\s+(?:from|in) (?:the )?(?:image|photo|picture|scene|background)$", "", text)
    for i, part in enumerate(parts_of(text)):
        number = re.fullmatch(r"(one|two|three)(?: of)?(?: the)? ([\w-]+)", part)
        if number and same_kind(number.group(2), caption.noun) and _is_all(part, lx.NUMBERS[number.group(1)], caption):
            edits += drops(number.group(2))
        elif number and same_kind(number.group(2), caption.noun):
            edits.append(Count(f"-{lx.NUMBERS[number.group(1)]}", number.group(2)))
        elif i and lx.slot_of(part.split()[0]) in ("colour", "pattern"):
            edits += predicate(part, caption)
        else:
            edits += drops(part)
    return edits


def _is_all(part: str, number: int, caption: Phrase) -> bool:
    """Whether so many are all there are: *three cups* of three cups, but not *three of the cups*."""
    return number > 1 and number == known_number(caption) and " of " not in part


def some(found: re.Match[str], caption: Phrase) -> list[Edit]:
    """*one has a cap*, *one of the dogs is black*: said of some of them, behind all the rest."""
    which, of, verb, rest = found.groups()
    if (of and not same_kind(of, caption.noun)) or re.search(r"\b(?:same|similar|different|other)\b", rest):
        return [] if of else [Keep("")]
    noun = "of them " if rest.startswith(("a ", "an ")) else ""
    said = f"with {plain(rest)}" if verb in ("has", "have", "with") else noun + plain(rest)
    return [Aside(f"{which} {said}")]


def fewer(noun: str, caption: Phrase) -> list[Edit]:
    """*fewer X*: a count, an opposite look, or nothing of it."""
    if same_noun(noun, caption.noun) or noun in lx.GENERIC:
        return [Count("few", noun)]
    if is_plural(noun) and names(caption, noun):
        return [Count("few", noun)]
    return [Set(lx.OPPOSITES.get(noun, ""))] if lx.slot_of(noun) and noun in lx.OPPOSITES else [Drop(noun)]


def only(found: re.Match[str], caption: Phrase) -> list[Edit]:
    """*only one X*."""
    thing = re.sub(r"^.*?\b(?:only|just) ", "", found[0])
    left = "" if found[0].startswith(("only ", "just ")) else thing
    doing_so = re.fullmatch(
        rf"{found[1]}(?: of (?:them|(?:the|these|those) ([\w-]+))| (?!\w+ing\b)([\w-]+))? ((\w+)(?: .+)?)", left
    )
    if doing_so and (is_gerund(doing_so[4]) or doing_so[4] in lx.PREPOSITIONS - {"of"} | lx.PARTICIPLES):
        of = doing_so[1] or doing_so[2] or ""
        if not of or same_kind(of, caption.noun):
            return [Count(found[1], of), *predicate(doing_so[3], caption)]
    noun = head_noun(re.sub(r"^\w+ of (?:the )?", "", thing)) if " " in thing else ""
    if noun and noun not in lx.GENERIC | {"them"} and not same_kind(noun, caption.noun):
        return [Add(thing)]
    if noun and " of " not in thing and (parse(thing).units or parse(thing).tail):
        return [Become(thing)]
    return [Count(found[1], noun if noun not in lx.GENERIC | {"them"} else "")]


def alone(text: str, caption: Phrase) -> list[Edit]:
    """*only X*: what stands beside it goes; *only men* of a group of people are a group of men."""
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


def there(text: str, caption: Phrase) -> list[Edit]:
    """*there are two X*: a count where X is what the caption shows, else something more."""
    if re.fullmatch(
        r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|several|many|\d+) [\w-]+", text
    ) and same_noun(head_noun(text), caption.noun):
        return [Become(text)]
    return adds(text, caption)


def added(whole: str, text: str, caption: Phrase) -> list[Edit]:
    """*add two X* makes two more of what there is."""
    number = re.fullmatch(r"(an?|one|two|three|four|five) ([\w-]+)", text)
    if number and whole.startswith("add ") and same_noun(number.group(2), caption.noun) and not caption.is_garment:
        return [Count(f"+{lx.NUMBERS.get(number.group(1), 1)}", number.group(2))]
    return adds(text, caption)


def other(text: str, caption: Phrase) -> list[Edit]:
    """*a different colour*: nobody knows which, but not the one that was."""
    old = caption.unit("colour")
    return [Drop(old)] if old and re.search(r"different colou?r$", text) else [Keep("")]


def material(text: str, caption: Phrase) -> list[Edit]:
    """*made of X*."""
    words = bare(text)
    return [Set(words)] if len(words.split()) == 1 else predicate("in " + text, caption)


def then(rest: str, caption: Phrase) -> list[Edit]:
    """What follows a count."""
    rest = rest.strip(" ,")
    return predicate(rest, caption) if rest else []


def same(text: str, caption: Phrase) -> list[Edit]:
    """*the same X but Y*."""
    first, comma, more = text.partition(", ")
    if comma:
        return [*same(first, caption), *predicate(more, caption)]
    if text.split()[0] in ("in", "with", "on", "at", "from"):
        return [Keep("same"), *([doing(text)] if text.startswith(("with ", "from ")) else predicate(text, caption))]
    phrase = parse(text)
    if phrase.tail and same_kind(phrase.noun, caption.noun):
        said = text[text.index(phrase.noun) + len(phrase.noun) :].strip(" ,")
        return [Keep(phrase.noun), *predicate(said, caption)]
    cut = re.match(r"(.+?) (?:but|and|with|in|only) (.+)", text)
    if cut:
        again = re.search(r" (with|in) ", text)
        joint = again.group(1) + " " if again and text.startswith(cut.group(1) + again.group(0)) else ""
        return [Keep(bare(cut.group(1))), *predicate(joint + cut.group(2), caption)]
    return [Keep(bare(text))]


def grey(text: str, caption: Phrase) -> list[Edit]:
    """*in black and white* is a look of clothes and a view of the rest."""
    if caption.is_garment and "black and white" in text:
        return [Set("black and white")]
    return [view(text)]


def had(whole: str, rest: str, caption: Phrase) -> list[Edit]:
    """Things; "wears a hat" is a pose that a caption says as "wearing a hat"."""
    if re.match(r"(?:is |are |it |they |he |she )*wear", whole) and not caption.is_garment:
        return [Pose("wearing " + plain(rest))]
    return there(rest, caption)


def said(subject: str, words: str, caption: Phrase) -> list[Edit]:
    """*the X is Y*."""
    if lx.slot_of(subject.split()[-1]):
        return []
    return about(subject, words, caption)


def inside(text: str, caption: Phrase) -> list[Edit]:
    """*in blue* and *in leather* are looks, *in a field* is a place."""
    core = bare(re.sub(r"\s+(?:colou?r|shade|fabric|material|size)s?$", "", plain(text)))
    if not core:
        return []
    if adjectival(core) or (
        lx.slot_of(core.split()[0]) in ("colour", "material") and not re.search(r"\b(?:field|room|grass|water)\b", core)
    ):
        return predicate(core, caption)
    return [Place("in " + plain(text))]
