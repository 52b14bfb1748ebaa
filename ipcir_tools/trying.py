"""One target, imagined by a prompt in order to look at the prompt: asked anew each time, and nothing is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ipcir_tools.chains.imagine import Imagination, ImagineRequest, build_imagine_chain, load_llm
from ipcir_tools.presenting import imagined_json
from ipcir_tools.settings import Settings
from ipcir_tools.types import Reply

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

    Raises NotFound and InvalidRequest for a prompt that cannot be used, ModelUnavailable for a model that cannot be
    had; trouble with its replies is told in the imaginations.
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
