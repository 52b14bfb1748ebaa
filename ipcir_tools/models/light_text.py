"""A few texts through CLIP's text tower in numpy: a search in a new process needs neither torch nor open_clip.

Importing the two takes longer than everything else that such a search does. The tower is small enough without them: the
weights of its layers are mapped from the file of the model, and only the tokens that a text has are computed.

It is used for a model that was loaded in full before on this machine, when :func:`learn` compared its features with
those of open_clip and wrote down in the user's cache folder that they are the same. Where anything differs, the file,
the architecture or a feature, there is no such note, and the model is loaded. It reads plain English alone: other
letters, and marks that open_clip's tokenizer takes for something else (``&amp;``, ``<end_of_text>``), are the model's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.files import write_bytes
from ipcir_tools.models.clip_tokens import ClipTokens
from ipcir_tools.models.user_cache import cache_folder
from ipcir_tools.text import json_digest
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from ipcir_tools.models.open_clip_creation import LoadedEncoder

MOST = 8
"""Texts at a time; more are quicker on the model itself."""
SAME, NEAR = 1e-5, 1e-4
"""How far the cosine with open_clip's feature may be from 1, for a model in float32 and for one in a shorter type."""

_PLAIN = re.compile(r"[A-Za-z0-9 .,;:!?'\"()/+*%$#@=-]*")

_PROBES = ["a photo of a dog", "", "A red dress, 3 buttons; it's cafe-brown (50%)!", "a red dress with a belt " * 30]


@dataclass(frozen=True)
class LightTower:
    """A text tower that is known to give open_clip's features."""

    identity: str
    space: str
    dim: int
    side: int
    """What the model's pictures are scaled to."""
    file: str
    size: int
    mtime_ns: int
    heads: int
    length: int
    """The most tokens of a text."""
    quick_gelu: bool

    @staticmethod
    def reads(texts: Sequence[str]) -> bool:
        """Whether it gives the model's own features of these texts: a few, in plain English letters."""
        return len(texts) <= MOST and all(map(_PLAIN.fullmatch, texts))

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Features ``[n, dim]`` of any norm, of texts that it reads."""
        rows = [self.tokens(text) for text in texts]
        ends = np.cumsum([len(row) for row in rows])
        weights = self._weights
        places = np.concatenate([np.arange(len(row)) for row in rows])
        # All texts one below the other: the weights, read from memory for each product, are read once.
        x = weights["token_embedding.weight"][np.concatenate(rows)] + weights["positional_embedding"][places]
        for layer in range(self._layers):
            x = self._layer(x, [slice(end - len(row), end) for row, end in zip(rows, ends, strict=True)], layer)
        features: FloatArray = self._norm(x[ends - 1], "ln_final") @ weights["text_projection"]
        return features

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, as the model reads it."""
        return _tokens.encode(text, self.length)

    def _layer(self, x: FloatArray, texts: Sequence[slice], layer: int) -> FloatArray:
        """One layer on the rows ``[n, d]`` of the tokens of all texts."""
        at = f"transformer.resblocks.{layer}."
        parts = self._linear(self._norm(x, f"{at}ln_1"), f"{at}attn.in_proj_weight", f"{at}attn.in_proj_bias")
        seen = np.concatenate([self._attention(parts[text]) for text in texts])
        x = x + self._linear(seen, f"{at}attn.out_proj.weight", f"{at}attn.out_proj.bias")
        wide = self._linear(self._norm(x, f"{at}ln_2"), f"{at}mlp.c_fc.weight", f"{at}mlp.c_fc.bias")
        wide = wide / (1 + np.exp(np.minimum(-1.702 * wide, 80))) if self.quick_gelu else wide * _normal_share(wide)
        return x + self._linear(wide, f"{at}mlp.c_proj.weight", f"{at}mlp.c_proj.bias")

    def _attention(self, parts: FloatArray) -> FloatArray:
        """What each token of one text sees of itself and those before it ``[n, d]``; ``parts`` ``[n, 3 * d]``."""
        query, key, value = parts.reshape(len(parts), 3, self.heads, -1).transpose(1, 2, 0, 3)
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(np.float32(query.shape[-1]))
        scores += np.triu(np.full(scores.shape[1:], -np.inf, np.float32), 1)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        seen: FloatArray = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        return seen.transpose(1, 0, 2).reshape(len(parts), -1)

    def _linear(self, x: FloatArray, weight: str, bias: str) -> FloatArray:
        product: FloatArray = x @ self._weights[weight].T + self._weights[bias]
        return product

    def _norm(self, x: FloatArray, name: str) -> FloatArray:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(1e-5))
        normed: FloatArray = centred / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return normed

    @cached_property
    def _weights(self) -> dict[str, FloatArray]:
        return _mapped(Path(self.file))

    @cached_property
    def _layers(self) -> int:
        return sum(name.startswith("transformer.") and name.endswith("ln_1.weight") for name in self._weights)


_tokens = ClipTokens()


def _normal_share(x: FloatArray) -> FloatArray:
    """The share of a standard normal distribution below ``x``, to six digits (Abramowitz and Stegun 7.1.26)."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = np.float32(1.061405429) * t
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * t
    above = series * np.exp(-z * z) / 2
    return np.asarray(np.where(x < 0, above, 1 - above), np.float32)


def _mapped(file: Path) -> dict[str, FloatArray]:
    """The float32 arrays of a safetensors file, not read but mapped: a header of JSON behind its length, then bytes."""
    content = np.asarray(np.memmap(file, mode="r"))
    start = 8 + int(content[:8].view("<u8")[0])
    header: dict[str, Any] = json.loads(bytes(content[8:start]))
    return {
        name: content[start + facts["data_offsets"][0] : start + facts["data_offsets"][1]]
        .view("<f4")
        .reshape(facts["shape"])
        for name, facts in header.items()
        if name != "__metadata__" and facts["dtype"] == "F32"
    }


# ---- what is known -----------------------------------------------------------------------------------
def known(identity: str) -> LightTower | None:
    """The tower of a model, where it is known to give the model's features and its file is as it was then."""
    try:
        tower = LightTower(**json.loads(_place(identity).read_bytes()))
        stat = Path(tower.file).stat()
    except (OSError, ValueError, TypeError):
        return None
    same = (tower.identity, tower.size, tower.mtime_ns) == (identity, stat.st_size, stat.st_mtime_ns)
    return tower if same and _is_current(Path(tower.file)) else None


def _is_current(file: Path) -> bool:
    """Whether a file of the hub's cache is of the revision that is loaded now; any other file is."""
    snapshots = file.parent.parent
    if snapshots.name != "snapshots":
        return True
    try:
        return (snapshots.parent / "refs" / "main").read_text().strip() == file.parent.name
    except OSError:
        return False


def learn(identity: str, loaded: LoadedEncoder, file: Path | None) -> None:
    """Write down that the tower gives the features of a model that is loaded from ``file``, if it does."""
    from open_clip.tokenizer import SimpleTokenizer
    from open_clip.transformer import QuickGELU

    from ipcir_tools.models.mixed_precision import is_plain

    if file is None or known(identity) or not is_plain(loaded.model) or type(loaded.tokenizer) is not SimpleTokenizer:
        return
    tokenizer: Any = loaded.tokenizer
    block = loaded.model.transformer.resblocks[0]
    with suppress(OSError, ValueError, KeyError, AttributeError):
        stat = file.stat()
        tower = LightTower(
            *(identity, loaded.space, loaded.dim, loaded.preprocessing.side),
            *(str(file), stat.st_size, stat.st_mtime_ns),
            *(block.attn.num_heads, int(tokenizer.context_length or 0), isinstance(block.mlp.gelu, QuickGELU)),
        )
        if _agrees(tower, loaded):
            write_bytes(_place(identity), json.dumps(asdict(tower), indent=1).encode())


def _agrees(tower: LightTower, loaded: LoadedEncoder) -> bool:
    """Whether tokens and features of the probes are those of the model."""
    import torch

    from ipcir_tools.models.encoder import as_array

    rows = loaded.tokenizer(_PROBES)
    own = [tower.tokens(text) for text in _PROBES]
    if any(row[: len(tokens)].tolist() != tokens for row, tokens in zip(rows, own, strict=True)):
        return False
    with torch.inference_mode():
        right = as_array(loaded.text_features(rows))
    pairs = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (right, tower.encode(_PROBES))]
    return bool((pairs[0] * pairs[1]).sum(axis=1).min() >= 1 - (SAME if loaded.dtype == "float32" else NEAR))


def _place(identity: str) -> Path:
    return cache_folder() / "text-towers" / f"{json_digest(identity)[:16]}.json"
