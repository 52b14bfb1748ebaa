"""Which files of a repository a loader reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ipcir_tools.models.hub_environment import HubError

_SMALL = (".json", ".txt", ".model", ".jinja", ".spm", ".bpe", ".codes", ".tiktoken")
"""Endings of configurations, vocabularies and chat templates."""
_INDEX = ".index.json"


def small_files(names: Sequence[str]) -> list[str]:
    """Configuration and tokenizer: every small file that lies at the top."""
    return [name for name in names if "/" not in name and name.endswith(_SMALL) and not name.endswith(_INDEX)]


def transformers_files(names: Sequence[str]) -> list[str]:
    """Configuration, tokenizer and weights, whole or in parts, in the order in which transformers looks for them."""
    if "config.json" not in names:
        raise HubError("the repository holds no config.json: it is no model of transformers.")
    for stem, ending in (("model", ".safetensors"), ("pytorch_model", ".bin")):
        if stem + ending in names:
            return [*small_files(names), stem + ending]
        if stem + ending + _INDEX in names:
            return [*small_files(names), stem + ending + _INDEX, *_parts(names, stem, ending)]
    raise HubError("the repository holds no weights that transformers reads.")


def _parts(names: Sequence[str], stem: str, ending: str) -> list[str]:
    pattern = re.compile(rf"{stem}-\d+-of-(\d+){re.escape(ending)}")
    parts = [(name, int(found[1])) for name in names if (found := pattern.fullmatch(name))]
    if not parts or len(parts) != parts[0][1]:
        raise HubError(f"the repository lacks parts of its weights: {len(parts)} are there.")
    return [name for name, _ in parts]


def open_clip_files(file: str = "", *more: str) -> Callable[[Sequence[str]], list[str]]:
    """The weights as open_clip looks for them, safetensors first, and ``more``; ``file``: named by a tag."""
    default = "open_clip_pytorch_model.bin"
    named = file or default
    safe = "open_clip_model.safetensors" if named == default else f"{named.rpartition('.')[0]}.safetensors"

    def choose(names: Sequence[str]) -> list[str]:
        for each in (safe, named):
            if each in names:
                return [*more, each]
        raise HubError(f"the repository holds neither {safe} nor {named}.")

    return choose


def diffusers_files(parts: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
    """The index of a pipeline, and of each of its parts the small files and the safetensors that are no variant."""

    def choose(names: Sequence[str]) -> list[str]:
        inside = [name for name in names if name.count("/") == 1 and name.partition("/")[0] in parts]
        weights = [name for name in inside if re.fullmatch(r"[\w-]+\.safetensors", name.partition("/")[2])]
        if not weights:
            raise HubError("the repository holds no safetensors of a pipeline.")
        return ["model_index.json", *(name for name in inside if name.endswith(_SMALL)), *weights]

    return choose
