"""The Ray cluster that pictures are encoded on: one that is there, or this machine, for as long as a run takes."""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.text import error_sentence

LOCAL = "local"
"""The address that means: this machine alone."""

STORE_BYTES = 256 * 2**20
"""Shared memory of a cluster that is started here; Ray's own default is three tenths of all memory."""

MOST_CPUS = 4
"""Cores of one encoder: beyond, two encoders with half of them each are faster."""

_LONGEST_FOLDER = 40
"""Characters of a folder below which Ray's sockets still have names that the system takes."""

_FOLDERS = "ipcir-ray-"
"""What the names of its folders begin with; then comes the number of the process."""

_PATIENCE = 10.0
"""Seconds within which a cluster's machine must take a connection."""

_LOGGERS = ("ray", "ray.data", "ray.train")


@dataclass(frozen=True)
class Encoders:
    """How many encoders a cluster has room for, and what each takes of it."""

    number: int
    cpus: int
    gpus: int


def room_for(nodes: Sequence[Mapping[str, float]], *, accelerators: bool = True) -> Encoders:
    """An encoder for each accelerator, or where there is none for every few cores, two at least on a machine of two.

    ``nodes`` are the resources of the machines by Ray's names, "CPU" and "GPU".
    """
    gpus = [(int(node.get("GPU", 0)), int(node.get("CPU", 0))) for node in nodes] if accelerators else []
    if number := sum(each for each, _ in gpus):
        return Encoders(number, min(cpus // each for each, cpus in gpus if each), 1)
    cores = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1] or [1]
    cpus = max(1, min(MOST_CPUS, min(cores) // 2))
    return Encoders(sum(each // cpus for each in cores), cpus, 0)


@contextmanager
def cluster(address: str, store_bytes: int = STORE_BYTES) -> Iterator[list[dict[str, float]]]:
    """The resources of the machines of the cluster at ``address``, connected to within the block.

    ``LOCAL``: a cluster on this machine, on loopback alone, behind a token that is made for it, without dashboard and
    usage statistics; it ends with the block, or with this process. ``auto`` or ``HOST:PORT``: one that is there, to
    which this machine belongs. A cluster that the program is connected to already is used whatever the address;
    Ray's own ``RAY_ADDRESS`` counts for ``auto`` alone.

    Raises InvalidRequestError where Ray is not installed, and ModelUnavailableError where no cluster answers.
    """
    with _environment(address):
        ray = _imported()
        if ray.is_initialized():
            yield _nodes(ray)
            return
        folder = _folder() if address == LOCAL else None
        try:
            with _nothing_printed():
                _connect(ray, address, folder, store_bytes)
                yield _nodes(ray)
        finally:
            ray.shutdown()
            if folder:
                shutil.rmtree(folder, ignore_errors=True)


def _imported() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InvalidRequestError("--ray needs Ray Data: run `pip install 'ipcir-tools[ray]'`.") from error
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return ray


def _connect(ray: Any, address: str, folder: str | None, store_bytes: int) -> None:
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if folder is None:
            _require_answer(address)
            ray.init(address=address, **quiet)
            return
        _forget_token()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ray.init(
            address=LOCAL,  # by Ray's name for it, too: without one it would look for a cluster that is there
            num_cpus=cores,
            include_dashboard=False,
            object_store_memory=store_bytes,
            _temp_dir=folder,
            **quiet,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        way_out = "name HOST:PORT of a cluster to which this machine belongs, or leave --ray-address out"
        what = "No Ray can be started here" if folder else f"No Ray cluster answers at {address}"
        raise ModelUnavailableError(f"{what} ({error_sentence(error).rstrip('.')}): {way_out}.") from error


def _forget_token() -> None:
    """Ray reads its token once in a process; that of an earlier cluster, or of none, is not the one that holds now."""
    raylet: Any = sys.modules.get("ray._raylet")
    with suppress(AttributeError):
        raylet.Config.initialize("")
        raylet.AuthenticationTokenLoader.instance().reset_cache()


def _require_answer(address: str) -> None:
    """Raise OSError where nothing listens at ``HOST:PORT``: Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if address == "auto":
        return
    if "/" in address or not (colon and host and port.isdigit()):
        raise ValueError("the address is no HOST:PORT")
    socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()


@contextmanager
def _nothing_printed() -> Iterator[None]:
    """Ray prints on standard output that a worker was killed, whatever it is told about logs."""
    worker: Any = importlib.import_module("ray._private.worker")
    printing = getattr(worker, "print_to_stdstream", None)
    worker.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        worker.print_to_stdstream = printing


def _nodes(ray: Any) -> list[dict[str, float]]:
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]


def _folder() -> str:
    """A folder for logs and sockets that is removed with the cluster; those of processes that were killed are, too."""
    place = tempfile.gettempdir() if len(tempfile.gettempdir()) <= _LONGEST_FOLDER else "/tmp"
    for each in Path(place).glob(f"{_FOLDERS}*-*"):
        owner = each.name.removeprefix(_FOLDERS).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists() and Path("/proc/self").exists():
            shutil.rmtree(each, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{_FOLDERS}{os.getpid()}-", dir=place)


@contextmanager
def _environment(address: str) -> Iterator[None]:
    """Ray's settings, which it and its processes read from the environment, within the block."""
    ours = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    if address == LOCAL:
        ours |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # by its name for two systems; on all, it means: loopback
        ours |= {
            "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        }  # workers find what is here
        ours |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # Ray puts RAY_ADDRESS before what it is told, and its processes inherit it.
    names = [*ours, *(() if address == "auto" else ("RAY_ADDRESS",))]
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(ours)
    if address != "auto":
        os.environ.pop("RAY_ADDRESS", None)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
