"""Any dialogue at all, by a state machine: turns never change, replays agree, and what a turn says of itself is true.

Hypothesis searches, refines, branches, replays, restarts the engine and adds pictures, in any order, and keeps its own
copy of every turn.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image
from stand_ins import equipped

from ipcir_tools.composers import ABLATION, COMPOSERS, composer_named
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.replay import replay
from ipcir_tools.engine.turn import SAME_DESCRIPTION
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings
from ipcir_tools.types import SearchResult, Turn

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
SHOWN = ("red", "blue", "green", "pink")
FIRST, LATER = 4, 2
"""Pictures of each colour that are there from the start, and that each round of indexing adds."""
ROUNDS = 2

LOOKS = st.sampled_from(["a red shirt", "something green", "pink"])
WORDS = st.sampled_from(["in blue", "make it green", "with dots", "not pink", "bigger", "red again"])
NUMBERS = st.none() | st.integers(1, 6)
WEIGHTS = st.none() | st.sampled_from([0.0, 0.3, 1.0])
METHODS = st.none() | st.sampled_from(
    [name for name, each in COMPOSERS.items() if "gallery_captions" not in each.needs]
)
FILTERS = st.none() | st.sampled_from([{}, {"width": {"$gte": 24}}, {"format": "png"}])
PICKS = st.lists(st.integers(0, 30), max_size=2)


def draw(folder: Path, seeds: range) -> None:
    """Pictures of two sizes in plain colours with faint blocks of their own."""
    for colour in SHOWN:
        for seed in seeds:
            blocks = np.random.default_rng([seed, *COLOURS[colour]]).integers(-22, 22, (4, 4, 3))
            pixels = np.clip(np.array(COLOURS[colour]) + blocks, 0, 255).astype(np.uint8)
            picture = Image.fromarray(pixels).resize((16 + 16 * (seed % 2),) * 2, Image.Resampling.NEAREST)
            picture.save(folder / f"{colour}-{seed}.png")


def captions_of(turn: Turn) -> int:
    """How many captions of the reference its composer works with."""
    return int(composer_named(turn.query.composer).parameters.get("captions", 1))


def judged_since_the_last_edit(path: list[Turn]) -> set[str]:
    """What people were shown and judged; an edit, or another reference, lets it come back."""
    judged: set[str] = set()
    for turn in reversed(path):
        if turn.query.reference != path[-1].query.reference:
            break
        judged |= {*turn.query.liked, *turn.query.disliked}
        if turn.query.modification:
            break
    return judged


def opened(home: Path) -> Engine:
    engine = Engine.open(Settings(home=home, encoder=ENCODER, captioner=CAPTIONER))
    engine.components.encoder, engine.components.captioner_id = FakeEncoder(encoder_id(ENCODER)), CAPTIONER
    engine.components.captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} shirt")
    return equipped(engine)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Iterator[Path]:
    """A gallery that every run copies, and the pictures that may come later."""
    folder = tmp_path_factory.mktemp("start")
    for batch in range(ROUNDS + 1):
        (folder / f"batch-{batch}").mkdir()
        first = FIRST + LATER * (batch - 1)
        draw(folder / f"batch-{batch}", range(first, first + LATER) if batch else range(FIRST))
    with opened(folder / "home") as engine:
        engine.index([folder / "batch-0"])
    return folder


class Dialogues(RuleBasedStateMachine):
    """The engine beside a model of what it must remember."""

    start: Path
    turns = Bundle("turns")

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=self.start))
        shutil.copytree(self.start / "home", self.folder / "home")
        self.engine = opened(self.folder / "home")
        self.kept: dict[str, Turn] = {}
        self.batches = 1
        self.gallery = set(self.engine.catalog.gallery_ids())
        self.then: dict[str, frozenset[str]] = {}
        """What the gallery held when a turn was made."""

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.close()
            shutil.rmtree(self.folder)

    # --- what can happen

    @rule(
        target=turns, pick=st.integers(0, 30), words=WORDS, k=NUMBERS, weight=WEIGHTS, where=FILTERS, composer=METHODS
    )
    def search(self, pick: int, words: str, **chosen: Any) -> str:
        return self.keep(self.engine.search(self.any_picture(pick), words, **chosen))

    @rule(target=turns, words=LOOKS, k=NUMBERS, where=FILTERS, composer=METHODS)
    def find(self, words: str, **chosen: Any) -> str:
        return self.keep(self.engine.find(words, **chosen))

    @rule(
        target=turns,
        turn=turns,
        words=st.just("") | WORDS,
        reference=st.none() | st.integers(0, 30),
        liked=PICKS,
        disliked=PICKS,
        by_rank=st.booleans(),
        k=NUMBERS,
        weight=WEIGHTS,
        where=FILTERS,
        composer=METHODS,
    )
    def refine(
        self,
        turn: str,
        words: str,
        reference: int | None,
        liked: list[int],
        disliked: list[int],
        by_rank: bool,
        **chosen: Any,
    ) -> Any:
        """Go on from any turn: from the last one, after an undo from an earlier one, or from one that goes on already.

        A refinement that makes no sense is refused; it leaves no turn.
        """
        parent = self.kept[turn]
        named = (lambda i: self.rank(parent, i)) if by_rank and parent.hits else self.any_picture
        asked: dict[str, Any] = {"liked": [*map(named, liked)], "disliked": [*map(named, disliked)]}
        if reference is not None:
            asked["reference"] = named(reference)
        is_other = reference is not None and asked["reference"] != parent.query.reference
        empty = not (words or liked or disliked or is_other)
        if empty or set(asked["liked"]) & set(asked["disliked"]):
            with pytest.raises(InvalidRequestError):
                self.engine.refine(turn, words, **asked, **chosen)
            return multiple()
        result = self.engine.refine(turn, words, **asked, **chosen)
        assert result.counts["captions_made"] <= self.captions_missing(result)
        self.check_refinement(result, parent, asked, words)
        return self.keep(result, parent)

    @rule(target=turns, turn=turns, words=WORDS, pick=st.integers(0, 30))
    def refine_at_once(self, turn: str, words: str, pick: int) -> Any:
        """Branches made at the same time are different turns with the same hits."""
        liked = [self.any_picture(pick)]
        with ThreadPoolExecutor(3) as pool:
            made = list(pool.map(lambda _: self.engine.refine(turn, words, liked=liked), range(3)))
        assert len({result.turn.id for result in made}) == 3
        assert len({tuple((hit.id, hit.score) for hit in result.turn.hits) for result in made}) == 1
        assert all(result.counts["captions_made"] <= self.captions_missing(result) for result in made)
        return multiple(*(self.keep(result, self.kept[turn]) for result in made))

    @rule(turn=turns)
    def replay(self, turn: str) -> None:
        """What is asked again is answered as it was; pictures that came since may only push others down.

        They also change the calibration, which is measured on the gallery: weights, and so scores, may then be others.
        """
        said, replayed = self.kept[turn], replay(self.engine, turn)
        again = replayed.results[-1].turn
        grown = any(self.then[each.id] != self.gallery for each in replayed.path)
        assert replayed.same or grown, replayed.differences
        assert {each.what for each in replayed.differences} <= {"gallery", "hits", "scores"}
        assert (again.imagined, again.query) == (said.imagined, said.query)
        if any(each.what == "scores" for each in replayed.differences):
            return
        old = [(hit.id, hit.score) for hit in again.hits if hit.id in self.then[turn]]
        assert [id_ for id_, _ in old] == [hit.id for hit in said.hits[: len(old)]]
        assert [score for _, score in old] == pytest.approx([hit.score for hit in said.hits[: len(old)]], abs=1e-5)
        if self.then[turn] == self.gallery:
            assert len(old) == len(said.hits)

    @precondition(lambda self: self.batches <= ROUNDS)
    @rule()
    def index_more(self) -> None:
        report = self.engine.index([self.start / f"batch-{self.batches}"])
        self.batches += 1
        self.gallery = set(self.engine.catalog.gallery_ids())
        assert report.added == LATER * len(SHOWN)

    @rule()
    def restart(self) -> None:
        self.engine.close()
        self.engine = opened(self.folder / "home")

    @rule(turn=turns, wrong=st.sampled_from(["0", "99", "-1", "0123456789abcdef", "t0000", " "]))
    def name_what_is_not_there(self, turn: str, wrong: str) -> None:
        for asked in ({"reference": wrong}, {"liked": [wrong]}, {"disliked": ["1", wrong]}):
            with pytest.raises((NotFoundError, InvalidRequestError)):
                self.engine.refine(turn, "in blue", **asked)

    # --- what is always true

    @invariant()
    def no_turn_ever_changes_and_none_comes_or_goes_by_itself(self) -> None:
        if hasattr(self, "kept"):
            assert {turn.id: turn for turn in self.engine.catalog.turns(limit=10_000)} == self.kept

    def keep(self, result: SearchResult, parent: Turn | None = None) -> str:
        """Check a new turn by itself and remember it."""
        turn = result.turn
        assert turn.id not in self.kept
        assert turn.parent == (parent.id if parent else None)
        path = self.engine.catalog.path(turn.id)
        assert path == [*(self.engine.catalog.path(parent.id) if parent else []), turn]
        shown = {parent.hits[0].id} if parent and SAME_DESCRIPTION in result.warnings else set()
        self.check_hits(turn, judged_since_the_last_edit(path) | shown)
        self.check_words(path)
        assert result.counts["llm_calls"] == result.counts["image_encodes"] == 0
        assert result.counts["captions_made"] <= captions_of(turn)
        assert result.counts["text_encodes"] <= (1 if turn.query.composer in ABLATION else 5)
        self.kept[turn.id], self.then[turn.id] = turn.model_copy(deep=True), frozenset(self.gallery)
        return turn.id

    def captions_missing(self, result: SearchResult) -> int:
        """0 if there is no reference, or an earlier turn had as many of its captions."""
        reference, n = result.turn.query.reference, captions_of(result.turn)
        same = [each for each in self.kept.values() if each.query.reference == reference]
        return 0 if reference is None or any(each.caption and captions_of(each) == n for each in same) else n

    def check_hits(self, turn: Turn, seen: set[str]) -> None:
        query, ids = turn.query, [hit.id for hit in turn.hits]
        left_out = seen | {*filter(None, [query.reference])}
        may_be = (set(self.engine.catalog.matching(query.where)) if query.where else self.gallery) - left_out
        assert set(ids) <= may_be
        assert len(set(ids)) == len(ids) == min(query.k, len(may_be))
        assert [hit.rank for hit in turn.hits] == list(range(1, len(ids) + 1))
        assert all(one.score >= next_.score for one, next_ in pairwise(turn.hits))
        records = self.engine.catalog.records([*ids, *left_out])
        assert set(records) == {*ids, *left_out}
        assert all(records[hit.id].source == hit.source for hit in turn.hits)

    def check_words(self, path: list[Turn]) -> None:
        """An edit still holds in the turns after it, until another reference is chosen."""
        turn = path[-1]
        since = takewhile(lambda each: each.query.reference == turn.query.reference, reversed(path))
        if turn.imagined and any(each.query.modification == "with dots" for each in since):
            assert re.search("dots|dotted", turn.imagined.description)

    def check_refinement(self, result: SearchResult, parent: Turn, asked: dict[str, Any], words: str) -> None:
        """What was named is what the turn says; what was not is as it was in the parent."""
        query, last = result.turn.query, parent.query
        id_of = {str(hit.rank): hit.id for hit in parent.hits}
        assert query.modification == words
        assert query.reference == (
            id_of.get(asked["reference"], asked["reference"]) if "reference" in asked else last.reference
        )
        for judged, names in ((query.liked, asked["liked"]), (query.disliked, asked["disliked"])):
            assert judged == tuple(dict.fromkeys(id_of.get(name, name) for name in names))
        if not words and query.reference == last.reference and query.composer == last.composer:
            assert result.turn.imagined == parent.imagined
            assert result.counts["text_encodes"] == 0

    # --- pictures by number

    def any_picture(self, i: int) -> str:
        ids = sorted(self.gallery)
        return ids[i % len(ids)]

    def rank(self, turn: Turn, i: int) -> str:
        return str(1 + i % len(turn.hits))


def test_dialogues_of_any_kind(start):
    class Started(Dialogues):
        pass

    Started.start = start
    run_state_machine_as_test(Started, settings=settings(max_examples=20, stateful_step_count=20))
