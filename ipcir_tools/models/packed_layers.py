"""Layers of a plain transformer in bfloat16 on a processor: the same function, arranged for speed.

open_clip's own forward pass in bfloat16 spends a quarter of its time beside the products of matrices. Here the weights
are kept in the order of memory that oneDNN's products want, with bias and GELU in the same step. The sum that runs
through all layers and the layer norms stay in float32, as in ``mixed_precision``.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ipcir_tools.models.mixed_precision import plain_norm

DTYPE = torch.bfloat16
_ROWS = 1_600
"""Rows of a usual product, by which oneDNN chooses the order of the weights: 32 pictures of 50 patches."""


def has_products() -> bool:
    """Whether torch has oneDNN's products with packed weights here, which its own compiler uses, too."""
    found = torch.ops.mkldnn
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    names = ("_linear_pointwise", "_reorder_linear_weight", "_is_mkldnn_bf16_supported")
    return all(hasattr(found, name) for name in names) and bool(found._is_mkldnn_bf16_supported())


def has_plain_sums(stack: Any) -> bool:
    """Whether the layers of a stack add what attention and perceptron give as it is."""
    return all(isinstance(block.ls_1, nn.Identity) and isinstance(block.ls_2, nn.Identity) for block in stack.resblocks)


class PackedProduct:
    """A linear layer whose weights are packed: its own copy of them."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.to(DTYPE).contiguous(), _ROWS)
        self._bias = None if bias is None else bias.to(DTYPE)

    def __call__(self, x: Tensor, gelu: bool = False) -> Tensor:
        """``[..., d]`` bfloat16, and the GELU of it where wanted, of ``[..., d]``."""
        act, kind = ("gelu", "none") if gelu else ("none", "")
        made: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, act, [], kind)
        return made


class PackedLayer:
    """What the layers of all towers share; how tokens see each other is theirs.

    A layer has one product for queries, keys and values, ``_all``. Of the last one only some tokens are read, so that
    it has ``_query`` for these and ``_key_value`` for all tokens in its place.
    """

    is_last: ClassVar[bool] = False

    def __init__(self, block: Any) -> None:
        attention, perceptron = block.attn, block.mlp
        self._heads, dim = int(attention.num_heads), int(attention.embed_dim)
        weight, bias = attention.in_proj_weight.float().clone(), attention.in_proj_bias.float().clone()
        for part in (weight, bias):  # queries are divided by the root of their width beforehand
            part[:dim] *= (dim // self._heads) ** -0.5
        if self.is_last:
            self._query, self._key_value = (
                PackedProduct(weight[:dim], bias[:dim]),
                PackedProduct(weight[dim:], bias[dim:]),
            )
        else:
            self._all = PackedProduct(weight, bias)
        self._out = PackedProduct(attention.out_proj.weight, attention.out_proj.bias)
        self._wide = PackedProduct(perceptron.c_fc.weight, perceptron.c_fc.bias)
        self._narrow = PackedProduct(perceptron.c_proj.weight, perceptron.c_proj.bias)
        act = perceptron.gelu
        self._act = None if type(act) is nn.GELU and act.approximate == "none" else act
        self._norms = (plain_norm(block.ln_1), plain_norm(block.ln_2))

    def _normed(self, x: Tensor) -> Tensor:
        """What the first products are given."""
        return _rounded_norm(self._norms[0], x)

    def _by_head(self, made: Tensor, parts: int) -> Tensor:
        """The parts of a product ``[b, tokens, parts * d]``, by head: ``[parts, b, heads, tokens, d / heads]``.

        Queries, keys and values are three; of the last layer keys and values, two.
        """
        return made.view(*made.shape[:2], parts, self._heads, -1).permute(2, 0, 3, 1, 4)

    def _added(self, x: Tensor, seen: Tensor) -> Tensor:
        """``x``, changed: what its tokens saw is added, then what the perceptron makes of them."""
        x += self._out(seen)
        rows = _rounded_norm(self._norms[1], x)
        x += self._narrow(self._wide(rows, gelu=True) if self._act is None else self._act(self._wide(rows)))
        return x


def _rounded_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    return functional.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps).to(DTYPE)
