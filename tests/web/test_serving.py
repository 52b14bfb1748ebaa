"""The address that is printed can be opened."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from ipcir_tools.settings import Settings
from ipcir_tools.web import serving


@pytest.mark.parametrize(("host", "tokens", "told"), [("127.0.0.1", 0, False), ("0.0.0.0", 1, True)])
def test_it_names_a_place_that_a_browser_finds(tmp_path, monkeypatch, capsys, host, tokens, told):
    monkeypatch.setattr(serving, "page_server", lambda engine, access: SimpleNamespace(run=lambda sockets: None))
    settings = Settings(home=tmp_path, encoder="open_clip:fake/colours", captioner="transformers:fake/colours")
    serving.serve(settings, host, 0, browser=False)
    [line] = capsys.readouterr().err.splitlines()
    assert re.search(r"The page is at http://127\.0\.0\.1:\d+/", line)
    assert line.count("?token=") == tokens
    assert ("other machines" in line) is told
