"""The registry: providers of this package, of other packages, and models of one's own by module and name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner, ScriptedChatModel
from ipcir_tools.models import loading

TOY = """
from PIL import Image
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner, ScriptedChatModel
from ipcir_tools.models.image_generator import ImageGenerator

def encoder(name, settings):
    return FakeEncoder(f"toy:{name}", batch_size=settings.batch_size)

def captioner(name, settings):
    return ScriptedCaptioner("a toy", id=f"toy:{name}")

class Generator(ImageGenerator):
    def __init__(self, name, settings):
        self.id = f"toy:{name}/{settings.image_generator_size}"

    def _draw(self, description, seeds, reference):
        return [Image.new("RGB", (4, 4)) for _ in seeds]

def chat_model(name, settings):
    return ScriptedChatModel(replies=[name, str(settings.llm_timeout)])
"""

ENTRY_POINTS = """
[ipcir_tools.encoders]
toy = toy_models:encoder
[ipcir_tools.captioners]
toy = toy_models:captioner
[ipcir_tools.image_generators]
toy = toy_models:Generator
openai = toy_models:Generator
[ipcir_tools.chat_models]
toy = toy_models:chat_model
broken = toy_models:missing
"""


@pytest.fixture
def toy_package(tmp_path: Path) -> Path:
    """A folder for ``sys.path`` with an installed distribution that adds a provider of each kind."""
    (tmp_path / "toy_models.py").write_text(TOY)
    info = tmp_path / "toy_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return tmp_path


def run(folder: Path, code: str) -> str:
    program = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_another_package_adds_a_provider_of_each_kind(toy_package):
    shown = run(
        toy_package,
        """
from ipcir_tools.models import loading
from ipcir_tools.settings import Settings
encoder = loading.load_encoder("toy:x", batch_size=3)
print(encoder.space.startswith(loading.encoder_id("toy:x") + "/"), encoder.batch_size)
print(loading.load_captioner("toy:y").id == loading.captioner_id("toy:y") == "toy:y")
print(loading.load_image_generator("toy:z", Settings(image_generator_size="8x8")).id)
print(loading.load_llm(Settings(llm="toy:m", llm_timeout=7)).replies)
print(loading.IMAGE_GENERATORS.find("openai:m")[0].distribution)
try:
    loading.load_chat_model("broken:m")
except loading.ModelUnavailableError as error:
    print(error)
""",
    )
    assert shown.splitlines() == [
        "True 3",
        "True",
        "toy:z/8x8",
        "['m', '7.0']",
        "ipcir-tools",
        "Cannot load the chat model broken:m: module 'toy_models' has no attribute 'missing'."
        " Choose another chat model.",
    ]


def test_the_list_names_where_a_provider_comes_from(toy_package):
    code = "from ipcir_tools.cli.main import main; sys.argv = ['ipcir', 'models', '--json']; main()"
    listed = json.loads(run(toy_package, code))["providers"]
    toys = [each for each in listed if each["provider"] == "toy"]
    assert [each["kind"] for each in toys] == ["encoder", "captioner", "image generator", "chat model"]
    assert {(each["distribution"], each["installed"]) for each in toys} == {("toy-models", True)}


def test_an_unknown_name_lists_the_providers_of_other_packages_too(toy_package):
    code = "from ipcir_tools.models.loading import CAPTIONERS; print(sorted(CAPTIONERS.providers()))"
    assert run(toy_package, code).strip() == "['auto', 'chat', 'toy', 'transformers']"


@pytest.fixture
def module(monkeypatch) -> ModuleType:
    module = ModuleType("my_models")
    monkeypatch.setitem(sys.modules, "my_models", module)
    return module


def test_models_of_ones_own_by_module_and_name(module):
    module.encoder = lambda: FakeEncoder("python:my_models:encoder")
    module.captioner = lambda: ScriptedCaptioner("x", id="python:my_models:captioner")
    module.chat = lambda: ScriptedChatModel(replies=["hello"])
    assert isinstance(loading.load_encoder("python:my_models:encoder"), FakeEncoder)
    assert isinstance(loading.load_captioner("python:my_models:captioner"), ScriptedCaptioner)
    assert isinstance(loading.load_chat_model("python:my_models:chat"), ScriptedChatModel)


def test_an_identity_that_differs_from_the_name_is_refused(module):
    module.encoder = lambda: FakeEncoder("other")
    module.captioner = lambda: ScriptedCaptioner("x", id="other")
    with pytest.raises(ModelUnavailableError, match="must begin with 'python:my_models:encoder/'"):
        loading.load_encoder("python:my_models:encoder")
    with pytest.raises(ModelUnavailableError, match="must be 'python:my_models:captioner'"):
        loading.load_captioner("python:my_models:captioner")


def test_a_model_of_another_kind_is_refused(module):
    module.made = dict
    with pytest.raises(ModelUnavailableError, match=r"gives a dict, not an Encoder of ipcir_tools\.models\.encoder"):
        loading.load_encoder("python:my_models:made")
    with pytest.raises(ModelUnavailableError, match="gives a dict, not a Captioner"):
        loading.load_captioner("python:my_models:made")
    with pytest.raises(ModelUnavailableError, match="gives a dict, not a BaseChatModel"):
        loading.load_chat_model("python:my_models:made")


@pytest.mark.parametrize("name", ["auto:x", "python:x", "python::", "wardrobe"])
def test_a_malformed_name_lists_what_there_is(name):
    with pytest.raises(InvalidRequestError, match=r"use auto, transformers:ORG/NAME, .*chat:.* or python:MODULE:NAME"):
        loading.load_captioner(name)


@pytest.mark.parametrize("kind", loading.KINDS, ids=lambda kind: kind.group)
def test_every_own_provider_is_there_and_its_example_is_well_formed(kind):
    for provider in [*kind.own.values(), *filter(None, [kind.fallback])]:
        assert callable(provider.load_factory())
        assert kind.find(provider.example)[0] == provider
