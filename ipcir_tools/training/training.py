"""What the training of one composer's network is: its options, and how it runs on sources that a person names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationError

from ipcir_tools.batches import Progress
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.private import private_folder
from ipcir_tools.training.loop import Recipe, TrainingReport
from ipcir_tools.types import Value

if TYPE_CHECKING:
    from ipcir_tools.engine.components import Components


Steps = Annotated[int, Field(ge=1, description="Training steps.")]
Decay = Annotated[float, Field(ge=0.0, description="Weight decay.")]
Dropout = Annotated[float, Field(ge=0.0, lt=1.0, description="Share of the hidden values that are dropped.")]


class Training(Value, ABC):
    """The training of one composer's network.

    The fields are its options; those with a description are options of ``ipcir train NAME`` as well.
    """

    learns: ClassVar[str]
    """What is learnt from what, in one sentence for ``ipcir train --help``."""
    sources_help: ClassVar[str] = "Folders and image files to learn from; no labels needed."
    """What the sources are, for ``ipcir train NAME --help``."""

    steps: Steps = 2000
    batch: int = Field(default=128, ge=1, description="Examples in each step.")
    rate: float = Field(default=1e-3, ge=0.0, description="The highest learning rate.")
    decay: Decay = 0.1
    dropout: Dropout = 0.5
    hidden: int | None = Field(default=None, ge=1, description="Width of the hidden layers.")
    seed: int = Field(default=0, ge=0, description="Seed of all random choices.")

    @abstractmethod
    def run(self, components: Components, sources: Sequence[Path], folder: Path, progress: Progress) -> TrainingReport:
        """Train on ``sources`` with the engine's models, and write the network into ``folder``.

        Raises InvalidRequestError where nothing can be learnt from the sources, or the folder cannot be made.
        """

    @property
    def recipe(self) -> Recipe:
        """How the network is fitted."""
        return Recipe(self.steps, self.batch, self.rate, self.decay, self.seed)

    @classmethod
    def with_options(cls, options: Mapping[str, Any]) -> Self:
        """The training with these options. Raises InvalidRequestError that names the one that is not valid."""
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise InvalidRequestError(f"The option {place} is not valid: {fault['msg']}.") from None


def make_folder(folder: Path) -> None:
    """Make the folder of a network. Raises InvalidRequestError where that is not possible."""
    try:
        private_folder(folder)
    except OSError as error:
        raise InvalidRequestError(
            f"The folder {folder} cannot be made ({error.strerror}): name another with --out."
        ) from error
