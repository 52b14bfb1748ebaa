"""A conversation in a notebook."""

from __future__ import annotations

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from ipcir_tools.display import draw_messages

CALL = AIMessage("", tool_calls=[{"name": "find_images", "args": {"text": "a red <b>dress</b>", "k": 3}, "id": "1"}])
MESSAGES = [
    HumanMessage("a dress"),
    CALL,
    ToolMessage("1. abc", tool_call_id="1", name="find_images"),
    AIMessage("x" * 5_000),
]


def test_who_said_what_and_which_tools_were_called():
    drawn = draw_messages(MESSAGES)
    lines = repr(drawn).splitlines()
    assert lines[:3] == [
        "user: a dress",
        'the model: find_images(text="a red <b>dress</b>", k=3)',
        "tool find_images answers: 1. abc",
    ]
    assert drawn.html.count("<div class='said ") == 4
    assert "<b>" not in drawn.html


def test_a_long_message_is_cut():
    assert len(repr(draw_messages(MESSAGES)).splitlines()[-1]) < 1_000
