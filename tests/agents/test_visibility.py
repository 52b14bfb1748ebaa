"""A person's own picture and the turns from it are nothing that an agent could see, name or notice."""

from __future__ import annotations

import base64
import io
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from mcp import Client, MCPError
from PIL import Image

from ipcir_tools.agents.dialogue.graph import build_dialogue
from ipcir_tools.agents.mcp_server import build_server
from ipcir_tools.agents.toolkit import IPCIRToolkit
from ipcir_tools.agents.tools import TOOLS, ToolCallError
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import IPCIRError, NotFoundError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.retriever import ComposedImageRetriever
from ipcir_tools.settings import Settings
from ipcir_tools.types import Turn

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
SECRET = "a pink shirt with a secret sign"


def png(colour: str, seed: int = 0) -> bytes:
    blocks = np.random.default_rng([seed, *COLOURS[colour]]).integers(-22, 22, (4, 4, 3))
    pixels = np.clip(np.array(COLOURS[colour]) + blocks, 0, 255).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(data, "PNG")
    return data.getvalue()


def data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def opened(home: Path, **chosen: Any) -> Engine:
    engine = Engine.open(Settings(home=home, encoder=ENCODER, captioner=CAPTIONER, k=3, **chosen))
    engine.components.encoder = FakeEncoder(encoder_id(ENCODER))
    engine.components.captioner = ScriptedCaptioner(
        lambda picture: SECRET if colour_name(picture) == "pink" else f"a {colour_name(picture)} shirt", id=CAPTIONER
    )
    engine.components.captioner_id = CAPTIONER
    return engine


@pytest.fixture
def home(tmp_path) -> Path:
    for colour in ("red", "blue", "green"):
        for seed in range(3):
            (tmp_path / "photos").mkdir(exist_ok=True)
            (tmp_path / "photos" / f"{colour}-{seed}.png").write_bytes(png(colour, seed))
    (tmp_path / "private.png").write_bytes(png("pink"))
    (tmp_path / "liked.png").write_bytes(png("pink", 9))
    with opened(tmp_path / "home") as engine:
        engine.index([tmp_path / "photos"])
    return tmp_path


class Private(NamedTuple):
    """What a person did with pictures of their own."""

    pictures: list[str]
    turns: list[Turn]

    def holds(self, text: str) -> str | None:
        """What of it a text tells."""
        marks = [*self.pictures, *(each[:8] for each in self.pictures), *(turn.id for turn in self.turns)]
        return next((each for each in [*marks, "secret", "private.png", "liked.png", "hush"] if each in text), None)


@pytest.fixture
def engine(home) -> Iterator[Engine]:
    with opened(home / "home") as engine:
        yield engine


@pytest.fixture
def private(engine, home) -> Private:
    """A search from a file, one from an image in memory, refinements of both, one back to the gallery, and a like."""
    image = Image.new("RGB", (40, 30), COLOURS["pink"])
    begun = engine.search(home / "private.png", "hush in blue").turn
    on = engine.refine(begun.id, "hush and shorter").turn
    back = engine.refine(on.id, "hush", reference=begun.hits[0].id).turn
    drawn = engine.search([image, (home / "photos" / "red-0.png", "its hush")], "hush in red").turn
    public = engine.find("blue shirts").turn
    liked = engine.refine(public.id, liked=[home / "liked.png"]).turn
    mine = [engine.encode_image(each) for each in (home / "private.png", image, home / "liked.png")]
    assert engine.caption(home / "private.png").text == SECRET
    return Private(mine, [begun, on, back, drawn, liked])


def calls_with(picture: str, turn: str) -> list[tuple[str, dict[str, Any]]]:
    """Every way in which a tool takes a picture or a turn."""
    ways = [picture, picture[:8], picture[:6], picture.upper(), f"1 of turn {turn}", f"1 of {turn[:6]}", turn]
    ways += [f"`{picture}`", f"turn {turn}"]
    calls: list[tuple[str, dict[str, Any]]] = []
    for name in ways:
        calls += [
            ("compose_search", {"reference": name, "modification": "in blue"}),
            ("compose_search", {"reference": [name, {"reference": name, "note": "its collar"}], "modification": "x"}),
            ("caption_image", {"reference": name}),
            ("imagine_target", {"reference": name, "modification": "in blue"}),
            ("encode", {"reference": name}),
            ("show_images", {"ids": [name]}),
            ("show_images", {"ids": [name], "layout": "thumbnails"}),
            ("show_turn", {"turn": name}),
            ("list_turns", {"under": name}),
            ("refine_search", {"turn": name, "modification": "in red"}),
            ("fused_search", {"vectors": [{"handle": name}]}),
        ]
    return calls


def answered(engine: Engine, name: str, arguments: dict[str, Any]) -> str:
    tool = TOOLS[name]
    try:
        answer = tool.call(engine, tool.read(arguments))
    except ToolCallError as error:
        return f"refused: {error}"
    return "\n".join([answer.text, answer.brief.model_dump_json(), json.dumps(answer.artifact)])


def test_every_tool_refuses_what_is_private_as_it_refuses_what_never_was(engine, private):
    for turn in private.turns:
        for picture in private.pictures:
            never = ("c" * 16, "tfffffffffff")
            for (name, arguments), (_, same) in zip(calls_with(picture, turn.id), calls_with(*never), strict=True):
                told = answered(engine, name, arguments)
                assert told.startswith("refused: "), (name, arguments, told)
                unknown = answered(engine, name, same)
                assert shapeless(told, picture, turn.id) == shapeless(unknown, *never), (name, arguments)


def shapeless(text: str, picture: str, turn: str) -> str:
    """A refusal without the name that was given.

    Six letters are the shortest name of `calls_with`; four would now and then begin the id of another turn too.
    """
    for each in (turn, picture, picture.upper()):
        for length in range(len(each), 5, -1):
            text = text.replace(each[:length], "?")
    return text


def test_ranks_and_likes_of_a_visible_turn_lead_to_nothing_private(engine, private):
    turn = engine.find("red shirts").turn
    for picture in private.pictures:
        for field in ("reference", "liked", "disliked"):
            given = picture if field == "reference" else [picture]
            told = answered(engine, "refine_search", {"turn": turn.id, field: given})
            assert told.startswith("refused: There is no picture"), told


def test_lists_and_counts_tell_nothing_private(engine, private, home):
    for name, arguments in (
        ("list_turns", {"limit": 50}),
        ("list_turns", {"limit": 1}),
        ("describe_gallery", {}),
        ("find_images", {"text": "pink shirts with signs", "k": 50}),
        ("find_images", {"text": "shirts", "where": {"name": "blue-0.jpg"}}),
        ("find_images", {"text": "shirts", "where": {"folder": "nowhere"}}),
        ("show_turn", {"turn": "t0000000"}),
    ):
        told = answered(engine, name, arguments)
        assert private.holds(told) is None, (name, told)
    for place in ("private.png", str(home / "private.png"), (home / "private.png").as_uri()):
        told = answered(engine, "compose_search", {"reference": place, "modification": "x"})
        never = place.replace("private", "nothing")
        unknown = answered(engine, "compose_search", {"reference": never, "modification": "x"})
        assert told == unknown.replace("nothing", "private")
    listed = TOOLS["list_turns"].call(engine, TOOLS["list_turns"].read({"limit": 50})).brief.turns
    assert [line.request for line in listed][-1] == "blue shirts", "a person's search by words alone is no secret"


async def test_resources_refuse_it_as_they_refuse_what_never_was(engine, private):
    async with Client(build_server(engine)) as client:
        for kind, name, never in [
            *(("picture", each, "f" * 16) for each in private.pictures),
            *(("turn", turn.id, "tfffffffffff") for turn in private.turns),
        ]:
            told = []
            for each in (name, never):
                with pytest.raises(MCPError) as caught:
                    await client.read_resource(f"ipcir://{kind}/{each}")
                told.append(shapeless(str(caught.value), each, each))
            assert told[0] == told[1]


def graph_inputs(picture: str, turn: str) -> list[dict[str, Any]]:
    lines = [f"new {picture} in blue", f"at {turn}: in red", f"goto {turn}", f"show {turn}", f"take {picture}"]
    inputs: list[dict[str, Any]] = [{"messages": [HumanMessage(line)]} for line in lines]
    more: list[dict[str, Any]] = [{"reference": picture}, {"liked": [picture]}, {"turn": turn}, {"turn": turn[:7]}]
    more += [{"reference": [picture, {"reference": f"1 of turn {turn}", "note": "its collar"}]}]
    for line in ("in blue", "why these?", "undo", "1", "what is the first one?"):
        inputs += [{"messages": [HumanMessage(line)], **each} for each in more]
    return inputs


def test_the_dialogue_graph_neither_uses_nor_tells_it(engine, private):
    dialogue = build_dialogue(engine, checkpointer=InMemorySaver())
    for number, (turn, picture) in enumerate(
        [(turn, picture) for turn in private.turns for picture in private.pictures[:1]]
    ):
        for place, given in enumerate(graph_inputs(picture, turn.id)):
            thread: Any = {"configurable": {"thread_id": f"{number}-{place}"}}
            state = dialogue.invoke(given, thread)
            said = state["messages"][-1].text
            assert (state.get("result") or {}).get("reference") != picture, given
            assert state.get("result") is None or not descends(engine, state["result"]["turn"], private), given
            assert "secret" not in json.dumps({name: state.get(name) for name in ("caption", "imagined", "text")})
            assert "secret" not in said


def descends(engine: Engine, turn: str, private: Private) -> bool:
    return bool({each.id for each in engine.catalog.path(turn)} & {each.id for each in private.turns})


def test_a_retriever_takes_no_text_for_it_and_its_program_any_picture(engine, private, home):
    retriever = ComposedImageRetriever(engine=engine)
    for given in (
        private.pictures[0],
        private.pictures[0][:8],
        [private.pictures[1]],
        f"1 of turn {private.turns[0].id}",
    ):
        with pytest.raises(IPCIRError):
            retriever.invoke("in blue", reference=given)
    documents = retriever.invoke("in blue", reference=home / "private.png")
    assert retriever.invoke("and shorter", turn=documents[0].metadata["turn"])


def test_langchain_tools_and_what_is_pickled_of_them_see_as_little(engine, private):
    tools = {tool.name: tool for tool in IPCIRToolkit(engine, show_images=True).get_tools()}
    assert "There is no picture" in tools["caption_image"].invoke({"reference": private.pictures[0]})
    view = pickle.loads(pickle.dumps(engine.for_agents()))
    with view, pytest.raises(NotFoundError):
        view.turn(private.turns[0].id)


# --- what an agent may see


def test_the_person_sees_all_of_it(engine, private):
    for picture in private.pictures:
        assert engine.resolve(picture[:8])[0].id == picture
    assert {turn.id for turn in engine.turns(50)} >= {turn.id for turn in private.turns}
    assert engine.refine(private.turns[0].id, "in green").turn.query.reference == private.pictures[0]


def test_what_an_agent_gives_itself_stays_its_own_whatever_a_person_does(engine, home):
    given = data_uri(png("pink", 5))
    found = (
        TOOLS["compose_search"]
        .call(engine, TOOLS["compose_search"].read({"reference": given, "modification": "in blue"}))
        .brief
    )
    (home / "same.png").write_bytes(png("pink", 5))
    engine.search(home / "same.png", "in green")
    with opened(home / "home") as later:
        for name, arguments in (
            ("show_turn", {"turn": found.turn}),
            ("refine_search", {"turn": found.turn, "modification": "and red"}),
            ("caption_image", {"reference": found.reference}),
            ("fused_search", {"vectors": [{"handle": found.reference}]}),
        ):
            assert not answered(later, name, arguments).startswith("refused"), name


def test_bytes_that_a_program_or_a_person_gave_are_no_agents(engine):
    id_ = engine.search(data_uri(png("pink", 7)), "in blue").turn.query.reference
    assert answered(engine, "caption_image", {"reference": id_}).startswith("refused: There is no picture")


def test_files_of_allowed_folders_are_seen_as_long_as_they_are_allowed(home):
    (home / "allowed").mkdir()
    (home / "allowed" / "mine.png").write_bytes(png("pink", 6))
    with opened(home / "home", allow_folders=[home / "allowed"]) as engine:
        id_ = engine.search(home / "allowed" / "mine.png", "in blue").turn.query.reference
        assert SECRET in answered(engine, "caption_image", {"reference": id_})
    with opened(home / "home") as engine:
        assert answered(engine, "caption_image", {"reference": id_}).startswith("refused: There is no picture")


def test_what_leaves_the_gallery_is_seen_no_longer(engine, home):
    turn = engine.find("red shirts", k=9).turn
    gone = turn.hits[0]
    start = engine.search(gone.id, "in blue").turn
    data = Path(gone.source).read_bytes()
    Path(gone.source).unlink()
    engine.index([home / "photos"])
    assert gone.id not in answered(engine, "show_turn", {"turn": turn.id})
    assert answered(engine, "caption_image", {"reference": gone.id}).startswith("refused: There is no picture")
    assert answered(engine, "show_turn", {"turn": start.id}).startswith("refused: There is no turn")
    assert engine.turn(turn.id).hits[0].id == gone.id, "the person still sees what was found"
    Path(gone.source).write_bytes(data)
    engine.index([home / "photos"])
    assert gone.id in answered(engine, "show_turn", {"turn": turn.id})


def test_a_person_may_hand_a_picture_to_the_agents_of_an_engine(engine, private, home):
    engine.show_agents(private.pictures[0])
    assert SECRET in answered(engine, "caption_image", {"reference": private.pictures[0]})
    assert not answered(engine, "show_turn", {"turn": private.turns[1].id}).startswith("refused")
    with opened(home / "home") as other:
        assert answered(other, "caption_image", {"reference": private.pictures[0]}).startswith("refused")


def test_turns_are_listed_past_many_that_are_private(engine, private, home):
    public = engine.find("green shirts").turn.id
    for n in range(30):
        engine.search(home / "private.png", f"hush {n}")
    listed = TOOLS["list_turns"].call(engine, TOOLS["list_turns"].read({"limit": 1})).brief.turns
    assert [line.turn for line in listed] == [public]
