"""Captioners: real architectures, tiny and of random weights, through the folders that users name; and chat models."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from PIL import Image
from tiny_captioners import KINDS, WORDS, pictures, save_model

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.fakes import ScriptedCaptioner, ScriptedChatModel
from ipcir_tools.llm import retries
from ipcir_tools.models import chat_captioner, hub, transformers_captioner
from ipcir_tools.models.captioner import CaptionBatch, Captioner, NoCaptionError, clean
from ipcir_tools.models.chat_captioner import ChatCaptioner
from ipcir_tools.models.loading import captioner_id, load_captioner
from ipcir_tools.settings import Settings
from ipcir_tools.store.captions import Captioning
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.failure_limit import OUTAGES


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("captioners")
    return {kind: save_model(kind, root / kind) for kind in KINDS}


# ---- transformers ------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_captions_in_float32_on_a_cpu(folders, kind, capfd):
    captioner = load_captioner(f"transformers:{folders[kind]}", device="cpu")
    captions = captioner.caption(pictures(2))
    assert (captioner.device, captioner.dtype) == ("cpu", "float32")
    assert [len(texts) for texts in captions] == [1, 1]
    words = {word for texts in captions for text in texts for word in text.split()}
    assert words <= set(WORDS[6:]), "only words that the model knows: no special tokens, nothing made up"
    assert captions[0] != captions[1], "the caption depends on the picture"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", KINDS)
def test_batches_repeats_and_single_pictures_give_the_same_captions(folders, kind):
    captioner = load_captioner(f"transformers:{folders[kind]}", device="cpu", batch_size=4)
    images = pictures(6)
    together = captioner.caption(images, n=2)
    assert together == captioner.caption(images, n=2)
    assert together == [captioner.caption([image], n=2)[0] for image in images]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_several_captions_come_best_first(folders, n):
    captioner = load_captioner(f"transformers:{folders['blip']}", device="cpu")
    captions = captioner.caption(pictures(3), n=n)
    assert [len(texts) for texts in captions] == [n] * 3
    if n <= transformers_captioner.GENERATION["num_beams"]:  # the same search, read further down
        assert [texts[0] for texts in captions] == [texts[0] for texts in captioner.caption(pictures(3))]


def test_captions_are_those_of_transformers_itself(folders):
    from transformers import BlipForConditionalGeneration, BlipProcessor

    image = pictures(1)[0]
    model = BlipForConditionalGeneration.from_pretrained(folders["blip"], dtype="float32").eval()
    processor = BlipProcessor.from_pretrained(folders["blip"])
    ids = model.generate(**processor(images=image, return_tensors="pt"), **transformers_captioner.GENERATION)
    expected = clean(processor.decode(ids[0], skip_special_tokens=True))
    assert load_captioner(f"transformers:{folders['blip']}", device="cpu").caption([image]) == [[expected]]


def test_half_precision_can_be_chosen(folders):
    captioner = load_captioner(f"transformers:{folders['blip']}", device="cpu", dtype="bfloat16")
    assert captioner.dtype == "bfloat16"
    assert captioner.caption(pictures(1))[0][0]


def test_a_model_is_loaded_once(folders, monkeypatch):
    loads = []
    real = transformers_captioner.load_model
    monkeypatch.setattr(transformers_captioner, "LOADED", hub.ModelCache())
    monkeypatch.setattr(transformers_captioner, "load_model", lambda *args: loads.append(args) or real(*args))
    for size in [1, 2]:
        load_captioner(f"transformers:{folders['git']}", device="cpu", batch_size=size)
    assert len(loads) == 1


# ---- what every captioner does -----------------------------------------------------------------------
def test_nothing_in_nothing_out_and_n_must_be_positive():
    captioner = ScriptedCaptioner()
    assert captioner.caption([]) == []
    with pytest.raises(InvalidRequestError, match="at least 1"):
        captioner.caption(pictures(1), n=0)


@given(st.text())
def test_clean_captions_are_one_short_line_with_words(text):
    cleaned = clean(text)
    assert 1 <= len(cleaned) <= 400
    assert cleaned == " ".join(cleaned.split())
    assert clean(cleaned) == cleaned


def test_cleaning_by_example():
    assert clean("  a red\n dress\t ") == "a red dress"
    assert clean(" \n") == "a picture"
    assert len(clean("word " * 200)) <= 400


# ---- names -------------------------------------------------------------------------------------------
def test_the_id_names_weights_and_settings(folders, tmp_path, monkeypatch):
    name = f"transformers:{folders['blip']}"
    identity = captioner_id(name)
    assert identity.startswith("transformers:blip@")
    assert load_captioner(name, device="cpu").id == identity
    assert captioner_id(f"transformers:{shutil.copytree(folders['blip'], tmp_path / 'blip')}") == identity
    monkeypatch.setitem(transformers_captioner.GENERATION, "num_beams", 1)
    other = captioner_id(name)
    assert (other.rpartition("/")[0], other == identity) == (identity.rpartition("/")[0], False)


def test_auto_is_blip_2_on_an_accelerator_and_blip_on_a_cpu(monkeypatch):
    assert captioner_id("auto", Settings(device="cpu")).startswith(
        "transformers:Salesforce/blip-image-captioning-base/"
    )
    monkeypatch.setattr(transformers_captioner, "pick_device", lambda device: "cuda")
    assert captioner_id("auto").startswith("transformers:Salesforce/blip2-opt-2.7b/")


def test_the_identity_needs_no_torch(folders):
    code = (
        "import sys; from ipcir_tools.models.loading import captioner_id; "
        f"captioner_id('transformers:{folders['blip']}'); captioner_id('chat:openai:gpt-4o'); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'langchain')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["", "blip", "transformers:", "chat:", "chat:gpt-4o", "open_clip:x/y"])
def test_the_error_of_a_malformed_name_lists_the_forms(name):
    for ask in (captioner_id, load_captioner):
        with pytest.raises(InvalidRequestError, match="auto, transformers:ORG/NAME"):
            ask(name)


# ---- what cannot work --------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["auto", "transformers:Salesforce/blip2-opt-2.7b"])
def test_without_the_hub_the_way_out_is_named(name, monkeypatch, capfd):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailableError, match="cannot be reached") as caught:
        load_captioner(name, device="cpu")
    assert "Salesforce/blip" in str(caught.value)
    assert "--models demo" in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_each_kind_of_unusable_folder_has_its_own_error(folders, tmp_path, capfd):
    with pytest.raises(ModelUnavailableError, match="There is no folder"):
        load_captioner(f"transformers:{tmp_path / 'none'}")
    with pytest.raises(ModelUnavailableError, match=r"holds no config\.json"):
        load_captioner(f"transformers:{tmp_path}")
    broken = shutil.copytree(folders["blip"], tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelUnavailableError, match="Cannot load transformers:"):
        load_captioner(f"transformers:{broken}", device="cpu")
    other = shutil.copytree(folders["blip"], tmp_path / "other")
    (other / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelUnavailableError, match="'bert', which captions nothing without a prompt"):
        load_captioner(f"transformers:{other}", device="cpu")
    assert capfd.readouterr().err == ""


def test_a_checkpoint_that_lacks_weights_is_refused(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    lacking = shutil.copytree(folders["blip"], tmp_path / "lacking")
    weights = load_file(lacking / "model.safetensors")
    gone = next(key for key in weights if "crossattention" in key)
    save_file({key: w for key, w in weights.items() if key != gone}, lacking / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelUnavailableError, match="crossattention"):
        load_captioner(f"transformers:{lacking}", device="cpu")


# ---- chat models -------------------------------------------------------------------------------------
def chat(*replies) -> tuple[ChatCaptioner, ScriptedChatModel]:
    model = ScriptedChatModel(replies=list(replies))
    return ChatCaptioner("scripted:x", Settings(llm_concurrency=1), model), model


def test_a_chat_model_is_sent_a_small_jpeg_and_asked_n_times():
    captioner, model = chat(
        " a red\ndress ", AIMessage(content=[{"type": "text", "text": "a gown"}]), "a hat", "a shirt"
    )
    found = captioner.caption([Image.new("RGBA", (3000, 1000), "red"), Image.new("L", (8, 8))], n=2)
    assert list(map(set, found)) == [{"a red dress", "a gown"}, {"a hat", "a shirt"}]
    text, picture = model.received[0][0].content
    assert text["text"] == chat_captioner.CHAT_PROMPT
    assert (picture["type"], picture["mime_type"]) == ("image", "image/jpeg")
    with Image.open(io.BytesIO(base64.b64decode(picture["base64"]))) as sent:
        assert (sent.format, sent.size) == ("JPEG", (512, 171))


def test_a_failing_chat_model_is_one_clear_line():
    captioner, _ = chat(RuntimeError("rate limit\nreached"))
    reason = r"the language model's server reported an error \(rate limit reached\)"
    with pytest.raises(ModelUnavailableError, match=rf"^The captioner chat:scripted:x/\w+ failed: {reason}\.$"):
        captioner.caption(pictures(1))


def test_a_refusal_is_no_caption():
    captioner, _ = chat("I'm sorry, but I can't help with that.")
    with pytest.raises(NoCaptionError, match=r"gave no caption: it answered with a refusal\.$"):
        captioner.caption(pictures(1))


def test_a_chat_model_by_name_over_a_server(httpserver, monkeypatch):
    reply = {
        **{"id": "1", "object": "chat.completion", "created": 1, "model": "m"},
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a red square"}}],
    }
    httpserver.expect_request("/v1/chat/completions", method="POST").respond_with_json(reply)
    settings = Settings(llm_base_url=httpserver.url_for("/v1"))
    captioner = load_captioner("chat:openai:some-model", settings=settings)
    assert captioner.caption(pictures(3)) == [["a red square"]] * 3
    assert captioner.id == captioner_id("chat:openai:some-model", settings) != captioner_id("chat:openai:some-model")
    body = httpserver.log[0][0].get_json()
    assert (body["model"], body["temperature"]) == ("some-model", 0)
    sent = body["messages"][0]["content"][1]
    assert sent["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_a_chat_model_is_tried_again_within_its_timeout(httpserver, monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    httpserver.expect_ordered_request("/v1/chat/completions").respond_with_data("busy", status=503)
    reply = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a cap"}}]}
    httpserver.expect_ordered_request("/v1/chat/completions").respond_with_json(reply)
    captioner = load_captioner("chat:openai:m", settings=Settings(llm_base_url=httpserver.url_for("/v1")))
    assert captioner.caption(pictures(1)) == [["a cap"]]
    assert captioner.spent["calls"] == 2


def test_a_silent_chat_model_is_left_alone_after_its_timeouts(httpserver):
    release = threading.Event()
    httpserver.expect_request("/v1/chat/completions").respond_with_handler(lambda request: release.wait(10))
    settings = Settings(llm_base_url=httpserver.url_for("/v1"), llm_timeout=0.3, llm_concurrency=1)
    captioner = load_captioner("chat:openai:m", settings=settings, batch_size=1)
    made = [captions for batch in captioner.captions(pictures(5)) for _, captions in batch]
    release.set()
    assert [isinstance(each, ModelUnavailableError) for each in made] == [True] * 5
    assert sum("did not answer in time (0.3 s allowed)" in str(each) for each in made) == 2
    assert sum("gets no request" in str(each) for each in made) == 3


@pytest.mark.parametrize("name", ["chat:nobody:x", "chat:openai:x"])
def test_a_chat_model_that_cannot_be_set_up(name, monkeypatch):
    for key in ["OPENAI_API_KEY", "OPENAI_ADMIN_KEY"]:
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(ModelUnavailableError, match=f"language model {name.removeprefix('chat:')} is not available"):
        load_captioner(name)


def test_one_reply_that_fails_leaves_the_others():
    captioner, _ = chat("a red dress", RuntimeError("too busy"), "a blue dress")
    found = dict(each for batch in captioner.captions(pictures(3)) for each in batch)
    assert (found[0], found[2]) == (["a red dress"], ["a blue dress"])
    assert isinstance(found[1], ModelUnavailableError)


def test_what_a_chat_model_costs_is_counted():
    usage = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
    captioner, _ = chat(AIMessage("a dress", usage_metadata=usage), "a shirt", RuntimeError("too busy"))
    list(captioner.captions(pictures(3)))
    assert captioner.spent == {"calls": 3, "input_tokens": 100, "output_tokens": 20}
    assert ScriptedCaptioner().spent == {}, "a model on this machine costs nothing"


# ---- captions that are kept as they are made ---------------------------------------------------------
class CountingCaptioner(Captioner):
    """Gives one caption at a time; interrupted ``at`` the call of that number; the calls ``ill`` end in ``error``."""

    def __init__(self, at: int = 99, ill: Sequence[int] = (), error: type[Exception] = ModelUnavailableError) -> None:
        super().__init__(id="counting/0")
        self.at, self.ill, self.calls, self.error = at, ill, 0, error

    def captions(self, images: Sequence[Image.Image], n: int = 1) -> Generator[CaptionBatch]:
        for place in (place for place in range(len(images)) for _ in range(n)):
            self.calls += 1
            if self.calls == self.at:
                raise KeyboardInterrupt
            ill = self.calls in self.ill
            yield [(place, self.error(f"ill {self.calls}") if ill else [f"caption {self.calls}"])]


class CaptionStore:
    """The stored captions of one catalog; each request begins like a new process."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self.made = catalog, Counter[str]()

    def _count(self, what: str, n: int, tally: Counter[str] | None) -> None:
        self.made[what] += n

    def begun(self, captioner: Captioner) -> Captioning:
        self.made.clear()
        return Captioning(self.catalog, lambda: captioner, lambda: captioner.id, self._count)

    def ask(self, captioner: Captioner, n: int = 1, names: str = "abcde") -> dict[str, tuple[str, ...]]:
        return self.begun(captioner).several(names, n, lambda _: Image.new("RGB", (8, 8)), None, None)


@pytest.fixture
def store(tmp_path):
    with Catalog.open(tmp_path / "home") as catalog:
        yield CaptionStore(catalog)


def test_captions_made_before_a_run_was_killed_are_not_made_again(store):
    with pytest.raises(KeyboardInterrupt):
        store.ask(CountingCaptioner(at=4))
    assert store.made == {"captions": 3}
    rest = CountingCaptioner()
    assert len(store.ask(rest)) == 5
    assert rest.calls == 2


def test_several_captions_of_one_picture_are_kept_one_by_one(store):
    with pytest.raises(KeyboardInterrupt):
        store.ask(CountingCaptioner(at=6), n=4)
    rest = CountingCaptioner()
    found = store.ask(rest, n=4)
    assert [len(texts) for texts in found.values()] == [4] * 5
    assert rest.calls == store.made["captions"] == 4 * 5 - 5
    assert store.ask(CountingCaptioner(at=1), n=4) == found, "nothing is asked again"


def test_a_caption_that_fails_leaves_the_others_kept_and_counted(store):
    with pytest.raises(ModelUnavailableError, match="ill 2"):
        store.ask(CountingCaptioner(ill=[2]))
    assert store.made == {"captions": 4}
    rest = CountingCaptioner()
    store.ask(rest)
    assert rest.calls == 1


def test_a_failing_captioner_is_called_a_few_times_only(store):
    dead = CountingCaptioner(ill=range(99))
    captioning = store.begun(dead)

    def ask(names: str = "abcde") -> None:
        with pytest.raises(ModelUnavailableError):
            captioning.several(names, 1, lambda _: Image.new("RGB", (8, 8)), None, None)

    ask()
    assert dead.calls == OUTAGES
    ask()
    assert dead.calls == 2 * OUTAGES, "each call tries again"
    with captioning.failures.shared():
        for _ in range(10):
            ask("a")
    assert dead.calls == 3 * OUTAGES, "unless they belong together"
    dead.ill = ()
    assert captioning.several("a", 1, lambda _: Image.new("RGB", (8, 8)), None, None)


def test_pictures_that_are_refused_do_not_end_the_run(store):
    squeamish = CountingCaptioner(ill=range(1, 5), error=NoCaptionError)
    with pytest.raises(NoCaptionError, match="ill 1"):
        store.ask(squeamish)
    assert (squeamish.calls, store.made["captions"]) == (5, 1)


def test_a_local_models_batch_is_kept_in_one_step(store, monkeypatch):
    steps: list[int] = []
    put = store.catalog.put_captions
    monkeypatch.setattr(store.catalog, "put_captions", lambda made, by: steps.append(len(made)) or put(made, by))
    store.ask(ScriptedCaptioner(batch_size=2), n=3)
    assert [size for size in steps if size] == [2, 2, 1]
