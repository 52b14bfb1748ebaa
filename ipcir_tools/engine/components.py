"""The models of one engine and the chains over them, each made once, when it is first needed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from ipcir_tools.composers import trained_composer
from ipcir_tools.errors import NotFoundError, SpaceMismatchError
from ipcir_tools.images.pixels import MAX_ASPECT, ROOM
from ipcir_tools.images.reading import read_pixels
from ipcir_tools.images.thumbnails import image_uri
from ipcir_tools.models.presets import ModelNames, chosen_models, noted_models
from ipcir_tools.models.trained_networks import TrainedNetwork, load_trained
from ipcir_tools.once import Once
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.database import gallery_place
from ipcir_tools.store.features import Features

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable
    from PIL import Image

    from ipcir_tools.chains.composition.calibrator import Calibrator
    from ipcir_tools.chains.composition.chain import Composed
    from ipcir_tools.chains.composition.requests import ComposeRequest
    from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
    from ipcir_tools.chains.reranking.checks import CheckRequest
    from ipcir_tools.chains.reranking.results import RerankRequest, RerankResult
    from ipcir_tools.composers.calibration import Calibration
    from ipcir_tools.engine.verifier import Verifier
    from ipcir_tools.models.captioner import Captioner
    from ipcir_tools.models.encoder import Encoder
    from ipcir_tools.models.image_generator import ImageGenerator
    from ipcir_tools.store.langchain_cache import CatalogCache


_T = TypeVar("_T")
_NOTES = ("models", "encoder", "captioner")


class locked_property(cached_property[_T]):
    """``cached_property`` that two threads never make at once, so that none loads one model twice.

    No lock is held meanwhile: a captioner that takes long to load holds up those alone who want it.
    """

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> _T: ...

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        """The value, made at the first access."""
        if instance is None:
            return self
        return instance._once.get(self.attrname, lambda: self._made(vars(instance), instance))

    def _made(self, values: dict[str, Any], instance: Any) -> Any:
        name = str(self.attrname)
        if name not in values:
            values[name] = self.func(instance)
        return values[name]


class Components:
    """Encoder, captioner, image generator, imagination and composition over one catalog. Safe for many threads.

    They are all that a composition needs (``CompositionModels``); the gallery and its turns belong to the engine.
    """

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.settings = settings
        self.catalog = catalog
        noted = {key: value for key in _NOTES if (value := catalog.note(key))}
        self.models: ModelNames = chosen_models(settings, noted)
        self.features = Features(
            catalog, settings, lambda: self.encoder, lambda: self.captioner, lambda: self.captioner_id
        )
        self._once = Once[Any]()
        self._networks: dict[str, TrainedNetwork] = {}
        self._checked_space: str | None = None

    @locked_property
    def encoder(self) -> Encoder:
        """The encoder. Raises SpaceMismatchError before loading one that did not make the gallery."""
        from ipcir_tools.models.loading import load_encoder

        self.check_space()
        return load_encoder(self.models.encoder, settings=self.settings)

    @locked_property
    def captioner(self) -> Captioner:
        """The captioner."""
        from ipcir_tools.models.loading import load_captioner

        return load_captioner(self.models.captioner, settings=self.settings)

    @locked_property
    def captioner_id(self) -> str:
        """Under which captions are kept; known without loading the captioner."""
        from ipcir_tools.models.loading import captioner_id

        return captioner_id(self.models.captioner, self.settings)

    @property
    def loaded_captioner(self) -> Captioner | None:
        """The captioner where it is loaded already."""
        return vars(self).get("captioner")

    @locked_property
    def verifier(self) -> Verifier:
        """Verification by the captioner: for the hits of a turn, and for many candidates at once."""
        from ipcir_tools.engine.verifier import Verifier

        return Verifier(self)

    @locked_property
    def imagine(self) -> Runnable[ImagineRequest, Imagination]:
        """The imagination: the language model that the settings name, or the rules."""
        from ipcir_tools.chains.imagination.chain import build_imagine_chain
        from ipcir_tools.models.loading import load_llm

        settings = self.settings
        return build_imagine_chain(
            load_llm(settings),
            prompt=settings.prompt,
            prompts=settings.prompts,
            timeout=settings.llm_timeout,
            replies=self.catalog,
            load_reference=self.image_uri,
            load_model=lambda name: load_llm(settings.model_copy(update={"llm": name})),
        )

    def image_uri(self, id: str) -> str:
        """An image as a data URI, for a prompt that takes one. Raises NotFoundError where it is not available."""
        from ipcir_tools.prompts.limits import REFERENCE_SIDE

        image = self.load_image({}, id)
        if isinstance(image, str):
            raise NotFoundError(image)
        return image_uri(image, REFERENCE_SIDE)

    @locked_property
    def cache(self) -> CatalogCache:
        """LangChain's cache over this catalog: for ``set_llm_cache``, or for one model's ``cache=``."""
        from ipcir_tools.store.langchain_cache import CatalogCache

        return CatalogCache(self.catalog)

    @locked_property
    def rerank(self) -> Runnable[RerankRequest, RerankResult]:
        """The reranking of hits by a vision model. Raises ModelUnavailableError; without a model the order stays.

        It may take twice the time of an imagination: images take longer than words.
        """
        from ipcir_tools.chains.reranking.chain import build_rerank_chain
        from ipcir_tools.models.loading import load_llm

        settings = self._vision_settings
        return build_rerank_chain(
            load_llm(settings), prompts=settings.prompts, replies=self.catalog, timeout=settings.llm_timeout
        )

    @locked_property
    def check(self) -> Runnable[CheckRequest, RerankResult]:
        """True/false checks of hits, by the model that reranks and in its time. Raises ModelUnavailableError."""
        from ipcir_tools.chains.reranking.chain import build_check_chain
        from ipcir_tools.models.loading import load_llm

        settings = self._vision_settings
        return build_check_chain(
            load_llm(settings), prompts=settings.prompts, replies=self.catalog, timeout=settings.llm_timeout
        )

    @property
    def _vision_settings(self) -> Settings:
        """Settings of the model that looks at up to twenty pictures: twice the time, and twice the tokens where set."""
        tokens = self.settings.llm_max_tokens
        chosen = {"llm": self.reranker, "llm_timeout": 2 * self.settings.llm_timeout}
        return self.settings.model_copy(update=chosen | ({"llm_max_tokens": 2 * tokens} if tokens else {}))

    @property
    def reranker(self) -> str | None:
        """The name of the vision model."""
        return self.settings.rerank_llm or self.settings.llm

    def load_image(self, pixels: Mapping[str, Image.Image], id: str) -> Image.Image | str:
        """An image, from ``pixels`` where it is open already; or why it is not available."""
        record = self.catalog.records([id]).get(id)
        return pixels.get(id) or (read_pixels(record.source, self.settings, id) if record else "it is not known")

    def load_large(self, id: str, longest: int) -> Image.Image | str:
        """An image of up to ``longest`` pixels on the longer side, where :meth:`load_image` gives what captioners
        need; or why it is not available."""
        record = self.catalog.records([id]).get(id)
        if record is None:
            return "it is not known"
        is_cropped = max(record.width, record.height) > MAX_ASPECT * min(record.width, record.height)
        side = None if is_cropped else -(-longest // ROOM)
        return read_pixels(record.source, self.settings, id, longest=longest, side=side)

    @locked_property
    def calibrator(self) -> Calibrator:
        """Measures the encoder on the gallery and keeps the result."""
        from ipcir_tools.chains.composition.calibrator import Calibrator
        from ipcir_tools.models.loading import is_local_captioner

        def captions_are_cheap() -> bool:
            """By a model on this machine, so that no picture is sent or paid for, and one that is quick."""
            return is_local_captioner(self.models.captioner) and self.verifier.auto_amount() > 0

        return Calibrator(self.catalog, lambda: self.features, captions_are_cheap)

    @property
    def calibration(self) -> Calibration:
        """The units of the composers' weights on the gallery as it is."""
        return self.calibrator.current()

    @locked_property
    def compose(self) -> Runnable[ComposeRequest, Composed]:
        """Caption, imagine, encode, compose."""
        from ipcir_tools.chains.composition.chain import build_compose_chain

        return build_compose_chain(self)

    @locked_property
    def image_generator(self) -> ImageGenerator:
        """The image generator. Raises ModelUnavailableError where none is chosen, or it is not available."""
        from ipcir_tools.models.loading import load_image_generator

        return load_image_generator(self.models.image_generator, self.settings)

    def trained_network(self, name: str) -> TrainedNetwork:
        """The network of the composer ``name``, loaded once. Raises ModelUnavailableError where none was trained."""
        network: TrainedNetwork = self._once.get(("network", name), lambda: self._loaded_network(name))
        return network

    def _loaded_network(self, name: str) -> TrainedNetwork:
        if name not in self._networks:
            command = trained_composer(name).train_command()
            network = load_trained(name, self.features.space, self.settings, self.models, command)
            self._networks[name] = TrainedNetwork(network, lambda: self.encoder)
        return self._networks[name]

    def check_space(self) -> None:
        """Refuse an encoder that did not make the gallery, by name alone. Raises SpaceMismatchError."""
        from ipcir_tools.models.loading import encoder_id

        space = self.catalog.space()
        if space is None or space == self._checked_space:
            return
        if not space.startswith(encoder_id(self.models.encoder, self.settings) + "/"):
            raise SpaceMismatchError(
                f"The gallery in {gallery_place(self.settings)} was made by {space.rsplit('/', 1)[0]}, "
                f"not by {self.models.encoder}: "
                "leave --encoder and --models out to use its own, or choose another --home."
            )
        self._checked_space = space

    def noted_encoder(self) -> Encoder:
        """The encoder, with its name stored before its first feature is: a run may be killed at any moment."""
        encoder = self.encoder
        self.note_models()
        return encoder

    def note_models(self) -> None:
        """Store which models make this gallery."""
        for key, value in noted_models(self.models).items():
            self.catalog.set_note(key, value)
