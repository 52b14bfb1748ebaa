"""Settings: arguments before the environment before the defaults, and one line for what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from ipcir_tools.composers import COMPOSERS
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.prompts import prompt_ids
from ipcir_tools.settings import Settings, load_settings


def test_arguments_win_over_the_environment_and_that_over_the_defaults(monkeypatch):
    monkeypatch.setenv("IPCIR_K", "7")
    monkeypatch.setenv("IPCIR_LLM", "openai:toy")
    settings = load_settings(k=3)
    assert (settings.k, settings.llm, settings.batch_size) == (3, "openai:toy", 64)


def test_an_argument_of_none_was_not_given(monkeypatch):
    monkeypatch.setenv("IPCIR_K", "7")
    assert load_settings(k=None).k == 7


def test_a_zero_was_given(monkeypatch):
    monkeypatch.setenv("IPCIR_WEIGHT", "0.7")
    assert load_settings(weight=0.0).weight == 0.0


def test_a_stray_env_file_changes_nothing(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("IPCIR_ALLOW_URLS=1\nALLOW_URLS=1\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings().allow_urls is False


def test_variables_without_the_prefix_are_not_read(monkeypatch):
    monkeypatch.setenv("MODELS", "demo")
    monkeypatch.setenv("K", "1")
    assert (load_settings().models, load_settings().k) == (None, 10)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k", 0),
        ("k", "many"),
        ("weight", 1.5),
        ("weight", -0.1),
        ("models", "large"),
        ("dtype", "int8"),
        ("batch_size", 0),
        ("llm_timeout", 0),
        ("image_generator_timeout", 0),
        ("image_generator_size", "large"),
        ("image_generator_size", "0x512"),
        ("max_bytes", 0),
        ("max_pixels", 0),
        ("allow_urls", "perhaps"),
        ("colour", "red"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(name, value):
    with pytest.raises(InvalidRequestError) as caught:
        load_settings(**{name: value})
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_wrong_settings_are_named_at_once(monkeypatch):
    monkeypatch.setenv("IPCIR_K", "0")
    with pytest.raises(InvalidRequestError, match=r"(?=.*\bk: )(?=.*weight: )"):
        load_settings(weight=2)


def test_folders_are_separated_as_in_path(monkeypatch):
    monkeypatch.setenv("IPCIR_ALLOW_FOLDERS", os.pathsep.join(["/a b", "", "/c"]))
    assert load_settings().allow_folders == (Path("/a b"), Path("/c"))
    assert load_settings(allow_folders=[Path("/d")]).allow_folders == (Path("/d"),)


def test_nothing_is_allowed_until_it_is_switched_on():
    settings = load_settings()
    assert (settings.allow_folders, settings.allow_urls, settings.llm, settings.image_generator) == (
        (),
        False,
        None,
        None,
    )


def test_the_defaults_name_things_that_exist():
    assert load_settings().composer in COMPOSERS
    assert load_settings().prompt in prompt_ids()


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().k = 3
