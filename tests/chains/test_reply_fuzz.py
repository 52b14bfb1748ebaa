"""Whatever a model replies: a result or a reason, never anything else, and in no long time."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hostile_texts import PIECES, hostile, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcir_tools.chains.imagination.parsing import BadReplyError, description_so_far, parse_reply
from ipcir_tools.chains.reranking.checks import Checker, CheckRequest
from ipcir_tools.chains.reranking.judgements import read_judgements, read_numbered
from ipcir_tools.llm.reply_text import MAX_REPLY_CHARS, unwrap
from ipcir_tools.llm.usage import with_sound_usage
from ipcir_tools.models.caption_text import caption_fault
from ipcir_tools.models.captioner import MAX_CHARS, clean
from ipcir_tools.types import token_count

seeded = settings(derandomize=True, max_examples=300)

REPLY = {"description": "a blue shirt", "keep": ["shirt"], "add": ["blue"], "remove": ["red"], "alternatives": []}
JUDGED = {"pictures": [{"number": 1, "modification": 7, "preservation": "8/10", "reason": "blue"}]}
CHECKED = {"pictures": [{"number": 1, "holds": [True, "no"]}]}
USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18, "prompt_tokens_details": {"cached_tokens": 1}}


@seeded
@given(hostile(REPLY), st.booleans(), st.booleans())
def test_an_imagination_is_read_or_refused(text, plain, cut_off):
    assert isinstance(description_so_far(text, plain=plain), str)
    target = None
    with suppress(BadReplyError):
        target = parse_reply(text, plain=plain, cut_off=cut_off).target
    if target is not None:
        assert target.description.strip()
        json.dumps(target.model_dump(), ensure_ascii=False).encode()  # it can be stored, sent and shown


@seeded
@given(hostile(JUDGED))
def test_judgements_are_read_or_ignored(text):
    for judged in read_judgements(text, (1, 2)).by_number.values():
        assert 0 <= judged.modification <= 10
        assert 0 <= judged.preservation <= 10


@seeded
@given(hostile(CHECKED))
def test_checks_are_read_or_ignored(text):
    request = CheckRequest((), lambda id_: "", checks=("a", "b"))
    found = Checker.parse(object.__new__(Checker), text, (1, 2), request)
    assert all(0 <= share <= 1 for share in found.by_number.values())


@seeded
@given(mutated("<think>It shows a shirt.</think>\n```\nA blue shirt, with dots\u2026\n```") | PIECES | st.text())
def test_a_caption_is_one_short_line_or_none(text):
    text = unwrap(text)
    if caption_fault(text) is None:
        caption = clean(text)
        assert 0 < len(caption) <= MAX_CHARS
        assert "\n" not in caption


@seeded
@given(hostile({"id": "1", "choices": [], "usage": USAGE}) | hostile(USAGE).map('{{"usage": {}}}'.format))
def test_an_account_of_tokens_is_numbers_or_none(text):
    body = text.encode("utf-8", "surrogatepass")
    mended = with_sound_usage(body)
    if mended == body:
        return
    usage = json.loads(mended)["usage"]
    if usage is not None:
        assert all(token_count(usage[f"{name}_tokens"]) is not None for name in ("prompt", "completion", "total"))


@pytest.mark.parametrize("piece", ["{", "[", '{"a":', "<think>", "```", "</think>", '"', "\\", '{"number":1},', "a "])
def test_a_reply_of_one_piece_over_and_over_is_no_longer_work_than_its_beginning(piece):
    """No more of it is read than ``MAX_REPLY_CHARS``: what is longer gives the same."""
    short, long = piece * (2 * MAX_REPLY_CHARS), piece * (40 * MAX_REPLY_CHARS)
    assert unwrap(short) == unwrap(long)
    assert read_numbered(short, (1,), lambda entry: 1) == read_numbered(long, (1,), lambda entry: 1)
    outcomes = []
    for text in (short, long):
        try:
            outcomes.append(parse_reply(text, plain=True).target.description)
        except BadReplyError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
