"""A folder of pictures in plain colours for evaluations, the models that read them, and the command line in process."""

from __future__ import annotations

import json
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from werkzeug import Response

from ipcir_tools.cli import main
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.models import loading

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
SHAPES = 3


def draw(folder: Path, colours: tuple[str, ...] = ("red", "blue", "green", "yellow", "orange", "pink")) -> None:
    """Each colour in each layout: the colour is the words' part, the layout the picture's."""
    folder.mkdir(exist_ok=True)
    for colour in colours:
        for shape in range(SHAPES):
            pixels = np.full((24, 24, 3), COLOURS[colour], np.int16)
            pixels[8 * shape : 8 * shape + 8, :12] += 60
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{colour}-{shape}.png")


def caption_of(picture: Image.Image) -> str:
    return f"a {colour_name(picture)} shirt"


def use_fake_models(monkeypatch) -> None:
    """Every engine that is opened has the fake encoder, and a captioner that names the colour."""
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: FakeEncoder(name))
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: ScriptedCaptioner(caption_of, id=CAPTIONER))
    monkeypatch.setenv("IPCIR_ENCODER", ENCODER)
    monkeypatch.setenv("IPCIR_CAPTIONER", CAPTIONER)


def run(monkeypatch, capsys, *arguments: object) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["ipcir", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


class Tags(HTMLParser):
    """Sees that every tag that is opened is closed, in order."""

    VOID = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen[tag] += 1
        if tag not in (*self.VOID, "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def chat_completion(content: str, prompt_tokens: int = 100, completion_tokens: int = 20) -> Response:
    """The response of an OpenAI-compatible server with one message and its tokens."""
    total = prompt_tokens + completion_tokens
    body = {
        "id": "1", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total},
    }  # fmt: skip
    return Response(json.dumps(body), content_type="application/json")
