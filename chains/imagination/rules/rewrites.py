"""Rewrites applied to a modification before it is parsed: typing errors, mentions of pictures, names of clothes."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon

_LOOKS = "|".join(sorted(lexicon.COLOURS | lexicon.PATTERNS | lexicon.LENGTHS))
_GREY = r"(black and white|greyscale|sepia)"
_SHOT = r"(?:photo|photograph|picture|image|shot)s?"
TYPOS = {
    "id": "is", "iss": "is", "wit": "with", "wth": "with", "elss": "less", "ligher": "lighter", "bleted": "belted",
    "stripped": "striped", "sleevless": "sleeveless", "sleveless": "sleeveless", "strapts": "straps",
    "colourfull": "colourful", "colorfull": "colorful", "shrot": "short", "lond": "long", "clack": "black",
    "balck": "black", "blak": "black", "whote": "white", "withe": "white", "whit": "white", "patern": "pattern",
    "flroal": "floral", "coffe": "coffee", "backround": "background", "infront": "in front", "srtipes": "stripes",
    "sleves": "sleeves", "sleeeves": "sleeves", "lenght": "length", "darket": "darker", "collered": "collared",
    "streched": "stretched", "mae": "make", "thre": "three", "iwith": "with", "simplier": "simpler", "chnage": "change",
    "sleve": "sleeve", "makw": "make", "chagne": "change", "reolace": "replace", "brwon": "brown",
    "colro": "color", "wiht": "with", "teh": "the", "whtie": "white",
}  # fmt: skip
"""Typing errors that are not words themselves."""

REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        # words around the edit
        (r"\bshows? (?=(?:less|more|fewer) )", ""),
        (r"^more (?=focus)", ""),
        (r"^(?:the same )?(?:as|like) (?:above|before|shown)\b(?:,| but| only)*", ""),
        (r"\b(?:change|alter) the (?:shot|picture|image|photo) so (?:that )?it shows\b", "show"),
        (r"\b(?:of|in|with) different (?=(?:fur |coat |skin |hair |eye )[\w-]+s\b)", "with various "),
        (r"\b(?:of|in) different (?=[\w-]+s\b)", "of various "),
        (r"\bunlike\b[^,.;]*", ""),
        (r"^be (?=the |an? )", ""),
        (r"\bcomes in\b", "in"),
        (r"^(and|also|plus),? instead,? (?=(?:an?|some|two|three|the) )", r"\1 "),
        (
            r"(?<=[,.;] )(?:and |but )?(the [\w-]+) (?:should|must|can|may|could|has to) go(?: away)?(?=$|[,.;])",
            r"remove \1",
        ),
        (r"^put on (?!the |an? |top)", "add "),
        (r"^(?:line up|arrange|stick|reposition|serve) (?=(?:the|an?|some|two|three|all) )", "add "),
        (r"(?<=\w) to (?:the )?(back|fore)ground\b", r" in the \1ground"),
        (r"\bserve (?=(?:in|on) )", ""),
        (r"^(?:slide|swing|pull|push) open\b", "open"),
        (r"\bits (?=ha(?:s|ve)\b)", "it "),
        (r"\bremove (.+?) and replace (?:it |them )?(?=with )", r"replace \1 "),
        (r"(?<=\w)(?:,|,? and)? (?:(?:photo|photograph|picture|image|but|is|was) )*(?:(?:take|get) (?:the |an? )?"
         r"(?:new )?(?=shot|photo|picture|image|view))?(?:(?:photo|picture|image|view|taken|shot|seen) "
         r")?(?:from|by|at|in|with) "
         r"(?:an? |the )?(?:different|another|new|same|similar|other) (?:camera )?(?:angle|perspective|"
         r"viewpoint)\b", ""),
        (r"\bside by side\b", "side-by-side"),
        (r"\b(bright|light|dark)ly[- ](?:colou?red|toned)\b", r"\1"),
        (rf"\b(?:pure|purely) (?=(?:{_LOOKS})\b)", ""),
        (r"\bmore sleeves?\b", "longer sleeves"),
        (r"[,.;]? *\b(?:thanks|thank you|cheers)\b[^,.;]*", ""),
        (r"\b(?:would|might|will) (?:be|look) (?:(?:very|really|so|much) )*(?:nice|nicer|great|good|better|best|"
         r"perfect|"
         r"lovely|cool|fine|ideal)\b", ""),
        (r"^(?:an? )?(?:(?:completely|totally|entirely|very) )*(?:different|new|another|other) (?:scene|picture|image|"
         r"photo|place|setting)\b[,.:;] *", "show "),
        (r"\b(?:is |are )?(?:(?:visible|shown|present|seen) )?(?:in|within) the (?:picture|photo|image)$", ""),
        (r"\b(?:is|are) in the (?:picture|photo|image)\b(?! frame)", ""),
        (r"^(?:everything|all|the rest)(?: else)? (?:stays|remains|is kept)(?: the same| as it is| "
         r"unchanged)?", "the same"),
        (r"\b(?:something |anything |one |it is )?(?:just |exactly )?like (?:this|it|that)(?: one)?,? but ", "but "),
        # absences
        (r"\b(?:anymore|any more|any longer)(?=$|[,.;]| and | but )", ""),
        (r"^(?:there (?:is|are) )?(?:no ?body|no one|no people|no persons?)(?: else)?(?: is| are)?(?: there| in "
         r".*| on .*)?$",
         "without people"),
        (r"^(?:there (?:is|are) )?nothing (?:else )?(?:in|on|at|behind|around)\b.*$", "the same"),
        (r"\bthere (?:is|are) (?:no|not any) (?=\w)", "without "),
        (r"\bin (?:the |its )?([\w-]+)'s place\b", r"instead of the \1"),
        (r"\b(?:anywhere )?(?:in sight|in view|to be seen|whatsoever)\b", ""),
        (r"\b(?:(?:almost|nearly|practically) no|hardly any|barely any|not a single|not one)\b", "no"),
        # additions
        (r"\b(?:is |are |being |has been |have been )?added (?:on)?to (?:it|them|him|her)\b", "added"),
        (r"\b(?:has|have) (?:come|appeared|arrived|shown up)(?= (?:around|in|on|behind|near|next|beside|at|under|"
         r"between)\b)", ""),
        (r"\bthere (?:was|were) ([^,.;]+),(?: and| but)? now (?:there (?:is|are) |it is )?", r"goes from \1 to "),
        # counts
        (r"\b(become|becomes|became|reduced to|down to) (one|two|three|four|five|six)(?: in number)?"
         r"(?:,? and (?!(?:a )?half)|,? (?=(?:it|they|he|she) (?:is|are|has|have)\b))", r"\1 \2, but "),
        (r"\b(become|becomes|became|reduced to|down to) (one|two|three|four|five|six) in number\b", r"\1 \2"),
        (r"\b(instead of (?:just |only )?[^,.;]{1,40}), (?=(?:one|two|both|all|each|some|the other)(?: of (?:them|"
         r"which))? (?:is|are|has|have|wears?|looks?|seems?|stands?|sits?|lies)\b)", r"\1, but "),
        (r"\b(?:a lot|lots|many|much|way|far|even) more (?=[\w-]+s\b)", "more "),
        (r"\bthey (?:both|all|each) (?=(?:have|has|are|wear)\b)", "they "),
        (r"\bmore than one\b", "several"),
        (r"\b(?:fewer|less|lower|decrease|lessen) (?:the )?(?:amount|number) of\b", "fewer"),
        # whole bodies
        (r"^(?:shows? |see |with |a )?(?:the |its |his |her |their )?(?:whole|full|entire) body(?: (?:shot|view|"
         r"picture))?"
         r"(?: is)?(?: visible)?$", "seen in full body"),
        (r"\bupside down\b", "upside-down"),
        (r"\bdouble[- ]decker\b", "double-decker"),
        (r"\bbutton(?:ed)?[- ](down|up)(?= (?:shirt|dress|blouse|top|collar|sweater|jacket))", r"button-\1"),
        (r"^(?:lessen|reduce|lower|decrease|increase) the (?:amount|number) to (?:only |just )?", "only "),
        (r"^(?:and |but )?also (?:show|display|include)s? (?!it |this |that |them |him |her )", "add "),
        (r"\b(make|paint|turn) (the [\w-]+) ([\w-]+) and (the [\w-]+) ([\w-]+)$", r"\1 \2 \3, \1 \4 \5"),
        (r"\b(replace|swap|change|turn) (.+?) (with|for|by|into|to) (.+?),? and (the [\w-]+(?: [\w-]+)?) \3 (.+)$",
         r"\1 \2 \3 \4, \1 \5 \3 \6"),
        # styles of pictures
        (rf"\b(?:make it |turn it into |as |like |in )?(?:an? |the )?{_GREY} {_SHOT} of (.+)$", r"\2 in \1"),
        (rf"\b(?:make it |turn it into |as |like |in )?(?:an? )?{_GREY} {_SHOT}\b(?! on| of)", r"in \1"),
        # turns of a dialogue: back to a former state, one thing more, one thing less
        (r"\b(?:put|bring|add|get|give) ((?:the |a |an |its |his |her )?[\w-]+(?: [\w-]+)?) back(?: (?:on|in))?\b",
         r"add \1"),
        (r"\b(?:(?:let's |let us )?(?:go|going|switch|change|turn|move|come|take|set|make)(?: (?:it|this|that|them))? "
         r"(?:all the way )?back (?:to|into)|(?:revert|return|restore)(?: (?:it|this|that|them))? (?:back )?to|"
         r"back to(?= the [\w-]+ (?:one|version)\b)) "
         r"(?:being )?(?:the )?([\w-]+)(?: (?:one|version))?(?=$|[,.;]| and | but )", r"\1"),
        (r"\btake (?:off|away|out) (?=(?:the|its|his|her|that) )", "remove "),
        (r"\btake ((?:the|its|his|her|that) [\w-]+(?: [\w-]+)?) (?:off|away|out)\b(?! (?:of|the|an?|its|his|her)\b)",
         r"remove \1"),
        (r"^(?:and |but |also )?(the [\w-]+) (?:should|must|can|may|could|has to) go(?: away)?$", r"remove \1"),
        (r"^(?:and|and also|also|plus) ((?:an?|some|two|three) [\w-]+(?: [\w-]+)?)$", r"add \1"),
        (r"^((?:an?|some|two|three) [\w-]+(?: [\w-]+)?) (?:too|as well|also)$", r"add \1"),
        # changes without a new value
        (r"\b(?:in )?any(?:thing)?(?: (?!other)[\w-]+)? (?:but|besides|other than|except(?: for)?) ", "without "),
        (r"\b(?:similar(?:ly)?|same|different(?:ly)?)[- ](?:sized|colou?red|shaped|looking|styled)"
            r"(?: and (?:sized|colou?red|shaped))*\b",
            "similar",
        ),
        (r"\bthere (?:is|are) an addition of\b", "add"),
        (r"\bmore (?:number|amount)s? of\b", "more"),
        (r"\s+in general\b", ""),
        (r"\bone another\b", "each other"),
        (r",?\s*\b(?:but )?(?:in |with |from )?(?:an? )?(?:different|another|new) (?:pose|position|angle|location|"
         r"setting|scene)(?= (?:on|in|at|with|and|lying|sitting|standing)\b)", ""),
        (r"\bthat (?:has|have) (?!been\b)", "with "),
        (r"\bthat (?:has|have) been (?:an? )?", ""),
        # missing commas
        (rf"\b({_LOOKS}) (?=(?:no|has|have|add|make|remove)\b)", r"\1, "),
        (rf"\bits (?=(?:{_LOOKS})(?:$|[,.]| and | has | with ))", "it is "),
        # clothes
        (r"\b(?<!one )(?:an? )?(long|short|half|cap)(?:er)? sleeve(?=$|[,.;]| and (?!white|black)| with "
         r")", r"\1 sleeves"),
        (r"\b(?:more (?:(?:body|form|figure)[- ]?)?|(?:body|form|figure)[- ]?)hugging(?=$|,| and )", "form-fitting"),
        (r"\b(one|single)[- ](shoulder|sleev)(?:ed?)?\b(?! (?:is|has|strap))", r"one-\2ed"),
        (r"\b(?:tee|t|tea)[- ]?shirt", "t-shirt"),
        (r"\b(v|crew|scoop|u|boat|cowl)[- ]?neck(?:line)?\b(?!ed)", r"\1-neck"),
        (r"\bturtle[- ]neck", "turtleneck"),
        (r"\bpolka[- ]dot(s|ted)?\b", r"polka-dot\1"),
        (r"\bzig[- ]zag", "zigzag"),
        (r"\b(knee|floor|ankle|mid|calf|thigh|medium)[- ]length\b", r"\1-length"),
        (r"\b(?<!one )(long|short|half|cap)(?:er)?[- ]+sleeved?\b", r"\1-sleeved"),
        (r"\b(long|short|half|cap)-sleeves\b", r"\1 sleeves"),
        (r"\b(?:remove|delete|erase) (?:all|everything)(?: of)?(?: the)?(?: \w+)? (?:but|except(?: for)?|apart "
        r"from) ", "only "),
        (r"\b(?:instead|rather) (?=(?:a|an|the|[a-z]+ing)\b)", "instead of "),
        (r"\bmore of an? ", "more "),
        (r"\band zoom in\b(?! (?:on|to))", ", zoom in,"),
        (r"\b(?:needs?|has|have|ought|ha[sd] got) to be\b", "is"),
        (r"\b(?:shade|tone|hue|version)s? of (?=\w)", ""),
        (r"\b(round|square) neckline\b", r"\1 neck"),
        (r"\bmore (?:sun|day)?light\b", "bright light"),
        (
            r"^(?:is |are )?not ((?:an? |the )?[\w-]+),? but (?:rather )?((?:an? |the )?[\w-]+)(?=$|[,.;])",
            r"\2 instead of \1",
        ),
        (r"\b(?:the |this )?(?:image|photo|picture) is (?:brighter|lighter)\b", "seen in bright light"),
        (r"\b(?:the |this )?(?:image|photo|picture) is darker\b", "seen in dim light"),
        (r"\bsleeve[- ]less\b", "sleeveless"),
        (r"\bsee[- ]?through\b", "see-through"),
        (r"\boff[- ](?:the[- ])?shoulder", "off-the-shoulder"),
        (r"\b(form|tight|loose)[- ]?fit(?:ting|ted)\b", r"\1-fitting"),
        (r"\b(form|tight|loose)[- ]?(?:er )?fitting\b", r"\1-fitting"),
        (r"\b(leopard|animal|zebra)[- ]print(?:ed)?\b", r"\1-print"),
        (r"\bmulti[- ]?colou?r(?:ed|s)?\b", "multicolored"),
        (r"\btie[- ]dye", "tie-dye"),
        (r"\bhot dog", "hot-dog"),
        (r"\bfit (?:and|n) flare\b", "fit-and-flare"),
        (r"\bclose[- ]?up\b", "close-up"),
        (r"\bgr[ae]y[- ]?scale\b", "greyscale"),
        (
            r"\b(?:doesn't|does not|do not|don't|didn't|shouldn't|should not|must not) (?:have|show|include|contain)\b",
            "without",
        ),
        (r"\b(?:no longer|not) (?:has|have|having|wearing|with|showing)\b", "without"),
        (r"\bno longer\b", "not"),
        (r"\b(?:is|are) (?=without\b)", ""),
        (r"\b(?:has|have|having|with|shows|show|showing|contains|wearing) (?:no|not any|zero|neither)\b", "without"),
        (r"\b(?:isn't|aren't|wasn't|ain't)\b", "is not"),
        (r"\b(?:it's|its) (?=(?:a|an|the|now|more|less|not|in|been)\b)", "it is "),
        (r"\bthey're\b", "they are"),
        (r"\b(he|she|it|there|that)'s\b", r"\1 is"),
        (r"\b(?:rather|instead) (?:than|of|then)?\s*(?:just |only |to )?"
         r"(?:making|showing|making it|make|to make)(?: (?:the )?(?:entire|whole) contents?)?(?: (?:with|it|of|"
         r"in|on))?\b",
         "instead of"),
        (r"\brather (?:than|then|of|with|on|in)\b", "instead of"),
        (r"\binstead (?:than|with|on)\b", "instead of"),
        (r"\bin (?:place|lieu) of\b", "instead of"),
        (r"\bas opposed to\b", "instead of"),
        (r"\b(?:excluding|except(?:ing)?|apart from|leaving out|minus|lacking|missing (?=the|a\b|any))\b", "without"),
        (r"\bhave to\b", "must"),
    )
)  # fmt: skip
