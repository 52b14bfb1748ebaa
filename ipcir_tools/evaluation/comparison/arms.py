"""What a comparison measures: arms, each of one prompt with one model, or of the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipcir_tools.chains.imagination.chain import LLM_FIELD, PROMPT_FIELD
from ipcir_tools.chains.imagination.prompting import check_prompt
from ipcir_tools.chains.imagination.resources import RULES
from ipcir_tools.models.loading import load_llm

if TYPE_CHECKING:
    from ipcir_tools.engine.components import Components
    from ipcir_tools.evaluation.comparison.runner import ArmOutcome
    from ipcir_tools.evaluation.runs.recorder import ImaginationRecorder, Imagine
    from ipcir_tools.prompts import Prompt
    from ipcir_tools.settings import Settings


@dataclass(frozen=True)
class Arm:
    """One prompt with one model; without either, the rules."""

    name: str
    prompt: Prompt | None = None
    llm: str | None = None


Imaginer = Callable[[Arm], "Imagine"]
"""Makes the imagination of an arm."""


@dataclass(frozen=True)
class ArmResult:
    """An arm, the ranks under it, and a record of its imaginations."""

    arm: Arm
    outcome: ArmOutcome
    recorder: ImaginationRecorder


def build_arms(prompts: Sequence[Prompt | None], llms: Sequence[str]) -> list[Arm]:
    """Every prompt with every model, each once; None, and the model ``rules``, are the rules.

    Without a model there is nothing but the rules, however many prompts are named.
    """
    models = [llm for llm in dict.fromkeys(llms) if llm != RULES]
    arms: list[Arm] = []
    for prompt in prompts:
        if prompt is None or RULES in llms or not models:
            arms.append(Arm(RULES))
        if prompt is not None:
            arms += [Arm(prompt.id if len(models) == 1 else f"{prompt.id} by {llm}", prompt, llm) for llm in models]
    return list({arm.name: arm for arm in arms}.values())


def check_arm(arm: Arm, settings: Settings) -> None:
    """Raises InvalidRequestError for a prompt that is not of an imagination, ModelUnavailableError for an unknown
    model."""
    if arm.prompt is not None and arm.llm is not None:
        check_prompt(arm.prompt)
        load_llm(settings.model_copy(update={"llm": arm.llm}))


def stored_imaginer(components: Components) -> Imaginer:
    """Imaginations with the images and the replies of a catalog. It raises as ``check_arm`` does."""

    def imaginer(arm: Arm) -> Imagine:
        if arm.prompt is None or arm.llm is None:
            return components.imagine.with_config(configurable={LLM_FIELD: RULES})
        check_arm(arm, components.settings)
        return components.imagine.with_config(configurable={PROMPT_FIELD: arm.prompt.id, LLM_FIELD: arm.llm})

    return imaginer
