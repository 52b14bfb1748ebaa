"""Image generators on servers that misbehave: bounded, a typed error, and the next picture is well."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from faulty_servers import MODES, Answer, Mode, RawServer, answered, holding, in_buffers
from PIL import Image
from stand_ins import FlatImageGenerator, draw_all

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.llm import retries
from ipcir_tools.models.loading import load_image_generator
from ipcir_tools.settings import load_settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.drawings import Drawings


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.02)


def picture() -> str:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def sends(entry: Any) -> Answer:
    return answered(json.dumps({"created": 0, "data": [entry]}).encode())


GENERATOR_MODES: dict[str, Mode] = {
    **{name: MODES[name] for name in ("silent", "slow headers", "dripping body", "endless body", "gzip bomb", "307")},
    **{name: MODES[name] for name in ("reset", "500", "a page", "nothing", "null", "a list", "deep JSON")},
    "no pictures": Mode(answered(b'{"data": []}'), "sent no picture"),
    "no base64": Mode(sends({"b64_json": "%%%"}), "sent no picture"),
    "no picture in it": Mode(sends({"b64_json": "aGVsbG8="}), "sent no picture"),
    "an empty picture": Mode(sends({"b64_json": ""}), "sent no picture"),
    "a number": Mode(sends({"b64_json": 7}), "sent no picture"),
    "a picture of this machine's": Mode(sends({"url": "http://127.0.0.2:1/a.png"}), "sent no picture"),
    "a file": Mode(sends({"url": "file:///etc/passwd"}), "sent no picture"),
    "a URL that is none": Mode(sends({"url": "http://[::1"}), "sent no picture"),
}


@pytest.mark.parametrize("name", GENERATOR_MODES)
def test_a_faulty_image_generator(name):
    mode = GENERATOR_MODES[name]
    with closing(RawServer(mode.answer)) as server, closing(RawServer()) as other:
        server.other = other
        settings = load_settings(
            image_generator_base_url=server.url,
            image_generator_timeout=0.5 if mode.seconds < 1 else 20.0,
            max_bytes=1_000_000,
        )
        generator = load_image_generator("openai:m", settings)
        with pytest.raises(ModelUnavailableError, match=r"drew nothing|sent no picture|sent more than") as caught:
            draw_all(generator, ["a red dress"])
        assert "\n" not in str(caught.value)
        assert server.sent < 4_000_000 + in_buffers(), "twice the limit, beside what nobody read"
        assert other.requests == []
        if mode.ends:
            assert server.hung_up.wait(5)
        server.answer = sends({"b64_json": picture()})
        assert draw_all(generator, ["a red dress"])[0][0].size == (8, 8)


# --- what is drawn once, with no lock held


class Slow(FlatImageGenerator):
    """Waits before it draws what is slow; refuses what is bad."""

    concurrency = 1

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.release = threading.Event(), threading.Event()

    def _draw(self, description: str, seeds: Any, reference: Any) -> list[Image.Image]:
        if "slow" in description:
            self.begun.set()
            assert self.release.wait(20)
        if "bad" in description:
            raise InvalidRequestError("The image generator refuses it.")
        return super()._draw(description, seeds, reference)


@pytest.fixture
def catalog(tmp_path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "home") as opened:
        yield opened


def test_a_slow_drawing_holds_up_those_alone_who_want_it(catalog):
    encoder = FakeEncoder()
    drawings = Drawings(catalog, lambda: encoder, lambda: encoder.space, lambda *_: None)
    generator = Slow()

    def draw(text: str) -> Any:
        return drawings.features(generator, [(text, "")], 2, lambda id_: None, None, None)

    with ThreadPoolExecutor(9) as pool:
        slow = [pool.submit(draw, "a slow red dress") for _ in range(4)]
        assert generator.begun.wait(20)
        for quick in [pool.submit(draw, f"a blue dress {i}") for i in range(4)]:
            assert quick.result(20)
        assert not any(each.done() for each in slow)
        generator.release.set()
        assert all(each.result(20) for each in slow)
    assert generator.drawn == 2 * 5, "equal drawings are made once"
    for _ in range(2):
        with pytest.raises(InvalidRequestError, match="refuses"):
            draw("a bad dress")


def test_what_a_silent_server_was_asked_for_fails_for_all_who_wait(catalog):
    with closing(RawServer(holding())) as server, ThreadPoolExecutor(4) as pool:
        settings = load_settings(image_generator_base_url=server.url, image_generator_timeout=0.5)
        generator, encoder = load_image_generator("openai:m", settings), FakeEncoder()
        drawings = Drawings(catalog, lambda: encoder, lambda: encoder.space, lambda *_: None)

        def draw() -> Any:
            return drawings.features(generator, [("a dress", "")], 1, lambda id_: None, None, None)

        errors = [each.exception(20) for each in [pool.submit(draw) for _ in range(4)]]
        assert all(isinstance(each, ModelUnavailableError) for each in errors)
        assert len(server.requests) <= 2
