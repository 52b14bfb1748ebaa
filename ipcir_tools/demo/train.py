"""Trains the wardrobe's two small models: ``python -m ipcir_tools.demo.train``.

A CLIP (open_clip's model and loss) and a BLIP captioner (transformers) learn from drawn pictures. Everything is seeded;
work in progress stands in ``--work`` and a killed run goes on where it was. Finished models go to ``--out``.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ipcir_tools.demo import corpus, lexicon, models, small_blip, small_clip, words
from ipcir_tools.demo.corpus import Corpus

_SAVE_EVERY = 200
StepLoss = Callable[[int], torch.Tensor]


def pixels_of(data: Corpus, indices: list[int]) -> torch.Tensor:
    """Pictures as both models take them: ``[n, 3, SIDE, SIDE]`` float32 between -1 and 1."""
    chosen: NDArray[np.uint8] = data.pixels[indices]
    return torch.from_numpy(chosen).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def fit(model: torch.nn.Module, loss_of: StepLoss, steps: int, rate: float, checkpoint: Path, tick: Callable[[int, float], None]) -> None:
    """AdamW with a warm-up and a cosine, bfloat16 autocast; resumes from ``checkpoint``."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.06, cycle_momentum=False)
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule}
    start = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        start = saved.pop("step")
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
            half = checkpoint.with_suffix(".part")
            torch.save({"step": step + 1, **{name: part.state_dict() for name, part in parts.items()}}, half)
            half.rename(checkpoint)
    model.eval()


def main(argv: list[str] | None = None) -> None:
    """Draw, train, score, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(".train"), help="folder for pictures and checkpoints")
    parser.add_argument("--out", type=Path, default=models.FOLDER, help="folder for the finished models")
    parser.add_argument("--pictures", type=int, default=30_000)
    parser.add_argument("--clip-steps", type=int, default=small_clip.STEPS)
    parser.add_argument("--blip-steps", type=int, default=small_blip.STEPS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    began = time.monotonic()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int, note: str = "") -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total, note="")
            bars.update(tasks[what], completed=done, note=note)

        data = corpus.corpus("train", options.pictures, 0, options.work, progress)
        _write_tokenizer(data, options.work / "tokenizer")
        small_clip.train_model(data, options.work, options.out / "clip", options.clip_steps, progress)
        small_blip.train_model(data, options.work, options.out / "blip", options.blip_steps, progress)
    minutes = (time.monotonic() - began) / 60
    console.print(f"trained in {minutes:.1f} minutes (this run alone); scoring")
    from ipcir_tools.demo import card

    card.write(options.out, minutes, console)


def _write_tokenizer(data: Corpus, folder: Path) -> None:
    import random

    rng = random.Random(0)
    if not (folder / "tokenizer.json").exists():
        pairs = list(zip(data.garments, data.scenes, strict=True))[:8000]
        lexicon.write_tokenizer([words.loose_caption(rng, garment, scene, 0.5) for garment, scene in pairs], folder)


def copy_tokenizer(work: Path, out: Path) -> None:
    """Each model folder carries its own copy, as models from the hub do."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(work / "tokenizer" / name, out / name)


if __name__ == "__main__":
    main()
