"""What both trainings share: the loop with its checkpoints, and the pictures as tensors."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ipcir_tools.demo.training.corpus import Corpus
from ipcir_tools.files import replaced

_SAVE_EVERY = 200
StepLoss = Callable[[int], torch.Tensor]


def pixels_of(data: Corpus, indices: list[int]) -> torch.Tensor:
    """Pictures as the input of both models: ``[n, 3, SIDE, SIDE]`` float32 between -1 and 1."""
    chosen: NDArray[np.uint8] = data.pixels[indices]
    pixels = torch.from_numpy(chosen).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
    return pixels.contiguous(memory_format=torch.channels_last)  # convolutions on a CPU are a fifth faster


def fit(
    model: torch.nn.Module,
    loss_of: StepLoss,
    steps: int,
    rate: float,
    checkpoint: Path,
    tick: Callable[[int, float], None],
) -> None:
    """AdamW with a warm-up and a cosine, bfloat16 autocast; resumes from ``checkpoint``.

    ``loss_of`` gives the loss of one step by its number; ``tick`` gets the number of finished steps and the loss.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.06, cycle_momentum=False
    )
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule}
    start, before = 0, 0.0
    began = time.monotonic()
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        start, before = saved["step"], saved.get("seconds", 0.0)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    model.train()
    for step in range(start, steps):
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        tick(step + 1, float(loss.detach()))
        if (step + 1) % _SAVE_EVERY == 0 or step + 1 == steps:
            states = {name: part.state_dict() for name, part in parts.items()}
            seconds = before + time.monotonic() - began
            with replaced(checkpoint) as file:
                torch.save({"step": step + 1, "seconds": seconds, **states}, file)
    model.eval()


def seconds_spent(checkpoint: Path) -> float:
    """Wall-clock seconds of the training up to a checkpoint, over all runs."""
    return float(torch.load(checkpoint, weights_only=True, mmap=True)["seconds"])


def copy_tokenizer(work: Path, out: Path) -> None:
    """Copy the tokenizer into a model's folder, where models from the hub have theirs."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(work / "tokenizer" / name, out / name)
