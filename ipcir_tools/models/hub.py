"""Loading weights quietly: from the local cache, after a download where they are not in it; and their identity.

A model that is in the cache is loaded without any request. Where it is not, what it needs is brought into the cache
first (``downloads.py``); the loaders themselves never reach for the network.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Generic, TypeVar

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.files import write_bytes
from ipcir_tools.models.downloads import Requirements, download, local_copy
from ipcir_tools.models.hub_environment import CHOSEN_OFFLINE, HubError, hub_constants
from ipcir_tools.models.user_cache import cache_folder
from ipcir_tools.once import Once
from ipcir_tools.text import error_sentence

T = TypeVar("T")

_LOADING = threading.RLock()  # the offline switch and the log levels below belong to the whole process

_IDENTITY_FILES = (
    *("open_clip_config.json", "config.json", "generation_config.json"),
    *("preprocessor_config.json", "processor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model"),
)
LARGE, SETTLED = 50_000_000, 2_000_000_000
"""Bytes of a file whose digest is kept, and nanoseconds since it was written."""
_WEIGHT_PATTERNS = ("*.safetensors", "*.bin", "*.pth")


# ---- loading -----------------------------------------------------------------------------------------
def fetch(name: str, load: Callable[[], T], *, ways_out: str, requirements: Requirements | None = None) -> T:
    """``load()`` from the local cache; where that fails, again after the download of ``requirements`` (None: a folder).

    Every failure is a ``ModelUnavailableError``: one line with ``name``, the reason and ``ways_out``.
    """
    try:
        return _load(load)
    except Exception as error:  # noqa: BLE001 - third-party loaders raise anything; it means: no model
        first = error
    if requirements is not None:
        try:
            download(name, requirements)  # with no lock held: other models can be loaded meanwhile
            return _load(load)
        except HubError as error:
            if local_copy(requirements) is None:  # else the hub is not the reason
                raise ModelUnavailableError(f"Cannot load {name}: {error} {ways_out}") from error
        except Exception as error:  # noqa: BLE001 - as above
            first = error
    raise ModelUnavailableError(f"Cannot load {name}: {error_sentence(first)} {ways_out}") from first


def _load(load: Callable[[], T]) -> T:
    with _LOADING, _quiet(), offline():
        return load()


@contextmanager
def offline() -> Iterator[None]:
    """The hub's client reads its cache alone: open_clip and tokenizers take no argument that says so.

    For the whole process; a test holds that the client looks at this constant at each call.
    """
    constants: Any = hub_constants()
    before = constants.HF_HUB_OFFLINE
    CHOSEN_OFFLINE.append(before)
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        CHOSEN_OFFLINE.pop()


class _OtherThreads(logging.Filter):
    """Passes the records of all threads but the one that made it."""

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._own


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines, warnings or bars of the loaders."""
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
        self._once = Once[T]()
        self._models: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, load: Callable[[], T]) -> T:
        """The model under ``key``, loaded with ``load`` the first time."""
        return self._once.get(key, lambda: self._made(key, load))

    def _made(self, key: Hashable, load: Callable[[], T]) -> T:
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
                return self._models[key]
        model = load()
        with self._lock:
            self._models[key] = model
            while len(self._models) > self._size:
                self._models.popitem(last=False)
        return model


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
    whole = sha256()
    for path in files:
        whole.update(f"{path.name}\0{_file_digest(path)}\n".encode())
    return whole.hexdigest()[:12]


def _file_digest(path: Path) -> str:
    try:
        stat = path.stat()
        return _hashed(str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    except OSError as error:
        raise ModelUnavailableError(f"Cannot read {path}: {os.strerror(error.errno or 0)}.") from error


@lru_cache(maxsize=64)
def _hashed(path: str, size: int, *times: int) -> str:
    """SHA-256 of a file; size and times are there to be part of the cache's key.

    That of a large file, which takes a second, is kept in the user's cache folder as well: not of one that was written
    just now, which may be written again within the clock's tick.
    """
    kept = cache_folder() / "digests" / sha256(f"{path}\0{size}\0{times}".encode()).hexdigest()[:24]
    if size >= LARGE:
        with suppress(OSError, ValueError):
            if len(digest := kept.read_text("ascii")) == sha256().digest_size * 2:
                return digest
    with Path(path).open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    if size >= LARGE and time.time_ns() - max(times) > SETTLED:
        with suppress(OSError):
            write_bytes(kept, digest.encode())
    return digest
