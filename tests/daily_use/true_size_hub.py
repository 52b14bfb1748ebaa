"""The first run with the default models in their true size: 1.5 GB from a hub on loopback, one to two minutes.

Not among the tests that run by default; ``.ci/run`` runs it::

    pytest tests/daily_use/true_size_hub.py
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hub_models import save_true_size
from hub_server import HubServer, Manners, serving
from PIL import Image

SENT_BEFORE_THE_KILL = 200_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """Room for the weights and the cache, free again afterwards."""
    folder = tmp_path_factory.mktemp("true-size")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def hub(folder) -> Iterator[HubServer]:
    with serving(save_true_size(folder / "hub")) as hub:
        yield hub


@pytest.fixture(scope="module")
def pictures(folder) -> Path:
    made = folder / "pictures"
    made.mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(random.integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(made / f"{number}.jpg")
    return made


def start(hub: HubServer, folder: Path, *arguments: object) -> subprocess.Popen[str]:
    environment = dict(os.environ) | hub.environment(folder / "home", HF_HUB_DOWNLOAD_TIMEOUT="10")
    command = [sys.executable, "-m", "ipcir_tools.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(hub: HubServer, folder: Path, *arguments: object) -> tuple[dict, str]:
    """The JSON that the command prints, and what it says beside it."""
    process = start(hub, folder, *arguments, "--json")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return json.loads(out), err


def test_the_first_run_is_killed_goes_on_and_needs_the_hub_never_again(hub, folder, pictures):
    (folder / "home").mkdir()
    hub.manners = Manners(pace=100_000_000)
    process = start(hub, folder, "index", pictures)
    while hub.sent < SENT_BEFORE_THE_KILL:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    hub.manners, killed_at = Manners(), hub.sent
    report, err = run(hub, folder, "index", pictures)
    assert report["added"] == 12
    assert err.startswith("downloading open_clip:ViT-B-32/laion2b_s34b_b79k: 605 MB, ")
    weights = next(hub.repos["laion/CLIP-ViT-B-32-laion2B-s34B-b79K"].glob("*.safetensors")).stat().st_size
    assert hub.sent - killed_at < weights - SENT_BEFORE_THE_KILL / 2, "what had arrived was not sent again"

    found, err = run(hub, folder, "search", pictures / "0.jpg", "in blue")
    assert len(found["hits"]) == 10
    assert err.startswith("downloading transformers:Salesforce/blip-image-captioning-base: ")

    hub.manners, asked = Manners(silent=True), len(hub.requests)
    found, err = run(hub, folder, "search", pictures / "1.jpg", "in green")
    assert (len(found["hits"]), err) == (10, "")
    fetched, err = run(hub, folder, "models", "--get")
    assert [(each["complete"], each["fetched"]) for each in fetched["models"]] == [(True, False)] * 2
    assert (len(hub.requests), err) == (asked, "")
