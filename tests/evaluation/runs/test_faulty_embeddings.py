"""Embeddings on servers that misbehave: bounded in time and bytes, a typed error, and the next batch is well."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import Any

import numpy as np
import pytest
from faulty_servers import JSON, MODES, Mode, RawServer, answered, holding, streamed
from langchain_core.embeddings import Embeddings

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.evaluation.runs import langchain_encoder
from ipcir_tools.evaluation.runs.langchain_encoder import PROBES, encoder_of, load_text_encoder
from ipcir_tools.store.catalog import Catalog

DIM = 8


@pytest.fixture
def catalog(tmp_path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "home") as opened:
        yield opened


def vectors(server: RawServer, connection: Any) -> None:
    """A good reply."""
    asked = json.loads(server.requests[-1].partition(b"\r\n\r\n")[2])
    rows = [[1.0, *np.random.default_rng(i).normal(size=DIM - 1).tolist()] for i, _ in enumerate(asked["input"])]
    reply(rows)(server, connection)


def reply(rows: list[Any], **more: Any) -> Any:
    data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    return answered(json.dumps({"object": "list", "data": data, "model": "m", "usage": None, **more}).encode())


SERVER_MODES: dict[str, Mode] = {
    **{name: MODES[name] for name in ("silent", "slow headers", "dripping body", "endless body", "gzip bomb")},
    **{name: MODES[name] for name in ("307", "reset", "500", "a page", "nothing", "null", "deep JSON")},
    "no vectors": Mode(reply([]), ""),
    "one vector too few": Mode(reply([[1.0] * DIM] * (len(PROBES) - 1)), ""),
    "vectors of two lengths": Mode(reply([[1.0] * DIM, [1.0] * DIM, [1.0] * 3]), ""),
    "numbers that are none": Mode(reply([[math.nan] * DIM] * len(PROBES)), ""),
    "zeros": Mode(reply([[0.0] * DIM] * len(PROBES)), ""),
    "words": Mode(reply([["a"] * DIM] * len(PROBES)), ""),
    "closed in the body": Mode(streamed(b"", end=lambda *_: None), ""),
    "too long a header": Mode(answered(b"{}", JSON, "X: " + "a" * 500_000), ""),
}


@pytest.mark.parametrize("name", SERVER_MODES)
def test_a_faulty_embeddings_server(catalog, monkeypatch, tmp_path, name):
    mode = SERVER_MODES[name]
    monkeypatch.setattr(langchain_encoder, "REPLY_BYTES", 2_000_000)
    with closing(RawServer(mode.answer)) as server, closing(RawServer()) as other:
        server.other = other
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        (tmp_path / "own_embeddings.py").write_text(OWN)
        monkeypatch.chdir(tmp_path)
        seconds = 0.5 if mode.seconds < 1 else 20
        with pytest.raises((ModelUnavailableError, InvalidRequestError)) as caught:
            load_text_encoder("own_embeddings:embeddings", catalog, seconds=seconds)
        assert "\n" not in str(caught.value)
        assert server.sent < 20_000_000
        assert other.requests == []
        server.answer = vectors
        encoder = load_text_encoder("own_embeddings:embeddings", catalog, seconds=20)
        assert encoder.embed_texts(["a", "b"]).shape == (2, DIM)


OWN = """
from langchain_openai import OpenAIEmbeddings
from ipcir_tools.evaluation.runs import langchain_encoder

def embeddings():
    bounds = langchain_encoder._bounds(OpenAIEmbeddings)
    return OpenAIEmbeddings(check_embedding_ctx_length=False, max_retries=0, **bounds)
"""


class Given(Embeddings):
    """Gives what it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def embed_documents(self, texts: list[str]) -> Any:
        return self.answer(texts)

    def embed_query(self, text: str) -> Any:
        return self.embed_documents([text])[0]


def good(texts: list[str]) -> list[list[float]]:
    return [[1.0, float(len(text)), float(sum(map(ord, text)) % 97)] for text in texts]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda texts: [[float("inf")] * 3 for _ in texts], "zeros or no numbers"),
        (lambda texts: [[10**400] * 3 for _ in texts], "no lists of numbers"),
        (lambda texts: [[1j] * 3 for _ in texts], "no lists of numbers"),
        (lambda texts: ([1.0] * 3 for _ in count()), "4 vectors for 3 texts|2 vectors for 1 texts"),
        (lambda texts: [[1.0] * 100_000 for _ in texts], "more than 65,536"),
        (lambda texts: [np.ones((2, 2)) for _ in texts], "vectors of 2x2 numbers"),
        (lambda texts: "abc", "no lists of numbers"),
        (lambda texts: [[1.0] * 4 for _ in texts], "vectors of 4 numbers, and of 3 before"),
        (lambda texts: [[0.0] * 3 for _ in texts], "word it differently"),
    ],
)
def test_vectors_that_are_none_are_refused_and_the_next_are_taken(catalog, answer, expected):
    embeddings = Given(good)
    encoder = encoder_of(embeddings, "own:Given", catalog)
    embeddings.answer = answer
    with pytest.raises((ModelUnavailableError, InvalidRequestError), match=expected):
        encoder.embed_texts(["a dress"])
    embeddings.answer = good
    assert np.isfinite(encoder.embed_texts(["a dress"])).all()


def test_a_silent_server_holds_up_nobody_else(catalog):
    release = threading.Event()

    def slow(texts: list[str]) -> list[list[float]]:
        if "slow" in texts:
            release.wait(20)
        return good(texts)

    encoder = encoder_of(Given(slow), "own:Given", catalog, seconds=20)
    with ThreadPoolExecutor(9) as pool:
        waiting = pool.submit(encoder.embed_texts, ["slow"])
        assert all(pool.submit(encoder.embed_texts, [f"quick {i}"]).result(20).shape == (1, 3) for i in range(8))
        assert not waiting.done()
        release.set()
        assert waiting.result(20).shape == (1, 3)


def test_a_batch_has_a_deadline(catalog):
    release = threading.Event()
    embeddings = Given(good)
    encoder = encoder_of(embeddings, "own:Given", catalog, seconds=0.2)
    embeddings.answer = lambda texts: release.wait(20)
    with pytest.raises(ModelUnavailableError, match=r"nothing within 0.2 seconds.*IPCIR_EMBEDDINGS_TIMEOUT"):
        encoder.embed_texts(["a"])
    release.set()


def test_a_silent_connection_ends_with_its_call(catalog, monkeypatch, tmp_path):
    with closing(RawServer(holding())) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        (tmp_path / "own_embeddings.py").write_text(OWN)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModelUnavailableError, match="nothing within"):
            load_text_encoder("own_embeddings:embeddings", catalog, seconds=0.5)
        assert server.hung_up.wait(5)
