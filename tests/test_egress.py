"""Nothing is sent anywhere: a process that does everyday work asks the network for nothing, telemetry included.

Python's audit events see every connection that Python makes; Chroma's compiled part makes none without a server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import egress_watch
import pytest
from colour_folder import draw
from llm_server import Asked, LLMServer, imagining

from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings


def test_nothing_is_sent_anywhere(tmp_path):
    notes, pictures = tmp_path / "notes", tmp_path / "pictures"
    pictures.mkdir()
    draw(pictures)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    command = [sys.executable, egress_watch.__file__, str(tmp_path / "home"), str(pictures), str(notes)]
    subprocess.run(command, check=True, env=environ)
    assert not notes.exists(), notes.read_text()


def test_the_watch_sees_a_connection(tmp_path):
    notes = tmp_path / "notes"
    code = (
        "import egress_watch, pathlib, socket, sys, urllib.request\n"
        "egress_watch.watch(pathlib.Path(sys.argv[1]))\n"
        "socket.socket().connect_ex(('127.0.0.1', 9))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(notes)], check=True, cwd=Path(egress_watch.__file__).parent)
    assert "127.0.0.1" in notes.read_text()


def test_a_model_that_imagines_gets_words_alone(tmp_path, httpserver, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    server = LLMServer(httpserver, imagining)
    draw(tmp_path / "pictures")
    names = {"encoder": "open_clip:fake/colours", "captioner": "transformers:fake/colours", "llm": "openai:toy"}
    with Engine.open(Settings(home=tmp_path / "home", llm_base_url=server.url, **names)) as engine:
        parts = engine.components
        parts.encoder = FakeEncoder(encoder_id(names["encoder"]))
        parts.captioner = ScriptedCaptioner(lambda picture: "a shirt", id=names["captioner"])
        parts.captioner_id = names["captioner"]
        engine.index([tmp_path / "pictures"])
        turn = engine.search(tmp_path / "pictures" / "red-0.png", "in blue").turn
        engine.refine(turn.id, "in green", liked=[1])
    assert len(server.asked) == 2
    assert all(set(_kinds(asked)) == {"text"} for asked in server.asked)
    assert not any("base64" in str(asked.body) or str(tmp_path) in str(asked.body) for asked in server.asked)


def _kinds(asked: Asked) -> list[str]:
    contents = [message["content"] for message in asked.body["messages"]]
    return [part["type"] for each in contents for part in (each if isinstance(each, list) else [{"type": "text"}])]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mcp_token", "hunter2-hunter2-hunter2"),
        ("chroma_token", "hunter2-hunter2-hunter2"),
        ("catalog_url", "postgresql://ann:hunter2-hunter2-hunter2@host/photos"),
    ],
)
def test_settings_show_no_secret(name, value):
    settings = Settings(**{name: value})
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert "hunter2" not in shown
