"""Verified searches: the captioner's likelihood of the description puts the right picture first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableLambda
from likelihood_judge import LikelihoodJudge
from PIL import Image

from ipcir_tools.chains.reranking.results import RerankResult
from ipcir_tools.demo.gallery import draw
from ipcir_tools.demo.world.wardrobe import wardrobe
from ipcir_tools.engine import verifier as verifier_module
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.replay import replay
from ipcir_tools.engine.verification import verified_amount
from ipcir_tools.engine.verifier_cost import VerifierCost
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings
from ipcir_tools.types import Hit, SearchResult

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
BLUES = (150, 180, 210, 240)


def cheap(monkeypatch, amount: float = 10) -> None:
    """Let ``auto`` find that it can afford ``amount`` hits."""
    cost = VerifierCost(CAPTIONER, "cpu", "float32", 0.99 / amount if amount else 9.0, 0.0)
    monkeypatch.setattr(verifier_module, "measure_cost", lambda *_: cost)


# ---- the demo models on the wardrobe -----------------------------------------------------------------
@pytest.fixture(scope="module")
def gallery(tmp_path_factory) -> Iterator[tuple[Engine, Path]]:
    """The pictures of the second family."""
    root = tmp_path_factory.mktemp("wardrobe")
    assert [*draw(wardrobe("val", families=2).pictures[30:], root / "pictures")][-1] == 30
    with Engine.open(Settings(home=root / "home", models="demo", duplicates=None)) as engine:
        engine.index([root / "pictures"])
        yield engine, root / "pictures"


def test_the_right_picture_comes_first_where_the_search_alone_has_another_one_there(gallery):
    engine, pictures = gallery
    query = wardrobe("val", families=2).queries[7]
    assert query.modification == "has no buttons"

    def search(verify: int | str) -> SearchResult:
        return engine.search(pictures / query.reference, query.modification, composer="discount", k=4, verify=verify)

    plain, verified = search("off"), search(10)
    assert query.main in [Path(hit.source).name for hit in plain.hits[1:]]
    assert verified.hits[0].source.endswith(query.main)
    assert [hit.rank for hit in verified.hits] == [1, 2, 3, 4]
    assert (verified.counts["verified"], verified.timings["verify"] > 0) == (10, True)
    assert verified_amount(verified.turn.models["verifier"]) == 10
    pairs = [(hit.id, verified.turn.imagined.description) for hit in verified.hits]
    known = engine.components.verifier.log_likelihoods(pairs)
    assert [hit.verified for hit in verified.hits] == pytest.approx(known, abs=1e-3)
    assert {hit.verified for hit in plain.hits} == {None}
    assert "verified" not in plain.counts
    assert "verify" not in plain.timings
    assert "verifier" not in plain.turn.models


def test_two_searches_share_what_was_seen_of_their_hits(gallery):
    engine, pictures = gallery
    query, verifier = wardrobe("val", families=2).queries[7], engine.components.verifier
    turn = engine.search(pictures / query.reference, query.modification, verify=30).turn
    before = verifier.images_encoded
    engine.refine(turn.id, "in blue", verify=30)
    assert verifier.images_encoded == before


# ---- fakes: blue pictures are the likely ones --------------------------------------------------------
@pytest.fixture
def pictures(tmp_path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (16, 16), (255, 0, 0)).save(folder / "red.png")
    for blue in BLUES:
        Image.new("RGB", (16, 16), (0, 0, blue)).save(folder / f"blue-{blue}.png")
    return folder


def opened(home: Path, captioner: ScriptedCaptioner | None = None, **chosen: object) -> Engine:
    engine = Engine.open(Settings(home=home, encoder=ENCODER, captioner=CAPTIONER, **chosen))
    engine.components.encoder, engine.components.captioner_id = FakeEncoder(encoder_id(ENCODER)), CAPTIONER
    engine.components.captioner = captioner or LikelihoodJudge(id=CAPTIONER)
    return engine


@pytest.fixture
def engine(pictures, tmp_path) -> Iterator[Engine]:
    with opened(tmp_path / "home", verify="off") as engine:
        engine.index([pictures])
        yield engine


def test_hits_are_ordered_by_score_and_likelihood_and_keep_their_scores(engine, pictures):
    plain = engine.search(pictures / "red.png", "in blue")
    verified = engine.search(pictures / "red.png", "in blue", verify=3)
    first, rest = verified.hits[:3], verified.hits[3:]
    assert {hit.id: hit.score for hit in verified.hits} == {hit.id: hit.score for hit in plain.hits}
    assert {hit.id for hit in first} == {hit.id for hit in plain.hits[:3]}
    assert [hit.id for hit in rest] == [hit.id for hit in plain.hits[3:]]
    assert [hit.verified is None for hit in verified.hits] == [False] * 3 + [True] * len(rest)
    assert [hit.rank for hit in verified.hits] == list(range(1, len(verified.hits) + 1))


def test_more_are_verified_than_are_shown(engine, pictures):
    found = engine.search(pictures / "red.png", "in blue", k=1, verify=4)
    assert (len(found.hits), found.counts["verified"]) == (1, 4)


def test_auto_is_on_where_it_is_cheap_and_off_where_it_is_not(engine, pictures, monkeypatch):
    cheap(monkeypatch, amount=0)
    assert "verified" not in engine.search(pictures / "red.png", "in blue", verify="auto").counts
    engine.catalog.set_note(engine.components.verifier._note, "")
    engine.components.verifier._cost = None
    cheap(monkeypatch)
    found = engine.search(pictures / "red.png", "in blue", verify="auto")
    assert found.counts["verified"] == len(BLUES)
    assert found.turn.query.verify == "auto"
    assert engine.refine(found.turn.id, "in green").counts["verified"] == len(BLUES), "a refinement inherits it"


def test_words_alone_are_verified_by_the_words(engine):
    found = engine.find("a blue shirt", verify=2)
    assert found.counts["verified"] == 2
    assert found.hits[0].verified > found.hits[1].verified


def test_a_modification_alone_describes_nothing(engine, pictures, monkeypatch):
    cheap(monkeypatch)
    found = engine.search(pictures / "red.png", "in blue", verify=5, composer="modification")
    assert "verified" not in found.counts
    assert "no text describes the target" in found.warnings[0]
    assert not engine.search(pictures / "red.png", "in blue", verify="auto", composer="modification").warnings


def test_a_picture_that_cannot_be_opened_keeps_its_place(engine, pictures):
    plain = engine.search(pictures / "red.png", "in blue")
    Path(plain.hits[0].source).unlink()
    found = engine.search(plain.turn.query.reference, "in blue", verify=4)
    assert (found.hits[0].id, found.hits[0].verified) == (plain.hits[0].id, None)
    assert found.counts["verified"] == 3
    assert "1 of 4 hits could not be opened to be verified" in found.warnings[0]


def test_a_captioner_without_likelihoods_is_refused_before_any_work(pictures, tmp_path):
    captioner = ScriptedCaptioner(id=CAPTIONER)
    with opened(tmp_path / "other", captioner, verify="auto") as engine:
        engine.index([pictures])
        with pytest.raises(InvalidRequestError, match=r"gives no likelihoods.*--verify off"):
            engine.search(pictures / "red.png", "in blue", verify=5)
        assert captioner.images_captioned == 0
        found = engine.search(pictures / "red.png", "in blue")
        assert (found.turn.query.verify, found.warnings) == ("auto", ()), "auto is off without a word"


def test_a_captioner_that_fails_leaves_the_order_and_says_so(engine, pictures, monkeypatch):
    def fail(*_: object) -> None:
        raise ModelUnavailableError("The captioner is gone.")

    plain = engine.search(pictures / "red.png", "in blue")
    monkeypatch.setattr(engine.components.captioner, "encode_images", fail)
    found = engine.search(pictures / "red.png", "in blue", verify=3)
    assert [hit.id for hit in found.hits] == [hit.id for hit in plain.hits]
    assert found.warnings == ("The captioner is gone.; the order of the hits stayed as it was",)


def test_verification_stands_before_the_rerank(engine, pictures):
    seen: list[Hit] = []

    def turned_round(request):
        seen.extend(request.hits)
        hits = [replaced_rank(hit, rank) for rank, hit in enumerate(reversed(request.hits), start=1)]
        return RerankResult(tuple(hits), "rerank@1#0")

    engine.components.rerank = RunnableLambda(turned_round)
    verified = engine.search(pictures / "red.png", "in blue", verify=4)
    both = engine.search(pictures / "red.png", "in blue", verify=4, rerank=2, k=3)
    assert [hit.id for hit in seen] == [hit.id for hit in verified.hits[:2]], "it judges the verified order"
    ids = [hit.id for hit in verified.hits]
    assert [hit.id for hit in both.hits] == [ids[1], ids[0], ids[2]]
    assert all(hit.verified is not None for hit in both.hits)


def replaced_rank(hit: Hit, rank: int) -> Hit:
    return hit.model_copy(update={"rank": rank})


def test_a_replay_verifies_as_many_as_the_turn_did(engine, pictures, monkeypatch):
    cheap(monkeypatch)
    turn = engine.search(pictures / "red.png", "in blue", verify="auto").turn
    second = engine.refine(turn.id, "in green", verify=2).turn
    unverified = engine.refine(second.id, "in pink", verify="off").turn
    cheap(monkeypatch, amount=0)
    engine.components.verifier._cost = VerifierCost(CAPTIONER, "cpu", "float32", 9.0, 0.0)
    replayed = replay(engine, unverified.id)
    assert replayed.same, replayed.differences
    assert [result.counts.get("verified") for result in replayed.results] == [4, 2, None]
    assert replayed.results[0].turn.query == turn.query


def test_a_verifier_is_named_with_its_number():
    assert verified_amount("transformers:blip@1/2 (10 hits)") == 10
    assert verified_amount(None) == verified_amount("llm:x (verify@1#0)") == 0
