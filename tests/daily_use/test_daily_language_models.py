"""Language models as they are: servers that load, are busy, or gone, met at the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from llm_server import LLMServer, busy, imagining, loading, single_slot
from pytest_httpserver import HTTPServer

from ipcir_tools.cli import main
from ipcir_tools.llm import retries

CAPTION = ["prompts", "try", "imagine.structured", "make it blue", "--caption", "a red dress", "--json"]


@pytest.fixture
def server(monkeypatch) -> Iterator[LLMServer]:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.05)
    with HTTPServer(threaded=True) as http:
        yield LLMServer(http, imagining)


def run(capsys, *arguments: str) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ipcir", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
    assert not ended.value.code
    return json.loads(capsys.readouterr().out)


def test_a_loading_server_is_waited_for(server, capsys):
    server.manner = loading(imagining, 6)
    (tried,) = run(capsys, *CAPTION, "--llm", "openai:m", "--llm-base-url", server.url)["tries"]
    assert (tried["origin"], tried["imagined"]["description"]) == ("llm", "a blue dress")


def test_a_busy_server_leaves_the_answer_to_the_rules(server, capsys):
    server.manner = busy
    asked = ["--llm", "openai:m", "--llm-base-url", server.url, "--llm-timeout", "0.3"]
    (tried,) = run(capsys, *CAPTION, *asked)["tries"]
    assert (tried["origin"], tried["imagined"]["description"]) == ("fallback", "a blue dress")
    assert "waited for in vain" in tried["warnings"][0]


def test_a_comparison_at_a_single_slot_is_all_the_models(server, tmp_path: Path, capsys):
    server.manner = single_slot(imagining, 0.05)
    captions = [{"id": str(i), "captions": [f"a {colour} dress"]} for i, colour in enumerate(("red", "blue", "green"))]
    queries = [
        {"reference": "0", "modification": f"in {c}", "targets": [t]} for c, t in (("blue", "1"), ("green", "2"))
    ]
    for name, rows in (("gallery.jsonl", captions), ("queries.jsonl", queries)):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    files = ["--gallery", str(tmp_path / "gallery.jsonl"), "--queries-file", str(tmp_path / "queries.jsonl")]
    words = ["--embeddings", "test_daily_language_models:embeddings", "--home", str(tmp_path / "h")]
    asked = ["--llm", "openai:m", "--llm-base-url", server.url, "--llm-timeout", "5", "--concurrency", "4"]
    found = run(capsys, "prompts", "compare", "rules", "imagine.structured", *files, *words, *asked, "--json")
    assert found["head"] == []
    assert found["arms"][1]["queries"] == {"llm": 2}


def test_a_comparison_with_a_server_that_is_gone_says_so_in_its_head(tmp_path: Path, capsys):
    captions = [{"id": "0", "captions": ["a red dress"]}, {"id": "1", "captions": ["a blue dress"]}]
    (tmp_path / "gallery.jsonl").write_text("\n".join(map(json.dumps, captions)))
    (tmp_path / "queries.jsonl").write_text('{"reference": "0", "modification": "in blue", "targets": ["1"]}')
    files = ["--gallery", str(tmp_path / "gallery.jsonl"), "--queries-file", str(tmp_path / "queries.jsonl")]
    words = ["--embeddings", "test_daily_language_models:embeddings", "--home", str(tmp_path / "h")]
    gone = ["--llm", "openai:m", "--llm-base-url", "http://127.0.0.1:9/v1"]
    found = run(capsys, "prompts", "compare", "rules", "imagine.structured", *files, *words, *gone, "--json")
    (line,) = found["head"]
    assert "imagine.structured: 1 of 1 targets are the rules'" in line
    assert "could not be reached" in line
    assert found["arms"][1]["against_baseline"] == {}


def embeddings():
    """Embeddings by the hash of a text, in place of a downloaded model."""
    from langchain_core.embeddings import DeterministicFakeEmbedding

    return DeterministicFakeEmbedding(size=16)
