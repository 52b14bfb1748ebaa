"""Trains the wardrobe's two small models: ``python -m ipcir_tools.demo.training.train``.

A CLIP (open_clip's model and loss) and a BLIP captioner (transformers) learn from drawn pictures. Everything is seeded;
unfinished work is in ``--work``, and a killed run continues from there. Finished models go to ``--out``.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ipcir_tools.demo.training import corpus, loop, model_card, small_blip, small_clip, tokenizer
from ipcir_tools.demo.training.corpus import Corpus
from ipcir_tools.demo.world import captions
from ipcir_tools.models.presets import DEMO_FOLDER
from ipcir_tools.models.shipped import write_sums

_CHECKPOINTS = ("clip", "blip", "blip-second")


def main(argv: list[str] | None = None) -> None:
    """Draw, train, score, write."""
    options = _parse(argv)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    console = Console(stderr=True)
    with _progress(console) as progress:
        data = corpus.corpus("train", options.pictures, 0, options.work, progress)
        _write_tokenizer(data, options.work / "tokenizer")
        small_clip.train_model(data, options.work, options.out / "clip", options.clip_steps, progress)
        small_blip.train_model(data, options.work, options.out / "blip", options.blip_steps, progress)
    write_sums(options.out)
    spent = {name: loop.seconds_spent(options.work / f"{name}.ckpt") / 60 for name in _CHECKPOINTS}
    minutes = {"clip": spent["clip"], "blip": spent["blip"] + spent["blip-second"]}
    console.print(f"trained ({minutes['clip']:.0f} + {minutes['blip']:.0f} minutes); scoring")
    model_card.write(options.out, len(data.garments), minutes)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(".train"), help="folder for pictures and checkpoints")
    parser.add_argument("--out", type=Path, default=DEMO_FOLDER, help="folder for the finished models")
    parser.add_argument("--pictures", type=int, default=30_000)
    parser.add_argument("--clip-steps", type=int, default=small_clip.STEPS)
    parser.add_argument("--blip-steps", type=int, default=small_blip.STEPS)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(argv)


@contextmanager
def _progress(console: Console) -> Iterator[Callable[..., None]]:
    """A function that shows a bar for each kind of work: ``progress(what, done, total, note)``."""
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as bars:

        def progress(what: str, done: int, total: int, note: str = "") -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total, note="")
            bars.update(tasks[what], completed=done, note=note)

        yield progress


def _write_tokenizer(data: Corpus, folder: Path) -> None:
    rng = random.Random(0)
    if not (folder / "tokenizer.json").exists():
        pairs = list(zip(data.garments, data.scenes, strict=True))[:8000]
        tokenizer.write_tokenizer(
            [captions.loose_caption(rng, garment, scene, 0.5) for garment, scene in pairs], folder
        )


if __name__ == "__main__":
    main()
