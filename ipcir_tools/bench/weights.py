"""Models in their true size with random weights from a seed, saved once: the package and its peers read one folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ipcir_tools.errors import InvalidRequestError

LOCAL = "open_clip:local-dir:"
CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"


def encoder_folder(encoder: str, folder: Path, seed: int = 0) -> Path:
    """The folder of an encoder's weights: of ``open_clip:MODEL/random`` made in ``folder`` where it is not there yet.

    Raises InvalidRequestError for an encoder that the peers could not read.
    """
    if encoder.startswith(LOCAL):
        return Path(encoder.removeprefix(LOCAL)).expanduser().resolve()
    model = _model(encoder)
    made = folder / f"{model}-random"
    if not (made / CONFIG).is_file():  # written last
        _save_encoder(model, made, seed)
    return made


def check_encoder(encoder: str) -> None:
    """Raise InvalidRequestError for an encoder that the package or its peers could not read; nothing is loaded."""
    if encoder.startswith(LOCAL):
        folder = Path(encoder.removeprefix(LOCAL)).expanduser()
        if not os.path.isfile(folder / CONFIG):  # noqa: PTH113 - Path's raises for forbidden folders
            raise InvalidRequestError(f"{str(folder)[:200]} is no model of open_clip's: it has no {CONFIG}.")
        return
    import open_clip

    if (model := _model(encoder)) not in open_clip.list_models():
        raise _unknown(model)


def _model(encoder: str) -> str:
    model = encoder.removeprefix("open_clip:").removesuffix("/random")
    if encoder != f"open_clip:{model}/random" or "/" in model:
        raise InvalidRequestError(
            f"The benchmark takes open_clip:MODEL/random or {LOCAL}PATH, not {encoder[:60]!r}: its peers read the same "
            "weights."
        )
    return model


def _unknown(model: str) -> InvalidRequestError:
    return InvalidRequestError(f"open_clip has no model {model[:60]!r}: `open_clip.list_models()` has their names.")


def local_name(folder: Path) -> str:
    """The encoder in a folder, as the package names it."""
    return f"{LOCAL}{folder}"


def peer_name(folder: Path) -> str:
    """The same as open_clip names it."""
    return f"local-dir:{folder}"


def _save_encoder(model: str, folder: Path, seed: int) -> None:
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = open_clip.get_model_config(model)
    if config is None:
        raise _unknown(model)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    made = open_clip.create_model(model)
    save_file({name: each.contiguous() for name, each in made.state_dict().items()}, folder / WEIGHTS)
    document = {"model_cfg": config, "preprocess_cfg": dict(made.visual.preprocess_cfg)}
    (folder / CONFIG).write_text(json.dumps(document, default=list))


def captioner_folder(folder: Path, seed: int = 0) -> Path:
    """The folder of a BLIP-base, made in ``folder`` where it is not there yet."""
    made = folder / "blip-base-random"
    if not (made / "preprocessor_config.json").is_file():  # written last
        _save_captioner(made, seed)
    return made


def _save_captioner(folder: Path, seed: int) -> None:
    import torch
    import transformers

    torch.manual_seed(seed)
    # transformers' own classes are untyped in part.
    parts: Any = transformers
    vision = {"image_size": 384, "initializer_range": 0.02}
    config = parts.BlipConfig(text_config={"encoder_hidden_size": 768}, vision_config=vision)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *(f"word{i}" for i in range(config.text_config.vocab_size - len(special)))]
    parts.BlipForConditionalGeneration(config).save_pretrained(folder)
    parts.BertTokenizerFast(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    parts.BlipImageProcessor(size={"height": 384, "width": 384}).save_pretrained(folder)
