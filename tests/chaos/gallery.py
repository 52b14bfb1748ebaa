"""The gallery that chaos is made in, and what must hold of it after each run."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colour_folder import draw
from whole_gallery import ALL, WORDS, opened, settings

from chaos.children import Ended, Limits, Say, in_child
from ipcir_tools.engine.upkeep import check_gallery

MORE = ("purple", "brown", "grey")
"""Colours of the pictures that are not indexed yet."""


class BrokenPromiseError(AssertionError):
    """Something was lost, hidden, or not noticed."""


def promise(kept: object, what: str) -> None:
    """Raise BrokenPromiseError unless it is kept."""
    if not kept:
        raise BrokenPromiseError(what)


@dataclass(frozen=True)
class Place:
    """The gallery of one run."""

    root: Path
    dice: random.Random

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def pictures(self) -> Path:
        return self.root / "pictures"

    def draw_more(self) -> int:
        """Draw pictures that are not in the gallery; how many there are then."""
        draw(self.pictures, MORE)
        return len(list(self.pictures.iterdir()))

    def child(self, work: Any, limits: Limits = Limits()) -> Ended:  # noqa: B008
        """Work with the engine in a child."""

        def with_engine(say: Say) -> Any:
            with opened(settings(self.home)) as engine:
                return work(engine, say)

        return in_child(with_engine, limits)

    # --- what must hold

    def check(self, *, repair: bool = False, may_be_wrong: tuple[str, ...] = ("files",)) -> None:
        """Raise BrokenPromiseError where a check finds something wrong, other than in these parts."""
        ended = in_child(lambda _: check_gallery(settings(self.home), repair=repair, open_engine=opened))
        promise(not ended.error, f"the check ended in {ended.error}")
        wrong = [each for each in ended.value.findings if each.count > each.mended and each.part not in may_be_wrong]
        promise(not wrong, f"the check found {wrong}")

    def index_again(self) -> None:
        """Index all pictures: nothing is in the way."""
        ended = self.child(lambda engine, _: engine.index([self.pictures], captions=True))
        promise(not ended.error, f"the next index run ended in {ended.error}")
        promise(not ended.value.skipped, f"files were skipped: {ended.value.skipped}")

    def hits(self) -> Any:
        """What searches find, with scores, files (by name) and captions."""

        def search(engine: Any, _: Say) -> Any:
            found = [engine.find(words, k=ALL) for words in WORDS]
            warnings = [text for each in found for text in each.warnings if "catalog" in text]
            rows = [[(hit.id, hit.score, Path(hit.source).name, hit.caption) for hit in each.hits] for each in found]
            return rows, warnings

        ended = self.child(search)
        promise(not ended.error, f"a search ended in {ended.error}")
        promise(not ended.value[1], f"a search warned of {ended.value[1]}")
        return ended.value[0]

    def has_turns(self, ids: list[str]) -> None:
        """All these turns can be read."""
        ended = self.child(lambda engine, _: [engine.turn(id_).id for id_ in ids])
        promise(not ended.error and ended.value == ids, f"turns are lost: {ended.error}")


class Prepared:
    """The gallery as it is before each run, and what searches find in it, and in it with all pictures."""

    def __init__(self, root: Path) -> None:
        """Make the gallery of 18 pictures with captions, turns, and a file of features."""
        root.mkdir(parents=True, exist_ok=True)
        draw(root / "pictures")
        self._root, place = root, Place(root, random.Random(0))
        self._own = sorted(place.pictures.iterdir())
        place.index_again()
        self.hits = place.hits()
        shutil.copytree(place.home, root / "kept")
        place.draw_more()
        place.index_again()
        self.hits_of_all = place.hits()

    def place(self, dice: random.Random) -> Place:
        """The gallery as it was: the pictures in their place, and a copy of the home."""
        place = Place(self._root, dice)
        for path in set(place.pictures.iterdir()) - set(self._own):
            path.unlink()
        shutil.rmtree(place.home, ignore_errors=True)
        shutil.copytree(self._root / "kept", place.home)
        return place
