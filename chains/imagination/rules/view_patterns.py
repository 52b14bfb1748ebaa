"""The part of the edit grammar about views: close-ups, angles, colour and black and white."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase
from ipcir_tools.chains.imagination.rules.edits import Edit, Keep, Place, Pose, Set, View
from ipcir_tools.chains.imagination.rules.text import simplify
from ipcir_tools.chains.imagination.rules.things import read_additions
from ipcir_tools.chains.imagination.rules.views import read_action, read_style, read_view

Rule = Callable[[re.Match[str], Phrase], Sequence[Edit]]


def read_black_and_white(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *in black and white*: an attribute of garments, a view of anything else."""
    if caption.is_garment and "black and white" in text:
        return [Set("black and white")]
    return [read_view(text)]


VIEW_PATTERNS: tuple[tuple[str, Rule], ...] = (
    (
        r"(?:is |are |more )?(?:zoom(?:ed|ing)?(?: it| the (?:image|picture|photo|camera))? in|(?:(?:zoom|get|"
        r"move|go|come|bring|take)(?: it| the (?:image|picture|photo|camera))? )?(?:closer|close(?! (?:the|"
        r"its|his|her|their) )))(?: (?:up|"
        r"shot|view|look|on|to|at|of|the|camera|in|more|of the|a|bit|distance|his|her|its|[\w-]+'s))*(?: "
        r"([\w-]+)| on .+)?",
        lambda m, c: [View(f"close-up of the {m[1]}" if m[1] in lexicon.BODY else "close-up")],
    ),
    (
        r"(?:(?:it|this|is|are) )*(?:an? )?(?:more )?(?:closer?|zoomed|near|tight)(?:[- ](?:up|shot|view|look|"
        r"in))+\b(?:[^,]*? with (.+)|.*)",
        lambda m, c: [View("close-up"), *(read_additions(m[1], c) if m[1] else [])],
    ),
    (r"(?:take|make|get) (?:the |a )?(?:shot|picture|photo|image) (from .+)", lambda m, c: [read_view(m[1])]),
    (r"look (?:at|down on|down at) .+? (from .+)", lambda m, c: [read_view(m[1])]),
    (
        r"(?:is |are )?(?:zoom|move|get|zoomed|zooming|step)(?: it| the camera)? (?:out|away|back(?! to)|"
        r"farther|further)\b.*|(?:is )?(?:farther|further|more distant)(?: away)?",
        lambda m, c: [View("seen from afar")],
    ),
    (
        r"(?:is |are |was )?(?:(?:shot|taken|seen|viewed|photographed|pictured) )?(?:from|in|at|with) "
        r"(?:.*\b(?:angle|perspective|distance|viewpoint|greyscale|point of view)|(?:the )?(?:top|side|back|"
        r"front|above|below|behind|afar))",
        lambda m, c: [read_view(m[0])],
    ),
    (
        r"(?:is |are )?(?:shot|taken|seen|viewed|photographed) .+",
        lambda m, c: [read_action(re.sub(r"^(?:is|are) ", "", m[0]))],
    ),
    (r"(?:is |are )?in (?:greyscale|colou?r|black and white(?: photo)?)", lambda m, c: read_black_and_white(m[0], c)),
    (
        r"(?:change|another|different|new)(?: the)? (?:camera )?(?:angle|perspective|view).*",
        lambda m, c: [Keep("")],
    ),
    (
        r"(?:(?:is|are|facing|looking|turned|in|to|from) )*the (?:opposite|other) (?:direction|way|side)",
        lambda m, c: [Pose("facing the other way")],
    ),
    (
        r"(?:(?:as|in|like|make it|make|turn it into|change (?:it )?to|is|it is|it should be) )*(.+)",
        lambda m, c: read_style(m[1], c),
    ),
    (
        r"(?:take|bring|move|transfer) (?:it|them|him|her) (?:in|on)?to (?!the (?:left|right|side|front|back))(.+)",
        lambda m, c: [Place("in " + simplify(m[1]))],
    ),
)
"""Patterns of whole clauses about the view, in the order in which they are tried."""
