"""Searches whose target is imagined by a real OpenAI-compatible server on the loopback interface, good and bad."""

from __future__ import annotations

import base64
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.cli import main
from ipcir_tools.display.results import result_json
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import NotFoundError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.llm import retries
from ipcir_tools.models import loading
from ipcir_tools.settings import load_settings

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
KEY = "sk-loopback-0123456789"
REPLY = {
    "description": "A yellow shirt with round buttons.",
    "keep": ["shirt"],
    "add": ["yellow", "round buttons"],
    "remove": ["red"],
    "alternatives": ["A shirt in yellow."],
}
GOOD = json.dumps(REPLY)

Handler = Callable[[Request], Response]


def says(content: str | None, finish: str = "stop", **message: Any) -> Handler:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    return sends({"id": "1", "object": "chat.completion", "created": 0, "model": "test", "choices": [choice]})


def sends(body: Any, status: int = 200) -> Handler:
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda request: Response(text, status, content_type="application/json")


def fails(status: int, message: str = "no") -> Handler:
    return sends({"error": {"message": message, "type": "x", "param": None, "code": None}}, status)


class Server:
    """Plays its handlers in order, the last one for ever, and remembers what it was asked."""

    def __init__(self, http: HTTPServer) -> None:
        self.handlers: list[Handler] = [says(GOOD)]
        self.bodies: list[dict[str, Any]] = []
        http.expect_request("/v1/chat/completions").respond_with_handler(self._respond)

    def _respond(self, request: Request) -> Response:
        self.bodies.append(json.loads(request.data))
        return (self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0])(request)

    def asked(self, n: int = -1) -> str:
        """The words of one request."""
        return json.dumps(self.bodies[n]["messages"])


@pytest.fixture(scope="module")
def http() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as http:
        yield http


@pytest.fixture
def server(http, monkeypatch) -> Server:
    http.clear()
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: FakeEncoder(name))
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: ScriptedCaptioner(said, id=CAPTIONER))
    for name, value in {
        "OPENAI_API_KEY": KEY,
        "IPCIR_ENCODER": ENCODER,
        "IPCIR_CAPTIONER": CAPTIONER,
        "IPCIR_LLM": "openai:test-model",
        "IPCIR_LLM_BASE_URL": http.url_for("/v1"),
    }.items():
        monkeypatch.setenv(name, value)
    return Server(http)


def said(picture: Image.Image) -> str:
    return f"a {colour_name(picture)} shirt"


@pytest.fixture
def home(server, tmp_path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour, rgb in COLOURS.items():
        for seed in range(2):
            pixels = np.full((24, 24, 3), rgb, np.uint8)
            pixels[:8, : 8 + 8 * seed] //= 2
            Image.fromarray(pixels).save(folder / f"{colour}-{seed}.png")
    with opened(tmp_path / "home") as engine:
        engine.index([folder])
    return tmp_path / "home"


def opened(home: Path, **chosen: Any) -> Engine:
    return Engine.open(load_settings(home=home, **chosen))


def red(engine: Engine) -> str:
    return next(stamp.image_id for path, stamp in engine.catalog.stamps().items() if path.endswith("red-0.png"))


def best_colour(turn: Any) -> str:
    return Path(turn.hits[0].source).name.split("-")[0]


# --- a model that answers


def test_the_models_description_is_what_is_searched(home, server):
    with opened(home) as engine:
        result = engine.search(red(engine), "like a bee's belly")
        turn = result.turn
        assert (turn.imagined.origin, turn.imagined.description) == ("llm", REPLY["description"])
        assert list(turn.imagined.remove) == REPLY["remove"]
        assert (result.warnings, turn.models["imaginer"]) == ((), "openai:test-model")
        assert turn.prompt.startswith("imagine.structured@")
        text = FakeEncoder().embed_texts([REPLY["description"]])[0]
        vectors = engine.catalog.features([hit.id for hit in turn.hits], engine.components.features.space)
        for hit in turn.hits:
            assert hit.text_score == pytest.approx(float(vectors[hit.id] @ text), abs=1e-5)
        assert best_colour(turn) == "yellow"
        assert len(server.bodies) == 1
        assert server.bodies[0]["model"] == "test-model"
        assert "a red shirt" in server.asked()
        assert "like a bee's belly" in server.asked()


def test_a_refinement_tells_the_model_what_was_imagined_before(home, server):
    second = {**REPLY, "description": "A yellow shirt with long sleeves."}
    server.handlers = [says(GOOD), says(json.dumps(second))]
    with opened(home) as engine:
        root = engine.search(red(engine), "like a bee's belly").turn
        turn = engine.refine(root.id, "with long sleeves").turn
        assert turn.imagined.description == second["description"]
        assert REPLY["description"] in server.asked()
        assert "like a bee's belly" in server.asked()
        assert engine.components.features.made["captions"] == 1


def test_the_same_search_again_costs_no_call(home, server):
    with opened(home) as engine:
        first = engine.search(red(engine), "like a bee's belly").turn
        again = engine.search(red(engine), "like a bee's belly").turn
    with opened(home) as later:
        much_later = later.search(red(later), "like a bee's belly").turn
        assert not later.components.features.made
    assert len(server.bodies) == 1
    assert first.imagined == again.imagined == much_later.imagined
    assert first.hits == again.hits == much_later.hits
    assert len({first.id, again.id, much_later.id}) == 3


def test_composers_that_imagine_nothing_ask_no_model(home, server):
    with opened(home) as engine:
        for composer in ("modification", "reference", "sum"):
            turn = engine.search(red(engine), "in blue", composer=composer).turn
            assert turn.imagined is None
            assert "imaginer" not in turn.models
    assert server.bodies == []


def test_prompt_and_model_are_chosen_for_one_search(home, server):
    server.handlers = [says(REPLY["description"])]
    with opened(home) as engine:
        chosen = {"configurable": {"imagine_prompt": "imagine.simple", "imagine_llm": "openai:another"}}
        turn = engine.search(red(engine), "like a bee's belly", config=chosen).turn
        assert turn.prompt.startswith("imagine.simple@")
        assert turn.models["imaginer"] == "openai:another"
        assert server.bodies[-1]["model"] == "another"
        ruled = engine.search(red(engine), "in blue", config={"configurable": {"imagine_llm": "rules"}}).turn
        assert (ruled.imagined.origin, ruled.models["imaginer"], ruled.prompt) == ("rules", "rules", None)
        with pytest.raises(NotFoundError, match=r"imagine\.structured"):
            engine.search(red(engine), "in blue", config={"configurable": {"imagine_prompt": "none"}})
        request = ComposeRequest(red(engine), "in green")
        composed = engine.components.compose.with_config(chosen).invoke(request)
        assert composed.imagination.prompt.startswith("imagine.simple@")


def test_prompts_of_ones_own_are_used_by_their_ids(home, server, tmp_path):
    head = (
        "---\nid: imagine.structured\nversion: 9\npurpose: To test.\nvariables: {modification: 99}\nreply: text\n---\n"
    )
    (tmp_path / "imagine.structured.md").write_text(head + "\n## user\n\nPaint: {modification}\n")
    server.handlers = [says(REPLY["description"])]
    with opened(home, prompts=tmp_path) as engine:
        assert engine.search(red(engine), "in blue").turn.prompt.startswith("imagine.structured@9#")
    assert server.bodies[-1]["messages"][-1]["content"] == "Paint: in blue"


def shown(server: Server) -> Image.Image:
    """The picture of the last request."""
    url = server.bodies[-1]["messages"][-1]["content"][1]["image_url"]["url"]
    return Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))))


def test_a_model_that_sees_is_shown_the_reference(home, server, tmp_path):
    with opened(home, prompt="imagine.onestage") as engine:
        turn = engine.search(red(engine), "like a bee's belly").turn
        assert turn.prompt.startswith("imagine.onestage@")
        assert colour_name(shown(server)) == "red"
        Image.new("RGB", (900, 300), COLOURS["green"]).save(tmp_path / "mine.png")
        data = "data:image/png;base64," + base64.b64encode((tmp_path / "mine.png").read_bytes()).decode()
        engine.search(data, "like a bee's belly")
        assert (colour_name(shown(server)), shown(server).size) == ("green", (512, 171))


def test_a_reference_whose_file_is_gone_is_not_shown(home, server):
    with opened(home, prompt="imagine.onestage") as engine:
        reference = red(engine)
        engine.search(reference, "in green")
        Path(engine.catalog.records([reference])[reference].source).unlink()
        result = engine.search(reference, "in blue")
        assert result.turn.imagined.origin == "fallback"
        assert "is not available" in result.warnings[0]
        assert best_colour(result.turn) == "blue"


# --- one that answers badly, but usably

HALF = GOOD[: GOOD.index('"alternatives"') + 20]

USABLE = {
    "fenced": ([says(f"```json\n{GOOD}\n```")], ""),
    "thinking": ([says(f"<think>red {{}} or blue?</think>\n{GOOD}")], ""),
    "chatty": ([says(f"Sure, here it is: {GOOD} Anything else?")], ""),
    "truncated after the description": ([says(HALF, finish="length")], "complete parts were used"),
    "plain text": ([says(REPLY["description"])], "plain text"),
    "garbage, then good": ([says("%$#&@ 42"), says(GOOD)], "second try"),
    "429, then good": ([fails(429), says(GOOD)], ""),
    "500, then good": ([fails(500), says(GOOD)], ""),
    "no schema at this server": ([fails(400, "response_format is unknown"), says(GOOD)], ""),
}


@pytest.mark.parametrize("case", USABLE)
def test_a_usable_answer_is_used_and_its_faults_are_told(home, server, case):
    server.handlers, warning = list(USABLE[case][0]), USABLE[case][1]
    with opened(home) as engine:
        result = engine.search(red(engine), "in yellow with round buttons")
    assert (result.turn.imagined.origin, result.turn.imagined.description) == ("llm", REPLY["description"])
    assert warning in " ".join(result.warnings)
    assert bool(result.warnings) == bool(warning)
    assert best_colour(result.turn) == "yellow"


# --- one that does not

USELESS = {
    "500": ([fails(500, "out of memory")], "out of memory"),
    "garbage": ([says("%$#&@ 42")], "could not be used"),
    "web page": ([sends("<html><body>Welcome</body></html>")], "no chat completion"),
    "empty": ([says("")], "the reply is empty"),
    "truncated in the description": ([says(GOOD[:30], finish="length")], "could not be used"),
    "refusal in words": ([says("I'm sorry, but I can't help with that.")], "declined"),
    "refusal in its field": ([says(None, refusal="No.")], "declined"),
    "withheld": ([says("", finish="content_filter")], "withheld"),
    "wrong key": ([fails(401, f"Incorrect API key provided: {KEY}")], "OPENAI_API_KEY"),
    "unknown model": ([fails(404, "no such model")], "no such model"),
}


@pytest.mark.parametrize("case", USELESS)
def test_without_a_usable_answer_the_rules_write_and_say_why(home, server, case):
    server.handlers, why = list(USELESS[case][0]), USELESS[case][1]
    with opened(home) as engine:
        result = engine.search(red(engine), "in blue")
    turn = result.turn
    assert (turn.imagined.origin, turn.imagined.description) == ("fallback", "a blue shirt")
    assert turn.models["imaginer"] == "rules"
    (warning,) = result.warnings
    assert why in warning
    assert "the rules wrote the target instead" in warning
    assert "\n" not in warning
    assert KEY not in json.dumps(result_json(result))
    assert best_colour(turn) == "blue"
    assert 1 <= len(server.bodies) <= 6, "it is not asked for ever"


def test_a_failure_is_not_remembered(home, server):
    server.handlers = [fails(404)]
    with opened(home) as engine:
        assert engine.search(red(engine), "in blue").turn.imagined.origin == "fallback"
        server.handlers = [says(GOOD)]
        assert engine.search(red(engine), "in blue").turn.imagined.origin == "llm"


def test_a_server_that_never_answers_is_given_up(home, server):
    over = threading.Event()  # set when the searches are over: they must not wait for the server

    def hang(request: Request) -> Response:
        over.wait(60)
        return Response("", 500)

    server.handlers = [hang]
    try:
        with opened(home, llm_timeout=0.4) as engine:
            results = [engine.search(red(engine), f"in {colour}") for colour in ("blue", "green", "black", "white")]
    finally:
        over.set()
    for result, colour in zip(results, ("blue", "green", "black", "white"), strict=True):
        assert result.turn.imagined.origin == "fallback"
        assert best_colour(result.turn) == colour
    assert "did not answer in time (0.4 s allowed)" in results[0].warnings[0]
    assert "gets no request" in results[-1].warnings[0]
    assert len(server.bodies) <= 2, "after two questions without an answer it gets no request"


def test_no_server_at_all(home, monkeypatch):
    monkeypatch.setenv("IPCIR_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    with opened(home) as engine:
        result = engine.search(red(engine), "in blue")
    assert result.turn.imagined.origin == "fallback"
    assert "could not be reached" in result.warnings[0]
    assert best_colour(result.turn) == "blue"


# --- at the command line


def run(monkeypatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["ipcir", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code


def test_the_command_line_asks_the_named_model(home, server, monkeypatch, capsys):
    with opened(home) as engine:
        reference = red(engine)
    assert not run(monkeypatch, "search", reference, "like a bee's belly", "--home", str(home), "--json")
    shown = json.loads(capsys.readouterr().out)
    assert shown["imagined"] == {**REPLY, "origin": "llm"}
    assert not run(monkeypatch, "search", reference, "like a bee's belly", "--home", str(home))
    assert "by the language model" in " ".join(capsys.readouterr().out.split())
    assert len(server.bodies) == 1

    monkeypatch.delenv("IPCIR_LLM")
    server.handlers = [fails(500, "out of [bold]memory[/]")]
    assert not run(
        monkeypatch, "search", reference, "in blue", "--home", str(home), "--json", "--llm", "openai:other-model"
    )
    captured = capsys.readouterr()
    shown = json.loads(captured.out)
    assert shown["imagined"]["origin"] == "fallback"
    assert "out of [bold]memory[/]" in shown["warnings"][0]
    assert server.bodies[-1]["model"] == "other-model"

    assert not run(monkeypatch, "search", reference, "in blue", "--home", str(home), "--llm", "openai:other-model")
    table = " ".join(capsys.readouterr().out.split())
    assert "rules, the model failed" in table
    assert "out of [bold]memory[/]" in table
