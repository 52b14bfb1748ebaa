"""The public fakes do what tests lean on: real geometry, counts, scripts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from PIL import Image
from pydantic import BaseModel

from ipcir_tools.fakes import COLOURS, FakeEncoder, PretendChatModel, ScriptedCaptioner, ScriptedChatModel, colour_name
from ipcir_tools.prompts import load_prompt


def square(colour: str, size: int = 24) -> Image.Image:
    return Image.new("RGB", (size, size), COLOURS[colour])


# ---- FakeEncoder -------------------------------------------------------------------------------------
def test_a_colour_word_finds_the_picture_of_that_colour():
    encoder = FakeEncoder()
    scores = (
        encoder.embed_texts([f"a {colour} dress" for colour in COLOURS])
        @ encoder.embed_images([square(colour) for colour in COLOURS]).T
    )
    assert scores.argmax(axis=1).tolist() == list(range(len(COLOURS)))
    assert scores.diagonal().min() > 0.7


def test_composed_search_works_on_coloured_squares():
    """The text says the colour; the reference says what else there is: white, on its left side."""
    encoder = FakeEncoder()
    names = [(colour, half) for colour in ("red", "blue", "green") for half in ("left", "right")]
    gallery = encoder.embed_images([half_white(*name) for name in names])
    reference = gallery[names.index(("red", "left"))]
    blue = encoder.embed_texts(["make it blue"])[0]
    assert names[int((gallery @ (blue + reference)).argmax())] == ("blue", "left")
    assert names[int((gallery @ reference).argmax())] == ("red", "left")


def half_white(colour: str, half: str) -> Image.Image:
    image = square(colour)
    image.paste("white", (0, 0, 12, 24) if half == "left" else (12, 0, 24, 24))
    return image


def test_other_words_have_directions_of_their_own():
    encoder = FakeEncoder(dim=512)
    words = encoder.embed_texts(["dress", "sleeve", "belt", "dress"])
    assert abs(words[0] @ words[1]) < 0.3
    np.testing.assert_array_equal(words[0], words[3])
    np.testing.assert_array_equal(encoder.embed_texts(["gray"]), encoder.embed_texts(["grey"]))


@given(st.text())
def test_every_text_has_a_feature(text):
    assert np.linalg.norm(FakeEncoder().embed_texts([text])) == pytest.approx(1, abs=1e-5)


def test_what_was_encoded_is_counted_over_batches():
    encoder = FakeEncoder(batch_size=2)
    encoder.embed_images([square("red")] * 5)
    encoder.embed_texts(["red", "blue", "green"])
    encoder.embed_texts([])
    assert (encoder.images_encoded, encoder.texts_encoded) == (5, 3)


def test_another_name_is_another_space():
    assert FakeEncoder("fake:a").space != FakeEncoder("fake:b").space
    assert FakeEncoder().space == FakeEncoder().space


# ---- ScriptedCaptioner -------------------------------------------------------------------------------
def test_the_main_colour_has_a_name():
    assert [colour_name(square(colour)) for colour in COLOURS] == list(COLOURS)


def test_captions_by_colour_by_function_or_by_default():
    images = [square("red"), square("blue")]
    assert ScriptedCaptioner().caption(images) == [["a red picture"], ["a blue picture"]]
    assert ScriptedCaptioner({"red": "a rose"}).caption(images) == [["a rose"], ["a picture"]]
    by_size = ScriptedCaptioner(lambda image: f"{image.width} wide")
    assert by_size.caption([*images, square("red", 9)], n=2)[2] == ["9 wide", "9 wide"]
    assert by_size.images_captioned == 3


# ---- ScriptedChatModel -------------------------------------------------------------------------------
def test_replies_come_in_turn_and_messages_are_kept():
    model = ScriptedChatModel(replies=["one", AIMessage("two"), TimeoutError("three")])
    assert model.invoke("a").text == "one"
    assert asyncio.run(model.ainvoke("b")).text == "two"
    with pytest.raises(TimeoutError, match="three"):
        model.invoke("c")
    with pytest.raises(IndexError, match="called 4 times and has 3 replies"):
        model.invoke("d")
    assert [messages[0].text for messages in model.received[:3]] == ["a", "b", "c"]
    assert model.calls == 4


def test_parallel_calls_take_one_reply_each():
    model = ScriptedChatModel(replies=[str(i) for i in range(20)])
    replies = model.batch([[HumanMessage("go")]] * 20, {"max_concurrency": 8})
    assert sorted(int(reply.text) for reply in replies) == list(range(20))


class Target(BaseModel):
    description: str


CALL = AIMessage("", tool_calls=[{"name": "Target", "args": {"description": "a dress"}, "id": "1"}])


@pytest.mark.parametrize("reply", ['{"description": "a dress"}', CALL])
def test_structured_output_from_json_or_a_tool_call(reply):
    model = ScriptedChatModel(replies=[reply] * 2)
    assert model.with_structured_output(Target).invoke("go") == Target(description="a dress")
    schema = Target.model_json_schema()
    raw = model.with_structured_output(schema, method="json_schema", include_raw=True).invoke("go")
    assert (raw["parsed"], raw["parsing_error"]) == ({"description": "a dress"}, None)
    assert model.schemas == [Target, schema]


@pytest.mark.parametrize("reply", ["no json", '{"other": 1}'])
def test_structured_output_that_is_none(reply):
    model = ScriptedChatModel(replies=[reply] * 2)
    raw = model.with_structured_output(Target, include_raw=True).invoke("go")
    assert raw["parsed"] is None
    assert isinstance(raw["parsing_error"], ValueError)
    with pytest.raises(ValueError, match=r"Expecting value|description"):
        model.with_structured_output(Target).invoke("go")


def test_an_agent_runs_on_a_script():
    @tool
    def find(colour: str) -> str:
        """Find a picture."""
        return f"found {colour}"

    call = AIMessage("", tool_calls=[{"name": "find", "args": {"colour": "blue"}, "id": "1"}])
    model = ScriptedChatModel(replies=[call, "Here it is."])
    answer = create_agent(model, [find]).invoke({"messages": [("user", "blue, please")]})
    assert [message.text for message in answer["messages"]] == ["blue, please", "", "found blue", "Here it is."]
    assert [[one.name for one in tools] for tools in model.bound_tools] == [["find"], ["find"]]


def test_the_fakes_load_no_model_library():
    code = "import sys, ipcir_tools.fakes; sys.exit(any(name in sys.modules for name in ('torch', 'transformers')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_scripted_reply_may_quote_the_messages():
    model = ScriptedChatModel(replies=[lambda messages: f"you said {messages[-1].text}"])
    assert model.invoke("hello").text == "you said hello"


class TestThePretendModel:
    VALUES: ClassVar = {"caption": 'a red "dress" with short sleeves', "modification": "make it blue"}

    def test_it_answers_in_the_form_that_the_prompt_asks_for(self):
        model = PretendChatModel()
        plain = model.invoke(load_prompt("imagine.simple").render(**self.VALUES))
        reply = json.loads(model.invoke(load_prompt("imagine.structured").render(**self.VALUES)).text)
        assert "blue" in plain.text
        assert "short sleeves" in plain.text
        assert reply["description"] == plain.text
        assert reply["remove"] == ["red"]

    def test_it_streams_its_reply(self):
        messages = load_prompt("imagine.structured").render(**self.VALUES)
        whole = PretendChatModel().invoke(messages)
        *parts, last = PretendChatModel().stream(messages)
        assert "".join(part.text for part in parts) == whole.text
        assert len(parts) > 5
        assert last.usage_metadata == whole.usage_metadata
        assert whole.usage_metadata is not None
        assert whole.usage_metadata["output_tokens"] == len(whole.text.split())

    def test_it_keeps_to_a_number_of_words_and_can_forget_the_caption(self):
        messages = load_prompt("imagine.simple").render(**self.VALUES)
        short = [message.model_copy(update={"content": message.text.replace("30", "2")}) for message in messages]
        assert len(PretendChatModel().invoke(short).text.split()) == 2
        text = PretendChatModel(forgetful=True).invoke(messages).text
        assert "dress" in text
        assert "sleeves" not in text
