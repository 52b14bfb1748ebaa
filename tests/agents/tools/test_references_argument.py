"""Several references as models write them: in the schema, in calls, in answers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from colour_folder import CAPTIONER, ENCODER, caption_of, draw
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from ipcir_tools.agents.toolkit import langchain_tool
from ipcir_tools.agents.tools import TOOLS, ToolCallError, validation_message
from ipcir_tools.agents.tools.references import named
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("pictures")
    draw(folder)
    settings = Settings(home=tmp_path_factory.mktemp("home"), encoder=ENCODER, captioner=CAPTIONER)
    with Engine.open(settings) as engine:
        engine.components.encoder = FakeEncoder(encoder_id(ENCODER))
        engine.components.captioner, engine.components.captioner_id = ScriptedCaptioner(caption_of), CAPTIONER
        engine.index([folder])
        yield engine


def do(engine: Engine, name: str, /, **arguments: object):
    return TOOLS[name].call(engine, TOOLS[name].arguments.model_validate(arguments))


@pytest.mark.parametrize("name", ["compose_search", "refine_search"])
def test_the_schema_is_plain_enough_for_function_calling(name):
    parameters = convert_to_openai_tool(langchain_tool(TOOLS[name], None))["function"]["parameters"]
    text = json.dumps(parameters)
    assert "$ref" not in text
    assert "oneOf" not in text
    assert parameters["properties"]["reference"]["type"] == "string", "a list comes as JSON in it"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a", "a"),
        (3, "3"),
        (3.0, "3"),
        ("[a].png", "[a].png"),
        (["a", 2], ["a", "2"]),
        (["a", {"reference": 2.0, "note": "its collar"}], ["a", ("2", "its collar")]),
        ({"reference": "a", "note": None}, [("a", "")]),
        ("1, 2", ["1", "2"]),
        ("a picture, or two.png", "a picture, or two.png"),
        ('["a", {"reference": "b", "note": "its collar"}]', ["a", ("b", "its collar")]),
        ('{"reference": "b", "note": "its collar"}', [("b", "its collar")]),
    ],
)
def test_what_models_write(written, read):
    for name, other in (("compose_search", {"modification": "in blue"}), ("refine_search", {"turn": "t1"})):
        assert named(TOOLS[name].arguments.model_validate({"reference": written, **other}).reference) == read


@pytest.mark.parametrize("written", [None, [], "[]"])
def test_no_other_reference(written):
    assert TOOLS["refine_search"].arguments.model_validate({"turn": "t1", "reference": written}).reference is None


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ([{"id": "a"}], "reference.0: there is no argument 'id': there are reference, note"),
        (["a", {"reference": "b", "note": "x" * 201}], "reference.1.note: has 201 characters"),
        (["a", ["b", "c"]], "reference.1: Input should be a valid string; reference.1: Input should be a JSON object"),
    ],
)
def test_only_the_form_that_was_written_is_corrected(written, says):
    with pytest.raises(ValidationError) as caught:
        TOOLS["compose_search"].arguments.model_validate({"reference": written, "modification": "in blue"})
    message = validation_message(caught.value)
    assert says in message
    assert "again. reference: " not in message


def test_the_answer_names_them_as_the_next_search_may(engine):
    first, other = (hit.id for hit in do(engine, "find_images", text="red", k=2).brief.hits)
    written = [first, {"reference": other, "note": "its collar"}]
    answer = do(engine, "compose_search", reference=written, modification="in blue")
    listed = [{"reference": first, "note": ""}, {"reference": other, "note": "its collar"}]
    assert [each.model_dump() for each in answer.brief.references] == answer.artifact["references"] == listed
    assert f'| reference {first} | reference {other} note "its collar" | modification "in blue"' in answer.text
    again = do(engine, "compose_search", reference=answer.artifact["references"], modification="in blue")
    assert [hit.id for hit in again.brief.hits] == [hit.id for hit in answer.brief.hits]
    shown = do(engine, "show_turn", turn=answer.brief.turn)
    assert [each.model_dump() for each in shown.brief.references] == listed


def test_a_single_reference_is_not_listed(engine):
    first = do(engine, "find_images", text="red", k=1).brief.hits[0].id
    answer = do(engine, "compose_search", reference=first, modification="in blue")
    assert answer.brief.references == []
    assert "references" not in answer.artifact


def test_ranks_with_notes_refine(engine):
    found = do(engine, "find_images", text="red", k=3).brief
    answer = do(engine, "refine_search", turn=found.turn, reference=[1, {"reference": 3, "note": "its collar"}])
    assert [each.reference for each in answer.brief.references] == [found.hits[0].id, found.hits[2].id]
    with pytest.raises(ToolCallError, match="has no hit 9"):
        do(engine, "refine_search", turn=found.turn, reference=["1", "9"])


def test_too_many_and_the_same_twice_are_refused(engine):
    ids = [hit.id for hit in do(engine, "find_images", text="red", k=5).brief.hits]
    with pytest.raises(ToolCallError, match="4 references at most, not 5"):
        do(engine, "compose_search", reference=ids, modification="in blue")
    with pytest.raises(ToolCallError, match="named twice"):
        do(engine, "compose_search", reference=[ids[0], ids[0]], modification="in blue")
    with pytest.raises(ToolCallError, match="The list of references is empty"):
        do(engine, "compose_search", reference=[], modification="in blue")
