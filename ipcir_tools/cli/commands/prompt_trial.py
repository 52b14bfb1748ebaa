"""One target, imagined by a prompt in order to look at the prompt: asked anew each time, and nothing is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipcir_tools.chains.imagination.chain import build_imagine_chain
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.cli.options import engine_for
from ipcir_tools.display.results import imagined_json
from ipcir_tools.errors import BadImageError, InvalidRequestError
from ipcir_tools.models.loading import load_llm
from ipcir_tools.settings import Settings
from ipcir_tools.types import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

    from ipcir_tools.prompts import Prompt


NOT_USED = (
    "No language model is named, so the rules wrote the target and the prompt was not used: "
    "name a model with --llm or IPCIR_LLM."
)


@dataclass(frozen=True)
class Try:
    """What came of asking once."""

    imagination: Imagination
    reply: str
    """The model's words as they were read; empty where none could be used, or the server cut them off."""

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values. None: ``form`` and ``seconds`` where no model answered, tokens that are not known."""
        made = self.imagination
        cost = made.cost
        read, written = (cost.input_tokens, cost.output_tokens) if cost else (0, 0)
        known = cost is None or cost.told
        return {
            "imagined": imagined_json(made.target),
            "origin": made.target.origin,
            "model": made.model,
            "warnings": list(made.warnings),
            "form": made.form,
            "repairs": made.repairs,
            "calls": made.calls,
            "input_tokens": read if known else None,
            "output_tokens": written if known else None,
            "seconds": None if made.seconds is None else round(made.seconds, 3),
            "reply": self.reply,
        }


class _Ear:
    """Replies that are kept nowhere: none is known, and the last one is heard."""

    def __init__(self) -> None:
        self.heard = ""

    def reply(self, key: str) -> Reply | None:
        return None

    def put_reply(self, key: str, reply: Reply) -> None:
        self.heard = reply.text


def tries(request: ImagineRequest, settings: Settings, n: int = 1) -> list[Try]:
    """What the prompt and the model of the settings make of a request, asked ``n`` times one after the other.

    Raises NotFoundError and InvalidRequestError for a prompt that cannot be used, ModelUnavailableError for a model
    that cannot be had; trouble with its replies is told in the imaginations.
    """
    ear = _Ear()
    chain = build_imagine_chain(
        load_llm(settings),
        prompt=settings.prompt,
        prompts=settings.prompts,
        timeout=settings.llm_timeout,
        replies=ear,
    )
    found = []
    for _ in range(n):
        ear.heard = ""
        imagination = chain.invoke(request)
        found.append(Try(imagination, ear.heard))
    return found


def trial_request(
    prompt: Prompt, reference: str | None, modification: str, caption: str | None, chosen: Mapping[str, Any]
) -> ImagineRequest:
    """What is to be imagined. An engine is opened only where there is a picture. Raises InvalidRequestError."""
    from ipcir_tools.chains.imagination.results import ImagineRequest
    from ipcir_tools.engine.validation import checked_text

    asked = checked_text(modification)
    said = None if caption is None else checked_text(caption, "caption")
    if reference is None:
        if prompt.pictures:
            raise InvalidRequestError(
                f"Prompt {prompt.id} looks at the reference: name a picture before the modification."
            )
        if said is None:
            raise InvalidRequestError(
                "Nothing says what the reference shows: give --caption TEXT, or a picture before it."
            )
        return ImagineRequest(said, asked)
    with engine_for(**chosen) as (engine, _):
        record, pixels = engine.resolve(engine.local_reference(reference))
        if said is None and ("caption" in prompt.variables or engine.settings.llm is None):
            engine.catalog.remember([record])
            said = engine.features.captions([record.id], pixels)[record.id]
        shown = pixels.get(record.id) or (opened_image(record.source, engine.settings) if prompt.pictures else None)
        return ImagineRequest(said or "", asked, reference=record.id, pixels=shown)


def opened_image(source: str, settings: Settings) -> Image.Image:
    """The picture at a path. Raises BadImageError."""
    from ipcir_tools.images.reading import read_pixels
    from ipcir_tools.text import excerpt

    picture = read_pixels(source, settings)
    if isinstance(picture, str):
        raise BadImageError(f"The picture {excerpt(source)} cannot be used: {picture}.")
    return picture
