"""What a call asks of the database: counted, and the same for small and large galleries, few and many hits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from sqlalchemy import event

from ipcir_tools.agents.dialogue.graph import build_dialogue
from ipcir_tools.agents.tools import TOOLS
from ipcir_tools.engine.engine import Engine
from ipcir_tools.evaluation.experiments.search_overhead import make_gallery, settings_of, statements

FEW, MANY = 300, 3_000
FIND, SEARCH, REFINE = 3, 5, 5
"""SQL statements: the state of the gallery; what is shown of the hits; the turn; and where there is a reference, its
record, or the turns before, and its caption."""
NEW_TEXTS = 2
"""Beside them where a text was never encoded: looked for, and stored."""
FILTER = 5
"""Beside them at most with a filter: which pictures pass, and for one on files which of their files do."""


@pytest.fixture(scope="module", params=[True, False], ids=["captions", "few captions"])
def engines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Engine]]:
    """Engines over a small and a large gallery, each used once before."""
    opened = {}
    for n in (FEW, MANY):
        home = tmp_path_factory.mktemp(f"of{n}")
        make_gallery(home, n, captions=request.param)
        opened[n] = Engine.open(settings_of(home))
        ids = opened[n].catalog.sample_ids(9)
        opened[n].catalog.put_captions(dict.fromkeys(ids, "a red coat"), opened[n].components.captioner_id)
        opened[n].refine(opened[n].search(ids[0], "in blue").turn.id, "and shorter")
    yield opened
    for engine in opened.values():
        engine.close()


def counted(engine: Engine, call: Callable[[], object]) -> int:
    with statements(engine.catalog) as sent:
        call()
    return len(sent)


@contextmanager
def steps(engine: Engine) -> Iterator[list[int]]:
    """Hundreds of steps that SQLite takes within the block: a look at every row is many, an index few."""
    taken = [0]

    def step() -> int:
        taken[0] += 1
        return 0

    def watch(_connection: Any, cursor: Any, *_: Any) -> None:
        cursor.connection.set_progress_handler(step, 100)

    event.listen(engine.catalog._engine, "before_cursor_execute", watch)
    try:
        yield taken
    finally:
        event.remove(engine.catalog._engine, "before_cursor_execute", watch)


def of_searches(engine: Engine, what: str, **options: Any) -> dict[str, int]:
    """The statements of each kind of search, with texts of their own, and again with the same texts."""
    some = engine.catalog.sample_ids(9)[8]
    engine.search(some, "in red")  # what is read once
    turn = engine.search(some, f"in red {what}").turn.id
    calls: dict[str, Callable[[], object]] = {
        "find": lambda: engine.find(f"a coat {what}", **options),
        "search": lambda: engine.search(some, f"with dots {what}", **options),
        "refine": lambda: engine.refine(turn, f"without sleeves {what}", **options),
    }
    found = {f"{name}, new": counted(engine, call) for name, call in calls.items()}
    return found | {name: counted(engine, call) for name, call in calls.items()}


def test_searches_take_a_few_statements_however_many_pictures_and_hits(engines: dict[int, Engine]) -> None:
    wanted = {"find": FIND, "search": SEARCH, "refine": REFINE}
    wanted |= {f"{name}, new": n + NEW_TEXTS for name, n in wanted.items()}
    for n, engine in engines.items():
        for k in (1, 10, 150):
            assert of_searches(engine, f"{n} {k}", k=k) == wanted, (n, k)


@pytest.mark.parametrize("where", [{"format": "png"}, {"folder": "pictures"}, {"name": "IMG"}])
def test_a_filter_takes_as_many_whatever_passes(engines: dict[int, Engine], where: dict[str, Any]) -> None:
    few, many = (of_searches(engine, str(where), k=20, where=where) for engine in engines.values())
    assert few == many
    assert few["find"] <= FIND + FILTER
    assert few["search"] <= SEARCH + FILTER
    assert few["refine"] <= REFINE + FILTER


def test_a_long_dialogue_is_read_at_once(engines: dict[int, Engine]) -> None:
    engine = engines[FEW]
    turn = engine.find("a dress").turn
    for i in range(6):
        turn = engine.refine(turn.id, f"in the colour {i}").turn
    assert counted(engine, lambda: engine.refine(turn.id, "in the colour 1")) <= REFINE + NEW_TEXTS
    assert [each.id for each in engine.catalog.path(turn.id[:8])] == [each.id for each in engine.catalog.path(turn.id)]


def test_searches_read_no_more_of_a_larger_gallery(engines: dict[int, Engine]) -> None:
    taken = {}
    for n, engine in engines.items():
        some = engine.catalog.sample_ids(9)[8]
        engine.search(some, "in red")
        with steps(engine) as found:
            engine.refine(engine.search(some, "in red").turn.id, "in red, with dots")
            engine.find("in red")
        taken[n] = found[0]
    assert taken[MANY] <= 1.5 * taken[FEW] + 5, taken


def test_tools_and_dialogues_read_no_more_of_a_larger_gallery(engines: dict[int, Engine]) -> None:
    taken: dict[str, dict[int, tuple[int, int]]] = {}
    for n, engine in engines.items():
        turn = engine.find("a red coat").turn.id
        dialogue = build_dialogue(engine, checkpointer=InMemorySaver())

        def say(text: str, dialogue: Any = dialogue) -> object:
            return dialogue.invoke({"messages": [HumanMessage(text)]}, {"configurable": {"thread_id": "1"}})

        say("a red coat")
        calls: dict[str, Callable[[], object]] = {
            name: lambda name=name, given=given, engine=engine: TOOLS[name].call(engine, TOOLS[name].read(given))
            for name, given in (
                ("show_turn", {"turn": turn}),
                ("list_turns", {}),
                ("describe_gallery", {}),
                ("find_images", {"text": "a red coat"}),
            )
        }
        calls["dialogue"] = lambda: say("and with dots")
        for name, call in calls.items():
            call()
            with steps(engine) as found, statements(engine.catalog) as sent:
                call()
            taken.setdefault(name, {})[n] = found[0], len(sent)
    for name, found in taken.items():
        (few, few_sent), (many, many_sent) = found[FEW], found[MANY]
        assert many <= 1.5 * few + 5, (name, found)
        assert few_sent == many_sent <= 20, (name, found)
