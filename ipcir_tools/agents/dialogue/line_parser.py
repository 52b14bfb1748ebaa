"""Reads a line of a dialogue by rules, without any model.

The rules, first match wins; case and spaces do not matter:

- **Commands** are whole lines: ``undo``, ``back``, ``go back two``, ``goto t12ab``, ``turns``, ``show``, ``show 3``,
  ``sheet hits.png``, ``k 5``, ``where {"width": 800}``, ``help``, ``quit``. ``at t12ab: in green`` goes there first.
- ``find WORDS`` and ``new PICTURE [WORDS]`` start over, unless the words point back (*find a happier one* is an edit)
  or name no picture (*new collar* is one). ``find: WORDS`` always does.
- A **picture** is a rank (``3``, ``#3``, ``picture 3``, ``the third one``) or an id of 6 digits or more.
- ``more like 3``, ``I like 3``, ``less like 4``, ``not 2`` **judge**: the reference stays, the search leans.
- ``3``, ``take 3``, ``like 3 but in green`` **choose**: the picture is the new reference. One picture can be; where
  several are named (``like 2 and 5``), they are liked.
- ``3 with the collar of 5``, ``the pattern of 2 on 4`` **combine**: a picture, and a part of another; ``with the collar
  of 5`` alone adds that part to the references so far.
- A bare number chooses only if the line ends there or goes on with *but*, so *3 buttons* is an edit.
- Small talk and questions (``rules/utterances``: *thank you*, *how many pictures are there?*) are **remarks**.
- Everything else, and what stands beside a pick, is an **edit**, as it was typed. So is a whole line in double quotes.
"""

from __future__ import annotations

import re

from ipcir_tools.agents.dialogue.combinations import parse_combination
from ipcir_tools.agents.dialogue.commands import (
    Command,
    Find,
    Goto,
    New,
    ParsedLine,
    Refine,
    Remark,
    Setting,
    Sheet,
    Show,
    Undo,
)
from ipcir_tools.agents.dialogue.picture_names import ENDS, ID, LEAD, MANY, ONE, TAKE, parse_names
from ipcir_tools.chains.imagination.rules.utterances import classify_utterance
from ipcir_tools.text import one_line

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COMMANDS: dict[str, Command] = {
    "": Command("nothing"),
    **dict.fromkeys(("turns", "tree", "history"), Command("turns")),
    **dict.fromkeys(("help", "?"), Command("help")),
    **dict.fromkeys(("quit", "exit", "q", "bye"), Command("quit")),
}

_JOINT = r"(?:(?<![,;.!])[,;.!]++ ?(?:(?:and|but|then|also) )*+| (?:(?:and|but|then|also) )++)"
_MUCH = r"(?:(?:much|far|a lot|a bit|a little|even|rather|something|one) )*+"

_CHOSEN = re.compile(
    rf"{LEAD}(?:{TAKE}|(?:(?:something|one) )?(?:just )?(?:like|similar to)) (?P<many>{MANY}){ENDS}"
    rf"|(?P<bare>{MANY})(?=[.!?]*$|,? but )"
    rf"|(?P<good>{ONE}) (?:looks|is|seems|was|would be) (?:(?:really|very|quite|pretty|so|almost|the) )*(?:good|nice|"
    rf"great|fine|perfect|right|close|closest|best|better|ok|okay)(?: one)?,? but "
    rf"|(?P<sure>(?=#|[0-9a-f]{{6}}){ONE}){ENDS}",
    re.IGNORECASE,
)
_JUDGED = re.compile(
    rf"(?:^{LEAD}|{_JOINT})(?:"
    rf"{_MUCH}(?:more like|closer to|i (?:really )?(?:like|love|prefer)) (?P<liked>{MANY})"
    rf"(?:(?: rather)? than(?: like)? (?P<than>{MANY}))?{ENDS}"
    rf"|{_MUCH}(?:less like|not like|nothing like|unlike|(?:i )?(?:do not|don['\u2019]t) like|(?:i )?dislike) "
    rf"(?P<disliked>{MANY}){ENDS}"
    rf"|not (?P<not>{MANY})(?=$|[;:.!?]|,(?! ?[0-9])| (?:but|and|please)\b))",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^[ ,;:.!?]*(?:(?:but|and|then|also)\b[ ,]*)*", re.IGNORECASE)
_POLITE = re.compile(r"(?:(?:please|instead|too)[ .!?]*)*", re.IGNORECASE)

_STEPS = rf"(?P<steps>[1-9][0-9]?|(?a:{'|'.join(_NUMBERS)}))(?: (?:steps?|turns?|times))?"
_UNDO = re.compile(
    rf"(?:please )?(?:undo|(?:(?:go|step) )?back)(?: (?:by )?{_STEPS}| (?P<twice>twice)| once| that)?[.!]?",
    re.IGNORECASE,
)
_TURN = r"t(?=[a-f]*[0-9])[0-9a-f]{3,11}|t[0-9a-f]{11}"
_GOTO = re.compile(
    rf"(?:goto (?P<any>[\w-]+)|(?:(?:go to|go back to|back to|return to|at|from|show) )?(?P<turn>{_TURN}))"
    r"(?:: ?(?P<then>.*))?",
    re.IGNORECASE,
)
_FIND = re.compile(r"(?:find|search for)(?P<sure>:)? (?:me )?(?P<text>.+)", re.IGNORECASE)
_POINTS_BACK = re.compile(
    r"\b(?:ones?|it|its|this|that|these|those|them|another|others?|same|similar|like|something|anything|more|less|fewer"
    r"|(?:dark|light|bright|pal|long|short|small|bigg|larg|thinn|thick|wid|narrow|fanci|happi|nic|soft|plain|simpl|old"
    r"|young|new|tight|loos|warm|cool|tall|high|low|clean|prett?i|funni|sadd|shini|dressi|sporti|cheap)e?r)\b",
    re.IGNORECASE,
)
_NEW = re.compile(r"""new\s+(?:"(?P<quoted>[^"]+)"|(?P<word>\S+))(?:\s+(?P<text>.+))?""", re.IGNORECASE | re.DOTALL)
_PICTURE = re.compile(
    rf"(?:{ID})|(?:data:|https?:|file:|[a-z][a-z0-9+.-]+://|[/~\\]|\.\.?[/\\]|[a-z]:\\).+"
    r"|.+\.(?:jpe?g|png|gif|webp|bmp|tiff?|avif|heic|ppm|tga|ico)",
    re.IGNORECASE,
)
_SHEET = re.compile(r"""sheet(?:\s+["']?(?P<file>.+\.(?:png|jpe?g|webp))["']?)?""", re.IGNORECASE)
_SHOW = re.compile(rf"show(?: (?P<one>{ONE}))?", re.IGNORECASE)
_SETTING = re.compile(
    r"(?P<k>k)(?: ?=? ?(?P<count>[0-9]+)|(?: ?= ?| )(?P<word>\S+))|(?P<where>where) (?P<filter>\{.*|off|none)",
    re.IGNORECASE,
)
_MAX_CHARS = 2_000
"""Characters of a line that may be more than an edit; the patterns need time that grows with its square."""
_QUOTED = re.compile(r'"([^"]*[^"\s][^"]*)"')


def parse_line(text: str) -> ParsedLine:
    """The meaning of a line. Never raises; what is no command and no pick is an edit, as it was typed."""
    line, flat = text.strip(), one_line(text)
    if (command := _COMMANDS.get(flat.lower())) is not None:
        return command
    if len(line) > _MAX_CHARS:
        return Refine(line)
    if quoted := _QUOTED.fullmatch(line):
        return Refine(quoted[1].strip())
    for parse in (_parse_undo, _parse_goto, _parse_setting, _parse_find, _parse_show):
        if (parsed := parse(flat)) is not None:
            return parsed
    return _parse_sheet(line) or _parse_new(line) or _parse_picks(flat) or _parse_remark(line) or Refine(line)


def _parse_undo(flat: str) -> Undo | None:
    if not (found := _UNDO.fullmatch(flat)):
        return None
    steps = (found["steps"] or ("2" if found["twice"] else "1")).lower()
    return Undo(_number(steps))


def _number(word: str) -> int:
    return _NUMBERS.index(word) + 1 if word in _NUMBERS else int(word)


def _parse_goto(flat: str) -> Goto | None:
    if not (found := _GOTO.fullmatch(flat)):
        return None
    then = (found["then"] or "").strip()
    return Goto((found["any"] or found["turn"]).lower(), (_parse_picks(then) or Refine(then)) if then else None)


def _parse_setting(flat: str) -> Setting | None:
    if not (found := _SETTING.fullmatch(flat)):
        return None
    return Setting("k", found["count"] or found["word"]) if found["k"] else Setting("where", found["filter"])


def _parse_find(flat: str) -> Find | None:
    found = _FIND.fullmatch(flat)
    if not found or not (found["sure"] or not _POINTS_BACK.search(found["text"])):
        return None
    return Find(found["text"])


def _parse_show(flat: str) -> Show | None:
    found = _SHOW.fullmatch(flat)
    return Show(parse_names(found["one"])[0] if found["one"] else None) if found else None


def _parse_sheet(line: str) -> Sheet | None:
    found = _SHEET.fullmatch(line)
    return Sheet(found["file"]) if found else None


def _parse_new(line: str) -> New | None:
    found = _NEW.fullmatch(line)
    reference = (found["quoted"] or found["word"]) if found else ""
    if not found or not (_PICTURE.fullmatch(reference) or (found["quoted"] and "/" in reference)):
        return None
    return New(reference, (found["text"] or "").strip())


def _parse_remark(line: str) -> Remark | Undo | None:
    kind = classify_utterance(line)
    if kind == "undo":
        steps = re.search(rf"\b{_STEPS}", line, re.IGNORECASE)
        return Undo(_number(steps["steps"].lower()) if steps else 2 if "twice" in line.lower() else 1)
    return None if kind == "edit" else Remark(kind, line)


def _parse_picks(flat: str) -> Refine | None:
    """The picks of a line with the words beside them; None where nothing is picked."""
    combination, end = parse_combination(flat) or (None, 0)
    chosen = None if combination else _CHOSEN.match(flat)
    names = parse_names(chosen["many"] or chosen["bare"] or chosen["good"] or chosen["sure"]) if chosen else ()
    reference, liked, disliked = (names[0], [], []) if len(names) == 1 else (None, [*names], list[str]())
    end, words = chosen.end() if chosen else end, list[str]()
    for judged in _JUDGED.finditer(flat, end):
        words.append(flat[end : judged.start()])
        end = judged.end()
        liked += parse_names(judged["liked"])
        disliked += parse_names(judged["than"]) + parse_names(judged["disliked"]) + parse_names(judged["not"])
    if not (combination or reference or liked or disliked):
        return None
    return Refine(
        _join_words([*words, flat[end:]]),
        reference,
        tuple(dict.fromkeys(liked)),
        tuple(dict.fromkeys(disliked)),
        combination,
    )


def _join_words(pieces: list[str]) -> str:
    """The words around the picks, without what joined them."""
    words = [_OPENING.sub("", piece).rstrip(" ,;") for piece in pieces]
    return ", ".join(piece for piece in words if not _POLITE.fullmatch(piece))
