"""Image generators: order, seeds and errors; an images endpoint over the wire; a pipeline; one by module and name."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pytest_httpserver import HTTPServer
from stand_ins import draw_all
from werkzeug import Request, Response

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.llm import retries
from ipcir_tools.models import diffusers_images, hub
from ipcir_tools.models.image_generator import ImageGenerator
from ipcir_tools.models.loading import load_image_generator
from ipcir_tools.settings import Settings, load_settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.drawings import drawing_key
from ipcir_tools.store.failure_limit import OUTAGES
from ipcir_tools.store.features import Features

KEY = "sk-test-0123456789abcdef"


class Painter(ImageGenerator):
    """Paints each picture in the grey of its seed; "fog" cannot be drawn."""

    id = "painter/1"

    def __init__(self, concurrency: int = 1, edits: bool = False) -> None:
        self.concurrency, self.edits = concurrency, edits
        self.asked: list[str] = []
        self.shown: list[Image.Image | None] = []

    def _draw(self, description: str, seeds: Sequence[int], reference: Image.Image | None) -> list[Image.Image]:
        self.asked.append(description)
        self.shown.append(reference)
        if description == "fog":
            raise InvalidRequestError("Fog cannot be drawn.")
        if description == "nothing works":
            raise ModelUnavailableError("The painter is ill.")
        return [Image.new("L", (4, 4), seed % 256) for seed in seeds]


class Lazy(Painter):
    """Draws one picture, however many were asked for."""

    def _draw(self, description: str, seeds: Sequence[int], reference: Image.Image | None) -> list[Image.Image]:
        return super()._draw(description, seeds[:1], reference)


def greys(drawn: list[list[Image.Image]]) -> list[list[int]]:
    return [[picture.getpixel((0, 0))[0] for picture in pictures] for pictures in drawn]


# --- the interface


@pytest.mark.parametrize("concurrency", [1, 3])
def test_pictures_come_in_order_and_in_rgb(concurrency):
    texts = [f"text {i}" for i in range(20)]
    drawn = draw_all(Painter(concurrency), texts, 2)
    assert [len(pictures) for pictures in drawn] == [2] * 20
    assert {picture.mode for pictures in drawn for picture in pictures} == {"RGB"}
    assert greys(drawn) == [greys(draw_all(Painter(), [text], 2))[0] for text in texts]


def test_the_same_seed_gives_the_same_pictures_and_another_others():
    assert greys(draw_all(Painter(), ["a", "b"], 4, seed=1)) == greys(draw_all(Painter(), ["a", "b"], 4, seed=1))
    assert greys(draw_all(Painter(), ["a", "b"], 4, seed=1)) != greys(draw_all(Painter(), ["a", "b"], 4, seed=2))


def test_a_picture_does_not_depend_on_how_many_are_drawn():
    assert greys(draw_all(Painter(), ["a"], 5))[0][:2] == greys(draw_all(Painter(), ["b", "a"], 2))[1]


def test_a_description_that_cannot_be_drawn_costs_no_other_one():
    drawn = dict(Painter().drawings(["a", "fog", "b"]))
    assert isinstance(drawn[1], InvalidRequestError)
    assert [len(drawn[0]), len(drawn[2])] == [1, 1]
    with pytest.raises(InvalidRequestError, match="Fog"):
        draw_all(Painter(), ["a", "fog", "b"])


@pytest.mark.parametrize("concurrency", [1, 3])
def test_where_nothing_can_be_drawn_nothing_more_is_asked_for(concurrency):
    painter = Painter(concurrency)
    with pytest.raises(ModelUnavailableError, match="ill"):
        draw_all(painter, ["nothing works", *map(str, range(100))])
    assert len(painter.asked) <= 2 * concurrency + 2


def test_no_more_is_drawn_ahead_than_the_caller_takes():
    painter = Painter(2)
    next(painter.drawings([str(i) for i in range(100)]))
    assert len(painter.asked) <= 6


def test_too_few_pictures_are_an_error():
    with pytest.raises(ModelUnavailableError, match="gave 1 images in place of 3"):
        draw_all(Lazy(), ["a"], 3)


def test_no_pictures_are_no_request():
    with pytest.raises(InvalidRequestError, match="at least 1"):
        draw_all(Painter(), ["a"], 0)
    assert draw_all(Painter(), [], 2) == []


def test_references_are_shown_to_image_generators_that_edit_alone():
    reference = Image.new("RGB", (3, 3))
    for edits, seen in ((True, reference), (False, None)):
        painter = Painter(edits=edits)
        draw_all(painter, ["a"], 1, [reference])
        assert painter.shown == [seen]


@given(st.lists(st.tuples(st.text(), st.text(), st.integers(0, 9), st.integers(0, 9), st.text()), unique=True))
def test_keys_differ_where_anything_does(wanted):
    keys = [
        drawing_key(image_generator, text, i, seed=seed, reference=seen)
        for image_generator, text, i, seed, seen in wanted
    ]
    assert len(set(keys)) == len(wanted)
    assert all(re.fullmatch(r"drawn:[0-9a-f]{16}", key) for key in keys)


# --- what is kept of it


class Moody(Painter):
    """Fails or is broken off at descriptions that say so."""

    def _draw(self, description: str, seeds: Sequence[int], reference: Image.Image | None) -> list[Image.Image]:
        if description.startswith("kill"):
            raise KeyboardInterrupt
        return super()._draw("nothing works" if description.startswith("ill") else description, seeds, reference)


@pytest.fixture
def features(tmp_path) -> Iterator[Features]:
    encoder = FakeEncoder("open_clip:fake/colours")
    with Catalog.open(tmp_path / "home") as catalog:
        yield Features(catalog, Settings(), lambda: encoder, ScriptedCaptioner, lambda: "nobody")


def draw(features: Features, image_generator: ImageGenerator, *descriptions: str) -> int:
    return len(features.drawn(image_generator, [(text, "") for text in descriptions], 2))


SEVEN = [f"dress {i}" for i in range(7)]


def test_what_was_drawn_before_a_run_was_killed_is_not_drawn_again(features):
    with pytest.raises(KeyboardInterrupt):
        draw(features, Moody(), *SEVEN, "kill", *SEVEN)
    assert features.made["drawings"] >= 2 * 5, "one is drawn while two wait for their turn"
    before, again = features.made["drawings"], Moody()
    assert draw(features, again, *SEVEN) == 7
    assert 2 * len(again.asked) == 2 * 7 - before


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_description_that_failed_leaves_the_others_kept_and_counted(features, concurrency):
    with pytest.raises(ModelUnavailableError, match="ill"):
        draw(features, Moody(concurrency), *SEVEN[:6], "ill", SEVEN[6])
    assert features.made["drawings"] == 2 * 7
    again = Moody()
    assert draw(features, again, *SEVEN) == 7
    assert again.asked == []


def test_a_failing_image_generator_is_called_a_few_times_only(features):
    dead, most = Moody(), OUTAGES + 3
    with pytest.raises(ModelUnavailableError):
        draw(features, dead, *(f"ill {i}" for i in range(50)))
    before = len(dead.asked)
    assert before <= most
    with features.shared_failures():
        for i in range(50):
            with pytest.raises(ModelUnavailableError):
                draw(features, dead, f"ill {i}")
    assert len(dead.asked) == before + OUTAGES
    assert draw(features, dead, "a dress") == 1, "it may be well again"


def test_the_encoder_is_there_before_anything_is_drawn(features, monkeypatch):
    """Else all that is drawn while it is loaded would be lost with a run that is killed then."""
    monkeypatch.setattr(Features, "space", "open_clip:fake/colours/64")  # as a gallery's, known without the encoder
    painter, loaded, load = Painter(), list[list[str]](), features._encoder
    features._drawings._encoder = lambda: loaded.append(list(painter.asked)) or load()
    draw(features, painter, *SEVEN)
    assert loaded == [[]]


# --- names


@pytest.mark.parametrize("name", ["", "openai", "openai:", "dalle:3", "python:json", "python::x", "python:x:"])
def test_the_error_of_a_malformed_name_lists_the_forms(name):
    with pytest.raises(InvalidRequestError, match="openai:MODEL, diffusers:ORG/NAME"):
        load_image_generator(name)


def test_the_error_for_no_name_says_how_to_choose():
    with pytest.raises(ModelUnavailableError, match="IPCIR_IMAGE_GENERATOR"):
        load_image_generator(None)


def test_an_image_generator_of_ones_own_by_name(monkeypatch):
    module = ModuleType("my_image_generators")
    module.Painter, module.not_one = Painter, dict
    monkeypatch.setitem(sys.modules, "my_image_generators", module)
    assert isinstance(load_image_generator("python:my_image_generators:Painter"), Painter)
    with pytest.raises(ModelUnavailableError, match="gives a dict, not an ImageGenerator"):
        load_image_generator("python:my_image_generators:not_one")


@pytest.mark.parametrize("name", ["python:no_such_module:X", "python:json:Missing", "python:json:loads"])
def test_an_image_generator_of_ones_own_that_cannot_be_loaded(name):
    with pytest.raises(ModelUnavailableError, match=f"Cannot load the image generator {name}"):
        load_image_generator(name)


def test_the_wardrobe_draws_by_its_short_name():
    image_generator = load_image_generator("wardrobe")
    ((first, second),) = draw_all(image_generator, ["a red dress"], 2)
    assert first.size == (224, 224)
    assert first.tobytes() != second.tobytes()


# --- an images endpoint in OpenAI's protocol


def png(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def sends(document: Any, status: int = 200, **headers: str) -> Callable[[Request], Response]:
    body = document if isinstance(document, bytes | str) else json.dumps(document)
    return lambda request: Response(body, status, {"Content-Type": "application/json", **headers})


def picture(colour: str = "red") -> Callable[[Request], Response]:
    return sends({"created": 1, "data": [{"b64_json": base64.b64encode(png(colour)).decode()}]})


def fault(status: int, message: str, code: str | None = None, **headers: str) -> Callable[[Request], Response]:
    error = {"message": message, "type": "some_error", "param": None, "code": code}
    return sends({"error": error}, status, **headers)


class Endpoint:
    """Plays its answers in order, the last one for ever, and remembers what it was asked."""

    def __init__(self, http: HTTPServer) -> None:
        self.answers: list[Callable[[Request], Response]] = [picture()]
        self.bodies: list[dict[str, Any]] = []
        self.url = http.url_for("/v1")
        http.expect_request("/v1/images/generations").respond_with_handler(self._respond)
        http.expect_request("/made/1.png").respond_with_data(png("blue"), content_type="image/png")

    def _respond(self, request: Request) -> Response:
        self.bodies.append(json.loads(request.data))
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(request)


@pytest.fixture(scope="module")
def http() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as http:
        yield http


@pytest.fixture
def endpoint(http, monkeypatch) -> Endpoint:
    http.clear()
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return Endpoint(http)


def remote(endpoint: Endpoint, **chosen: Any) -> ImageGenerator:
    return load_image_generator("openai:toy-image", load_settings(image_generator_base_url=endpoint.url, **chosen))


def failure(endpoint: Endpoint, kind: type[Exception] = ModelUnavailableError, **chosen: Any) -> str:
    with pytest.raises(kind) as caught:
        draw_all(remote(endpoint, **chosen), ["a red dress"])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pictures_come_as_base64(endpoint):
    (drawn,) = draw_all(remote(endpoint, image_generator_size="256x256"), ["a red dress"], 2)
    assert [each.getpixel((0, 0)) for each in drawn] == [(255, 0, 0)] * 2
    first, second = endpoint.bodies
    assert {name: first[name] for name in ("model", "prompt", "n", "size")} == {
        "model": "toy-image",
        "prompt": "a red dress",
        "n": 1,
        "size": "256x256",
    }
    assert first["seed"] != second["seed"]


def test_no_size_is_sent_unless_it_is_chosen(endpoint):
    draw_all(remote(endpoint), ["a red dress"])
    assert "size" not in endpoint.bodies[0]


def test_pictures_come_as_data_uris(endpoint):
    endpoint.answers = [sends({"data": [{"b64_json": "data:image/png;base64," + base64.b64encode(png()).decode()}]})]
    assert draw_all(remote(endpoint), ["a"])[0][0].getpixel((0, 0)) == (255, 0, 0)


def test_pictures_come_from_the_servers_own_url(endpoint, http):
    endpoint.answers = [sends({"data": [{"b64_json": None, "url": http.url_for("/made/1.png")}]})]
    assert draw_all(remote(endpoint), ["a blue dress"])[0][0].getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize("url", ["http://10.0.0.1/secret.png", "http://169.254.169.254/latest", "file:///etc/passwd"])
def test_a_reply_cannot_reach_the_private_network(endpoint, url):
    endpoint.answers = [sends({"data": [{"url": url}]})]
    assert "sent no picture" in failure(endpoint)


def test_a_server_that_takes_no_seed_is_asked_without_one_from_then_on(endpoint):
    def strict(request: Request) -> Response:
        wrong = "seed" in json.loads(request.data)
        return (fault(400, "Unknown parameter: 'seed'.") if wrong else picture())(request)

    endpoint.answers = [strict]
    image_generator = remote(endpoint)
    assert len(draw_all(image_generator, ["a", "b", "c"])) == 3
    assert ["seed" in body for body in endpoint.bodies].count(False) == 3
    endpoint.bodies.clear()
    draw_all(image_generator, ["d"])
    assert ["seed" in body for body in endpoint.bodies] == [False]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_transient_error_is_tried_again(endpoint, status):
    endpoint.answers = [fault(status, "busy"), fault(status, "busy"), picture()]
    assert len(draw_all(remote(endpoint), ["a"])[0]) == 1
    assert len(endpoint.bodies) == 3


def test_a_lasting_error_is_given_up_with_a_way_out(endpoint):
    endpoint.answers = [fault(500, "overloaded")]
    message = failure(endpoint)
    assert "overloaded" in message
    assert "IPCIR_IMAGE_GENERATOR" in message
    assert len(endpoint.bodies) == 3


def test_a_server_that_asks_for_more_time_than_there_is_is_given_up(endpoint):
    endpoint.answers = [fault(429, "slow down", **{"Retry-After": "600"})]
    assert "slow down" in failure(endpoint)
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Your request was rejected as a result of our safety system.", "content_policy_violation"),
        ("Your request was rejected.", "moderation_blocked"),
        ("The response was filtered.", "contentFilter"),
    ],
)
def test_a_refusal_is_the_descriptions_own_fault(endpoint, message, code):
    def strict(request: Request) -> Response:
        bad = "bad" in json.loads(request.data)["prompt"]
        return (fault(400, message, code) if bad else picture())(request)

    endpoint.answers = [strict]
    found = dict(remote(endpoint).drawings(["a bad thing", "a good thing"]))
    failure, drawn = found[0], found[1]
    assert isinstance(failure, InvalidRequestError)
    assert "refused to draw 'a bad thing'" in str(failure)
    assert len(drawn) == 1
    assert len(endpoint.bodies) == 2


def test_a_wrong_key_is_named_and_never_shown(endpoint):
    endpoint.answers = [fault(401, f"Incorrect API key provided: {KEY}.", "invalid_api_key")]
    message = failure(endpoint)
    assert "OPENAI_API_KEY" in message
    assert KEY not in message
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"<html>it works</html>",
        [],
        {},
        {"data": None},
        {"data": []},
        {"data": [None]},
        {"data": [{"url": None}]},
        {"data": [{"b64_json": 7}]},
        {"data": [{"b64_json": "!!!"}]},
        {"data": [{"b64_json": base64.b64encode(b"no picture").decode()}]},
        {"data": [{"url": "http://127.0.0.1:9/gone.png"}]},
    ],
)
def test_a_reply_without_a_picture_is_one_line(endpoint, reply):
    endpoint.answers = [sends(reply)]
    assert re.match(
        r"The image generator openai:toy-image@\S+/own size sent no picture \(.*\): check", failure(endpoint)
    )


def test_a_silent_server_is_not_waited_for(endpoint):
    def silent(request: Request) -> Response:
        time.sleep(1.0)
        return picture()(request)

    endpoint.answers = [silent]
    assert "IPCIR_IMAGE_GENERATOR_TIMEOUT" in failure(endpoint, image_generator_timeout=0.2)
    assert len(endpoint.bodies) == 1


def test_a_server_that_drips_for_ever_is_not_waited_for(endpoint):
    def dripping(request: Request) -> Response:
        def drops() -> Iterator[bytes]:
            for _ in range(100):
                yield b" "
                time.sleep(0.02)

        return Response(drops(), 200, {"Content-Type": "application/json"})

    endpoint.answers = [dripping]
    assert "IPCIR_IMAGE_GENERATOR_TIMEOUT" in failure(endpoint, image_generator_timeout=0.3)


def test_a_reply_of_any_size_is_not_read(endpoint):
    endpoint.answers = [sends({"data": [{"b64_json": "A" * 10_000}]})]
    assert "more than 2,000 bytes" in failure(endpoint, max_bytes=1_000)


def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    image_generator = load_image_generator(
        "openai:toy-image", load_settings(image_generator_base_url="http://user:hush@127.0.0.1:9/v1")
    )
    with pytest.raises(ModelUnavailableError, match="Check IPCIR_IMAGE_GENERATOR_BASE_URL") as caught:
        draw_all(image_generator, ["a"])
    assert "hush" not in str(caught.value) + image_generator.id


def test_openai_needs_a_key_and_a_server_of_ones_own_does_not(endpoint, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelUnavailableError, match="OPENAI_API_KEY"):
        load_image_generator("openai:gpt-image-1")
    assert draw_all(remote(endpoint), ["a"])


def test_openai_itself_is_sent_no_seed(endpoint, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)  # stands for OpenAI here
    draw_all(load_image_generator("openai:toy-image"), ["a"])
    assert set(endpoint.bodies[0]) == {"model", "prompt", "n"}


def test_the_id_tells_apart_what_draws_differently(endpoint):
    ids = {
        remote(endpoint).id,
        remote(endpoint, image_generator_size="64x64").id,
        load_image_generator("openai:other", load_settings(image_generator_base_url=endpoint.url)).id,
        load_image_generator("openai:toy-image", load_settings(image_generator_base_url="http://127.0.0.1:9/v1")).id,
    }
    assert len(ids) == 4


# --- a pipeline of diffusers, here a stand-in for the package


class Pipeline:
    """Paints noise from each generator, as a pipeline does; remembers how it was loaded and called."""

    def __init__(self, source: str, **options: Any) -> None:
        self.source, self.options, self.calls = source, options, list[dict[str, Any]]()
        self.device, self.bar, self.unsafe = "", True, False

    def set_progress_bar_config(self, *, disable: bool) -> None:
        self.bar = not disable

    def to(self, device: str) -> Pipeline:
        self.device = device
        return self

    def __call__(self, prompts: list[str], *, generator: list[torch.Generator], **options: Any) -> SimpleNamespace:
        self.calls.append({"prompts": prompts, **options})
        if prompts[0] == "too large":
            raise RuntimeError("CUDA out of memory")
        noise = [torch.randint(0, 256, (8, 8, 3), generator=each) for each in generator]
        made = [Image.fromarray(each.numpy().astype(np.uint8)) for each in noise]
        return SimpleNamespace(images=made, nsfw_content_detected=[self.unsafe] * len(made))


@pytest.fixture
def pipelines(monkeypatch) -> list[Pipeline]:
    """A package of that name, and the pipelines that it loaded."""
    loaded: list[Pipeline] = []

    def from_pretrained(source: str, **options: Any) -> Pipeline:
        loaded.append(Pipeline(source, **options))
        return loaded[-1]

    module = ModuleType("diffusers")
    module.AutoPipelineForText2Image = SimpleNamespace(from_pretrained=from_pretrained)
    monkeypatch.setitem(sys.modules, "diffusers", module)
    monkeypatch.setattr(diffusers_images, "LOADED", hub.ModelCache(1))
    return loaded


def test_a_pipeline_draws_a_picture_for_each_seed(pipelines):
    image_generator = load_image_generator("diffusers:org/name", Settings(device="cpu", image_generator_size="64x32"))
    ((first, second),) = draw_all(image_generator, ["a red dress"], 2)
    assert first.tobytes() != second.tobytes()
    assert draw_all(image_generator, ["a red dress"], 1)[0][0].tobytes() == first.tobytes()
    (pipeline,) = pipelines
    assert pipeline.calls[0] == {"prompts": ["a red dress"] * 2, "width": 64, "height": 32}
    assert (pipeline.source, pipeline.device, pipeline.bar) == ("org/name", "cpu", False)
    assert pipeline.options == {
        "torch_dtype": torch.float32,
        "use_safetensors": True,
        "local_files_only": True,
    }
    assert image_generator.id == "diffusers:org/name/64x32"


def test_one_pipeline_is_loaded_once(pipelines):
    for _ in range(2):
        load_image_generator("diffusers:org/name", Settings(device="cpu"))
    assert len(pipelines) == 1


def test_what_a_safety_checker_withholds_is_the_descriptions_own_fault(pipelines):
    image_generator = load_image_generator("diffusers:org/name", Settings(device="cpu"))
    pipelines[0].unsafe = True
    with pytest.raises(InvalidRequestError, match="withheld an image of 'a red dress'"):
        draw_all(image_generator, ["a red dress"])


def test_a_pipeline_that_fails_is_one_line(pipelines):
    with pytest.raises(ModelUnavailableError, match="CUDA out of memory"):
        draw_all(load_image_generator("diffusers:org/name", Settings(device="cpu")), ["too large"])


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ModelUnavailableError, match=re.escape('pip install "ipcir-tools[diffusers]"')):
        load_image_generator("diffusers:org/name", Settings(device="cpu"))


def saved_pipeline(folder: Path, weights: bytes) -> Path:
    """A folder as a pipeline is saved to: an index, and parts with weights of their own."""
    for name, content in {
        "model_index.json": b'{"_class_name": "StableDiffusionPipeline"}',
        "unet/config.json": b"{}",
        "unet/diffusion_pytorch_model.safetensors": weights,
        "scheduler/scheduler_config.json": b"{}",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_a_folder_is_known_by_its_contents(pipelines, tmp_path):
    folders = [saved_pipeline(tmp_path / str(i) / "mine", weights) for i, weights in enumerate((b"a", b"a", b"b"))]
    first, same, other = (load_image_generator(f"diffusers:{folder}", Settings(device="cpu")).id for folder in folders)
    assert re.fullmatch(r"diffusers:mine@[0-9a-f]{12}/own size", first)
    assert first == same
    assert first != other


def test_a_folder_without_a_pipeline_is_named(pipelines, tmp_path):
    with pytest.raises(ModelUnavailableError, match=r"holds no model_index\.json"):
        load_image_generator(f"diffusers:{tmp_path}", Settings(device="cpu"))
