"""The forms of what asks for no picture: questions, requests that no search can fulfil, and complaints.

Read by form, not by sentence: an auxiliary before its subject asks (*are they all red?*), a first or second person with
a negation complains (*I can't see the pictures*), and some verbs (save, pay, wait) name what is no look of a picture.
"""

from __future__ import annotations

import re
from typing import Literal

FormKind = Literal["hit", "help", "reason", "more", "opinion", "nothing"]

_NTH = (
    r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|other|top|best|"
    r"\d{1,3}(?:st|nd|rd|th))"
)
_PICTURE = r"(?:pictures?|images?|photos?|photographs?|pics?|files?|hits?|results?|items?|products?)"
_NUMBERED = rf"(?:(?:number|no\.?|#|{_PICTURE}) ?#?\d{{1,4}}|(?:the )?{_NTH}(?: (?:one|two|three|ones|{_PICTURE}))?)"
_HIT = rf"(?:{_NUMBERED}|(?:the |this |that |these |those |all (?:of )?(?:the )?)?(?:one|ones|{_PICTURE}))"
_SUBJECT = rf"(?:it|this|that|these|those|they|he|she|{_NUMBERED}|(?:the |this |that |these |those ){_PICTURE})"
_ASKING = (
    r"(?:(?:please|just|now|also|can|could|may|might|will|would|should|must|do|did|does|have|need|want|like|let|"
    r"how|where|"
    r"to|i|we|you|me|us|let's|i'd|i'll|i'm|gonna|going) )*"
)
_NOT = (
    r"(?:don't|do not|didn't|did not|can't|cannot|can not|couldn't|could not|won't|will not|wouldn't|haven't|"
    r"have not|"
    r"aren't|are not|weren't|never)"
)
_EDITS = (
    r"(?:make|show|change|add|remove|put|give|turn|find|get|do|replace|take|keep|have|see|try|use|choose|pick|"
    r"go (?:for|"
    r"with)|also|please|maybe|perhaps|swap|colou?r|paint|be)"
)

_NEVER_AN_EDIT: tuple[tuple[FormKind, str], ...] = (
    ("hit", r"(?:how|what|which|is|are|do|does|did|can|tell)\b.*\b(?:costs?|prices?|priced|pricing)\b.*|"
            r"how (?:much|expensive|cheap) (?:is|are|was|were|for|does|do|will|would)\b.*|"
            r"(?:(?:do|have|you|is|are|there|any|anything|something|one|ones|show|find|me|i|want|need|a|bit|much) )*"
            r"(?:cheaper|less expensive)(?: ones?| options?)?"),
    ("help", rf"{_ASKING}(?:save|send|download|upload|export|buy|purchase|pay|share|bookmark|e-?mail (?:it|me|"
             rf"this|them|"
             rf"{_HIT}))\b.*|"
             rf"{_ASKING}(?:delete|remove|print|order|ship|rename|copy|open|close|like|rate) {_NUMBERED}(?: .*)?|"
             rf"{_ASKING}(?:delete|print|order|ship|rename|copy) (?:it|this|that|them|{_HIT})"),
    ("nothing", r"(?:please )?(?:stop|cancel|abort|quit|pause|wait|hold on|hang on|go away|go home|leave me alone|"
                r"get lost|"
                r"be quiet|enough)(?: (?:it|that|this|now|here|there|please|talking|searching|doing .*|asking .*|"
                r"for .*|a "
                r"(?:bit|minute|moment|second|sec|while)|everything|of this))*"),
    ("opinion", r"(?:(?:it|this|that|these|those|they)(?:'s| is|'re| are) )?(?:(?:way|far|much|a bit|a little|"
                r"just|really|"
                r"still|all) )*too (?:expensive|pricey|slow|hard|difficult|complicated|bad|late|cheap|good|weird|"
                r"boring|"
                r"ugly|much|many|few)(?: for (?:me|us))?|"
                r"(?:and )?nothing (?:else|more)|(?:i(?: have|'ve)? )?changed my mind|(?:i (?:was wrong|"
                r"made a mistake)|"
                r"my (?:bad|mistake|fault))|what a (?:pity|shame|mess)"),
)  # fmt: skip
"""Read whatever else is said, as no search fulfils them."""

_NO_WISH: tuple[tuple[FormKind, str], ...] = (
    ("more", rf"(?:are|is) there (?:any |some |many )?(?:more|others?)(?: (?:of|like) (?:these|those|them|this|"
             rf"that|it)| "
             rf"{_PICTURE})?|(?:is|are) (?:that|this|these|those) (?:all|everything)(?: (?:there is|you have|"
             rf"of (?:it|them)))?"),
    ("reason", r"(?:what|which)\b.*\b(?:i|you|we) (?:just |last )?(?:say|said|ask|asked|typed?|wrote|write|search|"
               r"searched|"
               r"looked for|told)\b.*|what (?:was|were|is|are) (?:my|the|our) (?:last|first|previous) (?:thing|"
               r"question|request|"
               r"edit|search|query|message|words?)\b.*"),
    ("nothing", r"(?:let me|let us|i(?:'ll| will| need to| have to| must| should| want to|'m going to)) (?:think|"
                r"wait|stop|"
                r"check|decide|ask|sleep|leave|come back|look)\b.*"),
    ("help", rf"(?:what|which|how|(?:is|are|does|did) {_SUBJECT})\b.*\b(?:you|i|we|me|my|your)\b.*|"
             rf"(?:do|did|am|was|were|have|had|can|could|may|should|must|shall|will|would) (?:i|"
             rf"we)\b(?! {_EDITS}\b).*|"
             rf"(?:did|are|were|will|would|should) you\b(?! {_EDITS}\b).*|"
             r"do you (?!have|got|sell|stock|carry|make|offer|get)\w+.*|"
             r"(?:can|could|will|would) you (?:please )?(?:help|explain|tell|say|repeat|call|translate|read|"
             r"recommend|suggest|"
             r"remember|see|hear|stop|wait|come|guess|count|compare|write|speak|go)\b.*|"
             r"how (?:long|far|often|good|accurate|fast|will|did|is|are|was|were)\b.*|what is (?:an?|the) [\w -]+"),
    ("hit", rf"(?:what|which)(?:'s| is| are| was| were| does| do| did)\b.*|who(?:'s|se)?\b.*|"
            rf"(?:is|are|was|were) {_SUBJECT}\b(?! (?:possible|available|sold|offered)).*|"
            rf"(?:does|did) {_SUBJECT}\b(?! (?:also |ever )?(?:have|come|exist|get)\b).*|"
            rf"do (?:they|these|those|{_NUMBERED})\b(?! (?:also |ever )?(?:have|come|exist|get)\b).*"),
    ("opinion", rf"you (?:{_NOT}|are|were|misunderstood|always|keep)\b.*|you're\b.*|"
                rf"(?:i|we) {_NOT}(?! (?:really )?(?:want|like|need|love|prefer|think|wear))\b.*|"
                r"(?:it|this|that|nothing) (?:(?:doesn't|does not|didn't|did not|won't) (?:work|load|open|help|"
                r"make sense|match|"
                r"matter|change)|works?|worked|changed|happened|happens|matches|(?:is|isn't|is not) (?:working|"
                r"loading|broken|"
                r"helping))\b.*|i(?:'m| am) (?:not |so |very )*(?:tired|annoyed|disappointed|frustrated|angry|"
                r"happy|unhappy|sad|"
                r"sure|satisfied|bored)\b.*"),
)  # fmt: skip
"""Read where no words of an edit stand beside them, as in *is it available in blue?*."""

_LEAD = r"(?:(?:and|so|but|ok|okay|hey|hi|well|now|then|please|also) )*"
_STRONG_FORMS, _WEAK_FORMS = (
    tuple((kind, re.compile(rf"{_LEAD}(?:{pattern})")) for kind, pattern in forms)
    for forms in (_NEVER_AN_EDIT, _NO_WISH)
)
_WISH = re.compile(
    r"\b(?:in|with|without|as|but|instead|on|at|from|wearing|longer|shorter|bigger|smaller|darker|lighter|"
    r"brighter|made "
    r"(?!of|by|when|where))\b"
)
_ORDER = re.compile(
    r"\b(?:and|but|then|now|so) (?:(?:please|just|then|now) )*(?:make|add|show|remove|change|put|"
    r"give|in|with|it)\b"
)
_ABOUT_HITS = re.compile(rf"^(?:is|are|was|were|does|do) {_NUMBERED}\b.*|.*\bbetween\b.*")
"""Questions about hits by their numbers compare: *is the second one longer?* is no wish for a longer one."""


def request_beyond_search(plain: str) -> FormKind | None:
    """The kind of a clause in lower case that no search can fulfil, whatever else it says: prices, files, silence."""
    return _form(plain, _STRONG_FORMS)


def question_or_complaint(plain: str) -> FormKind | None:
    """The kind of a clause in lower case that asks for no picture; None where it may be an edit."""
    return _form(plain, _WEAK_FORMS) if _ABOUT_HITS.match(plain) or not _WISH.search(plain) else None


def _form(plain: str, forms: tuple[tuple[FormKind, re.Pattern[str]], ...]) -> FormKind | None:
    if _ORDER.search(plain):
        return None
    return next((kind for kind, pattern in forms if pattern.fullmatch(plain)), None)
