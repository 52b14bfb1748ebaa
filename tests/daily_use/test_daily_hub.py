"""The first run, through the command line in processes of their own: a hub on loopback, a home without a cache."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from colour_folder import draw
from hub_models import BLIP, BLIP2, CLIP, save_repositories
from hub_server import HubServer, Manners, serving

ENCODER, CAPTIONER = f"open_clip:hf-hub:{CLIP}", f"transformers:{BLIP}"


@pytest.fixture(scope="module")
def repos(tmp_path_factory) -> dict[str, Path]:
    return save_repositories(tmp_path_factory.mktemp("hub"))


@pytest.fixture
def hub(repos) -> Iterator[HubServer]:
    with serving(dict(repos)) as hub:
        yield hub


@dataclass
class Ipcir:
    """The command line with a fresh home, whose models come from ``hub``."""

    hub: HubServer
    home: Path

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        clean = {name: each for name, each in os.environ.items() if not name.lower().endswith("_proxy")}
        given = self.hub.environment(self.home) | {"COLUMNS": "400"} | environment
        return subprocess.Popen(
            [sys.executable, "-m", "ipcir_tools.cli.main", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean | given,
        )

    def __call__(self, *arguments: object, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def refused(self, *arguments: object, **environment: str) -> str:
        """The one line on standard error that says why it cannot be done."""
        status, out, err = self(*arguments, **environment)
        assert (status, out) == (2, ""), err
        *said, line = err.splitlines()
        assert all(each.startswith("downloading ") for each in said), err
        assert line.startswith("error: ")
        return line


@pytest.fixture
def ipcir(hub, tmp_path) -> Ipcir:
    (tmp_path / "home").mkdir()
    return Ipcir(hub, tmp_path / "home")


@pytest.mark.slow
def test_index_and_search_arrive_with_their_models_and_never_ask_again(ipcir, hub, tmp_path):
    pictures = tmp_path / "pictures"
    draw(pictures)
    models = ("--encoder", ENCODER, "--captioner", CAPTIONER)
    status, _, err = ipcir("index", pictures, *models)
    assert status == 0, err
    (line,) = err.splitlines()
    assert re.fullmatch(rf"downloading {ENCODER}: \d+ kB from {hub.url} to ~/\.cache/huggingface/hub, once", line), (
        "what, how large, from where and to where, on one line"
    )
    status, out, err = ipcir("search", pictures / "red-0.png", "in blue", *models, "--json")
    assert status == 0, err
    assert json.loads(out)["hits"]
    (line,) = err.splitlines()
    assert line.startswith(f"downloading {CAPTIONER}: ")
    asked = len(hub.requests)
    for _ in range(2):
        status, out, err = ipcir("search", pictures / "blue-0.png", "in green", "--json")
        assert (status, err) == (0, "")
    assert len(hub.requests) == asked, "once here, no request is sent"
    hub.manners = Manners(silent=True)
    assert ipcir("search", pictures / "red-0.png", "in green", "--json")[0] == 0, "nor is the hub missed"


@pytest.mark.parametrize("name", [f"transformers:{BLIP2}", CAPTIONER, ENCODER])
def test_a_model_fetched_ahead_is_loaded_without_a_request(ipcir, hub, name):
    status, out, err = ipcir("models", "--get", name, "--json")
    assert status == 0, err
    (model,) = json.loads(out)["models"]
    assert (model["name"], model["complete"], model["fetched"]) == (name, True, True)
    assert Path(model["folder"]).is_relative_to(ipcir.home)
    assert err.startswith(f"downloading {name}: ")
    asked = len(hub.requests)
    program = (
        "from ipcir_tools.models.loading import load_captioner, load_encoder; from PIL import Image\n"
        f"name = {name!r}; picture = [Image.new('RGB', (40, 40), 'red')]\n"
        "if name.startswith('open_clip'): load_encoder(name, device='cpu').embed_texts(['a red dress'])\n"
        "else: load_captioner(name, device='cpu').caption(picture)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=dict(os.environ) | hub.environment(ipcir.home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    again = json.loads(ipcir("models", "--get", name, "--json")[1])["models"]
    assert again == [model | {"fetched": False}]
    assert len(hub.requests) == asked


def test_all_parts_and_the_tokenizer_are_counted_in_the_size(ipcir, repos):
    models = json.loads(ipcir("models", "--get", f"transformers:{BLIP2}", ENCODER, "--json")[1])["models"]
    parts = [each.stat().st_size for each in repos[BLIP2].glob("model-*.safetensors")]
    assert len(parts) > 1
    assert models[0]["size"] > sum(parts)
    assert models[1]["size"] > (repos[CLIP] / "open_clip_model.safetensors").stat().st_size


def test_get_fetches_the_models_of_the_settings_and_lists_what_is_here(ipcir, hub):
    settings = {"IPCIR_ENCODER": ENCODER, "IPCIR_CAPTIONER": CAPTIONER}
    assert "no model is downloaded yet" in ipcir("models", **settings)[1]
    status, out, err = ipcir("models", "--get", **settings)
    assert status == 0, err
    assert [line.split()[0] for line in out.splitlines()] == ["model", f"open_clip:{'hf-hub:' + CLIP}", CAPTIONER]
    assert len(err.splitlines()) == 2
    listed = json.loads(ipcir("models", "--json")[1])["on_this_machine"]
    assert {CAPTIONER} <= {each["name"] for each in listed if each["complete"] and each["size"]}
    assert not (ipcir.home / ".ipcir").exists(), "no gallery is made for it"


def test_what_needs_no_download_is_told(ipcir, hub):
    status, out, err = ipcir("models", "--get", "--models", "demo")
    assert (status, err, hub.requests) == (0, "", [])
    assert out.count("needs no download") == 2
    assert "names no encoder" in ipcir.refused("models", "--get", "clip")
    assert "write: ipcir models --get clip" in ipcir.refused("models", "clip")


def test_a_run_that_is_killed_half_way_is_resumed(ipcir, hub, repos, tmp_path):
    large = tmp_path / "large"
    large.mkdir()
    for file in repos[BLIP].iterdir():
        (large / file.name).write_bytes(file.read_bytes())
    (large / "model.safetensors").write_bytes(os.urandom(4_000_000))
    hub.repos = {BLIP: large}
    hub.manners = Manners(pace=1_000_000)
    process = ipcir.start("models", "--get", CAPTIONER)
    while hub.sent < 2_000_000:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    listed = json.loads(ipcir("models", "--json")[1])["on_this_machine"]
    assert [(each["name"], each["complete"]) for each in listed] == [(CAPTIONER, False)]
    hub.manners, before = Manners(), hub.sent
    status, out, err = ipcir("models", "--get", CAPTIONER, "--json")
    assert status == 0, err
    assert re.search(r"4 MB, \d MB of it here already", err)
    rest = hub.sent - before
    assert 0 < rest < 3_000_000, "what had arrived is not sent again"
    folder = Path(json.loads(out)["models"][0]["folder"])
    assert (folder / "model.safetensors").read_bytes() == (large / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("manners", "words"),
    [
        (Manners(gated=True), "is gated: ask for access"),
        (Manners(status=404), "has no repository"),
        (Manners(status=500), "it answered with status 500"),
        (Manners(corrupt=True), "came damaged"),
        (Manners(silent_after=1000), "fell silent: no byte for 2 s"),
        (Manners(drop_after=0), "broke off the connection"),
    ],
    ids=lambda value: value if isinstance(value, str) else "hub",
)
def test_what_a_hub_does_is_one_line(ipcir, hub, manners, words):
    hub.manners = manners
    said = ipcir.refused("models", "--get", CAPTIONER)
    assert words in said
    assert CAPTIONER in said
    assert "--models demo" in said
    hub.manners = Manners()
    assert ipcir("models", "--get", CAPTIONER)[0] == 0, "and is no obstacle later"


@pytest.mark.slow
def test_no_network_names_the_ways_out(ipcir, tmp_path):
    said = ipcir.refused("models", "--get", CAPTIONER, HF_ENDPOINT="http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in said
    assert "run this where there is one and copy ~/.cache/huggingface/hub" in said
    pictures = tmp_path / "pictures"
    draw(pictures)
    said = ipcir.refused("index", pictures, "--encoder", ENCODER, HF_ENDPOINT="http://127.0.0.1:9")
    assert "ipcir models --get" in said
    assert "local-dir:FOLDER" in said


def test_a_proxy_is_used_and_named_where_it_refuses(ipcir, hub):
    proxy = {"HF_ENDPOINT": "http://hub.invalid", "HTTP_PROXY": hub.url, "http_proxy": hub.url}
    hub.manners = Manners(status=403)
    assert "through the proxy 127.0.0.1" in ipcir.refused("models", "--get", CAPTIONER, **proxy)
    hub.manners = Manners()
    assert ipcir("models", "--get", CAPTIONER, **proxy)[0] == 0
