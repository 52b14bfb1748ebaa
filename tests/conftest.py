"""Every test runs offline, without the developer's own settings, keys, models or galleries."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chroma_server import ChromaServer, chroma_server
from hypothesis import HealthCheck, settings
from postgres_server import PostgresServer, postgres_server

if TYPE_CHECKING:  # nothing that reads the environment is imported before it is clean
    from ipcir_tools.store.catalog import Catalog

settings.register_profile("ipcir", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ipcir")  # a busy machine is no failure

_OWN = ("IPCIR_", "HF_", "HUGGINGFACE_", "TRANSFORMERS_", "LANGSMITH_", "LANGCHAIN_", "AWS_", "FSSPEC_")
_KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "XDG_CACHE_HOME", "TORCH_HOME")
_SCREEN = ("COLUMNS", "LINES")  # set by readline where it is imported; rich keeps what it reads when it is

_STATE: dict[str, Any] = {}


def _clean_environment() -> None:
    """Before anything is imported: huggingface_hub reads its folders, torch its threads and rich its screen then.

    At once rather than in ``pytest_configure``: where a file is named, the ``conftest.py`` of its folder comes before.
    """
    _STATE["environ"], _STATE["home"] = dict(os.environ), tempfile.mkdtemp(prefix="ipcir-tests-")
    for name in list(os.environ):
        if name.startswith(_OWN) or name in _KEYS + _SCREEN:
            del os.environ[name]
    os.environ["HOME"] = _STATE["home"]
    os.environ["IPCIR_DUPLICATES"] = "off"  # the fakes' pictures in one colour are near-copies of each other
    os.environ["IPCIR_VERIFY"] = "off"  # what auto verifies depends on how fast the machine was measured to be
    os.environ.setdefault("OMP_NUM_THREADS", "1")


_clean_environment()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """The tests on a real small model take minutes: they are there for who asks for them."""
    return True if collection_path.name == "test_small_model.py" and not _asks_for_small_model() else None


def _asks_for_small_model() -> bool:
    return bool(_STATE["environ"].get("IPCIR_SMALL_MODEL"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the process its environment back."""
    os.environ.clear()
    os.environ.update(_STATE["environ"])
    shutil.rmtree(_STATE["home"], ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def closed_sockets() -> Iterator[None]:
    """Nothing leaves this machine: reaching for another one is a RuntimeError that names what was reached for."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", _asking_nobody(socket.getaddrinfo))
        yield


@pytest.fixture(scope="session")
def chroma() -> Iterator[ChromaServer]:
    """A Chroma server of the test run."""
    with chroma_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the test run; without one its tests are skipped."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def open_catalog(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], Catalog]]:
    """Opens the catalog of a home folder: in the folder, or in a database of its own on a server."""
    from ipcir_tools.store.catalog import Catalog

    if request.param == "sqlite":
        yield Catalog.open
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    databases: dict[Path, str] = {}
    with ExitStack() as stack:

        def open_shared(home: Path) -> Catalog:
            if home not in databases:
                databases[home] = stack.enter_context(server.database())
            return Catalog(databases[home])

        yield open_shared


@pytest.fixture
def catalog_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of an empty database."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def home() -> Path:
    """The empty folder that stands for the user's home."""
    return Path(_STATE["home"])


def _guarded(real: Any) -> Any:
    def call(self: socket.socket, *args: Any) -> Any:
        address = args[-1]  # of sendto's two forms, too
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise RuntimeError(f"a test tried to reach {address[0]}: tests run offline, loopback excepted")
        return real(self, *args)

    return call


def _asking_nobody(real: Any) -> Any:
    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if name and not _is_loopback(name) and _is_looked_up(name):
            raise RuntimeError(f"a test asked for the address of {name}: tests run offline, loopback excepted")
        return real(host, *args, **kwargs)

    return getaddrinfo


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_looked_up(host: str) -> bool:
    """Whether a name server would be asked: not for numbers in any notation, nor for what is no name at all."""
    try:
        host.encode("idna")
        ipaddress.ip_address(host.partition("%")[0])
    except UnicodeError:
        return False
    except ValueError:
        try:
            socket.inet_aton(host)
        except OSError:
            return True
    return False
