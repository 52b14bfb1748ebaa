"""The commands on a shared catalog: the same as on one's own, and the password nowhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable

import pytest

from ipcir_tools.cli import main
from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.world.wardrobe import wardrobe

SECRET = "s3cret"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, catalog_url) -> Callable[..., str]:
    """What ``ipcir`` prints with a shared catalog named by the environment, its password in the URL."""
    monkeypatch.setenv("IPCIR_CATALOG_URL", catalog_url.replace("postgres:@", f"postgres:{SECRET}@"))
    monkeypatch.setenv("IPCIR_HOME", str(tmp_path / "home"))

    def run(*arguments: str, status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["ipcir", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        shown = capsys.readouterr()
        assert int(ended.value.code or 0) == status, shown.err
        assert SECRET not in shown.out + shown.err
        return shown.out if status == 0 else shown.err

    return run


def test_the_commands_on_a_shared_catalog(run, tmp_path, catalog_url, postgres):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for each in wardrobe("test", families=1).pictures[:8]:
        render(each.garment, each.scene).save(pictures / each.name)
    reference = str(min(pictures.iterdir()))
    assert json.loads(run("index", str(pictures), "--models", "demo", "--json"))["added"] == 8
    found = json.loads(run("search", reference, "in blue", "--json"))
    assert re.fullmatch("t[0-9a-f]{11}", found["turn"])
    assert [turn["id"] for turn in json.loads(run("turns", "--json"))["turns"]] == [found["turn"]]
    assert json.loads(run("cache", "--json"))["features"] >= 8
    assert "/test_" in run("cache", "list")
    assert json.loads(run("folders", "--json"))["folders"][0]["pictures"] == 8
    assert not (tmp_path / "home" / "catalog.sqlite").exists()
    elsewhere = run("turns", "--catalog-url", f"postgresql://ann:{SECRET}@127.0.0.1:9/photos", status=2)
    assert "127.0.0.1:9/photos" in elsewhere
    postgres.stop()
    try:
        assert "IPCIR_CATALOG_URL" in run("find", "a red shirt", "--json", status=2)
    finally:
        postgres.start()
