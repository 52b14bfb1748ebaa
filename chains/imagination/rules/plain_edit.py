"""The plain words of an edit: without small talk before it, and without the question that asks for it."""

from __future__ import annotations

import re

_IT = r"(?:it|this|that|they|these|those|them|he|she)(?: one| ones)?"
_ONE = (
    rf"(?:{_IT}|one|ones|any|anything|something|some|a version|versions?)(?: (?:of )?(?:like )?{_IT})?(?: available)?"
)
_LOOK = r"(?=(?:in|with|without|as|on|at|from|under|made|for|that|which)\b)"
_TALK = re.compile(
    r"^(?:(?:(?:hi|hello|hey|thanks|thank you|yes|no|nope|yeah|ok|okay|sure|right|well|hm+|wow|lol|haha|oh|great|"
    r"perfect|"
    r"excellent|awesome|amazing|wonderful|not bad|i see|that's (?:it|better|nice|great)|"
    r"good (?:morning|afternoon|evening|day|night)|greetings|dear \w+|excuse me|(?:i am |i'm )?(?:so |very )?sorry|"
    r"apologies|my (?:bad|mistake|fault)|oops|(?:no,? )?wait|hold on|never ?mind|actually|let me think|"
    r"not (?:that|this|it)|"
    r"forget (?:it|that)|(?:i(?: have|'ve)? )?(?:just )?changed my mind|on second thoughts?|i (?:was wrong|"
    r"made a mistake|"
    r"misspoke)|wrong|that(?:'s| is) (?:not it|wrong|not what i meant))(?: there|"
    r" so much)?\s*[,.!;:]+|"
    r"(?:nice|good|cool|lovely|super|beautiful|i (?:like|love) (?:it|this|that))\s*(?:[.!;:]+|,(?= (?:and|but|now|"
    r"make|in|"
    r"with|can|could|please)\b)))\s*)+(?=\w)"
)
_WHO = (
    r"(?:(?:my|our|his|her|the) (?:[a-z]+ )?[a-z]+|i|we|she|he|someone|somebody|a friend(?: of mine)?)(?: really|"
    r" just|"
    r" rather| would(?: rather)?|'d(?: rather)?|'s|'m|'re| is| am| are)*"
)
_FRAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"^(?:(?:and|but|so|or|now|please|also|plus)[ ,]+)*{pattern}"), new)
    for pattern, new in (
        (rf"(?:is|are|was|were) there (?:also )?(?:any )?{_ONE} {_LOOK}", ""),
        (r"(?:(?:is|are) there|(?:do|have) (?:you|they) (?:have|got)) (?:any )?(?=(?:an? )?[\w -]+ (?:ones?|"
         r"versions?)$)", ""),
        (rf"(?:do|does|did) {_IT} (?:also )?(?:come|exist) {_LOOK}", ""),
        (rf"(?:is|are) {_IT}(?: also)? (?:available|sold|made|offered|possible) {_LOOK}", ""),
        (rf"(?:how|what) (?:would|will|could|does|do|might) {_IT} look(?: like)? if (?:{_IT} )?(?:was|were|is|"
         rf"are) ", ""),
        (rf"(?:how|what) (?:would|will|could) {_IT} look(?: like)? if {_IT} (?:had|has|have) ", "with "),
        (rf"(?:how|what) (?:would|will|could|does|do|might) {_IT} look(?: like)? ", ""),
        (rf"(?:would|does|will|do) {_IT} look (?:good|better|nice|nicer|great|ok|okay|well|fine) {_LOOK}", ""),
        (rf"what if {_IT} (?:was|were|is|are|would be|became) ", ""),
        (rf"(?:what if|(?:could|can|may|might)) {_IT} (?:had|has|have) ", "with "),
        (r"what if there (?:was|were|is|are) ", "add "),
        (rf"(?:could|can|may|might|should) {_IT} (?:also )?(?:be|become|get) ", ""),
        (r"which(?: ones?| of (?:them|these|those))? (?=(?:has|have|is|are|comes?)\b)", ""),
        (rf"(?:do|have|does|did) (?:you|they|we|anyone) (?:have|got|make|sell|stock|offer) {_ONE} {_LOOK}", ""),
        (rf"(?:what|which)(?: else)? (?:do|have) (?:you|we|they) (?:have|got)(?: got)? {_LOOK}", ""),
        (rf"(?:have you |you )?got {_ONE} {_LOOK}", ""),
        (r"(?:let(?:'s| us)|we could|can we|could we|shall we|why (?:do not|don't|not) (?:we|you)|why not|i want to|"
         r"i(?:'d| would) like to) (?:try|go (?:for|with)|use|choose|pick)(?: it)?(?: in)? ", ""),
        (rf"why not {_LOOK}", ""),
        (r"(?:i|we) (?:(?:actually|just|really) )?(?:meant|mean|said|wanted to say|was after|wanted)"
         r"(?: to say)?,? (?!to\b)", ""),
        (rf"{_WHO} (?:wants?|wanted|needs?|likes?|prefers?|looking for|asked for|asks for|loves?|"
         rf"wishes for)(?: it| to have)?"
         r" (?:something|anything|one|it)(?: that is)? (?=(?:in|with|without|more|less|\w+er)\b)", ""),
        (r"(?:(?:my|our|his|her) (?:[a-z]+ )?[a-z]+|someone|somebody|she|he)(?: really| just|'s| is)* (?:wants?|"
         r"wanted|needs?|"
         r"prefers?|looking for|asked for|would like)(?: to have)? (?=(?:an?|something) )", ""),
        (r"(?:i was|i'm|i am|was) thinking (?:of|about)(?: something)? ", ""),
    )
)  # fmt: skip
_ENDING = re.compile(
    r"[ ,]+(?:pls|plz|please|thx|ty|tho|thanks|thank you|if (?:possible|you can|you have (?:it|one|any))|lol|haha)$"
)


def plain_edit(text: str) -> str:
    """*great, is there one in blue?* -> *in blue*; a text without such words as it is, but in lower case."""
    plain = " ".join(text.lower().replace("\u2019", "'").split())
    shorter = _TALK.sub("", plain).rstrip(" ?!.")
    shorter = _ENDING.sub("", shorter)
    for pattern, new in _FRAMES:
        if found := pattern.match(shorter):
            return new + shorter[found.end() :]
    return shorter if shorter and shorter != plain.rstrip(" ?!.") else text
