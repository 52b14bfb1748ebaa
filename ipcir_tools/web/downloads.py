"""Models that arrive for the first time: what the page says while a person waits for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipcir_tools.models.download_report import Download
from ipcir_tools.text import byte_size


class Downloads:
    """The download that is at work in this process, for ``report_with``."""

    def __init__(self) -> None:
        self._told: str | None = None
        self._done = self._total = 0

    @contextmanager
    def report(self, download: Download) -> Iterator[Callable[[int], None]]:
        """Keep what is told of a download while it runs."""
        self._told = f"Downloading {download.name} from {download.host}, once"
        self._done, self._total = download.here, download.size
        try:
            yield self._here
        finally:
            self._told = None

    def _here(self, done: int) -> None:
        self._done = done

    @property
    def state(self) -> dict[str, Any]:
        """``{"download": "Downloading ... 12 MB of 605 MB"}``; empty while nothing is downloaded."""
        if self._told is None:
            return {}
        return {"download": f"{self._told}: {byte_size(self._done)} of {byte_size(self._total)}"}
