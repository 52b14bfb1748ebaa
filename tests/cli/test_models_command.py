"""``ipcir models``: the table and its JSON."""

from __future__ import annotations

import json
import sys

import pytest
from rich.console import Console

from ipcir_tools.cli import main
from ipcir_tools.cli.output import models as models_output
from ipcir_tools.engine.components import Components
from ipcir_tools.models.presets import SETS
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments: str, width: int = 160) -> str:
        monkeypatch.setattr(sys, "argv", ["ipcir", "models", *arguments])
        monkeypatch.setattr(models_output, "out", Console(highlight=False, width=width))
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert not ended.value.code
        return capsys.readouterr().out

    return run


def test_the_table_has_a_line_for_each_provider_and_preset(run):
    lines = run().splitlines()
    assert lines[0].split() == ["kind", "provider", "example", "from", "installed"]
    rows = [" ".join(line.split()) for line in lines]
    assert "encoder open_clip open_clip:ViT-B-32/laion2b_s34b_b79k ipcir-tools yes" in rows
    assert "chat model langchain openai:gpt-4o-mini ipcir-tools yes" in rows
    assert "image generator wardrobe wardrobe ipcir-tools yes" in rows
    assert "default captioner auto" in rows
    assert "demo image generator wardrobe" in rows


def test_the_columns_align(run):
    table = [line for line in run().split("\n\n")[0].splitlines() if " needs " not in line]
    start = table[0].index("example")
    assert all(line[start - 1] == " " and line[start] != " " for line in table if line.strip())


def test_a_narrow_terminal_cuts_nothing_off(run):
    shown = run(width=80)
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "…" not in shown


def test_the_json_has_every_provider_and_nothing_else_is_printed(run):
    document = json.loads(run("--json"))
    assert [each["preset"] for each in document["presets"]] == list(SETS)
    first = document["providers"][0]
    assert list(first) == ["kind", "provider", "forms", "example", "distribution", "missing", "installed"]
    providers = [(each["kind"], each["provider"]) for each in document["providers"]]
    assert providers == [
        ("encoder", "open_clip"),
        ("captioner", "auto"),
        ("captioner", "transformers"),
        ("captioner", "chat"),
        ("image generator", "openai"),
        ("image generator", "diffusers"),
        ("image generator", "wardrobe"),
        ("chat model", "langchain"),
    ]


def test_a_missing_package_is_named(run, monkeypatch):
    from ipcir_tools.models import registry

    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "diffusers" else object())
    providers = {each["provider"]: each for each in json.loads(run("--json"))["providers"]}
    assert (providers["diffusers"]["installed"], providers["diffusers"]["missing"]) == (False, ["diffusers"])
    assert "image generator diffusers needs diffusers\n" in run()


# ---- what verification costs -------------------------------------------------------------------------
def test_the_cost_of_verification_is_measured_with_the_demo_models_and_kept(run, tmp_path):
    found = json.loads(run("--cost", "--models", "demo", "--home", str(tmp_path), "--json"))
    assert found["captioner"].startswith("transformers:blip@")
    assert (found["device"], found["dtype"], found["auto"] in (0, 10, 20, 50)) == ("cpu", "float32", True)
    expected = 10 * (found["seconds_per_picture"] + found["seconds_per_text"])
    assert found["seconds_to_verify_10"] == pytest.approx(expected, abs=0.002)
    with Catalog.open(tmp_path) as catalog:
        components = Components(Settings(home=tmp_path, models="demo"), catalog)
        assert components.verifier.auto_amount() == found["auto"]
        assert components.loaded_captioner is None, "a later search reads the note"


def test_the_cost_is_a_table_that_says_what_auto_does(run, tmp_path):
    lines = [" ".join(line.split()) for line in run("--cost", "--models", "demo", "--home", str(tmp_path)).splitlines()]
    assert [line.split(" ")[0] for line in lines] == ["captioner", "runs", "a", "a", "--verify", "--verify"]
    assert lines[1] == "runs on cpu, float32"
    assert "hits" in lines[-1]


def test_a_captioner_without_likelihoods_costs_one_line(monkeypatch, capsys, tmp_path):
    arguments = ["--cost", "--captioner", "chat:openai:gpt-4o", "--home", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["ipcir", "models", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code
    assert "--verify off" in capsys.readouterr().err
