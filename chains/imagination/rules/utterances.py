"""What kind of utterance a text is: an edit, or small talk and questions, which nothing should be searched for.

The one place that decides. A dialogue answers what is no edit; where a program or an agent passes such words as a
modification, they are searched for as they are, with a warning. Polite questions for an edit ("is there one in blue?",
"can you make it longer?") are edits; in doubt a text is one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

from ipcir_tools.chains.imagination.rules.remark_forms import question_or_complaint, request_beyond_search
from ipcir_tools.text import one_line

UtteranceKind = Literal[
    "edit", "gallery", "hit", "reason", "help", "more", "restart", "undo", "farewell", "thanks", "greeting",
    "opinion", "nothing",
]  # fmt: skip
"""``gallery``, ``hit`` and ``reason`` are questions: what there is to search, where or what a hit is, why it was shown.
``help`` asks what can be done, or something that no search can answer; ``opinion`` judges without saying what should
be different, as "yes", "perfect" and "I don't like it" do; ``nothing`` is an exclamation."""

MAX_CHARS = 160
"""Characters of what may be small talk; a longer text is an edit."""

_PICTURES = (
    r"(?:pictures?|images?|photos?|photographs?|pics?|files?|items?|products?|hits?|results?|folders?|"
    r"albums?)"
)
_GALLERY = r"(?:gallery|collection|catalog(?:ue)?|index|database|library|archive|shop|store)"
_ORDINAL = (
    r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|top|best|\d{1,3}(?:st|nd|rd|"
    r"th)?)"
)
_ONE = (
    rf"(?:(?:the |this |that |these |those |number |no\.? ?|#)?(?:{_ORDINAL} )?"
    rf"(?:one|ones|{_PICTURES}|it|this|that|these|those|they|{_ORDINAL})(?: \d{{1,3}})?)"
)
_NOW = r"(?: (?:here|now|please|then|again|again please|so far|in total|altogether|exactly|anyway))*"

_SMALL: tuple[tuple[UtteranceKind, str], ...] = (
    (
        "farewell",
        r"(?:good ?bye|bye(?:[ -]?bye)?|see (?:you|ya|u)(?: (?:later|soon|around|tomorrow))?|farewell|ciao|cya|"
        r"good ?night|have a (?:nice|good|great) (?:day|evening|night|weekend|one)|i(?:'m| am) (?:done|finished)|"
        r"that(?:'s| is| will be|'ll be)? all|take care)",
    ),
    (
        "thanks",
        r"(?:(?:many |ok |okay )?(?:thank you|thanks|thank u|thx|thankyou|ty|cheers|much appreciated|thanks a lot)"
        r"(?: (?:so much|very much|a lot|again|a million|mate|for (?:your|the|all your) (?:help|time)))*|"
        r"i appreciate it|(?:you(?:'ve| have)? )?(?:been )?(?:very |so )?helpful)",
    ),
    (
        "greeting",
        r"(?:hello|hi|hey|hiya|howdy|greetings|yo|good (?:morning|afternoon|evening|day)|what'?s up|sup|welcome)"
        r"(?: (?:there|all|everyone|again|computer|bot|you|friend))?|"
        r"how (?:are|r) (?:you|u)(?: (?:doing|today|doing today))?|how(?:'s| is) it going|nice to meet you",
    ),
    (
        "opinion",
        r"(?:yes|yeah|yep|yup|no|nope|nah|ok|okay|sure|fine|right|alright|all right|correct|wrong|exactly|indeed|"
        r"agreed|great|perfect|excellent|awesome|amazing|wonderful|fantastic|brilliant|lovely|nice(?: one)?|"
        r"good(?: job| work| one| enough)?|well done|cool|super|beautiful|got it|i see|i (?:really )?(?:like|love|"
        r"hate|dislike) (?:it|this|that|them|these|those)|(?:i )?(?:do not|don'?t) (?:really )?(?:like|want|need) "
        r"(?:it|this|that|them|these|those|any(?: of (?:it|them|these|those))?)|love it|like it|hate it|"
        r"(?:that|this|it)(?:'s| is) (?:(?:the one|it|right|wrong|correct|perfect|great|good|nice|fine|better|worse|"
        r"bad|"
        r"not (?:it|right|the one|what i (?:meant|want(?:ed)?|mean|asked for))|what i (?:want(?:ed)?|meant|"
        r"need(?:ed)?)|"
        r"exactly (?:it|right|what i (?:want(?:ed)?|meant|need(?:ed)?)))|(?:really |very |so |just )*(?:ugly|awful|"
        r"terrible|horrible|stupid|useless|crap|shit|bullshit|amazing|beautiful|lovely|funny|cool|weird))|"
        r"(?:these|those|they)(?: are|'re) (?:all )?(?:(?:really |very |so )*(?:ugly|awful|terrible|horrible|bad|"
        r"wrong|"
        r"great|good|nice|perfect|useless|crap|shit))|not (?:what i (?:want(?:ed)?|meant|asked for)|bad|good|great|"
        r"really|quite|it|this|that|these|those)|none of (?:these|those|them)|maybe|perhaps|whatever|never ?mind|"
        r"forget (?:it|that|about it)|no worries|no problem|of course|i (?:do not|don'?t) (?:know|care|mind)|"
        r"i(?:'ll| will) take (?:it|this|that)(?: one)?)",
    ),
    (
        "nothing",
        r"(?:lol|rofl|lmao|xd|(?:ha|he|hi|ho){2,}h?|a?hah+a*|hm+|mh+m*|uh+m*|um+|er+m*|ah+|oh+|ooh+|o+ps|wow|wtf|"
        r"what the (?:fuck|hell|heck)|omg|"
        r"damn(?: it)?|dammit|shit|fuck(?: (?:off|you|this|it))?|crap|hell|bloody hell|(?:oh )?my god|"
        r"jesus(?: christ)?|"
        r"gosh|ugh+|argh+|meh|boo|yay|hooray|please|so|well|test(?:ing)?|asdf\w*|blah(?: blah)*|sorry|"
        r"(?:you(?:'re| are) )?(?:an? )?(?:stupid|idiot|dumb|moron)|shut up|screw (?:you|this|it)|piss off|"
        r"i love you|"
        r"are you there|anybody there|excuse me|one moment|wait|hold on|just a (?:sec(?:ond)?|moment|minute))",
    ),
)
_SMALL_KINDS = tuple((kind, re.compile(rf"\b(?:{pattern})(?=$|[\s,.!;])")) for kind, pattern in _SMALL)
_SMALL_TALK = re.compile(
    rf"(?:(?:{'|'.join(pattern for _, pattern in _SMALL)}|then|man|dude|mate|buddy|sir)(?:$|[\s,.!?;:]+))+"
)

_QUESTIONS: tuple[tuple[UtteranceKind, str], ...] = (
    ("undo", r"(?:please )?(?:undo|revert|take (?:that|it) back|(?:go |step )?back|previous(?: (?:one|turn|step))?)"
             r"(?: (?:that|it|this|by|(?:the )?(?:last|a|a few|a couple(?: of)?|once|twice|both)|one|two|three|"
             r"four|five|"
             r"six|seven|eight|nine|ten|\d{1,2}|(?:one|steps?|edits?|changes?|turns?|things?|times)|again))*"),
    ("restart", r"(?:let(?:'s| us|s) |can (?:we|i|you) |i want to |please )*(?:(?:start|begin) (?:over|again|anew|"
                r"afresh|from "
                r"scratch|from the beginning|a new (?:search|dialog(?:ue)?|chat))|restart|reset(?: (?:it|everything|"
                r"all))?|"
                r"(?:a )?new (?:search|dialog(?:ue)?|chat)|forget everything|clear (?:all|everything|the (?:search|"
                r"chat)))"
                r"(?: from scratch)?"),
    ("more", rf"(?:(?:please|can|could|may) )*(?:(?:you|i|we) )*(?:(?:show|give|get|see|list|load|find|display|"
             rf"have)(?: me| us)? )?"
             rf"(?:(?:the |some |a few |any |even |many |\d+ )*(?:more|next|others?|rest|remaining|another)(?: page|"
             rf" \d+)?"
             rf"(?: {_PICTURES}| options| ones| matches| like (?:this|that|it|these|those)(?: one)?)?|page \d+)"
             r"|next(?: page| one)?|keep going|(?:what|anything) else|more|continue|go on|scroll down|all of them"
             rf"|show (?:me )?(?:everything|all(?: (?:the )?{_PICTURES})?)"),
    ("gallery", rf"(?:and )?how (?:many|much)\b(?!.*\b(?:it|them|this)$).*|how (?:big|large) is .*{_GALLERY}.*|"
                rf"(?:what|which)(?: kinds?(?: of)?| sorts?(?: of)?| other)? ?(?:{_PICTURES} )?(?:do|have|"
                rf"does) (?:you|we|i|it) "
                rf"(?:have|got|know|hold|contain)(?: got)?|(?:what|which) (?:other )?{_PICTURES} (?:are|exist)\b.*|"
                rf"what(?:'s| is| are) (?:all )?(?:there|in (?:here|there|the (?:{_GALLERY}|folders?))|inside)|"
                rf"(?:do|have) (?:you|we) (?:have |got )?(?:any )?{_PICTURES}|(?:are|is) there (?:any )?{_PICTURES}|"
                rf"(?:count|list)(?: me| all| all of)?(?: the| your)? (?:{_PICTURES}|{_GALLERY})|"
                rf"(?:tell me about|describe|show(?: me)?) (?:the |your )?{_GALLERY}|gallery|(?:the )?folders"),
    ("reason", r"why\b.*|how come\b.*|how (?:did|do|can|could) you (?:find|choose|pick|know|get|decide|rank|"
               r"come up)\b.*|"
               r"what do(?:es)? (?:the|these|those|this|that) (?:scores?|numbers?|percentages?|stars?)\b.*|"
               r"what(?:'s| is| are) the scores?\b.*|explain(?: (?:it|this|that|yourself|why|how)\b.*)?"),
    ("hit", rf"where (?:is|are|was|were|did|do|does|can)\b.*|where'?s\b.*|when (?:is|are|was|were|did)\b.*|"
            rf"who (?:is|are|was|took|made|'s)\b(?! you).*|(?:what|which)(?:'s| is| was)? (?:the )?(?:file|folder|"
            rf"path|name|id|"
            rf"date|size|format|camera|title|price|brand)\b.*|what(?:'s| is| are) (?:(?:in|on) )?{_ONE}|what (?:do|"
            rf"can) (?:you|i|we) see.*|"
            rf"how (?:old|much|expensive|tall|big|large) (?:is|are) {_ONE}|(?:describe|open|tell me about) {_ONE}|"
            r"(?:is|are) (?:this|that|these|those|it|they) (?:real|fake|true|for sale|free|mine|yours|new|expensive|"
            r"on sale)"),
    ("help", r"(?:i need |please |can you |could you )*help(?: me)?(?: out)?|what (?:can|could|should|do|may|must|"
             r"shall|would) "
             r"(?:you|i|we|one)\b(?! (?:have|see)\b).*|what(?:'s| is) (?:this|your name|going on|possible|next|"
             r"the time|"
             r"the weather\b.*)|what (?:are|were) you\b.*|what (?:now|then|commands?\b.*|options?\b.*)|who (?:are|"
             r"made|built) you|"
             r"how (?:does|do|can|should|to)\b(?! (?:it|this|that|they|you|i) (?:look|see)\b).*|are you\b.*|"
             r"(?:do|can|did|could|will|would) you (?:speak|understand|know|hear|think|like|remember|read|talk|sing|"
             r"tell|work|"
             r"feel|learn|want|sleep)\b.*|tell me (?:a joke|something|more|a story)\b.*|commands?|instructions?|"
             r"options?|"
             r"manual|usage|what time is it|is (?:anyone|anybody|someone|somebody) there|i(?:'m| am) (?:lost|"
             r"confused|stuck|bored)|"
             r"(?:i )?(?:do not|don'?t) understand(?: (?:it|this|that|you))?|what does (?:it|this) (?:do|mean)|"
             r"what\?*|how|huh|who"),
)  # fmt: skip
_QUESTION_KINDS = tuple(
    (kind, re.compile(rf"(?:(?:and|so|but|ok|okay|hey|hi|well|now) )*(?:{pattern}){_NOW}"))
    for kind, pattern in _QUESTIONS
)
_WISH = re.compile(
    r"\b(?:in|with|without|as|but|instead|on|at|from|made|wearing|longer|shorter|bigger|smaller|darker|lighter|"
    r"brighter)\b"
)
"""Words of an edit that a question may ask for: "what do you have in blue?"."""
_ASKS_FOR_EDIT = re.compile(
    r"(?:what|how) (?:about|if)\b|why (?:not|don't (?:we|you))\b|"
    r"(?:can|could|would|will) you (?:please )?(?:make|show|change|add|remove|"
    r"put|give|"
    r"turn|find|"
    r"get|do|replace|take|keep)\b|(?:do|have) you (?:have|got|sell|stock)?|(?:is|are) there (?:one|ones|any|some|a|"
    r"an)\b|"
    r"what would (?:it|this|that) look like\b|how (?:would|does|do) (?:it|this|that|they) look\b|"
    r"(?:what|which) (?:do|have) you (?:have |got )"
)


GESTURES = re.compile(
    "[\u263a\u2639\u2764\u2705\u270a-\u270d\U0001f440-\U0001f450\U0001f494-\U0001f49f\U0001f44d\U0001f4a9\U0001f4af"
    "\U0001f525\U0001f389\U0001f600-\U0001f64f\U0001f910-\U0001f92f\U0001f970-\U0001f97a\U0001fae0-\U0001faf8]"
)
"""Emoji of faces, hands and hearts; others show a thing."""


def classify_utterance(text: str) -> UtteranceKind:
    """The kind of an utterance. A pure function that never raises; whatever may be an edit is one."""
    plain = _plain(text)
    if len(plain) > MAX_CHARS or not text.strip():
        return "edit"
    if not any(char.isalnum() for char in plain):
        return "edit" if any(unicodedata.category(char) == "So" for char in GESTURES.sub("", text)) else "nothing"
    if _SMALL_TALK.fullmatch(plain):
        return next((kind for kind, pattern in _SMALL_KINDS if pattern.search(plain)), "nothing")
    return _kind_of_parts(plain, r"[.!?;]+\s+", _sentence_kind)


def _sentence_kind(sentence: str) -> UtteranceKind:
    if _ASKS_FOR_EDIT.match(sentence) and _WISH.search(sentence):
        return "edit"
    return _question_kind(sentence) or (
        _kind_of_parts(sentence, r",+\s+", lambda clause: _question_kind(clause) or "edit")
        if "," in sentence
        else "edit"
    )


def _kind_of_parts(plain: str, joint: str, kind_of: Callable[[str], UtteranceKind]) -> UtteranceKind:
    """The kind of the last part that is no small talk, if all are remarks: *thanks, can I download it?*."""
    parts = (part.strip(" ,.;:!?'\"") for part in re.split(joint, plain))
    kinds = [kind_of(part) for part in parts if not _SMALL_TALK.fullmatch(part)]
    return kinds[-1] if kinds and "edit" not in kinds else "edit"


def _question_kind(plain: str) -> UtteranceKind | None:
    known = next((kind for kind, pattern in _QUESTION_KINDS if pattern.fullmatch(plain)), None)
    return request_beyond_search(plain) or known or question_or_complaint(plain)


def _plain(text: str) -> str:
    """Lower case on one line, with ASCII quotes, without emoji and without marks at its ends."""
    flat = unicodedata.normalize("NFKC", text[: 4 * MAX_CHARS]).lower()
    flat = re.sub(r"[\u2018\u2019`\u00b4]", "'", flat)
    flat = "".join(" " if unicodedata.category(char) in ("So", "Sk", "Cf") else char for char in flat)
    return re.sub(r"\s+([,.;:!?])", r"\1", one_line(flat)).strip(" ,.;:!?'\"()[]…-")
