"""The one function that reads a model's reply."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.chains.imagination.parsing import (
    MAX_WORDS,
    BadReplyError,
    RefusedReplyError,
    description_so_far,
    parse_reply,
)

REPLY = {
    "description": "A blue dress with long sleeves.",
    "keep": ["dress"],
    "add": ["blue", "long sleeves"],
    "remove": ["red"],
    "alternatives": ["A long-sleeved dress in blue."],
}
WHOLE = json.dumps(REPLY)


def test_a_good_reply_is_read_field_by_field():
    reading = parse_reply(WHOLE)
    assert reading.form == "json"
    assert reading.target.origin == "llm"
    assert reading.target.model_dump(exclude={"origin"}) == {
        name: tuple(value) if isinstance(value, list) else value for name, value in REPLY.items()
    }


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{WHOLE}\n```",
        f"```\n{WHOLE}\n```\nI hope this helps!",
        f"Here it is: {WHOLE}",
        f"<think>They want {{blue}}. {{}}</think>\n{WHOLE}",
        f"<THINKING>\nfirst\n</THINKING><think>second</think>{WHOLE}",
        f"They want blue.\n</think>\n{WHOLE}",
        f"<think>They</thinking>\n{WHOLE}\n<think>done</think>",
        f"<think>They want blue, so\n{WHOLE}",
        json.dumps({"description": "a draft"}) + "\nBetter:\n" + WHOLE,
        json.dumps({"target": REPLY}),
        json.dumps([REPLY]),
        json.dumps(REPLY, indent=2),
        WHOLE.replace("A blue", "A\nblue"),
        "\ufeff" + WHOLE,
    ],
)
def test_wrapping_around_the_json_is_ignored(text: str):
    assert parse_reply(text).target == parse_reply(WHOLE).target


def test_odd_fields_are_taken_as_they_can_be():
    odd = {
        "description": "A blue dress.",
        "keep": "dress",
        "add": None,
        "remove": ["red", 7, "red", " "],
        "mood": "good",
    }
    target = parse_reply(json.dumps(odd)).target
    assert (target.keep, target.add, target.remove, target.alternatives) == (("dress",), (), ("red",), ())


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        (WHOLE[: WHOLE.index('"long')], ("dress",)),
        (WHOLE[: WHOLE.index('ress"], "add')], ()),
        (WHOLE[: WHOLE.index(', "keep')], ()),
        (WHOLE.replace('["dress"]', '["dress",]').replace("]}", "],}"), ("dress",)),
        (WHOLE.replace('", "keep"', '" "keep"').replace("]}", "],}"), ("dress",)),
        ("```json\n" + WHOLE[:-3], ("dress",)),
    ],
)
def test_of_a_broken_object_the_complete_parts_are_used(text: str, keep: tuple[str, ...]):
    reading = parse_reply(text)
    assert reading.form == "parts"
    assert reading.target.description == REPLY["description"]
    assert reading.target.keep == keep


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "}{ \x00 asdf",
        "null",
        "[1, 2]",
        '{"message": "hello"}',
        '{"description": ""}',
        '{"description": "..."}',
        '{"description": "string"}',
        '{"description": 7}',
        '{"description": "A blue dre',
        '{"description": "A blue dress with the word "SALE" on it", "keep": ["dress"]}',
        '{"description": "A blue dress with "long" sleeves',
        "<think>They want a blue dress, but which",
        "<html><body>502 Bad Gateway</body></html>",
        "A blue dress with long sleeves.",
        '{"a":' * 10_000,
        "{" * 30_000,
    ],
)
def test_a_reply_without_a_complete_description_is_bad(text: str):
    with pytest.raises(BadReplyError) as caught:
        parse_reply(text)
    assert str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "A blue dress with long sleeves.",
        '"A blue dress with long sleeves."',
        "**Edited Description:** A blue dress with long sleeves.",
        "Here is the edited caption:\n\nA blue dress with long sleeves.",
        "<think>blue</think>\n\nA blue dress with long sleeves.\n\nNote: I kept the dress.",
    ],
)
def test_plain_text_can_be_the_description(text: str):
    reading = parse_reply(text, plain=True)
    assert (reading.form, reading.target.description) == ("text", "A blue dress with long sleeves.")


@pytest.mark.parametrize(
    "text",
    [
        "garbage",
        "%%% 0xdeadbeef 12 34 dress",
        '{"error": "blue dress"}',
        "error: no blue dress",
        "<html>a blue dress</html>",
        "<think>a blue dress",
        "a blue dress " * 200,
    ],
)
def test_text_that_is_no_description_is_not_taken_for_one(text: str):
    with pytest.raises(BadReplyError):
        parse_reply(text, plain=True)


def test_a_language_without_spaces_is_still_a_description():
    assert parse_reply("一件长袖的蓝色连衣裙", plain=True).target.description == "一件长袖的蓝色连衣裙"


def test_of_cut_off_plain_text_only_whole_sentences_count():
    text = "A blue dress with long sleeves. It hangs on a wh"
    assert parse_reply(text, plain=True, cut_off=True).target.description == "A blue dress with long sleeves."
    with pytest.raises(BadReplyError):
        parse_reply("A blue dress with long sl", plain=True, cut_off=True)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, I cannot describe this picture.",
        "Sorry, I cannot assist.",
        "I can't describe people.",
        "Unfortunately, I cannot help with a blue dress.",
        "As an AI, I have no eyes for a blue dress.",
        "<think>Hm.</think>I am unable to do that.",
        json.dumps({"description": "I'm sorry, I can't help with that."}),
    ],
)
def test_refusals_are_recognised(text: str):
    with pytest.raises(RefusedReplyError):
        parse_reply(text, plain=True)


def test_a_long_description_is_cut_at_a_sentence():
    sentence = "A blue dress hangs on a white wall in the sun. "
    short = parse_reply(json.dumps({"description": sentence * 30})).target.description
    assert short.endswith("in the sun.")
    assert len(short.split()) <= MAX_WORDS
    endless = parse_reply(json.dumps({"description": "blue " * 500})).target.description
    assert len(endless.split()) == MAX_WORDS


@pytest.mark.parametrize(
    ("description", "seen", "absent"),
    [
        ("A blue dress without a belt.", "A blue dress.", ("belt",)),
        ("A dress without any long sleeves, on a hanger", "A dress, on a hanger", ("long sleeves",)),
        ("A man with no hat and a dog", "A man with no hat and a dog", ()),
        ("A dog without a collar running on grass", "A dog without a collar running on grass", ()),
        ("A room with nothing else", "A room with nothing else", ()),
    ],
)
def test_a_clear_absence_moves_from_the_description_to_remove(description: str, seen: str, absent: tuple[str, ...]):
    target = parse_reply(json.dumps({"description": description})).target
    assert (target.description, target.remove) == (seen, absent)


def test_ten_readings_are_read_each_once_and_without_what_is_absent():
    variants = [f"A blue dress with {n} buttons." for n in range(10)]
    others = [*variants[:5], REPLY["description"], *variants[4:], "A blue dress without a belt.", ", with no belt"]
    target = parse_reply(json.dumps({**REPLY, "alternatives": others[:6] + others[7:]})).target
    assert target.alternatives == (*variants, "A blue dress.")


def test_other_fields_are_not_read():
    more = {"reflection": 'They said "description": "a red dress".', "seen": {"description": 7}}
    assert parse_reply(json.dumps({**more, **REPLY})).target == parse_reply(WHOLE).target


# --- replies that are not finished yet


@given(st.integers(0, len(WHOLE)), st.sampled_from(["", "```json\n", "Sure: ", "<think>Blue.</think>\n"]))
def test_of_a_reply_that_goes_on_the_description_is_read_as_far_as_it_goes(length: int, before: str):
    so_far = description_so_far((before + WHOLE)[:length], plain=False)
    assert REPLY["description"].startswith(so_far)
    if length >= len(before) + WHOLE.index('", "keep'):
        assert so_far == REPLY["description"]


@pytest.mark.parametrize("end", range(0, 60, 3))
def test_half_an_escape_is_waited_for(end: int):
    text = json.dumps({"description": 'A \U0001f408 called "Kitz"\n on a sof\u00e1.'})
    so_far = description_so_far(text[:end], plain=False)
    assert 'A \U0001f408 called "Kitz" on a sof\u00e1.'.startswith(so_far)


@given(st.text(), st.booleans())
def test_any_beginning_of_a_reply_is_a_description_or_none(text: str, plain: bool):
    assert description_so_far(text, plain=plain) == description_so_far(text, plain=plain).strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A blue dress", ""),
        ("A blue dress with long", "A blue dress with long"),
        ("Here is the caption of it", ""),
        ("Here is the caption: A blue dress with long", "A blue dress with long"),
        ("I'm sorry, but I can't help with", ""),
        ("<think>They want a blue dress with", ""),
        ('{"description": "A blue', "A blue"),
        ("A blue dress with sleeves.\n\nNote: I kept", "A blue dress with sleeves."),
        ("一件长袖的", "一件长袖的"),
    ],
)
def test_plain_text_is_shown_once_it_is_clear_what_it_is(text: str, expected: str):
    assert description_so_far(text, plain=True) == expected


@given(st.text(), st.booleans(), st.booleans())
def test_any_text_is_read_or_refused_with_a_reason(text: str, plain: bool, cut_off: bool):
    try:
        assert parse_reply(text, plain=plain, cut_off=cut_off).target.description.strip()
    except BadReplyError as bad:
        assert str(bad)  # noqa: PT017 - either outcome is right


@given(st.integers(0, len(WHOLE)))
def test_wherever_a_good_reply_is_cut_its_description_is_whole_or_refused(length: int):
    try:
        assert parse_reply(WHOLE[:length]).target.description == REPLY["description"]
    except BadReplyError:
        assert length <= WHOLE.index('", "keep') + 1


@pytest.mark.parametrize(
    "reply",
    ['{"description": "a blue jacket \\ud83d here"}', '{"description": "a blue\\u0000 jacket\\u001b[31m here"}'],
)
def test_what_cannot_be_printed_is_taken_out_of_a_reply(reply):
    description = parse_reply(reply).target.description
    assert description.startswith("a blue jacket")
    assert description.endswith("here")
    assert description.isprintable()


def test_a_description_of_absences_alone_is_no_description():
    with pytest.raises(BadReplyError, match="absent"):
        parse_reply('{"description": ", without a belt"}')


CUT = json.dumps({"description": "a short blue checked jumpsuit with short sleeves and a belt", "keep": ["belt"]})


@pytest.mark.parametrize("before", ["", "```json\n", "Here is the JSON:\n", "Description: "])
@pytest.mark.parametrize("reply", [CUT, CUT[1:], "[" + CUT, CUT.replace('"', "'"), CUT.replace("{", "{ \n")])
def test_cut_json_is_never_taken_for_plain_text(before: str, reply: str):
    end = reply.index("belt") + 5
    for length, cut_off in ((length, cut_off) for length in range(end) for cut_off in (False, True)):
        with pytest.raises(BadReplyError):
            parse_reply(before + reply[:length], plain=True, cut_off=cut_off)


@pytest.mark.parametrize(
    "text", ['"A blue dress with long sl', 'Description: "A blue dress with long sl', "Caption: \u201cA blue dr"]
)
def test_a_quote_that_is_never_closed_is_no_description(text: str):
    with pytest.raises(BadReplyError, match="middle"):
        parse_reply(text, plain=True)


SEARCH = {"name": "compose_search", "arguments": {"modification": "in blue"}, "description": "a search for blue shirts"}


@pytest.mark.parametrize(
    "value",
    [
        SEARCH,
        {"type": "function", "function": SEARCH},
        {"tool_calls": [SEARCH], "description": "a search for blue shirts"},
        {"type": "object", "properties": {"description": {"type": "string", "description": "a picture in words"}}},
        {"type": "string", "description": "the picture in one sentence"},
        {"name": "imagine", "description": "imagines a picture", "parameters": {"type": "object"}},
    ],
)
@pytest.mark.parametrize("cut", [None, -1])
def test_the_description_of_a_tool_or_a_schema_is_none_of_a_picture(value: dict[str, object], cut: int | None):
    with pytest.raises(BadReplyError):
        parse_reply(json.dumps(value)[:cut], plain=True)


def test_an_answer_in_the_arguments_of_a_tool_call_is_read():
    call = {"name": "imagine", "description": "imagines a picture", "arguments": REPLY}
    assert parse_reply(json.dumps(call)).target == parse_reply(WHOLE).target
