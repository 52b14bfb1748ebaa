"""The models of one engine and the chains over them, each made once, when it is first needed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from ipcir_tools.catalog import Catalog
from ipcir_tools.errors import SpaceMismatch
from ipcir_tools.features import Features, text_key
from ipcir_tools.images import LoadedImage
from ipcir_tools.models import ModelNames, chosen_models, noted_models
from ipcir_tools.networks import Inverter, load_trained
from ipcir_tools.queries import checked_text
from ipcir_tools.references import resolve
from ipcir_tools.settings import Settings
from ipcir_tools.types import ImageRecord

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable, RunnableConfig
    from PIL import Image

    from ipcir_tools.captioner import Captioner
    from ipcir_tools.chains.compose import Composed, ComposeRequest
    from ipcir_tools.chains.imagine import Imagination, ImagineRequest
    from ipcir_tools.drawer import Drawer
    from ipcir_tools.encoder import Encoder
    from ipcir_tools.inversion.network import Network

_T = TypeVar("_T")
_NOTES = ("models", "encoder", "captioner")


class once(cached_property[_T]):
    """``cached_property`` under the instance's lock: two threads never load one model twice."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> _T: ...

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        """The value, made at the first call."""
        if instance is None:
            return self
        with instance._loading:
            return super().__get__(instance, owner)


@dataclass(frozen=True)
class Caption:
    """A picture's id and what the captioner says of it."""

    id: str
    text: str


class EngineParts:
    """Encoder, captioner, drawer, imagination and composition over one catalog. Safe for many threads."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.settings = settings
        self.catalog = catalog
        noted = {key: value for key in _NOTES if (value := catalog.note(key))}
        self.models: ModelNames = chosen_models(settings, noted)
        self.features = Features(
            catalog, settings, lambda: self.encoder, lambda: self.captioner, lambda: self.captioner_id
        )
        self._loading = threading.RLock()

    @once
    def encoder(self) -> Encoder:
        """The encoder. Raises SpaceMismatch before loading one that did not make the gallery."""
        from ipcir_tools.encoder import load_encoder

        self.check_space()
        chosen = self.settings
        return load_encoder(self.models.encoder, device=chosen.device, dtype=chosen.dtype, batch_size=chosen.batch_size)

    @once
    def captioner(self) -> Captioner:
        """The captioner."""
        from ipcir_tools.captioner import load_captioner

        return load_captioner(self.models.captioner, device=self.settings.device, dtype=self.settings.dtype)

    @once
    def captioner_id(self) -> str:
        """Under which captions are kept; known without loading the captioner."""
        from ipcir_tools.captioner import captioner_id

        return captioner_id(self.models.captioner, self.settings.device)

    @once
    def imagine(self) -> Runnable[ImagineRequest, Imagination]:
        """The imagination: the language model that the settings name, or the rules."""
        from ipcir_tools.chains.imagine import build_imagine_chain, load_llm

        settings = self.settings
        return build_imagine_chain(
            load_llm(settings), prompt=settings.prompt, timeout=settings.llm_timeout, replies=self.catalog
        )

    @once
    def compose(self) -> Runnable[ComposeRequest, Composed]:
        """Caption, imagine, encode, compose."""
        from ipcir_tools.chains.compose import build_compose_chain

        return build_compose_chain(self)

    @once
    def drawer(self) -> Drawer:
        """What draws an imagined target. Raises ModelUnavailable where none is chosen, or it cannot be had."""
        from ipcir_tools.drawer import load_drawer

        return load_drawer(self.models.drawer, self.settings)

    def inverter(self, method: Literal["pic2word", "searle"]) -> Inverter:
        """What turns a picture into a word. Raises ModelUnavailable where no such network was trained."""
        return self._pic2word if method == "pic2word" else self._searle

    @once
    def _pic2word(self) -> Inverter:
        return Inverter(*load_trained("pic2word", self.settings, self.models, self.encoder.space), self.encoder)

    @once
    def _searle(self) -> Inverter:
        return Inverter(*load_trained("searle", self.settings, self.models, self.encoder.space), self.encoder)

    @once
    def aligner(self) -> Network:
        """What moves a proxy towards targets. Raises ModelUnavailable where no such network was trained."""
        return load_trained("aligned", self.settings, self.models, self.features.space)[1]

    def check_space(self) -> None:
        """Refuse an encoder that did not make the gallery, by name alone. Raises SpaceMismatch."""
        from ipcir_tools.encoder import encoder_id

        space = self.catalog.space()
        if space is not None and not space.startswith(encoder_id(self.models.encoder) + "/"):
            raise SpaceMismatch(
                f"The gallery in {self.settings.home} was made by {space.rsplit('/', 1)[0]}, "
                f"not by {self.models.encoder}: "
                "leave --encoder and --models out to use its own, or choose another --home."
            )

    def note_models(self) -> None:
        """Write down which models make this gallery."""
        for key, value in noted_models(self.models).items():
            self.catalog.set_note(key, value)

    def models_used(self, composed: Composed) -> dict[str, str]:
        """The models behind one composition, by part."""
        used = {"encoder": self.features.space}
        if composed.imagination is not None:
            used["captioner"] = self.captioner_id
            used["imaginer"] = (
                (self.settings.llm or "rules") if composed.imagination.target.origin == "llm" else "rules"
            )
        return used

    # --- the parts, for those who compose by themselves

    def caption(self, picture: str, *, trusted: bool = False) -> Caption:
        """What the captioner says of a picture; made once, then known."""
        record, pixels = self.resolved(picture, trusted)
        self.catalog.remember([record])
        return Caption(record.id, self.features.captions([record.id], pixels)[record.id])

    def imagine_target(self, caption: str, modification: str, *, config: RunnableConfig | None = None) -> Imagination:
        """The target picture in words, from the words for a reference and a modification."""
        from ipcir_tools.chains.imagine import ImagineRequest

        request = ImagineRequest(checked_text(caption, "caption"), checked_text(modification))
        return self.imagine.invoke(request, config)

    def encode_text(self, text: str) -> str:
        """Encode a text; the handle of its feature, always the same for the same text."""
        flat = checked_text(text, "text")
        self.features.texts([flat])
        return text_key(flat)

    def encode_image(self, picture: str, *, trusted: bool = False) -> str:
        """Encode a picture; the handle of its feature, which is the picture's id."""
        record, pixels = self.resolved(picture, trusted)
        self.catalog.remember([record])
        self.features.images([record.id], pixels)
        return record.id

    def resolved(self, reference: str, trusted: bool) -> tuple[ImageRecord, dict[str, Image.Image]]:
        """The record of the picture that a name means, and its pixels by id where it had to be opened."""
        found = resolve(reference, self.catalog, self.settings, trusted=trusted)
        if isinstance(found, LoadedImage):
            return found.record, {found.record.id: found.pixels}
        return found, {}
