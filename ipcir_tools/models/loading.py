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
identity and a slash; a captioner's ``id`` is its identity. A static method ``requirements(name, settings)`` of the
factory says what ``ipcir models --get`` downloads (``downloads.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.models.registry import OWN, ModelKind, Provider
from ipcir_tools.settings import Settings, load_settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ipcir_tools.models.captioner import Captioner
    from ipcir_tools.models.encoder import Encoder
    from ipcir_tools.models.image_generator import ImageGenerator


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


def captioner_factory(name: str) -> Any:
    """What makes a captioner of this package, not called; None for one of another package, which is not imported."""
    provider, _ = CAPTIONERS.find(name)
    return provider.load_factory() if provider.distribution == OWN else None


def is_local_captioner(name: str) -> bool:
    """Whether the name is a folder of a saved model on this machine."""
    prefix, _, rest = name.partition(":")
    return prefix == "transformers" and Path(rest).expanduser().is_dir()


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
    batch_size: int | None = None,
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
        raise ModelUnavailableError(
            f"No image generator is chosen: name one in IPCIR_IMAGE_GENERATOR ({IMAGE_GENERATORS.forms()}), "
            "or use --models demo."
        )
    generator: ImageGenerator = IMAGE_GENERATORS.load(name, settings or load_settings())
    return generator


def load_chat_model(name: str, settings: Settings | None = None) -> BaseChatModel:
    """The chat model of that name, with the base URL, the timeout, and the limits of ``settings``. No request is
    sent here.

    Raises InvalidRequestError for an empty name, and ModelUnavailableError for an unknown provider, a missing package
    or a missing key.
    """
    from ipcir_tools.llm.slots import slots_of

    chosen = settings or load_settings()
    model: BaseChatModel = CHAT_MODELS.load(name, chosen)
    slots_of(model).set_limit(chosen.llm_concurrency)
    return model


def load_llm(settings: Settings) -> BaseChatModel | None:
    """The chat model that ``settings.llm`` names, or None where it names none. Raises as ``load_chat_model``."""
    return None if settings.llm is None else load_chat_model(settings.llm, settings)


def _settings(settings: Settings | None, **chosen: Any) -> Settings:
    return (settings or load_settings()).model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
