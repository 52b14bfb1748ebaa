"""What the HTTP clients of model servers read, send and keep; `test_faulty_servers.py` has the whole table."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest
from faulty_servers import DESCRIBED, JSON, MODES, RawServer, answered, completion, holding, redirect
from langchain_core.messages import HumanMessage

from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.call_scope import CallScope
from ipcir_tools.llm.client import ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.http_clients import REPLY_BYTES
from ipcir_tools.models.loading import load_chat_model
from ipcir_tools.settings import Settings


@pytest.fixture
def server(monkeypatch) -> Iterator[RawServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with closing(RawServer()) as made:
        yield made


def ask(server: RawServer, seconds: float = 20) -> str:
    client = ChatClient(load_chat_model("openai:m", Settings(llm_base_url=server.url, llm_timeout=20)), None)
    return client.ask([HumanMessage("a secret prompt")], {}, Budget(seconds)).text


def test_a_reply_of_any_usual_kind_is_read(server):
    assert ask(server) == DESCRIBED
    for packing in ("gzip", "x-gzip"):
        server.answer = answered(gzip.compress(completion("a red shirt")), JSON, f"Content-Encoding: {packing}")
        assert ask(server) == "a red shirt"
    assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize("name", ["endless body", "announced gigabytes", "gzip bomb"])
def test_a_reply_that_is_too_long_is_given_up_once(server, name):
    server.answer = MODES[name].answer
    with pytest.raises(NoReplyError, match=f"more than {REPLY_BYTES:,} bytes") as caught:
        ask(server)
    assert not caught.value.unanswered
    assert len(server.requests) == 1, "it would be as long again"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_its_place_is_named(server, status):
    with closing(RawServer()) as other:
        server.other, server.answer = other, redirect(status, "http://localhost:{port}/v1/chat/completions")
        with pytest.raises(NoReplyError, match="sent the request on to http://localhost, which is not followed"):
            ask(server)
        assert other.requests == []


def test_the_async_client_is_bounded_alike(server):
    model = load_chat_model("openai:m", Settings(llm_base_url=server.url))
    assert asyncio.run(model.ainvoke("?")).text == DESCRIBED
    server.answer = MODES["usage of strings"].answer
    assert asyncio.run(model.ainvoke("?")).text == DESCRIBED
    server.answer = MODES["endless body"].answer
    with pytest.raises(Exception, match=r"Connection error|more than"):
        asyncio.run(model.ainvoke("?"))
    assert server.hung_up.wait(5)
    assert server.sent < 2 * REPLY_BYTES + 4_000_000


def test_a_call_over_tls_ends_when_it_is_given_up(server, tmp_path, monkeypatch):
    """TLS puts a socket of its own in the place of the first: the connection is closed all the same."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run([*command, *names], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no openssl here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def silent(raw, connection):
        with context.wrap_socket(connection, server_side=True) as wrapped:
            raw.write(wrapped, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            holding()(raw, wrapped)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with closing(RawServer(silent, "https", reads=False)) as secured:
        with pytest.raises(NoReplyError, match="in time"):
            ask(secured, seconds=1.0)
        assert secured.sent > 0, "the handshake was well"
        assert secured.hung_up.wait(5)


def test_what_begins_after_the_end_of_a_call_is_ended_at_once():
    scope, ends = CallScope(), list[str]()
    scope.on_close(lambda: ends.append("first"))
    scope.close()
    scope.on_close(lambda: ends.append("late"))
    assert ends == ["first", "late"]
