"""Downloads from a hub on loopback: resumed, verified, and one clear line for each manner that a hub can have."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, HubServer, Manners, digest, serving

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.models import downloads, hub_cache, hub_client
from ipcir_tools.models.download_report import Download, report_with
from ipcir_tools.models.downloads import Needed, local_copy
from ipcir_tools.models.hub import fetch, offline
from ipcir_tools.models.hub_environment import HubError
from ipcir_tools.models.hub_files import transformers_files
from ipcir_tools.models.local_models import fetch_model
from ipcir_tools.settings import Settings

REPO = "org/model"
SIZE = 300_000


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubServer]:
    """A hub with one model, an empty cache, and a download that loses no time."""
    from huggingface_hub import constants

    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "blip"}')
    (folder / "README.md").write_text("read me")
    (folder / "model.safetensors").write_bytes(os.urandom(SIZE))
    with serving({REPO: folder}) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(downloads, "PAUSE", 0.0)
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                monkeypatch.delenv(name)
        yield hub


def needed(read: Any) -> list[Needed]:
    return [Needed(REPO, transformers_files)]


def get() -> None:
    downloads.download("transformers:org/model", needed)


def refusal() -> str:
    with pytest.raises(HubError) as caught:
        get()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def is_complete(hub: HubServer) -> bool:
    copy = local_copy(needed)
    weights = hub.repos[REPO] / "model.safetensors"
    return copy is not None and (copy.folder / "model.safetensors").read_bytes() == weights.read_bytes()


def part(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "cache" / "models--org--model" / "blobs").glob("*.incomplete")
    return found


# ---- what arrives ------------------------------------------------------------------------------------
def test_the_files_a_loader_reads_arrive_once_in_the_cache_of_the_hubs_own_client(hub, tmp_path):
    from huggingface_hub import hf_hub_download

    assert local_copy(needed) is None
    get()
    assert is_complete(hub)
    assert hub.sent == SIZE
    assert hub_cache.file_names(local_copy(needed).folder) == ["config.json", "model.safetensors"]
    cached = hf_hub_download(REPO, "model.safetensors", local_files_only=True, cache_dir=tmp_path / "cache")
    assert Path(cached).read_bytes() == (hub.repos[REPO] / "model.safetensors").read_bytes()
    assert local_copy(needed).size == SIZE + len('{"model_type": "blip"}')


def test_what_arrives_is_told_before_the_first_byte_and_then_as_it_comes(hub, tmp_path):
    told: list[Any] = []

    @contextmanager
    def report(download: Download):
        told.extend([download, hub.sent])
        yield told.append

    with report_with(report):
        get()
    first, sent_before, *steps = told
    assert (first.name, first.host, first.here, sent_before) == ("transformers:org/model", hub.url, 0, 0)
    assert first.size == steps[-1] == SIZE + len('{"model_type": "blip"}')
    assert steps == sorted(steps)
    assert str(first) == f"downloading transformers:org/model: 300 kB from {hub.url} to {tmp_path / 'cache'}, once"


def test_without_a_face_one_line_goes_to_the_log(hub, caplog):
    get()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["downloading transformers"]


def test_a_connection_that_ends_in_the_middle_is_taken_up_where_it_ended(hub):
    hub.manners = Manners(drop_after=70_000)
    get()
    assert is_complete(hub)
    begins = [each.begin for each in hub.requests if each.path.startswith("/cdn/")]
    assert begins == [0, 70_000, 140_000, 210_000, 280_000]
    assert hub.sent == SIZE


def test_what_an_ended_process_left_is_not_sent_again(hub, tmp_path):
    hub.manners = Manners(silent_after=100_000)
    assert "100 kB of 300 kB are kept: run it again to go on." in refusal()
    assert part(tmp_path).stat().st_size == 100_000
    assert local_copy(needed) is None
    hub.manners, before = Manners(), hub.sent
    get()
    assert is_complete(hub)
    assert hub.sent - before == SIZE - 100_000


def test_a_hub_without_ranges_sends_everything_again(hub, tmp_path):
    hub.manners = Manners(drop_after=70_000, drops=1, ranges=False)
    get()
    assert is_complete(hub)


def test_left_bytes_of_another_file_are_thrown_away(hub, tmp_path):
    weights = hub.repos[REPO] / "model.safetensors"
    file = hub_client.HubFile("model.safetensors", SIZE, digest(weights))
    left = hub_cache.incomplete(REPO, file)
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x" * 1000)
    get()
    assert is_complete(hub)


def test_a_slow_download_that_lives_goes_on(hub):
    hub.manners = Manners(pace=150_000)  # two seconds, four times as long as silence may last
    get()
    assert is_complete(hub)


def test_a_server_that_is_busy_for_a_moment_is_asked_again(hub):
    hub.manners = Manners(status=503, failures=1)
    get()
    assert is_complete(hub)


def test_a_second_process_waits_for_the_first_and_sends_nothing_twice(hub, caplog):
    hub.manners = Manners(pace=600_000)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(get) for _ in range(2)]:
            done.result()
    assert is_complete(hub)
    assert hub.sent == SIZE
    assert "another process downloads model.safetensors of org/model: waiting for it" in caplog.text


# ---- a cache that is not whole -----------------------------------------------------------------------
@pytest.mark.parametrize("gone", ["snapshots", "refs", "blobs"])
def test_an_incomplete_cache_is_completed(hub, tmp_path, gone):
    get()
    shutil.rmtree(tmp_path / "cache" / "models--org--model" / gone)
    assert local_copy(needed) is None
    get()
    assert is_complete(hub)


def test_a_file_that_was_damaged_on_the_disk_is_replaced(hub, tmp_path):
    get()
    blob = (local_copy(needed).folder / "model.safetensors").resolve()
    blob.write_bytes(b"\0" * SIZE)
    get()
    assert is_complete(hub)
    assert hub.sent == 2 * SIZE


def test_all_parts_of_sharded_weights_arrive(hub):
    folder = hub.repos[REPO]
    (folder / "model.safetensors").unlink()
    names = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    for name in names:
        (folder / name).write_bytes(os.urandom(9000))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": names[0]}}))
    (folder / "pytorch_model.bin").write_bytes(b"the same once more" * 1000)
    get()
    assert hub.sent == 27_000
    copy = local_copy(needed)
    (copy.folder / names[1]).unlink()
    assert local_copy(needed) is None


def test_a_model_that_is_here_and_does_not_load_is_not_blamed_on_the_hub(hub, monkeypatch):
    from huggingface_hub import constants

    def load() -> None:
        raise MemoryError("no memory for it")

    get()
    with pytest.raises(ModelUnavailableError, match="no memory for it"):
        fetch("x", load, ways_out="", requirements=needed)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailableError, match="no memory for it"):
        fetch("x", load, ways_out="", requirements=needed)
    shutil.rmtree(local_copy(needed).folder)
    with pytest.raises(ModelUnavailableError, match="cannot be reached"):
        fetch("x", load, ways_out="", requirements=needed)


# ---- what cannot work --------------------------------------------------------------------------------
def test_a_wrong_checksum_is_named_and_its_bytes_deleted(hub, tmp_path):
    hub.manners = Manners(corrupt=True)
    said = refusal()
    assert "model.safetensors of org/model came damaged" in said
    assert "was deleted" in said
    assert not list((tmp_path / "cache").rglob("*.incomplete"))
    assert local_copy(needed) is None


def test_a_hub_that_never_answers(hub, monkeypatch):
    hub.manners = Manners(silent=True)
    monkeypatch.setattr(hub_client, "FIRST_ANSWER", 0.3)
    assert "did not answer within 0 s" in refusal()
    assert len(hub.requests) == 1


def test_a_hub_that_falls_silent_in_the_middle(hub):
    hub.manners = Manners(silent_after=1000)
    assert "fell silent" in refusal()


@pytest.mark.parametrize(
    ("manners", "words"),
    [
        (Manners(status=503), "is not well: it answered with status 503"),
        (Manners(status=429), "status 429"),
        (Manners(status=401), "no repository org/model for you: its name is wrong, or it is private (HF_TOKEN)"),
        (Manners(status=404), "no repository org/model for you"),
        (Manners(status=403), "refused org/model with status 403"),
        (Manners(status=407), "cannot be reached: status 407"),
        (Manners(gated=True), "org/model on {url} is gated: ask for access at {url}/org/model, then set HF_TOKEN"),
    ],
)
def test_what_a_hub_refuses_is_one_line(hub, manners, words):
    hub.manners = manners
    assert words.format(url=hub.url) in refusal()


def test_a_token_that_is_refused_is_named(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    hub.manners = Manners(status=401)
    said = refusal()
    assert "HF_TOKEN is refused" in said
    assert "hf_wrong" not in said


def test_a_hub_that_is_no_hub(hub, monkeypatch):
    from huggingface_hub import constants

    hub.manners = Manners(status=200)
    assert "does not answer as a hub of models does: check HF_ENDPOINT" in refusal()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in refusal()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE forbids the download" in refusal()


def test_a_proxy_that_refuses_is_named_without_its_password(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("http_proxy", f"http://me:secret@{hub.url.removeprefix('http://')}")
    hub.manners = Manners(status=403)
    said = refusal()
    assert f"hub.invalid cannot be reached: status 403 through the proxy {hub.url.removeprefix('http://')}." in said
    assert "secret" not in said
    hub.manners = Manners(status=502)
    assert "status 502 through the proxy" in refusal()
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setenv("https_proxy", hub.url)
    assert "the proxy refused" in refusal()


def test_a_proxy_between_passes_a_download_through(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("http_proxy", hub.url)
    get()
    assert is_complete(hub)


def test_a_name_server_that_is_silent_is_not_waited_for(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    monkeypatch.setattr(hub_client, "FIRST_ANSWER", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: hub.ended.wait(20))
    assert "did not answer" in refusal()


def test_no_room_is_told_before_anything_is_sent(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(hub_cache, "free_bytes", lambda: 1000)
    said = refusal()
    assert "there is no room in" in said
    assert "300 kB are needed and 1 kB are free" in said
    assert "set HF_HOME to a folder on a larger disk" in said
    assert hub.sent == 0


def test_a_disk_that_fills_up_in_the_middle(hub, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub_cache, "show", full)
    assert "the disk is full" in refusal()


def test_a_cache_that_cannot_be_written(hub, tmp_path):
    (tmp_path / "cache").write_text("a file in its place")
    said = refusal()
    assert "cannot be written" in said
    assert "set HF_HOME to a folder of yours" in said


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["model.safetensors"], "holds no config.json"),
        (["config.json"], "holds no weights that transformers reads"),
        (["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"], "lacks parts"),
    ],
)
def test_a_repository_of_another_kind(files, words):
    with pytest.raises(HubError, match=words):
        transformers_files(files)


def test_the_commit_is_the_hubs(hub, tmp_path):
    get()
    assert (tmp_path / "cache" / "models--org--model" / "refs" / "main").read_text() == COMMIT


# ---- the environment ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks4://127.0.0.1:9"),
        ("HTTPS_PROXY", "http://127.0.0.1:notaport"),
        ("HTTP_PROXY", "garbage://x"),
        ("SSL_CERT_FILE", "/nonexistent.pem"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(hub, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert f"{name}={value}" in refusal()


@pytest.mark.parametrize("address", ["not a url", "huggingface.co", "http://host:port"])
def test_an_address_that_is_none_is_named(hub, monkeypatch, address):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address)
    assert f"HF_ENDPOINT={address}" in refusal()


def test_a_folder_that_is_not_there_is_no_model_without_a_download(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # two folders above the root there is one
    with pytest.raises(InvalidRequestError, match=r"no folder ../../etc"):
        fetch_model("transformers:../../etc", Settings())


def test_a_hub_that_does_not_answer_holds_up_no_other_model(hub, monkeypatch):
    """The process-wide lock of the loaders is not held while something is downloaded."""
    asked, release = threading.Event(), threading.Event()

    def silent(name: str, requirements: Any) -> None:
        asked.set()
        assert release.wait(20)
        raise HubError("the hub did not answer.")

    def load() -> str:
        raise OSError("not here")

    monkeypatch.setattr("ipcir_tools.models.hub.download", silent)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(fetch, "far", load, ways_out="", requirements=needed)
        assert asked.wait(20)
        assert pool.submit(fetch, "near", lambda: "loaded", ways_out="").result(20) == "loaded"
        release.set()
        assert isinstance(waiting.exception(20), ModelUnavailableError)


def test_loading_in_one_thread_does_not_forbid_a_download_in_another(hub):
    with offline():
        get()
    assert local_copy(needed)
