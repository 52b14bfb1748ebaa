"""Trained networks: small, stored as safetensors beside a description, each for one encoder's feature space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import ValidationError

from ipcir_tools.errors import ModelUnavailableError, SpaceMismatchError
from ipcir_tools.files import write_bytes
from ipcir_tools.text import error_sentence
from ipcir_tools.types import FloatArray, Value

if TYPE_CHECKING:
    import torch

    from ipcir_tools.models.encoder import Encoder


WEIGHTS, DESCRIPTION = "network.safetensors", "network.json"
"""The two files of a network's folder."""


class Trained(Value):
    """How a network was trained."""

    examples: int
    """The number of images or triplets."""
    steps: int
    batch: int
    rate: float
    seed: int
    seconds: float
    loss: float
    """The mean over the last twentieth of the steps."""


class NetworkConfig(Value):
    """The description of a network: its composer, its feature space, and its sizes."""

    method: str
    """The composer that it was trained for."""
    space: str
    """The encoder's feature space; the network does not fit features of another."""
    template: str = ""
    """The sentence of a query, with a ``*`` for the pseudo word and ``{modification}``; empty where there is none."""
    wide_in: int
    hidden: int
    wide_out: int
    dropout: float
    activation: Literal["relu", "gelu"]
    scale_out: float = 1.0
    """The factor of the last layer's output; for words the spread of the vocabulary's own embeddings."""
    trained: Trained | None = None

    def layers(self) -> torch.nn.Sequential:
        """Three linear layers with dropout between them, and random weights."""
        from torch import nn

        def hidden(wide: int) -> list[nn.Module]:
            between = nn.ReLU() if self.activation == "relu" else nn.GELU()
            return [nn.Linear(wide, self.hidden), between, nn.Dropout(self.dropout)]

        return nn.Sequential(*hidden(self.wide_in), *hidden(self.hidden), nn.Linear(self.hidden, self.wide_out))

    def apply(self, layers: torch.nn.Sequential, features: torch.Tensor) -> torch.Tensor:
        """``scale_out * layers(sqrt(wide_in) * features)``: ``[n, wide_in]`` of unit norm to ``[n, wide_out]``.

        The factor gives each number of a feature a spread of one, whatever the width.
        """
        output: torch.Tensor = layers(features * self.wide_in**0.5)
        return self.scale_out * output


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network, ready to be used."""

    config: NetworkConfig
    layers: torch.nn.Sequential
    id: str = ""
    """Identifies the weights; empty for a network that is not stored."""

    def apply(self, features: FloatArray) -> FloatArray:
        """``[n, wide_out]`` float32 of ``features`` ``[n, wide_in]``, unit norm."""
        import torch

        given = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))
        with torch.inference_mode():
            return np.asarray(self.config.apply(self.layers, given).numpy(), dtype=np.float32)

    def queries(self, encoder: Encoder, references: FloatArray, modifications: Sequence[str]) -> FloatArray:
        """Query features ``[n, d]``, unit norm: each reference as a word in the template's sentence.

        Raises SpaceMismatchError for another encoder than the one that the network was trained for.
        """
        check_space(self.config, encoder.space)
        # Only the template's own placeholder is replaced; one in the user's text comes after it.
        sentences = [self.config.template.replace("{modification}", each) for each in modifications]
        return encoder.embed_pseudo(sentences, self.apply(references))


def check_space(config: NetworkConfig, space: str) -> None:
    """Raises SpaceMismatchError where the network belongs to another space."""
    if config.space != space:
        raise SpaceMismatchError(
            f"This {config.method} network was trained for {config.space}, not for {space}: "
            "train one for this encoder, or choose the encoder that it was trained for."
        )


def save_network(config: NetworkConfig, layers: torch.nn.Sequential, folder: Path) -> None:
    """Write the network as float16 weights and a description; a reader never meets half of a file."""
    from safetensors.torch import save

    weights = {name: each.half().cpu().contiguous() for name, each in layers.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(weights, {"format": "pt"}))
    write_bytes(folder / DESCRIPTION, (config.model_dump_json(indent=2) + "\n").encode())


def load_network(folder: Path, method: str, space: str) -> Network:
    """The network in ``folder``, in eval mode on the CPU, in float32.

    Raises ModelUnavailableError where the folder holds no readable network of this method, and SpaceMismatchError
    where it was trained for another space.
    """
    config = _read_config(folder)
    if config.method != method:
        raise ModelUnavailableError(f"{folder} holds a network of the method {config.method}, not {method}.")
    check_space(config, space)
    return Network(config, _read_layers(config, folder))


def _read_config(folder: Path) -> NetworkConfig:
    try:
        return NetworkConfig.model_validate_json((folder / DESCRIPTION).read_bytes())
    except OSError:
        raise ModelUnavailableError(f"{folder} holds no {DESCRIPTION}: train a network with `ipcir train`.") from None
    except ValidationError as error:
        raise ModelUnavailableError(
            f"{folder / DESCRIPTION} describes no network: {error.errors()[0]['msg']}."
        ) from None


def _read_layers(config: NetworkConfig, folder: Path) -> torch.nn.Sequential:
    from safetensors import SafetensorError
    from safetensors.torch import load

    layers = config.layers()
    try:
        layers.load_state_dict(load((folder / WEIGHTS).read_bytes()))
    except (OSError, SafetensorError, RuntimeError) as error:  # RuntimeError: other names or shapes
        raise ModelUnavailableError(
            f"Cannot read {folder / WEIGHTS}: {error_sentence(error, 200)} Train the network again."
        ) from None
    return layers.eval()
