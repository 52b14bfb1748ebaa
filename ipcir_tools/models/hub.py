"""Loading weights quietly: the local cache first, then the Hugging Face hub within a bounded time; and their identity.

A model that is in the cache is loaded without any request. Where it is not, one short request finds out whether the
hub answers at all: the hub's own client would retry for a minute and print each attempt.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.text import error_sentence

T = TypeVar("T")

PROBE_SECONDS = 5.0
"""How long the hub may take to answer before it counts as out of reach."""

_LOADING = threading.RLock()  # the offline switch and the log levels below belong to the whole process

_IDENTITY_FILES = (
    *("open_clip_config.json", "config.json", "generation_config.json"),
    *("preprocessor_config.json", "processor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model"),
)
_WEIGHT_PATTERNS = ("*.safetensors", "*.bin", "*.pth")


# ---- loading -----------------------------------------------------------------------------------------
def fetch(name: str, load: Callable[[bool], T], *, ways_out: str, local: bool = False) -> T:
    """``load(local_files_only)``: first with the local cache alone and then, unless ``local``, with the network.

    Every failure is a ``ModelUnavailableError``: one line with ``name``, the reason and ``ways_out``.
    """
    with _LOADING, _quiet():
        try:
            return load(True)
        except Exception as error:  # third-party loaders raise anything; all of it means: no model
            if local:
                raise ModelUnavailableError(f"Cannot load {name}: {error_sentence(error)} {ways_out}") from error
        _require_network(name, ways_out)
        try:
            return load(False)
        except Exception as error:  # as above
            raise ModelUnavailableError(f"Cannot load {name}: {error_sentence(error)} {ways_out}") from error


def _require_network(name: str, ways_out: str) -> None:
    from huggingface_hub import constants

    tried = f"Cannot load {name}: the local cache has no usable copy"
    if constants.HF_HUB_OFFLINE:
        raise ModelUnavailableError(f"{tried} and HF_HUB_OFFLINE forbids the download. {ways_out}")
    if not reachable(constants.ENDPOINT):
        raise ModelUnavailableError(f"{tried} and {constants.ENDPOINT} cannot be reached. {ways_out}")


def reachable(url: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether ``url`` answers a HEAD request (proxies of the environment included) without a server error.

    Runs in a thread of its own, because no timeout covers a name server that does not answer.
    """
    answers: list[bool] = []
    probe = threading.Thread(target=lambda: answers.append(_answers(url, seconds)), daemon=True)
    probe.start()
    probe.join(seconds)
    return answers == [True]


def _answers(url: str, seconds: float) -> bool:
    import httpx

    try:
        return httpx.head(url, timeout=seconds, follow_redirects=False).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError):  # RuntimeError: test guards that close sockets
        return False


@contextmanager
def offline(local_files_only: bool = True) -> Iterator[None]:
    """``local_files_only`` for a loader that has no such argument: the hub's client reads its cache alone.

    For the whole process; a test holds that the client looks at this constant at each call.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or local_files_only
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


class _OtherThreads(logging.Filter):
    """Passes the records of all threads but the one that made it."""

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._own


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines, warnings or weight-loading bars of the loaders. Bars of downloads stay."""
    import transformers

    bar: Any = transformers.utils.logging  # untyped

    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "transformers")]
    levels = [logger.level for logger in loggers]
    # open_clip logs to the root logger by logging.info(), which would configure a root without handlers.
    root, placeholder, guard = logging.getLogger(), logging.NullHandler(), _OtherThreads()
    bars = bar.is_progress_bar_enabled()
    root.addHandler(placeholder)
    root.addFilter(guard)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    bar.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if bars:
            bar.enable_progress_bar()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        root.removeFilter(guard)
        root.removeHandler(placeholder)


class ModelCache(Generic[T]):
    """The last few loaded models of the process, so that none is loaded twice. Threads wait for one load."""

    def __init__(self, size: int = 2) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._models: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, load: Callable[[], T]) -> T:
        """The model under ``key``, loaded with ``load`` the first time."""
        with self._lock:
            if key not in self._models:
                self._models[key] = load()
            self._models.move_to_end(key)
            while len(self._models) > self._size:
                self._models.popitem(last=False)
            return self._models[key]


# ---- identity ----------------------------------------------------------------------------------------
def folder_id(folder: Path, config: str) -> str:
    """``FOLDERNAME@DIGEST``: 12 hex digits over the contents of the configuration, tokenizer and weight files.

    The same model has the same id wherever its folder is. Raises ``ModelUnavailableError`` where the folder,
    ``config`` in it or a weight file is missing.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise ModelUnavailableError(f"There is no folder {folder}: name one that holds {config} and the weights.")
    if not (folder / config).is_file():
        raise ModelUnavailableError(f"{folder} holds no {config}: it is no saved model of this kind.")
    weights = sorted(path for pattern in _WEIGHT_PATTERNS for path in folder.glob(pattern))
    if not weights:
        raise ModelUnavailableError(f"{folder} holds no weights: a .safetensors file is missing.")
    settings = [folder / name for name in _IDENTITY_FILES if (folder / name).is_file()]
    return f"{folder.name}@{_digest([*settings, *weights])}"


def _digest(files: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        whole.update(f"{path.name}\0{_file_digest(path)}\n".encode())
    return whole.hexdigest()[:12]


def _file_digest(path: Path) -> str:
    try:
        stat = path.stat()
        return _hashed(str(path), stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise ModelUnavailableError(f"Cannot read {path}: {os.strerror(error.errno or 0)}.") from error


@lru_cache(maxsize=64)
def _hashed(path: str, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file; size and time are there to be part of the cache's key."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
