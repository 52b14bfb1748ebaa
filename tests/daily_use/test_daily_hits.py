"""What owners of photographs do with hits: copies, lost files, paths for other programs, export, a gallery to read."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from colour_folder import Tags, run, use_fake_models
from PIL import Image

from ipcir_tools.agents.tools import TOOLS
from ipcir_tools.cli.search_output import ShownOutput
from ipcir_tools.display.notebook import result_html
from ipcir_tools.display.results import result_json, result_text
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.replay import replay
from ipcir_tools.fakes import COLOURS
from ipcir_tools.images import presence
from ipcir_tools.retriever import ComposedImageRetriever
from ipcir_tools.settings import Settings
from ipcir_tools.store import working_copy

NAMES = ("red", "orange", "pink", "yellow", "green", "blue")
"""The colours of the pictures; the red ones look the same, by their file's format, size and folder."""


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> Path:
    use_fake_models(monkeypatch)
    monkeypatch.setenv("IPCIR_DUPLICATES", "0.998")
    monkeypatch.setenv("IPCIR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "pictures"
    for sub in ("2019/DCIM", "2020/DCIM"):
        (folder / sub).mkdir(parents=True)
    for name in NAMES:
        Image.new("RGB", (24, 24), COLOURS[name]).save(folder / "2019/DCIM" / f"{name}.png")
    Image.new("RGB", (30, 30), COLOURS["red"]).save(folder / "2020/DCIM" / "red.png")
    Image.new("RGB", (36, 36), COLOURS["red"]).save(folder / "2020/DCIM" / "red again.png")
    return folder


@pytest.fixture
def engine(pictures, tmp_path) -> Any:
    with Engine.open(Settings(home=tmp_path / "home", k=3)) as engine:
        engine.index([pictures])
        yield engine


@pytest.fixture
def ipcir(monkeypatch, capsys, pictures) -> Any:
    """The command line over the indexed pictures: exit status, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        return run(monkeypatch, capsys, *arguments)

    assert call("index", pictures)[0] == 0
    return call


def names(hits: Any) -> list[str]:
    return [Path(hit.source).stem for hit in hits]


# --- near-copies among the hits


def test_pictures_that_look_the_same_are_one_hit_and_different_ones_make_up_the_number(engine):
    hits = engine.find("red").hits
    assert len(hits) == 3
    assert names(hits)[0].startswith("red")
    assert [len(hit.alike) for hit in hits] == [2, 0, 0]


def test_every_face_says_how_many_look_the_same(engine, ipcir):
    result = engine.find("red")
    assert "+2 like it" in repr(result)
    assert "+2 like it" in result_html(result)
    assert result_json(result)["hits"][0]["alike"] == list(result.hits[0].alike)
    documents = ComposedImageRetriever(engine=engine).invoke("red")
    assert [document.metadata.get("alike") for document in documents] == [list(result.hits[0].alike), None, None]
    assert "+2 like it" in ipcir("find", "red")[1]


def test_an_agent_goes_on_from_a_picture_that_was_folded(engine):
    find, refine = (TOOLS[name] for name in ("find_images", "refine_search"))
    answer = find.call(engine, find.arguments(text="red"))
    short = re.search(r"\+2 like it: ([0-9a-f]{8})", answer.text)[1]
    arguments = refine.arguments(turn=answer.artifact["turn"], reference=short, modification="in blue")
    refined = refine.call(engine, arguments)
    assert refined.artifact["reference"] in answer.artifact["hits"][0]["alike"]


def test_off_shows_each_by_itself(engine, tmp_path):
    with Engine.open(Settings(home=tmp_path / "home", k=3, duplicates=None)) as plain:
        hits = plain.find("red").hits
    assert all(name.startswith("red") for name in names(hits))
    assert [hit.alike for hit in hits] == [()] * 3


def test_what_looks_like_a_disliked_hit_does_not_come_back_in_its_place(engine):
    first = engine.find("red")
    assert not any(name.startswith("red") for name in names(engine.refine(first.turn.id, disliked=[1]).hits))


def test_a_turn_with_folded_hits_is_replayed_without_a_difference(engine):
    root = engine.find("red")
    below = engine.refine(root.turn.id, "in blue", reference="1")
    assert replay(engine, below.turn.id).same


# --- hits whose file is gone


def test_a_hit_whose_file_is_gone_is_marked_in_every_face(engine, ipcir, pictures, tmp_path):
    (pictures / "2019/DCIM/blue.png").unlink()
    result = engine.find("blue")
    assert [hit.gone for hit in result.hits] == [True, False, False]
    assert "blue.png (gone)" in repr(result)
    assert "(gone)" in result_html(result)
    assert "gone" in result_text(result)
    assert [hit.get("gone") for hit in result_json(result)["hits"]] == [True, None, None]
    assert "(gone)" in ipcir("find", "blue")[1]
    documents = ComposedImageRetriever(engine=engine).invoke("blue")
    assert [document.metadata.get("gone") for document in documents] == [True, None, None]
    assert ipcir("find", "blue", "--sheet", tmp_path / "sheet.png")[0] == 0


def test_what_is_gone_can_be_left_out(ipcir, pictures):
    (pictures / "2019/DCIM/blue.png").unlink()
    status, shown, _ = ipcir("find", "blue", "-k", 2, "--existing", "--json")
    document = json.loads(shown)
    assert status == 0
    assert len(document["hits"]) == 2
    assert "blue.png" not in shown
    assert document["warnings"] == ["pictures left out because their files are gone: 1"]


def test_a_picture_with_several_files_shows_one_that_is_there(engine, pictures):
    original, copy = pictures / "2019/DCIM/blue.png", pictures / "2020/DCIM/other name.png"
    shutil.copy(original, copy)
    engine.index([pictures])
    original.unlink()
    best = engine.find("blue").hits[0]
    assert (best.source, best.gone) == (str(copy), False)


def test_a_turn_that_is_shown_later_is_checked_again(engine, ipcir, pictures):
    turn = engine.find("blue").turn.id
    (pictures / "2019/DCIM/blue.png").unlink()
    show = TOOLS["show_turn"]
    assert "gone" in show.call(engine, show.arguments(turn=turn)).text
    assert "(gone)" in ipcir("show", turn)[1]
    assert "(gone)" in ipcir("turns")[1]


def test_a_drive_that_does_not_answer_holds_no_search_up(engine, monkeypatch):
    answered = threading.Event()

    def hanging(path: str) -> Path:
        answered.wait(30)
        return Path(path)

    monkeypatch.setattr(presence, "text_path", hanging)
    try:
        assert [hit.gone for hit in engine.find("blue").hits] == [False] * 3, "what is not known is not marked"
    finally:
        answered.set()


# --- paths


def test_the_table_tells_two_files_of_one_name_apart(ipcir, monkeypatch):
    shown = ipcir("find", "red", "-k", 8)[1]
    assert "2019" not in shown, "one name each"
    monkeypatch.setenv("IPCIR_DUPLICATES", "off")
    shown = ipcir("find", "red", "-k", 8)[1]
    assert re.search(r"2019/(DCIM|…)/red\.png", shown)
    assert re.search(r"2020/(DCIM|…)/red\.png", shown)


def test_paths_are_the_files_alone_one_a_line(ipcir, pictures):
    status, shown, _ = ipcir("find", "blue", "-k", 2, "--paths")
    assert status == 0
    assert shown.splitlines()[0] == str(pictures / "2019/DCIM/blue.png")
    assert len(shown.splitlines()) == 2
    turn = json.loads(ipcir("turns", "--json")[1])["turns"][0]["id"]
    assert ipcir("show", turn, "--paths")[1] == shown
    assert ipcir("turns", "--paths")[1] == shown.splitlines()[0] + "\n"
    assert ipcir("refine", turn, "in green", "-0")[1].endswith("\0")


def test_odd_names_reach_other_programs_as_they_are_on_the_disk(engine, pictures, tmp_path, monkeypatch):
    odd = [os.fsencode(pictures) + b"/two\nlines.png", os.fsencode(pictures) + b"/caf\xe9.png"]
    for name, colour in zip(odd, ("cyan", "white"), strict=True):
        Image.new("RGB", (24, 24), colour).save(tmp_path / "drawn.png")
        shutil.move(tmp_path / "drawn.png", os.fsdecode(name))
    engine.index([pictures])
    written = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", written)
    ShownOutput(null=True).show(engine.find("red", k=50), engine.settings)
    found = written.buffer.getvalue().split(b"\0")[:-1]
    assert set(odd) < set(found)
    assert all(Path(os.fsdecode(path)).is_file() for path in found)


def test_files_that_are_gone_are_not_given_to_another_program(ipcir, pictures):
    (pictures / "2019/DCIM/blue.png").unlink()
    status, shown, said = ipcir("find", "blue", "-k", 2, "--paths")
    assert (status, len(shown.splitlines())) == (0, 1)
    assert "1 of 2 hits are left out: their files are gone" in said


def test_paths_and_json_exclude_each_other(ipcir):
    status, shown, said = ipcir("find", "blue", "--json", "-0")
    assert (status, shown) == (2, "")
    assert "choose one" in said


# --- one picture's facts


def test_show_has_the_facts_of_one_picture(ipcir, engine, pictures):
    file = pictures / "2019/DCIM/red.png"
    shutil.copy(file, pictures / "2020/DCIM/copy.png")
    engine.index([pictures])
    id_ = engine.resolve(file)[0].id
    engine.caption(id_)
    facts = json.loads(ipcir("show", file, "--json")[1])
    assert facts["picture"]["id"] == id_
    assert facts["in_gallery"] is True
    assert [Path(each["path"]).name for each in facts["files"]] == ["red.png", "copy.png"]
    assert list(facts["captions"].values()) == ["a red shirt"]
    assert {Path(each["path"]).name for each in facts["alike"]} == {"red.png", "red again.png"}
    shown = ipcir("show", id_[:8])[1]
    for word in (id_, str(file), "24 x 24 png", "a red shirt", "looks like"):
        assert word in shown
    assert ipcir("show", id_, "--paths")[1].splitlines() == [str(file), str(pictures / "2020/DCIM/copy.png")]


def test_show_takes_a_rank_of_a_turn_a_turn_and_a_file_outside(ipcir, engine, pictures, tmp_path):
    turn = engine.find("blue").turn
    blue = turn.hits[0].id
    for what in (["1"], ["1", "of", turn.id], [f"1 of {turn.id[:6]}"], ["#1"]):
        assert f" {blue}\n" in ipcir("show", *what)[1]
    assert "find" not in ipcir("show", turn.id)[1].split("\n")[2]
    assert ipcir("show", "9", "of", turn.id)[0] == 2
    Image.new("RGB", (24, 24), "white").save(tmp_path / "new.png")
    assert "(not in the gallery)" in ipcir("show", tmp_path / "new.png")[1]
    status, _, said = ipcir("show", "tffff")
    assert (status, "There is no turn 'tffff'" in said) == (2, True)


def test_show_opens_the_systems_viewer_or_says_in_one_line_that_there_is_none(ipcir, pictures, tmp_path, monkeypatch):
    blue, programs, seen = pictures / "2019/DCIM/blue.png", tmp_path / "bin", tmp_path / "opened"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    status, _, said = ipcir("show", blue, "--open")
    assert (status, said.count("\n")) == (2, 1)
    assert f"open {blue} by hand" in said
    for name in ("xdg-open", "open"):
        viewer = programs / name
        viewer.write_text(f'#!/bin/sh\necho "$1" > "{seen}"\n')
        viewer.chmod(0o755)
    assert ipcir("show", blue, "--open")[0] == 0
    assert seen.read_text() == f"{blue}\n"


# --- export


def test_export_copies_the_hits_in_their_order_and_overwrites_nothing(ipcir, engine, pictures, tmp_path):
    turn = engine.find("blue").turn
    to = tmp_path / "new" / "folder"
    status, shown, _ = ipcir("export", turn.id, "--to", to)
    copied = sorted(to.iterdir())
    assert status == 0
    assert "3 of 3 hits written" in shown
    assert [path.name[:3] for path in copied] == ["01-", "02-", "03-"]
    assert copied[0].read_bytes() == (pictures / "2019/DCIM/blue.png").read_bytes()
    copied[0].write_bytes(b"mine")
    Path(turn.hits[1].source).unlink()
    status, shown, _ = ipcir("export", "last", "--to", to)
    assert status == 1, "not everything was exported"
    assert "1 of 3 hits written" in shown
    assert "1 there already" in shown
    assert "the file is gone" in shown
    assert copied[0].read_bytes() == b"mine"
    assert (to / "01-blue-2.png").is_file()


def test_export_lists_the_hits_for_a_spreadsheet(ipcir, pictures, tmp_path):
    Image.new("RGB", (24, 24), "white").save(pictures / "=1+1.png")
    ipcir("index", pictures)
    ipcir("find", "blue", "-k", 50)
    file = tmp_path / "hits.csv"
    assert ipcir("export", "last", "--to", file)[0] == 0
    assert file.read_bytes().startswith(b"\xef\xbb\xbfrank,id,")
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert rows[0]["file"] == str(pictures / "2019/DCIM/blue.png")
    assert "'=1+1.png" in [row["name"] for row in rows]
    status, _, said = ipcir("export", "last", "--to", file)
    assert (status, "is there already" in said) == (2, True)


def test_export_draws_a_page_that_stands_alone(ipcir, pictures, tmp_path):
    (pictures / "2019/DCIM/green.png").rename(pictures / "<script>alert(1)<b>.png")
    ipcir("index", pictures)
    ipcir("find", "green", "-k", 3)
    (pictures / "2019/DCIM/yellow.png").unlink(missing_ok=True)
    page = tmp_path / "hits.html"
    ipcir("export", "last", "--to", page)
    html = page.read_text()
    assert "<script" not in html
    assert html.count("data:image/jpeg;base64,") >= 2
    assert not re.search(r"""(src|href)=["'](?!data:|file:)""", html)
    tags = Tags()
    tags.feed(html)
    assert tags.open == []


def test_export_as_json_is_the_document_of_the_search(ipcir, tmp_path):
    searched = json.loads(ipcir("find", "blue", "--json")[1])
    ipcir("export", "last", "--to", tmp_path / "hits.json")
    assert json.loads((tmp_path / "hits.json").read_text())["hits"] == searched["hits"]


@pytest.mark.parametrize("name", ["hits.pdf", "hits.xlsx"])
def test_export_says_which_files_it_writes(ipcir, tmp_path, name):
    ipcir("find", "blue")
    status, _, said = ipcir("export", "last", "--to", tmp_path / name)
    assert (status, ".csv, .html, .htm, .json" in said) == (2, True)
    assert not (tmp_path / name).exists()


# --- a gallery that can only be read


@pytest.fixture
def read_only(engine, tmp_path, monkeypatch) -> Path:
    """The home folder as it is for somebody who may not write there; root may, whatever the mode says."""
    engine.find("red")
    engine.close()
    home = tmp_path / "home"
    writes = working_copy.can_write
    monkeypatch.setattr(working_copy, "can_write", lambda path: not path.is_relative_to(home) and writes(path))
    return home


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_a_gallery_that_can_only_be_read_is_searched_and_keeps_its_turns_elsewhere(read_only, tmp_path):
    before = contents(read_only)
    with Engine.open(Settings(home=read_only)) as engine:
        assert engine.catalog.size() == 8
        first = engine.find("blue")
        assert [text for text in first.warnings if "cannot be written" in text] == [
            f"the gallery in {read_only} cannot be written: turns are kept in {engine.catalog.folder}"
        ]
        assert engine.catalog.folder.is_relative_to(tmp_path / "cache")
        second = engine.refine(first.turn.id, "in green", reference="1")
        assert not second.warnings, "it is said once"
        assert len(engine.turns()) == 3, "with the one that is there"
    assert contents(read_only) == before
    with Engine.open(Settings(home=read_only)) as engine:
        assert engine.refine(second.turn.id, "in red").turn.parent == second.turn.id, "in another process, too"


def test_indexing_where_nothing_can_be_written_ends_in_one_line(read_only, monkeypatch, capsys, pictures):
    status, shown, said = run(monkeypatch, capsys, "index", pictures)
    assert (status, shown, said.count("\n")) == (2, "", 1)
    assert f"The gallery in {read_only} cannot be written, only searched" in said


def test_turns_stay_when_the_owner_adds_pictures(read_only, monkeypatch, pictures):
    with Engine.open(Settings(home=read_only)) as engine:
        turn = engine.find("blue").turn.id
    with monkeypatch.context() as owner:
        owner.setattr(working_copy, "can_write", lambda path: True)
        Image.new("RGB", (24, 24), "white").save(pictures / "new.png")
        with Engine.open(Settings(home=read_only)) as engine:
            engine.index([pictures])
    with Engine.open(Settings(home=read_only)) as engine:
        assert engine.catalog.size() == 9
        assert engine.turn(turn).id == turn
        assert len(engine.find("blue", k=20).hits) > 0


def test_a_catalog_that_waits_for_its_log_is_read_whole(tmp_path, monkeypatch, pictures):
    """Its last writer was killed, so that a part of it is in the log beside it."""
    with Engine.open(Settings(home=tmp_path / "home")) as engine:
        engine.index([pictures])
        shutil.copytree(tmp_path / "home", tmp_path / "left")
    assert (tmp_path / "left" / "catalog.sqlite-wal").stat().st_size > 0
    monkeypatch.setattr(working_copy, "can_write", lambda path: not path.is_relative_to(tmp_path / "left"))
    with Engine.open(Settings(home=tmp_path / "left")) as engine:
        assert engine.catalog.size() == 8


def test_without_a_cache_folder_turns_are_kept_in_a_temporary_one(read_only, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with Engine.open(Settings(home=read_only)) as engine:
        turn = engine.find("blue").turn
        assert engine.turn(turn.id) == turn
