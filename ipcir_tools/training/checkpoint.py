"""The checkpoint of an unfinished training, from which the same call continues."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.files import replaced
from ipcir_tools.models.network import DESCRIPTION

if TYPE_CHECKING:
    import torch


CHECKPOINT = "checkpoint.pt"
"""In the output folder while a training is unfinished."""


def finished(folder: Path) -> bool:
    """Whether a folder holds a network and no unfinished training."""
    return (folder / DESCRIPTION).exists() and not (folder / CHECKPOINT).exists()


@dataclass
class TrainingState:
    """The state of a training: everything that its checkpoint holds."""

    layers: torch.nn.Sequential
    optimizer: torch.optim.AdamW
    run: str
    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the checkpoint whole."""
        import torch

        states = {"layers": self.layers.state_dict(), "optimizer": self.optimizer.state_dict()}
        plain = {"run": self.run, "step": self.step, "seconds": self.seconds, "losses": self.losses}
        with replaced(path) as part:
            torch.save({**states, **plain}, part)

    def resume(self, path: Path) -> None:
        """Continue from the checkpoint, if there is one.

        Raises InvalidRequestError where it belongs to another training, or cannot be read.
        """
        import torch

        if not path.exists():
            return
        try:
            saved: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
            own = saved["run"] == self.run
            if own:
                self._load(saved)
        except Exception as error:  # torch and pickle raise any error for a damaged file
            raise InvalidRequestError(
                f"{path} is no checkpoint of a training ({type(error).__name__}): "
                "delete it to begin anew, or choose another folder."
            ) from error
        if not own:
            raise InvalidRequestError(
                f"{path} belongs to an unfinished training on other examples or with other settings: "
                "finish that one, choose another folder, or delete the file."
            )

    def _load(self, saved: dict[str, Any]) -> None:
        self.layers.load_state_dict(saved["layers"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.seconds, self.losses = int(saved["step"]), float(saved["seconds"]), list(saved["losses"])
