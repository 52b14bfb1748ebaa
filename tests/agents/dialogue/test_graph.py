"""The dialogue graph: rounds that build on each other, one question if a request is unclear, nothing lost."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import Runnable
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from PIL import Image

from ipcir_tools.agents.dialogue import graph as module
from ipcir_tools.agents.dialogue.graph import build_dialogue, make_dialogue
from ipcir_tools.agents.dialogue.nodes import HOW_TO_ANSWER
from ipcir_tools.chains.imagination.chain import build_imagine_chain
from ipcir_tools.demo.gallery import draw
from ipcir_tools.demo.world.wardrobe import wardrobe
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, ScriptedChatModel, colour_name
from ipcir_tools.images.reading import image_id
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
THREAD: Any = {"configurable": {"thread_id": "1"}}
ROOT = Path(__file__).parents[3]


def png(colour: str, seed: int) -> bytes:
    blocks = np.random.default_rng([seed, *COLOURS[colour]]).integers(-22, 22, (4, 4, 3))
    pixels = np.clip(np.array(COLOURS[colour]) + blocks, 0, 255).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(data, "PNG")
    return data.getvalue()


RED = image_id(png("red", 0))


def opened(home: Path) -> Engine:
    engine = Engine.open(Settings(home=home, encoder=ENCODER, captioner=CAPTIONER, k=3))
    engine.components.encoder = FakeEncoder(encoder_id(ENCODER))
    engine.components.captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} shirt", id=CAPTIONER)
    engine.components.captioner_id = CAPTIONER
    return engine


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A gallery of four shirts in every colour but pink."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("pictures")
    for colour in set(COLOURS) - {"pink"}:
        for seed in range(4):
            (folder / f"{colour}-{seed}.png").write_bytes(png(colour, seed))
    with opened(home) as engine:
        engine.index([folder])
    return home


@pytest.fixture
def engine(home) -> Iterator[Engine]:
    with opened(home) as engine:
        yield engine


@pytest.fixture
def dialogue(engine):
    return build_dialogue(engine, checkpointer=InMemorySaver())


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)], **more}


def colours(state: dict[str, Any]) -> set[str]:
    return {Path(hit["source"]).name.split("-")[0] for hit in state["result"]["hits"]}


def last_text(state: dict[str, Any]) -> str:
    message = state["messages"][-1]
    assert isinstance(message, AIMessage)
    return message.text


def question(state: dict[str, Any]) -> dict[str, Any]:
    (asked,) = state["__interrupt__"]
    return asked.value


# --- a round


def test_a_round_is_a_search_that_reports_every_step(engine, dialogue):
    events = [*dialogue.stream(says("in blue", reference=RED), THREAD, stream_mode="custom")]
    assert events == [
        {"node": "caption", "reference": RED},
        {"node": "imagine", "caption": "a red shirt", "modification": "in blue"},
        {"node": "compose", "imagined": "a blue shirt"},
        {"node": "search", "composer": engine.settings.composer, "k": 3},
        {"node": "answer", "turn": events[-1]["turn"]},
    ]
    state = dialogue.get_state(THREAD).values
    turn = engine.catalog.turn(state["turn"])
    assert turn.hits == engine.search(RED, "in blue").turn.hits, "the graph finds what the engine finds"
    assert state["result"]["turn"] == turn.id
    assert last_text(state).startswith(
        '3 pictures for "in blue", starting from red-0.png:\nLooked for: a blue shirt\n1. '
    )
    assert all(f"{hit.rank}. {Path(hit.source).name}\n" in last_text(state) + "\n" for hit in turn.hits)


def test_the_state_is_plain_json_and_messages(dialogue):
    state = dialogue.invoke(says("in blue", reference=RED), THREAD)
    plain = {name: value for name, value in state.items() if name != "messages"}
    assert json.loads(json.dumps(plain)) == plain
    assert [type(message) for message in state["messages"]] == [HumanMessage, AIMessage]


def test_words_alone_are_a_beginning_too(engine, dialogue):
    state = dialogue.invoke(says("a green shirt"), THREAD)
    assert colours(state) == {"green"}
    state = dialogue.invoke(says("1 but in blue"), THREAD)
    assert state["result"]["reference"] == engine.catalog.turn(state["turn"]).query.reference
    assert colours(state) == {"blue"}


@pytest.mark.parametrize(
    "block",
    [
        lambda data: {"type": "image", "base64": data, "mime_type": "image/png"},
        lambda data: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ],
)
def test_a_picture_may_come_in_the_message_and_is_not_kept_in_it(engine, dialogue, block):
    data = base64.b64encode(png("pink", 7)).decode()
    content = [{"type": "text", "text": "in blue"}, block(data)]
    state = dialogue.invoke({"messages": [HumanMessage(content)]}, THREAD)
    assert state["result"]["reference"] == image_id(png("pink", 7))
    assert (state["caption"], state["messages"][0].text) == ("a pink shirt", "in blue\n[picture]")
    assert data not in str(state)
    state = dialogue.invoke(says("and a hat"), THREAD)
    assert state["imagined"]["target"]["description"].startswith("a blue shirt"), "it need not be opened again"


@pytest.mark.parametrize(
    ("line", "base", "liked", "disliked", "words"),
    [
        ("more like 3", None, [3], [], ""),
        ("less like 1", None, [], [1], ""),
        ("3", 3, [], [], ""),
        ("take 2, in green", 2, [], [], "in green"),
        ("more like 1 and 2, not 3", None, [1, 2], [3], ""),
    ],
)
def test_it_understands_the_lines_of_the_chat(engine, dialogue, line, base, liked, disliked, words):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    ids = {hit["rank"]: hit["id"] for hit in first["result"]["hits"]}
    state = dialogue.invoke(says(line), THREAD)
    query = engine.catalog.turn(state["turn"]).query
    assert query.reference == ids.get(base, RED)
    assert [*query.liked] == [ids[rank] for rank in liked]
    assert [*query.disliked] == [ids[rank] for rank in disliked]
    assert query.modification == words
    assert state["result"]["parent"] == first["turn"]


@pytest.mark.parametrize(
    ("line", "named", "words"),
    [
        ("3 with the collar of 2", [(3, ""), (2, "the collar")], "with the collar of the second picture"),
        ("the pattern of 2 on 1, in green", [(1, ""), (2, "the pattern")], "in green"),
        ("with the collar of 2", [(None, ""), (2, "the collar")], "with the collar of the second picture"),
        ("in the colour of the third, longer", [(None, ""), (3, "the colour")],
         "with the colour of the second picture, longer"),
    ],
)  # fmt: skip
def test_lines_combine_pictures(engine, line, named, words):
    dialogue = build_dialogue(engine, ask=False, checkpointer=InMemorySaver())
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    ids = {hit["rank"]: hit["id"] for hit in first["result"]["hits"]} | {None: RED}
    state = dialogue.invoke(says(line), THREAD)
    query = engine.catalog.turn(state["turn"]).query
    assert [(each.id, each.note) for each in query.references] == [(ids[rank], note) for rank, note in named]
    assert query.modification == words
    plain = {name: value for name, value in state.items() if name != "messages"}
    assert json.loads(json.dumps(plain)) == plain


def test_ranks_that_no_hit_has_stay_words(engine):
    dialogue = build_dialogue(engine, ask=False, checkpointer=InMemorySaver())
    line = "with the collar of 90"
    for given in ({"reference": RED}, {}):  # before the first search, and after it
        state = dialogue.invoke(says(line, **given), THREAD)
        query = engine.catalog.turn(state["turn"]).query
        assert (query.modification, query.others) == (line, ())


def test_a_part_of_a_picture_needs_another_picture(dialogue):
    dialogue.invoke(says("a red shirt"), THREAD)
    state = dialogue.invoke(says("with the collar of 2"), THREAD)
    assert last_text(state) == (
        "\"with the collar of 2\" needs a picture to start from, too: name it first, such as '1 with the collar of 2'."
    )


def test_several_pictures_may_come_in_the_message(engine):
    dialogue = build_dialogue(engine, ask=False, checkpointer=InMemorySaver())
    blocks = [
        {"type": "image", "base64": base64.b64encode(png(colour, 7)).decode(), "mime_type": "image/png"}
        for colour in ("pink", "blue")
    ]
    content = [{"type": "text", "text": "the first in the colour of the second"}, *blocks]
    state = dialogue.invoke({"messages": [HumanMessage(content)]}, THREAD)
    query = engine.catalog.turn(state["turn"]).query
    assert [each.id for each in query.references] == [image_id(png("pink", 7)), image_id(png("blue", 7))]
    assert query.modification == "the first in the colour of the second"
    assert state["messages"][0].text == "the first in the colour of the second\n[picture]\n[picture]"


def test_a_program_may_hand_in_several_references(engine, dialogue):
    first = dialogue.invoke(says("a blue shirt"), THREAD)
    hits = first["result"]["hits"]
    given = ["1", {"reference": "2", "note": "its collar"}]
    state = dialogue.invoke(says("in green", reference=given), THREAD)
    assert state["result"]["references"] == [
        {"reference": hits[0]["id"], "note": ""},
        {"reference": hits[1]["id"], "note": "its collar"},
    ]
    assert state["reference"] is None
    state = dialogue.invoke(says("in green", reference=[{"picture": "1"}]), THREAD)
    assert "not an object with other fields" in last_text(state)


def test_programs_may_hand_in_judgements_and_filters(engine, dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    state = dialogue.invoke(says("", liked=["2"], where={"width": {"$lte": 100}}), THREAD)
    query = engine.catalog.turn(state["turn"]).query
    assert query.liked == (first["result"]["hits"][1]["id"],)
    assert query.where == {"width": {"$lte": 100}}
    assert (state["liked"], state["where"], state["reference"]) == ([], None, None), "what was given is used up"


def test_nothing_expensive_is_done_twice(engine):
    model = ScriptedChatModel(replies=[json.dumps({"description": f"a {c} shirt"}) for c in ("blue", "green")])
    engine.components.imagine = build_imagine_chain(model)
    dialogue = build_dialogue(engine, checkpointer=InMemorySaver())
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    judged = dialogue.invoke(says("more like 2"), THREAD)
    second = dialogue.invoke(says("now in green"), THREAD)
    assert first["result"]["timings"]["llm_calls"] == 1
    assert (model.calls, colours(second)) == (2, {"green"})
    assert [judged["result"]["timings"][name] for name in ("llm_calls", "text_encodes")] == [0, 0]
    for state in (judged, second):
        timings = state["result"]["timings"]
        assert (timings["image_encodes"], timings["captions_made"]) == (0, 0)
        assert timings["text_encodes"] <= 2
    assert second["result"]["timings"]["llm_calls"] == 1


class Counted(Runnable[Any, Any]):
    """A runnable that counts its calls."""

    def __init__(self, inner: Runnable[Any, Any]) -> None:
        self.inner, self.calls = inner, 0

    def invoke(self, input: Any, config: Any = None, **more: Any) -> Any:
        self.calls += 1
        return self.inner.invoke(input, config, **more)


def test_a_round_composes_once_and_reads_its_path_once(engine, monkeypatch):
    paths: list[str] = []
    path, compose = engine.catalog.path, Counted(engine.components.compose)
    monkeypatch.setattr(engine.catalog, "path", lambda turn: paths.append(turn) or path(turn))
    monkeypatch.setattr(engine.components, "compose", compose)
    dialogue = build_dialogue(engine, checkpointer=InMemorySaver())
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    assert (compose.calls, paths) == (1, [])
    for line, composed in (("more like 2", 1), ("in green", 1), ("undo", 0), (f"at {first['turn']}: in black", 1)):
        compose.calls, paths[:] = 0, []
        dialogue.invoke(says(line), THREAD)
        assert compose.calls == composed
        assert len(paths) <= 1


def test_a_programs_number_of_hits_holds_for_its_round(engine, dialogue):
    first = dialogue.invoke(says("in blue", reference=RED, k=5), THREAD)
    assert (len(first["result"]["hits"]), first["k"]) == (5, None)
    second = dialogue.invoke(says("in green", k=2), THREAD)
    assert len(second["result"]["hits"]) == 2


def test_errors_are_raised_for_a_caller_that_wants_them(engine):
    dialogue = build_dialogue(engine, raise_errors=True)
    with pytest.raises(NotFoundError, match="There is no turn"):
        dialogue.invoke(says("in blue", turn="tdeadbeef"))
    with pytest.raises(InvalidRequestError, match="What should the picture show"):
        dialogue.invoke(says(" "))


def test_only_a_trusted_dialogue_may_name_any_file(engine, tmp_path):
    (tmp_path / "pink.png").write_bytes(png("pink", 3))
    given = says("in blue", reference=str(tmp_path / "pink.png"))
    assert "neither in the gallery nor in an allowed folder" in last_text(build_dialogue(engine).invoke(given))
    trusted = build_dialogue(engine, trusted=True).invoke(given)
    assert trusted["result"]["reference"] == image_id(png("pink", 3))


def test_what_adds_no_words_imagines_nothing(dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    events = [*dialogue.stream(says("more like 2"), THREAD, stream_mode="custom")]
    assert [event["node"] for event in events] == ["caption", "compose", "search", "answer"]
    state = dialogue.get_state(THREAD).values
    assert state["result"]["imagined"] == first["result"]["imagined"]


# --- undo, branches, checkpoints


def test_undo_goes_back_and_the_next_words_branch_there(engine, dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    second = dialogue.invoke(says("in green"), THREAD)
    back = dialogue.invoke(says("undo"), THREAD)
    assert (back["turn"], back["result"]["hits"]) == (first["turn"], first["result"]["hits"])
    other = dialogue.invoke(says("in black"), THREAD)
    assert [turn.id for turn in engine.catalog.path(other["turn"])] == [first["turn"], other["turn"]]
    there = dialogue.invoke(says(f"at {second['turn']}: in white"), THREAD)
    assert there["result"]["parent"] == second["turn"]


def test_an_earlier_turn_may_be_handed_in(dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    dialogue.invoke(says("in green"), THREAD)
    state = dialogue.invoke(says("in black", turn=first["turn"]), THREAD)
    assert state["result"]["parent"] == first["turn"]


def test_undoing_an_answer_in_doubt_gives_the_one_before(dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    assert question(dialogue.invoke(says("with a submarine"), THREAD))["why"] == "no match"
    assert dialogue.invoke(says("undo"), THREAD)["turn"] == first["turn"]


def test_find_starts_over(engine, dialogue):
    dialogue.invoke(says("in blue", reference=RED), THREAD)
    state = dialogue.invoke(says("find a green shirt"), THREAD)
    assert (state["result"]["parent"], state["result"]["reference"]) == (None, None)
    assert colours(state) == {"green"}


def test_time_travel_branches_from_an_old_checkpoint(engine, dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    then = dialogue.get_state(THREAD).config
    dialogue.invoke(says("in green"), THREAD)
    state = dialogue.invoke(says("in black"), then)
    assert state["result"]["parent"] == first["turn"]
    assert [message.text for message in state["messages"] if isinstance(message, HumanMessage)] == [
        "in blue",
        "in black",
    ]


def test_a_dialogue_goes_on_from_its_checkpoint_in_another_engine(home, tmp_path):
    file = str(tmp_path / "threads.sqlite")
    with opened(home) as engine, SqliteSaver.from_conn_string(file) as saver:
        first = build_dialogue(engine, checkpointer=saver).invoke(says("in blue", reference=RED), THREAD)
        build_dialogue(engine, checkpointer=saver).invoke(says("something else"), THREAD)
    with opened(home) as engine, SqliteSaver.from_conn_string(file) as saver:
        state = build_dialogue(engine, checkpointer=saver).invoke(Command(resume="in green"), THREAD)
        assert (state["result"]["parent"], colours(state)) == (first["turn"], {"green"})
        state = build_dialogue(engine, checkpointer=saver).invoke(says("more like 1"), THREAD)
        assert len(engine.catalog.path(state["turn"])) == 3


# --- one question


def test_an_unclear_request_is_asked_about_and_the_answer_stands_in_its_place(engine, dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    before = engine.catalog.turns(1)[0]
    asked = question(dialogue.invoke(says("something else"), THREAD))
    assert (asked["why"], asked["turn"]) == ("unclear", first["turn"])
    assert asked["question"].startswith("What should be different?")
    assert engine.catalog.turns(1)[0] == before, "nothing was searched yet"
    state = dialogue.invoke(Command(resume="in green"), THREAD)
    assert (state["result"]["modification"], state["result"]["parent"]) == ("in green", first["turn"])
    assert colours(state) == {"green"}
    assert [m.text for m in state["messages"][-4:-1]] == ["something else", asked["question"], "in green"]


def test_an_answer_may_pick_a_hit(engine, dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    dialogue.invoke(says("another one"), THREAD)
    state = dialogue.invoke(Command(resume="more like 2"), THREAD)
    assert state["result"]["liked"] == [first["result"]["hits"][1]["id"]]


@pytest.mark.parametrize("reply", [RED, {"reference": RED}, {"reference": RED, "text": "make it blue"}])
def test_words_that_point_at_no_picture_are_asked_about(dialogue, reply):
    asked = question(dialogue.invoke(says("make it blue"), THREAD))
    assert (asked["why"], asked["turn"]) == ("no reference", None)
    state = dialogue.invoke(Command(resume=reply), THREAD)
    assert (state["result"]["reference"], state["result"]["modification"]) == (RED, "make it blue")
    assert colours(state) == {"blue"}


def test_hits_that_show_nothing_of_what_was_asked_are_asked_about(engine, dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    events = [*dialogue.stream(says("with a submarine"), THREAD, stream_mode=["custom", "updates"])]
    assert {"node": "ask", "why": "no match"} in [event for mode, event in events if mode == "custom"]
    asked = question(events[-1][1])
    assert asked["why"] == "no match"
    assert '"with a submarine"' in asked["question"]
    assert engine.catalog.turn(asked["turn"]).hits, "what was found nevertheless can be looked at"
    state = dialogue.invoke(Command(resume="in green"), THREAD)
    assert (state["result"]["parent"], colours(state)) == (first["turn"], {"green"})
    assert "submarine" not in state["result"]["imagined"]["description"]


def test_what_was_found_may_be_kept(dialogue):
    dialogue.invoke(says("in blue", reference=RED), THREAD)
    asked = question(dialogue.invoke(says("with a submarine"), THREAD))
    state = dialogue.invoke(Command(resume="show them, please"), THREAD)
    assert (state["turn"], state["result"]["turn"]) == (asked["turn"], asked["turn"])
    assert "Unclear: " not in last_text(state)


@pytest.mark.parametrize(
    ("reply", "words", "found"), [("Yes, please!", "in blue", {"blue"}), ("in green", "in green", {"green"})]
)
def test_a_filter_that_leaves_nothing_may_be_dropped(engine, dialogue, reply, words, found):
    asked = question(dialogue.invoke(says("in blue", reference=RED, where={"width": {"$gt": 5_000}}), THREAD))
    assert asked["why"] == "filter"
    state = dialogue.invoke(Command(resume=reply), THREAD)
    assert (state["result"]["modification"], colours(state)) == (words, found)
    assert engine.catalog.turn(state["turn"]).query.where is None


def test_a_filter_may_be_kept(dialogue):
    dialogue.invoke(says("in blue", reference=RED, where={"width": {"$gt": 5_000}}), THREAD)
    state = dialogue.invoke(Command(resume="no"), THREAD)
    assert (state["result"]["hits"], last_text(state).startswith("No picture")) == ([], True)


def test_there_is_never_a_second_question_in_a_round(dialogue):
    dialogue.invoke(says("in blue", reference=RED), THREAD)
    dialogue.invoke(says("something else"), THREAD)
    state = dialogue.invoke(Command(resume="with a submarine"), THREAD)
    assert "__interrupt__" not in state
    assert 'Unclear: None of the pictures shows "with a submarine" well.' in last_text(state)
    state = dialogue.invoke(says("another one"), THREAD)
    assert question(state)["why"] == "unclear", "the next round may ask again"
    state = dialogue.invoke(Command(resume=""), THREAD)
    assert question(state)["question"].startswith(HOW_TO_ANSWER), "nothing is no answer"


def test_a_question_may_be_left_unanswered(dialogue):
    dialogue.invoke(says("something else", reference=RED), THREAD)
    state = dialogue.invoke(says("in blue"), THREAD)
    assert (state["result"]["reference"], colours(state)) == (RED, {"blue"})


@pytest.mark.parametrize(
    ("words", "given", "message"),
    [
        ("something else", {"reference": RED}, '"something else" describes no picture'),
        ("with a submarine", {"reference": RED}, 'None of the pictures shows "with a submarine" well'),
        ("make it blue", {}, '"make it blue" points to a picture and none was given'),
        ("in blue", {"where": {"width": {"$gt": 5_000}}}, "No picture passes the filter"),
    ],
)
@pytest.mark.parametrize("asks", [True, False])
def test_where_no_question_can_be_asked_the_answer_holds_what_is_unclear(engine, words, given, message, asks):
    thread = {} if asks else THREAD
    dialogue = build_dialogue(engine, ask=asks, checkpointer=None if asks else InMemorySaver())
    state = dialogue.invoke(says(words, **given), thread)
    assert "__interrupt__" not in state
    assert f"Unclear: {message}" in last_text(state)
    assert state["turn"] == state["result"]["turn"]


def test_a_thread_id_without_a_checkpointer_does_not_make_it_ask(engine):
    state = build_dialogue(engine).invoke(says("something else", reference=RED), THREAD)
    assert "__interrupt__" not in state


# --- async


async def test_it_runs_async(engine, dialogue):
    events = [
        event["node"] async for event in dialogue.astream(says("in blue", reference=RED), THREAD, stream_mode="custom")
    ]
    assert events == ["caption", "imagine", "compose", "search", "answer"]
    asked = question(await dialogue.ainvoke(says("something else"), THREAD))
    assert asked["why"] == "unclear"
    state = await dialogue.ainvoke(Command(resume="in green"), THREAD)
    assert colours(state) == {"green"}


async def test_many_dialogues_run_at_a_time(dialogue):
    wanted = ("blue", "green", "black", "white")
    states = await dialogue.abatch(
        [says(f"in {colour}", reference=RED) for colour in wanted],
        [{"configurable": {"thread_id": colour}} for colour in wanted],
    )
    assert [colours(state) for state in states] == [{colour} for colour in wanted]


# --- what goes wrong


@pytest.mark.parametrize(
    ("given", "says_so"),
    [
        (says("in blue", turn="tdeadbeef"), "There is no turn 'tdeadbeef'"),
        (says("in blue", reference="0123456789abcdef"), "take an id from earlier hits"),
        (says("in blue", reference="/etc/passwd"), "neither in the gallery nor in an allowed folder"),
        (says("in blue", reference="data:image/png;base64,AAAA"), "no usable picture"),
        (says("in blue", where={"colour": "red"}), "fields: name, folder"),
        (says("blue " * 1_000), "2000 at most"),
        (says("more like 3"), "search first"),
        (says("undo"), "Nothing was searched yet"),
        (says("turns"), "Only `ipcir chat` has that command"),
        (
            {
                "messages": [
                    HumanMessage(["in blue", *[{"type": "image", "base64": "AAAA", "mime_type": "image/png"}] * 5])
                ]
            },
            "4 references at most, not 5",
        ),
        (
            {"messages": [HumanMessage(["in blue", {"type": "image", "url": "https://example.com/a.png"}])]},
            "IPCIR_ALLOW_URLS",
        ),
    ],
)
async def test_a_failure_is_an_answer_that_says_what_to_do(dialogue, given, says_so):
    for state in (dialogue.invoke(given, THREAD), await dialogue.ainvoke(given, {"configurable": {"thread_id": "2"}})):
        assert says_so in last_text(state)
        assert "\n" not in last_text(state)
        assert state["result"] is None


def test_a_failure_does_not_end_the_dialogue(dialogue):
    first = dialogue.invoke(says("in blue", reference=RED), THREAD)
    assert "has no hit 9" in last_text(dialogue.invoke(says("more like 9"), THREAD))
    assert "only 1 turn here" in last_text(dialogue.invoke(says("undo"), THREAD))
    state = dialogue.invoke(says("in green"), THREAD)
    assert state["result"]["parent"] == first["turn"]


def test_nothing_at_all_is_reported_where_no_question_can_be_asked(engine):
    state = build_dialogue(engine).invoke(says(" "))
    assert last_text(state).startswith("What should the picture show?")


def test_an_empty_gallery_says_how_to_fill_it(tmp_path):
    with opened(tmp_path) as engine:
        assert "ipcir index FOLDER" in last_text(build_dialogue(engine).invoke(says("a red shirt")))


@pytest.mark.parametrize(("part", "node"), [("imagine", "imagine"), ("compose", "search")])
def test_an_unexpected_error_is_answered_and_logged(engine, dialogue, part, node, caplog):
    setattr(engine.components, part, None)
    state = dialogue.invoke(says("in blue", reference=RED), THREAD)
    assert last_text(state).startswith(f"The node '{node}' failed inside (AttributeError)")
    assert f"node {node} failed" in caplog.text


# --- trained models, and the server


def test_a_turn_that_does_not_exist_is_forgotten_and_the_last_good_one_is_not(dialogue):
    thread = {"configurable": {"thread_id": "wrong"}}
    first = dialogue.invoke(says("a red shirt"), thread)
    failed = dialogue.invoke(says("in blue", turn="tnope"), thread)
    assert "There is no turn" in failed["messages"][-1].text
    after = dialogue.invoke(says("in blue"), thread)
    assert after["result"]["parent"] == first["turn"]


def test_a_turn_that_does_not_exist_leaves_a_new_thread_without_one(dialogue):
    thread = {"configurable": {"thread_id": "wrong from the start"}}
    dialogue.invoke(says("in blue", turn="tnope"), thread)
    assert dialogue.invoke(says("a red shirt"), thread)["result"]["parent"] is None


@pytest.fixture(scope="module")
def wardrobe_home(tmp_path_factory) -> Path:
    home, folder = tmp_path_factory.mktemp("wardrobe"), tmp_path_factory.mktemp("drawn")
    assert [*draw(wardrobe("test", families=1).pictures, folder)][-1] == 30
    with Engine.open(Settings(home=home, models="demo")) as engine:
        engine.index([folder])
    return home


def test_trained_models_doubt_what_the_gallery_does_not_have(wardrobe_home):
    made = wardrobe("test", families=1)
    asked = [query for query in made.queries if query.modification]
    with Engine.open(Settings(home=wardrobe_home, models="demo")) as engine:
        ids = {Path(path).name: stamp.image_id for path, stamp in engine.catalog.stamps().items()}
        dialogue = build_dialogue(engine)
        answered = [dialogue.invoke(says(query.modification, reference=ids[query.reference])) for query in asked]
        absent = {"purple", "teal", "pink"} - {picture.garment.colour for picture in made.pictures}
        doubted = [dialogue.invoke(says(f"in {colour}", reference=ids[asked[0].reference])) for colour in absent]
    assert absent
    assert [state["clarification"] for state in answered] == [None] * len(asked)
    assert {state["clarification"]["why"] for state in doubted} == {"no match"}


def test_the_graph_verifies_as_it_was_built_to(wardrobe_home):
    query = wardrobe("test", families=1).queries[0]
    with Engine.open(Settings(home=wardrobe_home, models="demo")) as engine:
        ids = {Path(path).name: stamp.image_id for path, stamp in engine.catalog.stamps().items()}
        asked = says(query.modification, reference=ids[query.reference])
        result = build_dialogue(engine, verify=3).invoke(asked)["result"]
        assert ["verified" in hit for hit in result["hits"][:4]] == [True, True, True, False]
        assert result["timings"]["verified"] == 3
        assert result["timings"]["verify"] > 0
        same = engine.search(ids[query.reference], query.modification, verify=3)
        assert [hit["id"] for hit in result["hits"]] == [hit.id for hit in same.hits]


async def test_langgraph_dev_finds_the_graph_and_its_gallery(wardrobe_home, monkeypatch):
    config = json.loads((ROOT / ".langgraph.json").read_text(encoding="utf-8"))
    assert config == {"dependencies": ["."], "graphs": {"dialogue": f"{module.__name__}:{make_dialogue.__name__}"}}
    monkeypatch.setenv("IPCIR_HOME", str(wardrobe_home))
    module._cached_dialogue.cache_clear()
    dialogue = await make_dialogue()
    assert dialogue is await make_dialogue(), "the models are loaded once"
    assert last_text(await dialogue.ainvoke(says("a red dress"))).startswith('10 pictures for "a red dress":')
    module._cached_dialogue.cache_clear()
