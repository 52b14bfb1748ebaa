"""A small gallery with all that a home folder can hold, and its models' stand-ins."""

from __future__ import annotations

import shutil
from pathlib import Path

from colour_folder import CAPTIONER, ENCODER, caption_of, draw

from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.settings import Settings
from ipcir_tools.types import Hit, Reply

WORDS = ("a red shirt", "a blue shirt", "something green")
ALL = 40
"""More than there are pictures."""


def settings(home: Path) -> Settings:
    return Settings(home=home, encoder=ENCODER, captioner=CAPTIONER)


def opened(settings: Settings) -> Engine:
    engine = Engine.open(settings)
    engine.components.encoder = FakeEncoder(ENCODER)
    engine.components.captioner = ScriptedCaptioner(caption_of, id=CAPTIONER)
    engine.components.captioner_id = CAPTIONER
    return engine


def hits(engine: Engine) -> list[tuple[Hit, ...]]:
    """All pictures by several words, with scores, files and captions."""
    return [engine.find(words, k=ALL).turn.hits for words in WORDS]


def make(root: Path) -> Path:
    """A folder ``pictures``, a ``home`` with captions, turns, a reply and a file of features, and one ``with graph``
    that has the Chroma index, too."""
    draw(root / "pictures")
    with opened(settings(root / "home")) as engine:
        engine.index([root / "pictures"], captions=True)
        hits(engine)
        first = engine.find("a red shirt").turn
        engine.refine(first.id, "in blue", reference="1")
        engine.catalog.put_reply("key", Reply(text="a reply", kind="ask"))
    shutil.copytree(root / "home", root / "with graph")
    with opened(settings(root / "with graph")) as engine:
        engine.gallery.collection()
    return root
