"""Trying a prompt on one target: the model is called each time, and no reply is stored or reused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipcir_tools.chains.imagination.chain import build_imagine_chain
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.cli.options import ModelOptions, engine_for
from ipcir_tools.display.results import imagined_json
from ipcir_tools.errors import BadImageError, InvalidRequestError
from ipcir_tools.models.loading import load_llm
from ipcir_tools.settings import Settings

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.prompts import Prompt


NOT_USED = (
    "No language model is named, so the rules wrote the target and the prompt was not used: "
    "name a model with --llm or IPCIR_LLM."
)


def trial_json(result: Imagination) -> dict[str, Any]:
    """A trial as plain JSON values.

    ``form`` and ``seconds`` are None where no model answered, tokens where they are not known; ``reply`` is empty
    where no reply was usable or the server cut it off.
    """
    cost = result.cost
    input_tokens, output_tokens = (cost.input_tokens, cost.output_tokens) if cost else (0, 0)
    known = cost is None or cost.tokens_known
    return {
        "imagined": imagined_json(result.target),
        "origin": result.target.origin,
        "model": result.model,
        "warnings": list(result.warnings),
        "form": result.form,
        "repairs": result.repairs,
        "calls": result.calls,
        "input_tokens": input_tokens if known else None,
        "output_tokens": output_tokens if known else None,
        "seconds": None if result.seconds is None else round(result.seconds, 3),
        "reply": result.reply or "",
    }


def try_prompt(request: ImagineRequest, settings: Settings, n: int = 1) -> list[Imagination]:
    """The imaginations of ``n`` calls of the model in the settings, one after the other, without stored replies.

    Raises NotFoundError and InvalidRequestError for a prompt that cannot be used, ModelUnavailableError for a model
    that is not available; problems with its replies are in the warnings of the imaginations.
    """
    chain = build_imagine_chain(
        load_llm(settings), prompt=settings.prompt, prompts=settings.prompts, timeout=settings.llm_timeout
    )
    return [chain.invoke(request) for _ in range(n)]


def trial_request(
    prompt: Prompt, reference: str | None, modification: str, caption: str | None, options: ModelOptions
) -> ImagineRequest:
    """The request for a trial; an engine is opened only for a reference image. Raises InvalidRequestError."""
    from ipcir_tools.engine.validation import checked_text

    modification = checked_text(modification)
    caption = None if caption is None else checked_text(caption, "caption")
    if reference is None:
        if prompt.pictures:
            raise InvalidRequestError(
                f"Prompt {prompt.id} takes the reference image: name a picture before the modification."
            )
        if caption is None:
            raise InvalidRequestError(
                "Nothing describes the reference: give --caption TEXT, or a picture before the modification."
            )
        return ImagineRequest(caption, modification)
    with engine_for(options) as (engine, _):
        record, pixels = engine.resolve(engine.local_reference(reference))
        if caption is None and ("caption" in prompt.variables or engine.settings.llm is None):
            engine.catalog.remember([record])
            caption = engine.components.features.captions([record.id], pixels)[record.id]
        image = pixels.get(record.id) or (opened_image(record.source, engine.settings) if prompt.pictures else None)
        return ImagineRequest(caption or "", modification, reference=record.id, pixels=image)


def opened_image(source: str, settings: Settings) -> Image.Image:
    """The picture at a path. Raises BadImageError."""
    from ipcir_tools.images.reading import read_pixels
    from ipcir_tools.text import excerpt

    picture = read_pixels(source, settings)
    if isinstance(picture, str):
        raise BadImageError(f"The picture {excerpt(source)} cannot be used: {picture}.")
    return picture
