"""The circuit breaker of a chat model's server, and the tokens that it reports."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pytest_httpserver import HTTPServer
from werkzeug import Response

from ipcir_tools.llm import budget, errors
from ipcir_tools.llm.chat_model import langchain_chat_model
from ipcir_tools.llm.client import ChatClient
from ipcir_tools.llm.reply_store import new_reply
from ipcir_tools.llm.timeouts import run_to_end
from ipcir_tools.prompts import load_prompt
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog


def test_requests_already_sent_do_not_lengthen_the_break():
    breaker = budget.CircuitBreaker()
    for _ in range(2):
        breaker.record(answered=False)
    ends = breaker._open_until
    breaker.record(answered=False)
    assert breaker._open_until == ends > 0
    with pytest.raises(errors.NoReplyError, match="3 times in a row") as raised:
        breaker.check()
    assert 0 < raised.value.retry_after <= budget.BREAK_FOR


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("reported", "counted"),
    [
        ((10, 5, 15), (10, 5)),
        ((float("nan"), float("nan"), float("nan")), (0, 0)),
        (("10", None, "x"), (0, 0)),
        ((10**30, 5, 10**30), (0, 0)),
        ((-10, -5, -15), (0, 0)),
        ((1.5, 2.0, 3.5), (0, 0)),
        ((float("inf"), True, 1), (0, 0)),
    ],
)
def test_a_good_reply_is_used_and_stored_whatever_its_server_counts(
    httpserver: HTTPServer, tmp_path, reported: tuple[Any, ...], counted: tuple[int, int], stream: bool
):
    usage = dict(zip(("prompt_tokens", "completion_tokens", "total_tokens"), reported, strict=True))
    head = {"id": "1", "created": 0, "model": "m", "usage": usage}
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a blue shirt"}}
    piece = {"index": 0, "finish_reason": "stop", "delta": {"role": "assistant", "content": "a blue shirt"}}
    event = json.dumps(
        {**head, "object": "chat.completion.chunk", "choices": [{**piece, "finish_reason": None}], "usage": None}
    )
    last = json.dumps({**head, "object": "chat.completion.chunk", "choices": [{**piece, "delta": {}}]})
    whole = json.dumps({**head, "object": "chat.completion", "choices": [message]})

    def respond(request: Any) -> Response:
        if json.loads(request.data).get("stream"):
            return Response(f"data: {event}\n\ndata: {last}\n\ndata: [DONE]\n\n", content_type="text/event-stream")
        return Response(whole, content_type="application/json")

    httpserver.expect_request("/v1/chat/completions").respond_with_handler(respond)
    llm = langchain_chat_model("m", Settings(llm_base_url=httpserver.url_for("/v1")))
    spent = budget.Budget(10)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        client = ChatClient(llm, None)
        answer = run_to_end(client.ask_streaming([HumanMessage("?")], {}, spent, stream=stream))
    assert (answer.text, spent.calls, spent.tokens_known) == ("a blue shirt", 1, any(counted))
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        catalog.put_reply("key", new_reply(answer.text, "imagine", "m", load_prompt("imagine.simple"), spent))
        stored = catalog.reply("key")
    assert stored is not None
    assert (stored.input_tokens, stored.output_tokens) == counted
