"""The pictures' part of a plain CLIP on a processor with bfloat16: the same function, arranged for speed.

Beside what ``packed_layers`` does,

- bytes of pixels are given as they are (less 128, exact in bfloat16): scale and shift are part of the first weights;
- the last layer has a query, a projection and a perceptron for the class token alone: only that is read;
- the last projection stays in float32.

A ViT-B/32 of random weights gives 45.7 pictures a second so on two cores with AVX512-bf16, and 37.7 by open_clip's own
pass in bfloat16; its features are nearer to those of float32 (mean cosine 0.999995 in place of 0.99995).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ipcir_tools.models.mixed_precision import is_plain
from ipcir_tools.models.packed_layers import DTYPE, PackedLayer, PackedProduct, has_plain_sums, has_products
from ipcir_tools.models.preprocessing import Pixels, Preprocessing

_MIDDLE = 128.0


def can_pack_vision(model: Any) -> bool:
    """Whether a model's part for pictures is one that is known here, and torch has what it takes on this machine."""
    return has_products() and is_plain(model) and _is_plain_vision(model.visual)


def _is_plain_vision(vision: Any) -> bool:
    first = vision.conv1
    return (
        vision.attn_pool is None
        and vision.pool_type == "tok"
        and isinstance(vision.patch_dropout, nn.Identity)
        and isinstance(vision.proj, Tensor)
        and first.bias is None
        and tuple(first.stride) == tuple(first.kernel_size)
        and tuple(vision.grid_size[i] * first.kernel_size[i] for i in (0, 1)) == tuple(vision.image_size)
        and has_plain_sums(vision.transformer)
    )


class PackedVision:
    """The features of pictures, given as bytes. Its weights are packed when it is first used, and only read then."""

    def __init__(self, vision: Any, preprocessing: Preprocessing) -> None:
        self._vision, self._preprocessing = vision, preprocessing
        self._layers: list[_Layer] = []

    def __call__(self, items: Sequence[Pixels]) -> Tensor:
        """Features ``[b, d]`` float32 of pictures ``[h, w, 3]``, of any norm."""
        if not self._layers:
            self._pack()
        numbers = torch.from_numpy(self._patches(items)).to(DTYPE) - _MIDDLE
        seen = self._first(numbers)
        x = seen.new_empty(len(items), seen.shape[1] + 1, seen.shape[2], dtype=torch.float32)
        x[:, 0] = self._class_token
        torch.add(self._places, seen, out=x[:, 1:])
        x = self._vision.ln_pre(x)
        for layer in self._layers:
            x = layer(x)
        features: Tensor = self._vision.ln_post(x) @ self._vision.proj
        return features

    def _patches(self, items: Sequence[Pixels]) -> Pixels:
        """The pictures cut into patches ``[b, patches, high * wide * 3]``."""
        high, wide = self._vision.patch_size
        stacked = np.stack(items)
        count, height, width, _ = stacked.shape
        cut = stacked.reshape(count, height // high, high, width // wide, wide, 3).transpose(0, 1, 3, 2, 4, 5)
        return cut.reshape(count, -1, high * wide * 3)

    def _pack(self) -> None:
        vision = self._vision
        scale, shift = self._preprocessing.channels
        weight = vision.conv1.weight.float()
        scaled = (weight * torch.from_numpy(scale)[:, None, None]).permute(0, 2, 3, 1)
        middle = torch.from_numpy(shift + _MIDDLE * scale)[:, None, None]
        self._first = PackedProduct(scaled.reshape(len(weight), -1), None)
        places = vision.positional_embedding
        self._class_token = vision.class_embedding + places[0]
        self._places = places[1:] + (weight * middle).sum((1, 2, 3))
        blocks = list(vision.transformer.resblocks)
        self._layers = [*map(_Layer, blocks[:-1]), _LastLayer(blocks[-1])]


class _Layer(PackedLayer):
    """One layer: ``[b, tokens, d]`` float32 in and out; its input is changed."""

    def __call__(self, x: Tensor) -> Tensor:
        return self._added(x, _attention(*self._by_head(self._all(self._normed(x)), 3)).reshape(x.shape))


class _LastLayer(_Layer):
    """The last one, of which only the class token is read: ``[b, d]`` float32 out."""

    is_last = True

    def __call__(self, x: Tensor) -> Tensor:
        rows = self._normed(x)
        query = self._query(rows[:, 0]).view(len(x), self._heads, 1, -1)
        first = x[:, 0].clone()
        return self._added(first, _attention(query, *self._by_head(self._key_value(rows), 2)).reshape(first.shape))


def _attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """What every query sees of all tokens: ``[b, heads, tokens, d / heads]`` in, ``[b, tokens, heads, ...]`` out."""
    return (torch.softmax(queries @ keys.transpose(-1, -2), -1) @ values).transpose(1, 2)
