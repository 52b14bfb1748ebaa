"""The edit grammar: patterns of clauses, in the order in which they are tried."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.additions import is_addition, stated_thing
from ipcir_tools.chains.imagination.rules.caption import Phrase, head_noun
from ipcir_tools.chains.imagination.rules.edits import Add, Count, Edit, Keep, Place, Scene, View
from ipcir_tools.chains.imagination.rules.phrases import same_kind, same_noun
from ipcir_tools.chains.imagination.rules.predicates import NOUN_VERBS, read_about, read_predicate, read_statement
from ipcir_tools.chains.imagination.rules.quantities import (
    read_addition,
    read_fewer,
    read_only,
    read_only_kind,
    read_removal,
    read_some,
)
from ipcir_tools.chains.imagination.rules.replacements import (
    read_change,
    read_instead,
    read_make,
    read_pair,
    read_past,
    read_swap,
)
from ipcir_tools.chains.imagination.rules.scenes import read_scene
from ipcir_tools.chains.imagination.rules.split import split_clauses, split_list, split_sentences
from ipcir_tools.chains.imagination.rules.statements import (
    read_different,
    read_in,
    read_material,
    read_possession,
    read_put,
    read_rest_of_count,
    read_same,
)
from ipcir_tools.chains.imagination.rules.text import strip_determiner
from ipcir_tools.chains.imagination.rules.things import read_additions, read_background, read_drops, read_existence
from ipcir_tools.chains.imagination.rules.view_patterns import VIEW_PATTERNS, Rule
from ipcir_tools.chains.imagination.rules.views import as_pose


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern + r"$")


def read_edits(text: str, caption: Phrase) -> list[Edit]:
    """All edits of a normalised modification text, in order."""
    found: list[Edit] = []
    adds = is_addition(text)
    for sentence in split_sentences(text):
        whole = read_scene(sentence, caption)
        if adds:
            whole = [Add(stated_thing(edit.text)) if isinstance(edit, Scene) else edit for edit in whole]
        found += whole if whole else [edit for part in split_clauses(sentence) for edit in read_clause(part, caption)]
    return found


def read_clause(text: str, caption: Phrase) -> list[Edit]:
    """The edits of one clause."""
    for pattern, rule in _RULES:
        found = pattern.match(text)
        if found:
            edits = rule(found, caption)
            if edits:
                return list(edits)
    return read_predicate(text, caption)


def _without_owner(text: str, caption: Phrase) -> str:
    """The text without the main thing as its owner: *the bus has a roof* -> *a roof*."""
    owner = re.match(r"([\w-]+(?: [\w-]+)?) (?:has|have) ", text)
    return text[owner.end() :] if owner and same_noun(head_noun(owner[1]), caption.noun) else text


def _read_command(found: re.Match[str], _caption: Phrase) -> list[Edit]:
    """*spread them in both directions*: of such a command only the place is visible."""
    if found[0].split()[0] not in (lexicon.VERBS | lexicon.COMMANDS) - lexicon.STATES.keys():
        return []
    return [Place(found[1]) if found[1] else Keep("")]


_FINITE = "|".join(sorted({verb + end for verb in lexicon.VERBS - NOUN_VERBS for end in ("s", "es")} - {"turns"}))
"""Verbs in the third person: *sleeps*."""
_PATTERNS: tuple[tuple[str, Rule], ...] = (
    # to keep
    (
        r"(?:reduce|decrease|increase|change|lower|raise|lessen)(?: the)? (?:number|amount|count) of (?:the )"
        r"?([\w -]+?)(?: in the (?:picture|photo|image))? (?:to|by) (?:only |just |a )?([\w-]+)"
        r"(?: ((?!with\b|in\b|on\b|and\b)[\w-]+))?(.*)",
        lambda m, c: [Count(m[2], m[3] if m[3] and same_kind(m[3], m[1]) else m[1]), *read_rest_of_count(m[4], c)],
    ),
    (
        r"(?:(?:is|are|has|have|looks?) )*(?:very |quite |exactly )?(?:similar|identical)",
        lambda m, c: [Keep("same")],
    ),
    (
        r"(?:is |are |has |have |in |with |of |keep |looks? )*(?:exactly |about |just about )?the same",
        lambda m, c: [Keep("same")],
    ),
    (r"(?:the )?same (?:thing|one|item|garment|dress|shirt|top|style)?", lambda m, c: [Keep("same")]),
    (
        r"(?:keep|leave|retain|preserve|maintain)(?! only (?:one|two|three|four|five|six|an?)\b)"
        r"(?: the| only the| only)? (?!only)(.+?)(?: as (?:it is|is|"
        r"they are)| the same| unchanged)?",
        lambda m, c: [Keep(strip_determiner(p)) for p in split_list(m[1])],
    ),
    (
        r"(?:(?:is|are|has|have|of|with|in|from|seen|shot|taken|at) )*(?:an? |the )?(?:same|similar|identical)"
        r" (.+)",
        lambda m, c: read_same(m[1], c),
    ),
    (
        r"(?:(?:is|are|has|have|in|with|of|a|an|on|to) )*(?:different|other|another|new) (?:type of |kind of |"
        r"shade of )?(?:[\w-]+ )?(?:colou?rs?|shape|breed|species|style|type|kind|size|pattern|background|"
        r"brand|material|fabric|position|setting|room|location|animal|design)s?(?: of .+)?",
        lambda m, c: read_different(m[0], c),
    ),
    (
        r"(?:(?:show|shows|has|have|having|with|there is|there are) )?(?:the same |the )?((?:[\w-]+ )+?)"
        r"(?:is |are |has been |have been )?(?:newly |also )?added",
        lambda m, c: read_additions(_without_owner(m[1].strip(), c), c),
    ),
    # not X but Y
    (r"(?:is |are )?not (.+?),? (?:but|rather) (.+)", lambda m, c: [*read_drops(m[1]), *read_clause(m[2], c)]),
    # X instead of Y
    (
        r"(?:has|have|is|are|with|shows?|in|be|to be|being|wearing|there is|there are)? ?(.+?) instead of "
        r"(?:a |an |the |having )"
        r"*(.+)",
        lambda m, c: read_instead(m[1], m[2], c),
    ),
    (
        r"instead of (.+?)(?:,? (?:has|have|there is|there are|use|show|shows|put|add|make it|is|with)|,) (.+)",
        lambda m, c: read_instead(m[2], m[1], c),
    ),
    (r"instead of (.+)", lambda m, c: read_drops(m[1])),
    # change X to Y
    (
        r"(?:change|make|turn|modify|rotate|flip|tilt|position)(?: the)? (.+?) so (?:that )?(?:it|they|he|she|"
        r"(?:its|his|her|their) (?:head|face|body|heads|faces)) "
        r"(?:(?:is|are|has|have|looks?) )?(.+)",
        lambda m, c: read_about(m[1], m[2], c),
    ),
    (
        r"(?:change|turn|convert|transform|alter|morph|make|modify)(?: the| out)? (?:(?!from)(.+?) )?(?:from "
        r".+? )?(?:to|into|for)(?: an?| the)? (?:be |have |show )?((?:an? )?.+)",
        lambda m, c: read_change(m, c),
    ),
    (
        r"(?:replace|swap|switch|exchange|trade|substitute)(?: out)?(?: the)? (.+?) (?:with|for|by|to|against)"
        r" (.+)",
        lambda m, c: read_swap(m[1], m[2], c),
    ),
    (r"(?:swap|switch|exchange)(?: the)? [\w-]+ and (?:the )?[\w-]+", lambda m, c: [Keep("")]),
    (
        r"(.+?)(?: (?:has|have|is|are|was|were|been))* (?:changed|turned(?! (?:towards?|away|around|on|off|"
        r"up|down|left|right|to the)\b)|transformed|replaced|converted|"
        r"become|becomes|became|reduced|decreased|increased|multiplied|grown|switched)(?: from .+?)?(?: (?:to|"
        r"into|with|by|in))? (.+)",
        lambda m, c: read_swap(m[1], m[2], c),
    ),
    (
        r"(?:there was|goes? from|from|was) (.+?),? (?:now|to|and now) (?:it is |there is |there are )?(.+)",
        lambda m, c: read_past(m[1], m[2], c),
    ),
    (r"(?:there )?(?:was|were) .+", lambda m, c: [Keep("")]),
    (
        r"(?:change|alter|modify|vary) (?:the )?(.+)",
        lambda m, c: [Keep("")],
    ),
    (r"(?:from )?(.+?) (?:to|into|->|becomes) (.+)", lambda m, c: read_pair(m[1], m[2], c)),
    # to remove
    (
        r"(?:is |are |has |have |be )?(?:without|not|no|remove|lose|loses|losing|drop|delete|erase|ditch|"
        r"discard|take (?:off|away|out)|get rid of|omit|exclude|hide|cut out|wipe(?: out)?|eliminate|strip|"
        r"lacks|lacking)(?: out)? (.+)",
        lambda m, c: read_removal(m[1], c),
    ),
    (
        r"(.+?)(?: (?:is|are|has|have|been|was))* (?:removed|missing|gone|absent|deleted|disappeared|not "
        r"(?:visible|there|shown))",
        lambda m, c: read_removal(m[1], c),
    ),
    (r"take (?:the )?(.+?) (?:off|away|out)", lambda m, c: read_drops(m[1])),
    (
        r"(?:take|get|move|bring) (?:the )?(.+?) (?:off|out)(?: of| from)? (?:the )?(.+)",
        lambda m, c: read_drops(m[2] if same_noun(m[1], c.noun) else m[1]),
    ),
    # numbers
    (
        r"(?:(?:increase|more|raise)(?: the)?(?: number| amount| population)?|(?:greater|larger) (?:number|"
        r"amount)) "
        r"(?:of )?(?:the )?([\w-]+)",
        lambda m, c: read_additions("more " + m[1], c),
    ),
    (
        r"(?:is |are |looks? )?"
        r"(?:fewer|less|lesser|lessen|reduce|decrease)(?: the)?(?: number| amount)? (?:of )?(?:the )?([\w-]+)"
        r"(?: in (?:the )?scene)?",
        lambda m, c: read_fewer(m[1], c),
    ),
    (
        r"(?:is |are |there is |there are |shows? |has |have |leave |keep )?(?:only|just) (one|two|three|four|five|"
        r"six|an?(?! few| couple| bit| single| pair| group))(?: of (?:the |them\b)(?:[\w-]+)?|(?: [\w-]+)*)",
        lambda m, c: read_only(m, c),
    ),
    (
        r"(?:(?:is|are|there is|there are|shows?|has|have|leave|keep) )*(?:only|just) (.+)",
        lambda m, c: read_only_kind(m[1], c),
    ),
    (
        r"(?:there (?:is|are) )?(one|two|three|four|five) (?:less|fewer) ([\w-]+)",
        lambda m, c: [Count(f"-{lexicon.NUMBERS[m[1]]}", m[2])],
    ),
    (
        r"(?:has |have |with )?(half|twice|double)(?: of)? (?:as many|the (?:number|amount))(?: of)?(?: the)?"
        r"(?: (?!as\b)([\w-]+))?(?: as .*)?",
        lambda m, c: [Count(m[1], m[2] or "")],
    ),
    (r"remove (one|two|three)(?: of the)? ([\w-]+)", lambda m, c: [Count(f"-{lexicon.NUMBERS[m[1]]}", m[2])]),
    (
        r"((?:one|two|three|four|five) more [\w-]+) and (.+)",
        lambda m, c: [*read_additions(m[1], c), *read_clause(m[2], c)],
    ),
    (
        r"(?:has |have |with |add |there (?:is|are) )?((?:one|two|three|four|five|a) more [\w-]+|another [\w-]+)",
        lambda m, c: read_additions(m[1], c),
    ),
    *VIEW_PATTERNS,
    # commands about things named before
    (
        r"(?:(?!make|put|place|set|bring|get|have|let|give|keep|leave|turn|show|display|move|paint|dye)[a-z]+) "
        r"(?:it|them|him|her)(?: ((?:in|on|at|by|near|around|over|under|against|across|along|behind|between) .+)|"
        r" (?:up|down|out|over|around|apart|together|away))?",
        _read_command,
    ),
    # places
    (
        r"(?:(?:put|place|set|add|use|with|has|have|give it|make it) )?(?:(?:it|them) )?(?:in|on|against|in "
        r"front of|with)? ?(an? (?:(?!in\b)[\w-]+ )*?(?:background|backdrop))(?: (?!of\b).*)?",
        lambda m, c: [read_background(m[1])],
    ),
    (
        r"(?:put|place|set|hang|lay|move|position|show|display|bring|stick|attach|sprinkle|pour|drizzle|scatter|"
        r"spread|drape|throw|draw|build|park|install|insert|write|seat|plant|stand|sit|tie|pin|glue|take|"
        r"keep|leave)(?: the| up)? "
        r"(.+?)(?: down)? (back|behind|"
        r"(?:in|on|at|next to|near|behind|under|beside|over|around|against|inside|into|onto|to|by|in front of|"
        r"above|below|between|underneath|outside|atop|for)(?: .+)?)",
        read_put,
    ),
    (r"(darken|lighten|brighten)(?: up)? (?:the )?(.+)", lambda m, c: read_about(m[2], lexicon.STATES[m[1]], c)),
    (
        r"(hold|fold|cut|slice|wrap|tie|cover|stack|bend)(?: up)? (?:the )?([\w-]+)(?: of the [\w -]+?)? "
        r"(with .+|in .+|on .+|forward|back|open|up|together)",
        lambda m, c: read_about(m[2], f"{lexicon.STATES[m[1]]} {m[3]}", c),
    ),
    (r"(?:make|have|get|let|give|keep|leave|turn|show|display) (.+)", lambda m, c: read_make(m[1], c)),
    (r"(?:is |are )?(?:as|like) (.+)", lambda m, c: read_predicate(m[1], c) if c.is_garment else []),
    (r"(?:put|place|set|bring|get) (?:it|them|him|her) (.+)", lambda m, c: read_predicate(m[1], c)),
    (
        r"(?:the )?([\w-]+) ((?:more|less|much) .+)",
        lambda m, c: read_predicate(m[2], c) if same_noun(m[1], c.noun) else [],
    ),
    # actions on a part
    (r"fill(?: up)? (?:the )?(.+?)(?: up)? with (.+)", lambda m, c: read_about(m[1], "filled with " + m[2], c)),
    (
        r"(open|close|raise|light(?= up| the)|blur|fold|widen|smooth|tilt|rotate|shorten|lengthen|enlarge|"
        r"straighten|shrink|thicken)"
        r"(?: up)? (?:the )?([\w' -]+?)(?: up)?",
        lambda m, c: read_about(m[2], lexicon.STATES[m[1]], c),
    ),
    (r"(?:turn|switch) on (?:the )?([\w-]+)(?: .*)?", lambda m, c: read_about(m[1], "lit", c)),
    (r"(?:paint|dye|tint|color|colour) (.+)", lambda m, c: read_make(m[1], c)),
    (r"(?:more )?(?:close )?focus(?:ed|es)?(?: more| only)? (?:on|in) .+", lambda m, c: [View("close-up")]),
    (
        r"(?:it |this |that |they )?(?:is |are )?made (?:up )?(?:of|from|out of) (.+)",
        lambda m, c: read_material(m[1], c),
    ),
    (r"there (?:is|are)(?: also| now| only| just)? (.+)", lambda m, c: read_existence(m[1], c)),
    # possession
    (
        r"(?:the )?(.+?) (?:is |are |has been |have been )?"
        r"(?:appears?|an? (?:new )?addition|(?:newly )?added|included|also visible)",
        lambda m, c: read_additions(m[1], c),
    ),
    (r"(?:go |goes |change |turn |switch |put it )?back (?:to|in|into) (.+)", lambda m, c: read_predicate(m[1], c)),
    (
        r"(?:put|add|bring|get|give|want)(?: it)? (?:back |on )?(.+?)(?:(?<!the)(?<!its) back| on| again)?",
        lambda m, c: read_addition(m[0], m[1], c),
    ),
    (
        r"(?:it |that |which |they |he |she |both |all |the [\w-]+ )?(?:is |are )?"
        r"(?:has|have|having|with|plus|featuring|features|"
        r"contains?|containing|includes?|including|must include|should have|must have|needs?|wants?|"
        r"shows?|showing|represents|depicts|portrays|exposes|displays|insert|introduce|attach|use|wearing|"
        r"wears?)(?: been| got)? (.+)",
        lambda m, c: read_possession(m[0], m[1], c),
    ),
    (
        r"(one|another|the other|some)(?: of (?:them|which|the ([\w-]+)))? "
        r"(is|are|has|have|seems?|looks?|with) (.+)",
        read_some,
    ),
    (
        r"((?:[\w-]+ )?[\w-]+ (?:has|have) .+)",
        lambda m, c: read_existence(_without_owner(m[1], c), c) if _without_owner(m[1], c) != m[1] else [],
    ),
    # state
    (
        r"(?:it|that|they|he|she|this|which) (?:(?:should|must|would|will|to|needs to|has to|is|are|be|being|"
        r"looks?|look|seems?|gets?|now|also) ?)+ (.+)",
        lambda m, c: read_predicate(m[1], c),
    ),
    (
        r"(?:(?:should|must|would|will|to|is|are|be|being|looks?|made|make|now|also|of|it) )+(.+)",
        lambda m, c: read_predicate(m[1], c),
    ),
    (
        r"(?:the |its |his |her |their )?((?:[\w-]+ ){0,2}?[\w-]+) (?:(?:should|must|needs to|is|are|be|being|"
        r"was|looks?|get|gets|seems?|appears?|now) )+(?:to be )?(.+)",
        lambda m, c: read_statement(m[1], m[2], c),
    ),
    (
        r"(?:the |its |his |her |their )?((?:[\w-]+ )?[\w-]+) ((?:" + _FINITE + r")\b.*)",
        lambda m, c: read_about(m[1], as_pose(m[2]), c) if same_noun(head_noun(m[1]), c.noun) else [],
    ),
    (
        r"(?:the |its |his |her |their )([\w-]+ (?:on|of|in) (?:the |its )?[\w-]+) (?:(?:should|must|is|are|"
        r"be|now) )+(.+)",
        lambda m, c: read_statement(m[1], m[2], c),
    ),
    (r"in ((?:an? )?(?:[\w-]+ )*[\w-]+)", lambda m, c: read_in(m[1], c)),
)
_RULES = tuple((_compiled(pattern), rule) for pattern, rule in _PATTERNS)
