"""The index on a real Chroma server: the same answers as from a folder, shared by the seal, and never in the way."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.settings import Settings, load_settings
from ipcir_tools.store import chroma_server as module
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.chroma_server import ChromaServer, ServerIndex
from ipcir_tools.store.held_index import HeldIndex, IndexPolicy
from ipcir_tools.store.index import Gallery
from ipcir_tools.types import FloatArray, ImageRecord, Probe

SPACE = "toy/8d"
MANY = 300
SECRET = "t0ken"


def drawn(n: int, seed: int = 0) -> FloatArray:
    rows = np.random.default_rng(seed).normal(size=(n, 8))
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def fill(catalog: Catalog, vectors: FloatArray, start: int = 0) -> list[str]:
    ids = [f"{start + n:016x}" for n in range(len(vectors))]
    records = [
        ImageRecord(
            id=id_, source=f"/{'even' if n % 2 == 0 else 'odd'}/{n}.png", bytes=n, width=100 + n % 10, height=50,
            format="png" if n % 3 else "jpeg", taken="2024-05-01T10:00:00" if n % 4 else None,
        )
        for n, id_ in enumerate(ids, start)
    ]  # fmt: skip
    stamps = [FileStamp(each.source, each.id, each.bytes, 1) for each in records]
    catalog.add(records, stamps, dict(zip(ids, vectors, strict=True)), SPACE)
    return ids


@pytest.fixture
def catalog(tmp_path):
    with Catalog.open(tmp_path / "home") as opened:
        ids = fill(opened, drawn(MANY))
        opened.put_captions({id_: f"a picture, {id_}" for id_ in ids[::2]}, "ours")
        yield opened


@pytest.fixture
def server(chroma):
    before = chroma.collections()
    yield ChromaServer(chroma.url)
    client = chroma.client()
    for name in chroma.collections() - before:
        client.delete_collection(name)


def on_server(catalog: Catalog, server: ChromaServer, folder: Path, policy: IndexPolicy | None = None) -> Gallery:
    index = ServerIndex(catalog, server, lambda: "ours")
    return Gallery.open(catalog, folder, None, lambda: "ours", policy or IndexPolicy(), index)


def asks_the_index(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a small search is answered without scoring everything."""
    with monkeypatch.context() as patch:
        patch.setattr(Gallery, "exact", lambda *_: [])
        return bool(gallery.nearest(Probe(drawn(1, 5)[0]), 5))


def test_the_same_hits_as_from_a_folder_filters_too(catalog, server, tmp_path, monkeypatch):
    local = Gallery.open(catalog, tmp_path / "index")
    remote = on_server(catalog, server, tmp_path / "other")
    assert asks_the_index(local, monkeypatch)
    assert asks_the_index(remote, monkeypatch)
    for where in (None, {"format": "png"}, {"folder": "/even"}, {"width": {"$lt": 103}}, {"caption": "picture"}):
        for vector in drawn(5, seed=9):
            found = remote.nearest(Probe(vector), 10, where)
            assert found == local.nearest(Probe(vector), 10, where) == local.exact(Probe(vector), 10, where)


def test_what_comes_and_goes_later_is_merged_exactly(catalog, server, tmp_path):
    reader = on_server(catalog, server, tmp_path / "one")
    fill(catalog, drawn(20, seed=4), start=MANY)
    catalog.forget([f"/even/{n}.png" for n in range(0, 20, 2)])
    for vector in drawn(5, seed=9):
        assert reader.nearest(Probe(vector), 10) == reader.exact(Probe(vector), 10)


def test_two_machines_share_one_collection_and_the_last_one_is_deleted(catalog, server, tmp_path, chroma, monkeypatch):
    before = chroma.collections()
    one = on_server(catalog, server, tmp_path / "one")
    [first] = chroma.collections() - before
    two = on_server(catalog, server, tmp_path / "two")
    assert chroma.collections() - before == {first}, "found by its seal"
    fill(catalog, drawn(50, seed=4), start=MANY)
    two.sync()
    [second] = chroma.collections() - before
    assert second != first
    assert asks_the_index(one, monkeypatch)
    probe = Probe(drawn(1, 9)[0])
    assert one.nearest(probe, 10) == two.nearest(probe, 10) == two.exact(probe, 10)


def test_nobody_elses_collection_is_touched(catalog, server, tmp_path, chroma):
    client = chroma.client()
    theirs = client.create_collection("ipcir-theirs", embedding_function=None)
    theirs.add(ids=["a"], embeddings=drawn(1).tolist())
    with Catalog.open(tmp_path / "second home") as other:
        fill(other, drawn(MANY, seed=3))
        for round_ in range(2):
            on_server(catalog, server, tmp_path / "one").sync()
            on_server(other, server, tmp_path / "two").sync()
            fill(catalog, drawn(5, seed=7 + round_), start=1_000 + 10 * round_)
            fill(other, drawn(5, seed=9 + round_), start=1_000 + 10 * round_)
    assert client.get_collection("ipcir-theirs").count() == 1
    assert {name.split("-")[1] for name in chroma.collections() if name != "ipcir-theirs"} == {
        catalog.identity()[:8], other_identity(tmp_path)
    }  # fmt: skip


def other_identity(tmp_path: Path) -> str:
    with Catalog.open(tmp_path / "second home") as other:
        return other.identity()[:8]


def test_a_server_that_is_down_is_searched_without_and_warned_of_once(catalog, server, tmp_path, chroma, caplog):
    gallery = on_server(catalog, server, tmp_path / "one")
    probe = Probe(drawn(1, 9)[0])
    expected = gallery.exact(probe, 10)
    chroma.stop()
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                assert gallery.nearest(probe, 10) == expected
            fill(catalog, drawn(5, seed=4), start=MANY)
            gallery.sync()
            assert gallery.nearest(probe, 10) == gallery.exact(probe, 10)
            on_server(catalog, server, tmp_path / "two").nearest(probe, 10)
    finally:
        chroma.start()
    said = [each.getMessage() for each in caplog.records if "Chroma server" in each.getMessage()]
    assert len(said) == 2, "one a process that notices it: here two galleries"
    assert chroma.url in said[0]


def test_a_server_that_is_back_is_asked_again(catalog, server, tmp_path, chroma, monkeypatch):
    gallery = on_server(catalog, server, tmp_path / "one")
    chroma.stop()
    gallery.nearest(Probe(drawn(1, 9)[0]), 10)
    chroma.start()
    gallery.sync()
    assert asks_the_index(gallery, monkeypatch)


def test_a_server_that_never_answers_does_not_hold_a_search_up(catalog, tmp_path, monkeypatch):
    import socket

    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        gallery = on_server(catalog, ChromaServer(f"http://127.0.0.1:{silent.getsockname()[1]}"), tmp_path / "one")
        probe = Probe(drawn(1, 9)[0])
        assert gallery.nearest(probe, 10) == gallery.exact(probe, 10)


def test_a_collection_that_is_gone_is_built_again(catalog, server, tmp_path, chroma, monkeypatch):
    gallery = on_server(catalog, server, tmp_path / "one")
    client = chroma.client()
    for name in chroma.collections():
        client.delete_collection(name)
    probe = Probe(drawn(1, 9)[0])
    assert gallery.nearest(probe, 10) == gallery.exact(probe, 10)
    gallery.sync()
    assert asks_the_index(gallery, monkeypatch)
    assert len(chroma.collections()) == 1


BUILDING = """
import os, signal, sys
from pathlib import Path
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store import chroma_server
from ipcir_tools.store.chroma_server import ChromaServer, ServerIndex
chroma_server.BLOCK = 100
def killed(what, done, total):
    os.kill(os.getpid(), signal.SIGKILL)
with Catalog.open(Path(sys.argv[1])) as catalog:
    ServerIndex(catalog, ChromaServer(sys.argv[2])).write(killed)
"""


def test_a_builder_that_is_killed_leaves_nothing_behind(catalog, server, tmp_path, chroma, monkeypatch):
    command = [sys.executable, "-c", BUILDING, str(tmp_path / "home"), server.url]
    assert subprocess.run(command, capture_output=True, text=True).returncode == -signal.SIGKILL
    [half] = chroma.collections()
    gallery = on_server(catalog, server, tmp_path / "one")
    assert asks_the_index(gallery, monkeypatch)
    [whole] = chroma.collections()
    assert whole != half


def test_one_builds_at_a_time(catalog, server, chroma):
    began, go_on = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        began.set()
        go_on.wait(60)

    first = ServerIndex(catalog, server)
    builder = threading.Thread(target=first.write, args=(wait,))
    builder.start()
    assert began.wait(60)
    assert not ServerIndex(catalog, server).write()
    go_on.set()
    builder.join()
    assert ServerIndex(catalog, server).write(), "it is there"
    assert len(chroma.collections()) == 1


@pytest.mark.parametrize("deletes", [True, False])
def test_closing_ends_a_build_after_the_running_block(catalog, server, tmp_path, chroma, monkeypatch, caplog, deletes):
    began, go_on, blocks = threading.Event(), threading.Event(), []
    rows = module.collection_rows

    def slow(*args: object) -> object:
        blocks.append(args)
        began.set()
        assert go_on.wait(60)
        return rows(*args)

    monkeypatch.setattr(module, "BLOCK", 10)
    before = chroma.collections()
    index = ServerIndex(catalog, server, lambda: "ours")
    held = HeldIndex(catalog, index, IndexPolicy(searches=1))
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(module, "collection_rows", slow)
        if not deletes:
            patch.setattr(ServerIndex, "_delete", lambda *_: False)
        held._catch_up_soon()
        assert began.wait(60)
        closing = threading.Thread(target=held.close)
        interrupted = threading.Event()
        interrupt = index.interrupt
        patch.setattr(index, "interrupt", lambda: (interrupt(), interrupted.set()))
        closing.start()
        assert interrupted.wait(60)
        go_on.set()
        closing.join(60)
        assert not closing.is_alive()
        assert len(blocks) == 1, "of thirty"
    assert not caplog.records, "nothing failed"
    left = chroma.collections() - before
    assert len(left) == (0 if deletes else 1)
    assert index.write(), "it can be built again"
    assert len(chroma.collections() - before) == 1
    assert not left & chroma.collections()


def test_a_collection_has_captions_as_documents_and_the_facts_as_metadata(catalog, server, tmp_path, chroma):
    on_server(catalog, server, tmp_path / "one")
    [name] = chroma.collections()
    found = chroma.client().get_collection(name).get(ids=[f"{0:016x}", f"{1:016x}"])
    assert found["documents"] == [f"a picture, {0:016x}", "1.png"]
    assert found["metadatas"] == [
        {"source": "/even/0.png", "name": "0.png", "folder": "/even", "format": "jpeg"},
        {"source": "/odd/1.png", "name": "1.png", "folder": "/odd", "format": "png", "taken": "2024-05-01T10:00:00"},
    ]


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", f"http://ann:{SECRET}@host", "http://host:port",
    f"http://host?token={SECRET}", f"http://host/#{SECRET}", f"http://ann:1/{SECRET}@host", f"http://ann%3A{SECRET}%40host",
])  # fmt: skip
def test_what_is_no_url_of_a_server_is_refused_in_one_line(url):
    with pytest.raises(InvalidRequestError, match="IPCIR_CHROMA_TOKEN") as caught:
        load_settings(chroma_url=url)
    assert SECRET not in shown(caught.value)


def shown(error: BaseException) -> str:
    """All that a traceback says, causes included."""
    return "".join(traceback.format_exception(error))


def test_white_space_around_the_token_is_no_part_of_it(monkeypatch):
    monkeypatch.setenv("IPCIR_CHROMA_TOKEN", f" {SECRET}\n")
    token = load_settings().chroma_token
    assert token is not None
    assert token.get_secret_value() == SECRET
    monkeypatch.setenv("IPCIR_CHROMA_TOKEN", " \n")
    assert load_settings().chroma_token is None


@pytest.mark.parametrize("token", [f"{SECRET}\n{SECRET}", f"{SECRET}\0", f"{SECRET}\u00e4", f"{SECRET}\u20ac"])
def test_a_token_that_is_no_header_is_refused_and_not_shown(token):
    with pytest.raises(InvalidRequestError, match=r"chroma_token.*printable ASCII") as caught:
        load_settings(chroma_token=token)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("token", [f"{SECRET}\n", f"{SECRET}'\"", SECRET])
def test_no_error_of_the_client_shows_the_token(token, monkeypatch):
    import httpx

    def fail(*_: object, headers: dict[str, str], **__: object) -> None:
        httpx.Headers(headers)
        raise httpx.LocalProtocolError(f"Illegal header value {headers['x-chroma-token'].encode()!r}")

    server = ChromaServer("http://127.0.0.1:9", token=SecretStr(token))
    monkeypatch.setattr(httpx, "get", fail)
    with pytest.raises(module.BrokenIndexError) as caught:
        server.connect()
    assert SECRET not in shown(caught.value)

    class Echo:
        def query(self, **_: object) -> None:
            raise ValueError(f"the server said: {token} is unknown")

        def close(self) -> None:
            raise ValueError(token)

    held = module.ServerCollection(server, Echo(), Echo())
    for call in (lambda: held.nearest(drawn(1)[0], 1), held.close):
        with pytest.raises(module.BrokenIndexError) as caught:
            call()
        assert SECRET not in shown(caught.value)


def test_the_token_is_sent_and_never_shown(httpserver, monkeypatch):
    monkeypatch.setenv("IPCIR_CHROMA_TOKEN", SECRET)
    settings = Settings(chroma_url=httpserver.url_for("/"))
    assert SECRET not in repr(settings) + settings.model_dump_json()
    httpserver.expect_request("/api/v2/heartbeat").respond_with_json({}, status=500)
    server = ChromaServer.of(settings)
    assert SECRET not in repr(server)
    with pytest.raises(module.BrokenIndexError) as caught:
        server.connect()
    assert SECRET not in str(caught.value)
    [(request, _)] = httpserver.log
    assert request.headers["x-chroma-token"] == SECRET
