"""Captions of a gallery: made when pictures are indexed, kept one by one, and no bad picture takes the others down."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest
from colour_folder import CAPTIONER, ENCODER, caption_of, draw, run
from PIL import Image

from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.images import reading
from ipcir_tools.models import loading
from ipcir_tools.models.captioner import CaptionBatch, Captioner
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.retriever import ComposedImageRetriever
from ipcir_tools.settings import Settings
from ipcir_tools.store.captions import NOT_TRIED
from ipcir_tools.store.failure_limit import OUTAGES

COLOURS = ("red", "blue", "green", "yellow", "orange", "pink", "black", "grey", "purple", "brown")
PICTURES = 3 * len(COLOURS)


@pytest.fixture
def folder(tmp_path):
    draw(tmp_path / "shirts", COLOURS)
    return tmp_path / "shirts"


@pytest.fixture
def open_engine(tmp_path):
    """Opens the home with a captioner; 4 pictures a batch."""
    engines: list[Engine] = []

    def open_with(captioner: Captioner | Callable[[Image.Image], str] = caption_of, **chosen: object) -> Engine:
        named = {"encoder": ENCODER, "captioner": CAPTIONER, **chosen}
        engine = Engine.open(Settings(home=tmp_path / "home", batch_size=4, **named))
        engine.components.encoder = FakeEncoder(encoder_id(ENCODER))
        engine.components.captioner_id = CAPTIONER
        if not isinstance(captioner, Captioner):
            captioner = ScriptedCaptioner(captioner, id=CAPTIONER, batch_size=4)
        engine.components.captioner = captioner
        engines.append(engine)
        return engine

    yield open_with
    for engine in engines:
        engine.close()


def captions(engine: Engine) -> list[str]:
    return sorted(engine.components.features.known_captions(engine.catalog.gallery_ids()).values())


def test_captions_are_made_when_asked_for_and_never_again(folder, open_engine):
    engine = open_engine()
    assert engine.index([folder]).captions is None
    assert captions(engine) == []

    report = engine.index([folder], captions=True).captions
    assert (report.made, report.known, report.skipped, report.captioner) == (PICTURES, 0, (), CAPTIONER)
    assert captions(engine) == sorted(f"a {colour} shirt" for colour in COLOURS for _ in range(3))

    again = engine.index([folder], captions=True).captions
    assert (again.made, again.known) == (0, PICTURES)
    assert engine.components.captioner.images_captioned == PICTURES


def test_the_setting_asks_for_them_too(folder, open_engine):
    engine = open_engine(captions=True)
    assert engine.index([folder]).captions.made == PICTURES
    assert engine.index([folder], captions=False).captions is None


def test_only_the_pictures_of_the_named_folders_are_captioned(folder, open_engine, tmp_path):
    draw(tmp_path / "more", ("red",))
    (tmp_path / "more" / "red-0.png").unlink()
    Image.new("RGB", (8, 8), (10, 20, 250)).save(tmp_path / "more" / "another.png")
    engine = open_engine()
    engine.index([folder])
    assert engine.index([tmp_path / "more"], captions=True).captions.made == 3


def test_progress_counts_the_pictures_that_had_none(folder, open_engine):
    seen = []
    open_engine().index([folder], lambda *step: seen.append(step), captions=True)
    assert [step for step in seen if step[0] == "captioning"][-1] == ("captioning", PICTURES, PICTURES)


def test_what_captions_give_to_a_search(folder, open_engine):
    """Words about the hits, documents with content, and whether anything is a good match."""
    engine = open_engine()
    reference = folder / "red-0.png"
    engine.index([folder])
    before = engine.search(reference, "make it blue", composer="imagined", k=3)
    assert [hit.caption for hit in before.hits] == [None] * 3
    assert before.surprise is None

    engine.index([folder], captions=True)
    after = engine.search(reference, "make it blue", composer="imagined", k=3)
    assert [hit.caption for hit in after.hits] == ["a blue shirt"] * 3
    assert after.surprise is not None
    (document, *_) = ComposedImageRetriever(engine=engine, reference=reference).invoke("make it blue")
    assert document.page_content == "a blue shirt"


def test_a_run_that_is_killed_goes_on_where_it_was(folder, open_engine):
    engine = open_engine(stop_at(9))
    with pytest.raises(KeyboardInterrupt):
        engine.index([folder], captions=True)
    assert len(captions(engine)) == 8  # the two whole batches before

    report = open_engine().index([folder], captions=True).captions
    assert (report.known, report.made) == (8, PICTURES - 8)


def stop_at(picture: int) -> Callable[[Image.Image], str]:
    seen: list[Image.Image] = []

    def caption(image: Image.Image) -> str:
        seen.append(image)
        if len(seen) == picture:
            raise KeyboardInterrupt
        return caption_of(image)

    return caption


def test_a_picture_that_cannot_be_captioned_is_skipped_by_name(folder, open_engine):
    def caption(image: Image.Image) -> str:
        if colour_name(image) == "green":
            raise RuntimeError("shapes do not match")
        return caption_of(image)

    report = open_engine(caption).index([folder], captions=True).captions
    assert report.made == PICTURES - 3
    assert {Path(skip.source).name for skip in report.skipped} == {f"green-{i}.png" for i in range(3)}
    assert {skip.reason for skip in report.skipped} == {"cannot be captioned (shapes do not match)"}


def test_a_picture_that_changed_since_it_was_listed_is_skipped_by_name(folder, open_engine):
    engine = open_engine()
    engine.index([folder])
    file = folder / "blue-1.png"

    def change(what, *_):
        if what == "scanning":
            file.write_bytes(file.read_bytes() + b"more")

    report = engine.index([folder], change, captions=True).captions
    (skip,) = report.skipped
    assert (report.made, Path(skip.source).name) == (PICTURES - 1, "blue-1.png")
    assert "cannot be opened again" in skip.reason


def test_a_captioner_that_fails_on_every_picture_is_one_error_and_the_gallery_stays(folder, open_engine):
    def caption(image: Image.Image) -> str:
        raise RuntimeError("out of memory")

    engine = open_engine(caption)
    with pytest.raises(ModelUnavailableError, match="fails on every picture: out of memory"):
        engine.index([folder], captions=True)
    assert engine.catalog.size() == PICTURES


class Remote(Captioner):
    """Answers like a chat model: one picture a call, some of which fail."""

    def __init__(self, works: Callable[[int], bool]) -> None:
        super().__init__(id=CAPTIONER, batch_size=4)
        self.works = works

    def captions(self, images: Sequence[Image.Image], n: int = 1) -> Generator[CaptionBatch]:
        for i, image in enumerate(images):
            self.spend("calls", 1)
            self.spend("input_tokens", 10)
            failure = ModelUnavailableError("The captioner failed: timeout.")
            yield [(i, [caption_of(image)] if self.works(self.spent["calls"]) else failure)]


def test_failed_calls_are_skips_with_their_reason_and_what_was_spent_is_told(folder, open_engine):
    report = open_engine(Remote(lambda call: call % 5 != 0)).index([folder], captions=True).captions
    assert (report.made, len(report.skipped)) == (PICTURES - PICTURES // 5, PICTURES // 5)
    assert {skip.reason for skip in report.skipped} == {"The captioner failed: timeout."}
    assert report.spent == {"calls": PICTURES, "input_tokens": 10 * PICTURES}


def test_a_chat_model_is_not_called_again_after_a_few_failures_in_a_row(folder, open_engine):
    remote = Remote(lambda call: call <= 6)
    report = open_engine(remote).index([folder], captions=True).captions
    assert (report.made, remote.spent["calls"]) == (6, 6 + OUTAGES)
    assert len(report.skipped) == PICTURES - 6
    assert [skip.reason for skip in report.skipped].count(NOT_TRIED) == PICTURES - 6 - OUTAGES

    assert open_engine().index([folder], captions=True).captions.made == PICTURES - 6


def test_a_search_sends_no_picture_of_the_gallery_to_a_chat_model_to_measure_the_encoder(folder, open_engine):
    remote = Remote(lambda call: True)
    engine = open_engine(remote)
    engine.index([folder])
    engine.search(folder / "red-0.png", "make it blue", composer="edit")
    assert remote.spent["calls"] == 1, "the reference alone"


def test_a_picture_is_decoded_once_for_both(folder, open_engine, monkeypatch):
    monkeypatch.setattr(reading, "load", lambda *_: pytest.fail("a picture was opened again"))
    report = open_engine().index([folder], captions=True)
    assert (report.added, report.captions.made) == (PICTURES, PICTURES)


def test_a_chat_model_captions_while_the_next_pictures_are_encoded(folder, open_engine):
    remote = Remote(lambda call: True)
    remote.device = "remote"
    threads: set[str] = set()
    engine = open_engine(remote)
    make = remote.captions
    remote.captions = lambda images, n=1: (threads.add(threading.current_thread().name), make(images, n))[1]
    report = engine.index([folder], captions=True)
    assert (report.captions.made, report.captions.spent["calls"]) == (PICTURES, PICTURES)
    assert all(name.startswith("ipcir-caption") for name in threads)


def test_captions_of_the_gallery_take_the_place_of_stock_texts(folder, open_engine):
    seen: list[Image.Image] = []

    def caption(image: Image.Image) -> str:
        seen.append(image)
        return f"{caption_of(image)} with {len(seen)} buttons"

    engine = open_engine(caption)
    engine.index([folder])
    assert "stock texts" in engine.components.calibration.source
    engine.index([folder], captions=True)
    assert engine.components.calibration.source == f"{PICTURES} captions and {PICTURES} pictures of the gallery"


def test_the_command_line(folder, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: FakeEncoder(encoder_id(name)))
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: ScriptedCaptioner(caption_of, id=CAPTIONER))
    monkeypatch.setattr(loading, "captioner_id", lambda name, settings: CAPTIONER)
    named = ["--home", tmp_path / "home", "--encoder", ENCODER, "--captioner", CAPTIONER]

    status, shown, _ = run(monkeypatch, capsys, "index", folder, "--captions", *named)
    assert status == 0
    assert f"{PICTURES} captions made" in shown
    status, shown, _ = run(monkeypatch, capsys, "index", folder, "--captions", "--json", *named)
    report = json.loads(shown)["captions"]
    assert list(report) == ["captioner", "made", "known", "skipped", "spent", "seconds"]
    assert (report["made"], report["known"]) == (0, PICTURES)
