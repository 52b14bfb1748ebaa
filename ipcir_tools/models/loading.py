"""Models by name: the one registry of encoders, captioners, image generators and chat models.

A name is ``PROVIDER:NAME`` of a provider below or of one that another package adds, or ``python:MODULE:NAME``, where
``NAME()`` in that module gives the model.

**To add a provider in this package**: its module and one line in a table below. **In another package**: an entry point
in the group of the kind (``ipcir_tools.encoders``, ``ipcir_tools.captioners``, ``ipcir_tools.image_generators``,
``ipcir_tools.chat_models``), under the provider's name::

    [project.entry-points."ipcir_tools.captioners"]
    acme = "acme_captions:AcmeCaptioner"            # a captioner named "acme:..."

What it names is a *factory*: a class or function called as ``factory(name, settings)`` with the text after the
provider's colon and the ``Settings`` (``device``, ``dtype``, ``batch_size``, ``llm_timeout``, ...). It gives an
``Encoder``, a ``Captioner``, an ``ImageGenerator`` or a LangChain ``BaseChatModel``, and raises ``InvalidRequestError``
for a name that can never work and ``ModelUnavailableError`` for a model that is not available.

Features and captions are stored under the *identity* of their model, which must be known without loading it: the full
name, unless the factory has a static method ``identify(name, settings)``. An encoder's ``space`` begins with its
identity and a slash; a captioner's ``id`` is its identity.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import InvalidRequestError, IPCIRError, ModelUnavailableError
from ipcir_tools.settings import Settings, load_settings
from ipcir_tools.text import error_sentence

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ipcir_tools.models.captioner import Captioner
    from ipcir_tools.models.encoder import Encoder
    from ipcir_tools.models.image_generator import ImageGenerator


OWN = "ipcir-tools"
"""The name of this distribution."""
PYTHON = "python"


@dataclass(frozen=True)
class Provider:
    """A source of models of one kind."""

    factory: str
    """``module:attribute``, imported when a model of the provider is first loaded."""
    forms: tuple[str, ...]
    """How its names are written, for messages."""
    example: str = ""
    packages: tuple[str, ...] = ()
    """The packages that it imports."""
    pattern: str = ".*"
    """What may follow the provider's colon, as a regular expression."""
    distribution: str = OWN

    def load_factory(self) -> Any:
        """The factory itself."""
        return import_attribute(self.factory)

    def missing_packages(self) -> tuple[str, ...]:
        """The packages that are not installed; nothing is imported."""
        return tuple(package for package in self.packages if find_spec(package) is None)


@dataclass(frozen=True)
class ModelKind:
    """The providers of encoders, of captioners, of image generators or of chat models."""

    title: str
    group: str
    """The entry-point group through which other packages add providers."""
    interface: str
    """The class of the models, as ``module:attribute``."""
    own: dict[str, Provider]
    fallback: Provider | None = None
    """The provider of names with no known provider before the colon."""

    def providers(self) -> dict[str, Provider]:
        """All providers by name. Another package cannot replace one of this package."""
        found = {entry.name: _from_entry_point(entry) for entry in metadata.entry_points(group=self.group)}
        return self.own | {name: provider for name, provider in found.items() if name not in self.own}

    def find(self, name: str) -> tuple[Provider, str]:
        """The provider of a name, and the rest of the name. Raises InvalidRequestError, which lists what there is."""
        prefix, _, rest = name.partition(":")
        if prefix == PYTHON and all(rest.partition(":")):
            return Provider(rest, (name,), distribution=""), rest
        providers = self.providers()
        if prefix not in providers and self.fallback is not None and name.strip():
            return self.fallback, name
        if prefix not in providers or not re.fullmatch(providers[prefix].pattern, rest, re.DOTALL):
            forms = [form for provider in providers.values() for form in provider.forms]
            listed = f"{', '.join(forms)} or {PYTHON}:MODULE:NAME"
            raise InvalidRequestError(f"{name!r} names no {self.title}: use {listed}.")
        return providers[prefix], rest

    def identity(self, name: str, settings: Settings) -> str:
        """The identity of a model, without loading it."""
        provider, rest = self.find(name)
        if not provider.distribution:
            return name
        identify = getattr(provider.load_factory(), "identify", None)
        return identify(rest, settings) if identify else name

    def load(self, name: str, settings: Settings) -> Any:
        """The model of that name.

        Raises InvalidRequestError for a name that can never work, and ModelUnavailableError.
        """
        provider, rest = self.find(name)
        if provider.distribution == OWN:
            return provider.load_factory()(rest, settings)
        try:
            factory = provider.load_factory()
            model = factory(rest, settings) if provider.distribution else factory()
        except IPCIRError:
            raise
        except Exception as error:  # code of another package may raise anything; all of it means: no model
            raise ModelUnavailableError(
                f"Cannot load the {self.title} {name}: {error_sentence(error)} Choose another {self.title}."
            ) from error
        interface = import_attribute(self.interface)
        if not isinstance(model, interface):
            article = "an" if interface.__name__[0] in "AEIOU" else "a"
            raise ModelUnavailableError(
                f"{name} gives a {type(model).__name__}, not {article} {interface.__name__} of {interface.__module__}."
            )
        return model


def import_attribute(path: str) -> Any:
    """The object that ``module:attribute`` names."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _from_entry_point(entry: metadata.EntryPoint) -> Provider:
    package = entry.module.partition(".")[0]
    distribution = entry.dist.name if entry.dist else package
    return Provider(entry.value, (entry.name,), entry.name, (package,), distribution=distribution)


ENCODERS = ModelKind(
    "encoder",
    "ipcir_tools.encoders",
    "ipcir_tools.models.encoder:Encoder",
    {
        "open_clip": Provider(
            "ipcir_tools.models.open_clip:OpenClipEncoder",
            ("open_clip:MODEL/PRETRAINED", "open_clip:hf-hub:ORG/NAME", "open_clip:local-dir:PATH"),
            "open_clip:ViT-B-32/laion2b_s34b_b79k",
            ("open_clip", "torch"),
            r"local-dir:.+|hf-hub:[\w.-]+/[\w.-]+|[^/:\s]+/[^/:\s]+",
        )
    },
)

CAPTIONERS = ModelKind(
    "captioner",
    "ipcir_tools.captioners",
    "ipcir_tools.models.captioner:Captioner",
    {
        "auto": Provider(
            "ipcir_tools.models.transformers_captioner:AutoCaptioner",
            ("auto",),
            "auto",
            ("transformers", "torch"),
            "",
        ),
        "transformers": Provider(
            "ipcir_tools.models.transformers_captioner:TransformersCaptioner",
            ("transformers:ORG/NAME", "transformers:PATH"),
            "transformers:Salesforce/blip-image-captioning-base",
            ("transformers", "torch"),
            ".+",
        ),
        "chat": Provider(
            "ipcir_tools.models.chat_captioner:ChatCaptioner",
            ("chat:PROVIDER:MODEL",),
            "chat:openai:gpt-4o-mini",
            ("langchain",),
            r"[\w-]+:\S+",
        ),
    },
)

IMAGE_GENERATORS = ModelKind(
    "image generator",
    "ipcir_tools.image_generators",
    "ipcir_tools.models.image_generator:ImageGenerator",
    {
        "openai": Provider(
            "ipcir_tools.models.openai_images:OpenAIImageGenerator",
            ("openai:MODEL",),
            "openai:gpt-image-1",
            ("openai",),
            ".+",
        ),
        "diffusers": Provider(
            "ipcir_tools.models.diffusers_images:DiffusersImageGenerator",
            ("diffusers:ORG/NAME", "diffusers:PATH"),
            "diffusers:stabilityai/sd-turbo",
            ("diffusers", "accelerate"),
            ".+",
        ),
    },
)

CHAT_MODELS = ModelKind(
    "chat model",
    "ipcir_tools.chat_models",
    "langchain_core.language_models:BaseChatModel",
    {},
    Provider(
        "ipcir_tools.llm.chat_model:langchain_chat_model",
        ("PROVIDER:MODEL",),
        "openai:gpt-4o-mini",
        ("langchain", "langchain_openai"),
    ),
)

KINDS = (ENCODERS, CAPTIONERS, IMAGE_GENERATORS, CHAT_MODELS)


@dataclass(frozen=True)
class ListedProvider:
    """A provider as ``ipcir models`` lists it."""

    kind: str
    provider: str
    forms: tuple[str, ...]
    example: str
    distribution: str
    """The installed distribution that it comes from."""
    missing: tuple[str, ...]
    """The packages that it needs and that are not installed."""

    @property
    def installed(self) -> bool:
        """Whether its packages are installed."""
        return not self.missing


def list_providers() -> list[ListedProvider]:
    """The providers of all kinds, in the order of the kinds; nothing is imported but for the search for packages."""
    return [
        ListedProvider(
            kind.title, name, provider.forms, provider.example, provider.distribution, provider.missing_packages()
        )
        for kind in KINDS
        for name, provider in (kind.providers() | ({"langchain": kind.fallback} if kind.fallback else {})).items()
    ]


def encoder_id(name: str, settings: Settings | None = None) -> str:
    """The identity of an encoder's weights, without loading them: no torch is imported.

    The name itself, but for a folder ``open_clip:FOLDERNAME@DIGEST``: see ``hub.folder_id``. Raises
    ``InvalidRequestError`` for a malformed name and ``ModelUnavailableError`` for a folder that holds no model.
    """
    return ENCODERS.identity(name, settings or load_settings())


def captioner_id(name: str, settings: Settings | None = None) -> str:
    """The identity of a captioner, without loading it: its weights and the settings of the generation.

    A folder becomes ``transformers:FOLDERNAME@DIGEST``. torch is imported for ``auto`` alone, which depends on the
    device. Raises ``InvalidRequestError`` for a malformed name and ``ModelUnavailableError`` for a folder without a
    model.
    """
    return CAPTIONERS.identity(name, settings or load_settings())


def load_encoder(
    name: str,
    *,
    settings: Settings | None = None,
    device: str | None = None,
    dtype: str | None = None,
    batch_size: int | None = None,
) -> Encoder:
    """The encoder of that name, its weights loaded at most once per process for each device and dtype.

    ``device``: auto (cuda, mps, cpu), or one of them; ``dtype``: auto (float32 on a CPU, half precision elsewhere) or
    one by name; None: as in ``settings``. Raises ``InvalidRequestError`` for names that can never work and
    ``ModelUnavailableError``, within seconds, for weights that are not available.
    """
    chosen = _settings(settings, device=device, dtype=dtype, batch_size=batch_size)
    encoder: Encoder = ENCODERS.load(name, chosen)
    identity = ENCODERS.identity(name, chosen)
    if not encoder.space.startswith(identity + "/"):
        raise ModelUnavailableError(
            f"The encoder {name} has the space {encoder.space!r}, which must begin with {identity + '/'!r}."
        )
    return encoder


def load_captioner(
    name: str,
    *,
    settings: Settings | None = None,
    device: str | None = None,
    dtype: str | None = None,
    batch_size: int = 16,
) -> Captioner:
    """The captioner of that name; weights are loaded at most once per process for each device and dtype.

    Raises ``InvalidRequestError`` for names that can never work and ``ModelUnavailableError``, within seconds, for a
    model that is not available.
    """
    chosen = _settings(settings, device=device, dtype=dtype, batch_size=batch_size)
    captioner: Captioner = CAPTIONERS.load(name, chosen)
    identity = CAPTIONERS.identity(name, chosen)
    if captioner.id != identity:
        raise ModelUnavailableError(f"The captioner {name} has the id {captioner.id!r}, which must be {identity!r}.")
    return captioner


def load_image_generator(name: str | None, settings: Settings | None = None) -> ImageGenerator:
    """The image generator of that name. No request is sent here.

    Raises InvalidRequestError for a name that can never work, and ModelUnavailableError for None, for a package that
    is missing and for a model that is not available.
    """
    if name is None:
        forms = [form for provider in IMAGE_GENERATORS.providers().values() for form in provider.forms]
        raise ModelUnavailableError(
            f"No image generator is chosen: name one in IPCIR_IMAGE_GENERATOR ({', '.join(forms)} or "
            f"{PYTHON}:MODULE:NAME), or use --models demo."
        )
    generator: ImageGenerator = IMAGE_GENERATORS.load(name, settings or load_settings())
    return generator


def load_chat_model(name: str, settings: Settings | None = None) -> BaseChatModel:
    """The chat model of that name, with the base URL and the timeout of ``settings``. No request is sent here.

    Raises InvalidRequestError for an empty name, and ModelUnavailableError for an unknown provider, a missing package
    or a missing key.
    """
    model: BaseChatModel = CHAT_MODELS.load(name, settings or load_settings())
    return model


def load_llm(settings: Settings) -> BaseChatModel | None:
    """The chat model that ``settings.llm`` names, or None where it names none. Raises as ``load_chat_model``."""
    return None if settings.llm is None else load_chat_model(settings.llm, settings)


def _settings(settings: Settings | None, **chosen: Any) -> Settings:
    return (settings or load_settings()).model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
