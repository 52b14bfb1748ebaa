"""What the tests of the engine share."""

from __future__ import annotations

import sys

import pytest

from ipcir_tools.cli import main
from ipcir_tools.models import loading


@pytest.fixture
def ipcir(monkeypatch, capfd, engine):
    """The command line over the gallery of the file's own ``engine``, with its models: status, output and errors."""
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: engine.components.encoder)
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: engine.components.captioner)
    monkeypatch.setattr(loading, "captioner_id", lambda *_: engine.components.captioner_id)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ipcir", *arguments, "--home", str(engine.settings.home)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        return int(ended.value.code or 0), *capfd.readouterr()

    return run
