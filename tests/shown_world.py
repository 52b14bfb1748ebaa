"""A small world for each command that documents show: pictures, a gallery, models, and few garments to measure on."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from colour_folder import use_fake_models
from PIL import Image

from ipcir_tools.cli import main
from ipcir_tools.demo.world import references, wardrobe
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import COLOURS
from ipcir_tools.settings import Settings

PICTURES = ["beach.jpg", "2019/one.jpg", "2024/two.png", "one.jpg", "a.jpg", "b.jpg", "c.jpg", "d.jpg"]


@dataclass
class World:
    """A home folder with pictures, in which one search was made; it is the working directory, too."""

    folder: Path
    patch: pytest.MonkeyPatch
    request: pytest.FixtureRequest

    @property
    def pictures(self) -> Path:
        """The folder that is indexed."""
        return self.folder / "Pictures"

    def write(self, name: str, *lines: object) -> Path:
        """A file of JSON lines."""
        (self.folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return self.folder / name

    def turn(self, modification: str = "in blue") -> str:
        """The id of a turn that imagined something."""
        with Engine.open(Settings()) as engine:
            return engine.search(self.pictures / "a.jpg", modification).turn.id

    def __call__(self, *words: str) -> None:
        """Run a command in this process; it has to end with status 0."""
        self.patch.setattr(sys, "argv", ["ipcir", *words])
        handler = signal.getsignal(signal.SIGINT)
        try:
            with pytest.raises(SystemExit) as ended:
                main.main()
        finally:
            signal.signal(signal.SIGINT, handler)
        assert ended.value.code in (0, None)


@contextmanager
def small_world(request: pytest.FixtureRequest, folder: Path, *, fakes: bool) -> Iterator[World]:
    """A world with fake models, or with the demo's and few garments to measure on."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOME": folder, "COLUMNS": "120", "OPENAI_API_KEY": "none"}.items():
            patch.setenv(name, str(value))
        patch.chdir(folder)
        (use_fake_models if fakes else _few_garments)(patch)
        world = World(folder, patch, request)
        _draw(world)
        with Engine.open(Settings()) as engine:
            engine.index([world.folder])
        yield world


def _draw(world: World) -> None:
    for name, colour in zip([*PICTURES, *(f"{each}.png" for each in COLOURS)], [*COLOURS.values()] * 2, strict=False):
        for file in (world.pictures / name, world.folder / Path(name).name):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (48, 36), colour).save(file)
    (world.folder / "prompts").mkdir()


def _few_garments(patch: pytest.MonkeyPatch) -> None:
    whole, several = wardrobe.wardrobe, references.wardrobe_references

    def few(part: Any = "test", families: int = 1, dialogues: int = 0, seed: int = 0) -> wardrobe.Wardrobe:
        return whole(part, min(families, 1), min(dialogues, 2), seed)

    patch.setattr(wardrobe, "wardrobe", few)
    patch.setattr(references, "wardrobe_references", lambda part="test", *_: several(part, 1))
    patch.setenv("IPCIR_MODELS", "demo")
