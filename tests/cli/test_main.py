"""The command line: what it prints for people and for programs, on real small models and on fakes."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from ipcir_tools.cli import main
from ipcir_tools.cli.output import console
from ipcir_tools.demo import gallery
from ipcir_tools.demo.world import wardrobe
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.images.files import path_text
from ipcir_tools.images.reading import load
from ipcir_tools.models import loading
from ipcir_tools.settings import Settings

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"

INDEX_KEYS = [
    *("seen", "added", "unchanged", "moved", "removed", "skipped", "excluded_files", "excluded_folders"),
    *(
        "hidden_files",
        "hidden_folders",
        "linked_folders",
        "unknown_files",
        "unknown_suffixes",
        "missing",
        "space",
        "seconds",
        "captions",
        "damaged",
        "mended",
        "lacking",
    ),
]
SEARCH_KEYS = ["turn", "parent", "reference", "modification", "caption", "imagined", "hits", "timings", "warnings"]
IMAGINED_KEYS = ["description", "keep", "add", "remove", "alternatives", "origin"]
HIT_KEYS = ["id", "rank", "score", "image_score", "text_score", "source", "caption"]


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on standard output."""
        assert self.status == 0, self.err
        return json.loads(self.out)


def has_shape_of_a_search(document: dict[str, Any]) -> bool:
    assert [key for key in document if key != "unusual"] == SEARCH_KEYS  # only where captions to compare with are known
    assert document["imagined"] is None or list(document["imagined"]) == IMAGINED_KEYS
    hits = [[key for key in hit if key != "verified"] for hit in document["hits"]]  # auto: only where that is cheap
    assert all(keys == HIT_KEYS for keys in hits)
    assert [hit["rank"] for hit in document["hits"]] == list(range(1, len(document["hits"]) + 1))
    assert all(isinstance(value, float | int) for value in document["timings"].values())  # seconds, and counts
    return True


# --- end to end, each command in a process of its own, on the small trained models


class Shop(NamedTuple):
    """A dialogue that was held over a drawn gallery, command by command."""

    folder: Path
    index: Ended
    search: Ended
    refine: Ended


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    made = wardrobe.wardrobe("test", families=2)
    for _ in gallery.draw(made.pictures, folder / "pictures"):
        pass
    query = made.queries[0]
    home = ("--home", "home")
    index = ipcir_process(folder, "index", "pictures", "--models", "demo", "--json", *home)
    search = ipcir_process(
        *(folder, "search", f"pictures/{query.reference}", query.modification, "-k", "5", "--json", *home),
        *("--sheet", "sheets/hits.png"),
    )
    turn = json.loads(search.out or "{}").get("turn", "none")
    refine = ipcir_process(folder, "refine", turn, "in blue", "--json", *home)
    return Shop(folder, index, search, refine)


def ipcir_process(folder: Path, *arguments: str) -> Ended:
    """``ipcir`` with no help from its surroundings: no settings, no hub, no terminal."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("IPCIR_", "HF_", "COLUMNS"))}
    done = subprocess.run(
        [sys.executable, "-m", "ipcir_tools.cli.main", *arguments],
        cwd=folder,
        env={**clean, "HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_folder_without_pictures_says_so(ipcir, tmp_path):
    (tmp_path / "empty").mkdir()
    status, out, _ = ipcir("index", tmp_path / "empty", "--models", "demo")
    assert (status, out.splitlines()[1]) == (
        0,
        "No picture was found there: name a folder that holds some.",
    )


def test_index_prints_one_document(shop):
    report = shop.index.json
    assert list(report) == INDEX_KEYS
    drawn = len(list((shop.folder / "pictures").iterdir()))
    assert (report["seen"], report["added"], report["skipped"]) == (drawn, drawn, [])
    assert report["space"].startswith("open_clip:clip@")


def test_search_prints_one_document(shop):
    found = shop.search.json
    assert has_shape_of_a_search(found)
    assert (found["parent"], len(found["hits"]), found["warnings"]) == (None, 5, [])
    assert found["imagined"]["origin"] == "rules"
    assert found["caption"]
    assert found["reference"] not in {hit["id"] for hit in found["hits"]}
    for hit in found["hits"]:
        assert Path(hit["source"]).is_file()
        assert -1 <= hit["image_score"] <= 1
        assert -1 <= hit["text_score"] <= 1


def test_the_small_models_see_the_edit(shop):
    """Of the reference's family and the other one, the best hit is the reference's garment as the edit wants it."""
    made = wardrobe.wardrobe("test", families=2)
    wanted = next(picture for picture in made.pictures if picture.name == made.queries[0].main).garment
    shown = {picture.name: picture.garment for picture in made.pictures}
    assert wanted in [shown[Path(hit["source"]).name] for hit in shop.search.json["hits"]]


def test_refine_goes_on_with_the_models_of_the_gallery(shop):
    refined, first = shop.refine.json, shop.search.json
    assert has_shape_of_a_search(refined)
    assert (refined["parent"], refined["reference"]) == (first["turn"], first["reference"])
    assert len(refined["hits"]) == 5, "k is as it was"
    assert "blue" in refined["imagined"]["description"]
    assert "encode_image" in refined["timings"]


def test_the_sheet_is_a_picture_of_sensible_size(shop):
    with Image.open(shop.folder / "sheets" / "hits.png") as sheet:
        assert sheet.format == "PNG"
        assert 800 < sheet.width < 2_000
        assert 200 < sheet.height < 1_000
        assert len(sheet.convert("RGB").resize((64, 64)).getcolors(4_096) or []) > 100, "there are pictures on it"


def test_nothing_stands_on_standard_error_but_progress(shop):
    for ended in (shop.index, shop.search, shop.refine):
        assert "Traceback" not in ended.err
        assert "Warning" not in ended.err
        assert ended.err.strip() == "", "and without a terminal there is no progress either"


# --- the rest in this process, with fakes


@pytest.fixture
def encoder() -> FakeEncoder:
    """What every command of one test encodes with; it counts."""
    return FakeEncoder(ENCODER)


@pytest.fixture
def ipcir(monkeypatch, capfd, tmp_path, encoder):
    def caption_of(picture: Image.Image) -> str:
        return f"a {colour_name(picture)} shirt"

    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: encoder)
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: ScriptedCaptioner(caption_of, id=CAPTIONER))
    monkeypatch.setenv("IPCIR_ENCODER", ENCODER)
    monkeypatch.setenv("IPCIR_CAPTIONER", CAPTIONER)
    monkeypatch.setenv("IPCIR_HOME", str(tmp_path / "home"))

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ipcir", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        return Ended(int(ended.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture
def squares(tmp_path) -> Path:
    folder = tmp_path / "squares"
    folder.mkdir()
    for colour, rgb in COLOURS.items():
        for side in (24, 48):
            Image.new("RGB", (side, side), rgb).save(folder / f"{colour}-{side}.png")
    return folder


def names(document: dict[str, Any]) -> list[str]:
    return [Path(hit["source"]).name for hit in document["hits"]]


def test_an_id_its_beginning_and_a_file_name_the_same_reference(ipcir, squares):
    ipcir("index", squares)
    by_file = ipcir("search", squares / "red-24.png", "in blue", "--json").json
    reference = by_file["reference"]
    for name in (reference, reference[:8], reference.upper()):
        found = ipcir("search", name, "in blue", "--json").json
        assert (found["reference"], found["hits"]) == (reference, by_file["hits"])


def test_index_says_what_changed_and_encodes_only_what_is_new(ipcir, squares, encoder):
    assert f"{2 * len(COLOURS)} added" in ipcir("index", squares).out
    encoded = encoder.images_encoded
    (squares / "red-24.png").rename(squares / "rouge.png")
    (squares / "blue-24.png").unlink()
    report = ipcir("index", squares, "--json").json
    assert (report["moved"], report["removed"], report["added"]) == (1, 1, 0)
    assert f"{2 * len(COLOURS) - 1} unchanged in" in ipcir("index", squares).out
    assert encoder.images_encoded == encoded


def test_search_obeys_its_options(ipcir, squares):
    ipcir("index", squares)
    reference = squares / "red-24.png"
    found = ipcir("search", reference, "in blue", "-k", 2, "--where", '{"width": 48}', "--json").json
    assert names(found)[0] == "blue-48.png"
    assert all(name.endswith("-48.png") for name in names(found))
    assert len(found["hits"]) == 2
    picture = ipcir("search", reference, "in blue", "--composer", "reference", "-k", 1, "--json").json
    assert (names(picture), picture["imagined"], picture["caption"]) == (["red-48.png"], None, None)
    assert picture["hits"][0]["text_score"] is None
    options = ("--composer", "imagined+reference", "--weight", 1, "-k", 2)
    textual = ipcir("search", reference, "in blue", *options, "--json").json
    assert set(names(textual)) == {"blue-24.png", "blue-48.png"}
    assert textual["hits"][0]["score"] == textual["hits"][0]["text_score"]


def test_refine_builds_a_branch(ipcir, squares):
    ipcir("index", squares)
    root = ipcir("search", squares / "red-24.png", "in blue", "-k", 2, "--json").json
    green = ipcir("refine", root["turn"], "in green", "--json").json
    black = ipcir("refine", root["turn"][:9], "in black", "--json").json
    assert root["parent"] is None
    assert green["parent"] == black["parent"] == root["turn"]
    assert [set(names(each)) for each in (green, black)] == [
        {"green-24.png", "green-48.png"},
        {"black-24.png", "black-48.png"},
    ]
    assert f"after {green['turn']}" in ipcir("refine", green["turn"], "in white").out


def test_hits_that_do_not_exist_are_reported(ipcir, squares):
    ipcir("index", squares)
    ended = ipcir("search", squares / "red-24.png", "in blue", "--where", '{"width": {"$gt": 9000}}')
    assert (ended.status, "no picture matches" in ended.out) == (0, True)


# --- how it looks


@pytest.mark.parametrize("width", ["60", "80", "200"])
def test_the_table_is_aligned_and_never_cuts_an_id(ipcir, squares, monkeypatch, width):
    long = "a very long name of a picture that goes on and on, past the edge of the screen.png"
    Image.new("RGB", (30, 30), COLOURS["blue"]).save(squares / long)
    ipcir("index", squares)
    monkeypatch.setenv("COLUMNS", width)
    found = ipcir("search", squares / "red-24.png", "in blue", "-k", 10, "--json").json
    ended = ipcir("search", squares / "red-24.png", "in blue", "-k", 10)
    lines = ended.out.splitlines()
    rows = [line for line in lines if re.match(r"\s+\d+\s+-?\d\.\d{3}", line)]
    assert [row.split()[4] for row in rows] == [hit["id"] for hit in found["hits"]]
    assert len({row.index(row.split()[4]) for row in rows}) == 1, "one column under the other"
    table = lines[next(i for i, line in enumerate(lines) if "rank" in line) :]
    assert table[0].split() == ["rank", "score", "image", "text", "id", "picture"]
    assert max(map(len, table)) <= int(width)
    assert not any("…" in row[: row.index(row.split()[4]) + 16] for row in rows), "only a file name may be cut"
    assert [row.split()[0] for row in rows] == [str(rank) for rank in range(1, 11)]


def test_markup_and_control_characters_in_texts_are_only_text(ipcir, squares):
    ipcir("index", squares)
    ended = ipcir("search", squares / "red-24.png", "in [bold red]blue[/] \\", "-k", "1")
    assert "in [bold red]blue[/] \\" in ended.out


def test_progress_goes_to_standard_error_with_a_rate_and_leaves_nothing(ipcir, squares, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setenv("IPCIR_BATCH_SIZE", "4")
    terminal = Console(file=screen, force_terminal=True, width=100, highlight=False, _environ={"TERM": "xterm"})
    monkeypatch.setattr(console, "err", terminal)
    ended = ipcir("index", squares, "--json")
    assert ended.json["added"] == 2 * len(COLOURS)
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", screen.getvalue())
    assert "indexing" in shown
    assert f"{2 * len(COLOURS)}/{2 * len(COLOURS)}" in shown
    assert re.search(r"\d/s", shown)
    assert ended.err == ""


def test_a_sheet_is_drawn_with_pictures_that_are_gone(ipcir, squares, tmp_path):
    ipcir("index", squares)
    for file in squares.glob("blue-*.png"):
        file.unlink()
    sheet = tmp_path / "new folder" / "hits.jpg"
    ended = ipcir("search", squares / "red-24.png", "in blue", "-k", 7, "--sheet", sheet)
    assert ended.status == 0
    assert str(sheet) in ended.out
    with Image.open(sheet) as picture:
        assert (picture.format, picture.width > picture.height) == ("JPEG", True)


def test_with_json_a_sheet_changes_nothing_on_standard_output(ipcir, squares, tmp_path):
    ipcir("index", squares)
    ended = ipcir("search", squares / "red-24.png", "in blue", "--sheet", tmp_path / "hits.png", "--json")
    assert has_shape_of_a_search(ended.json)
    assert (tmp_path / "hits.png").is_file()


# --- a wild folder


def drawing(seed: int) -> Image.Image:
    """A picture unlike any other: random blocks."""
    blocks = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((32, 32), Image.Resampling.NEAREST)


def vast_png(side: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes((side + 7) // 8 + 1) * side, 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def write_good(folder: Path) -> list[Path]:
    sideways = Image.Exif()
    sideways[0x0112] = 6
    deep = Image.fromarray(np.asarray(drawing(3).convert("L")).astype(np.uint16) * 257)
    (folder / "deep" / "er").mkdir(parents=True)
    drawing(0).save(folder / "plain.jpg")
    drawing(1).convert("CMYK").save(folder / "print.jpg")
    deep.save(folder / "sixteen.png")
    drawing(4).convert("P").save(folder / "palette.png", transparency=0)
    drawing(5).save(folder / "rotated.jpg", exif=sideways)
    drawing(6).save(folder / "moving.gif", save_all=True, append_images=[drawing(7), drawing(8)])
    drawing(9).save(folder / "name with spaces.png")
    drawing(10).save(folder / "deep" / "er" / "🎨 painting.webp", lossless=True)
    drawing(11).save(folder / "two\nlines.png")
    return sorted(file for file in folder.rglob("*") if file.is_file())


def write_bad(folder: Path) -> dict[str, str]:
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)).save(whole, "JPEG")
    (folder / "half.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "empty.png").touch()
    (folder / "words.png").write_text("This is no picture.")
    (folder / "vast.png").write_bytes(vast_png(10_000))
    assert (folder / "vast.png").stat().st_size < 20_000
    drawing(50).save(folder / "locked.png")
    return {
        "half.jpg": "cut off: the file ends early",
        "empty.png": "empty file",
        "words.png": "not a picture in a known format",
        "vast.png": "10000 x 10000 pixels, more than the limit of 64 million (IPCIR_MAX_PIXELS)",
        "locked.png": "cannot be read (Permission denied)",
    }


@pytest.fixture
def wild(tmp_path, monkeypatch) -> tuple[Path, list[Path], dict[str, str]]:
    """A folder with good pictures of every kind and bad ones; what is locked stays so even for root."""
    really = os.open

    def guarded(path, *args, **kwargs):
        if Path(path).name == "locked.png":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *args, **kwargs)

    folder = tmp_path / "wild pictures"
    folder.mkdir()
    good, bad = write_good(folder), write_bad(folder)
    monkeypatch.setattr(os, "open", guarded)
    return folder, good, bad


def test_a_wild_folder_loses_nothing(ipcir, wild, encoder):
    folder, good, bad = wild
    report = ipcir("index", folder, "--json").json
    assert {Path(skip["source"]).name: skip["reason"] for skip in report["skipped"]} == bad
    assert (report["seen"], report["added"]) == (len(good) + len(bad), len(good))

    encoded = encoder.images_encoded
    again = ipcir("index", folder, "--json").json
    assert (again["added"], again["unchanged"], again["skipped"]) == (0, len(good), report["skipped"])
    assert encoder.images_encoded == encoded == len(good)


def test_each_good_picture_of_a_wild_folder_is_found(ipcir, wild, tmp_path):
    folder, good, _ = wild
    ipcir("index", folder)
    for file in good:
        copy = tmp_path / "copy.bmp"  # the same pixels in another file, for a reference is never its own hit
        load(file, Settings()).pixels.save(copy)
        found = ipcir("search", copy, "the same", "--composer", "reference", "-k", 1, "--json").json
        assert found["hits"][0]["source"] == path_text(file)
        assert found["hits"][0]["score"] > 0.99


def test_a_wild_folder_is_shown_line_by_line(ipcir, wild, monkeypatch):
    folder, good, bad = wild
    monkeypatch.setenv("COLUMNS", "300")
    ended = ipcir("index", folder)
    assert ended.status == 0
    assert f"{len(good)} added" in ended.out
    lines = ended.out.splitlines()
    for name, reason in bad.items():
        (line,) = [line for line in lines if name in line]
        assert reason in line
    table = ipcir("search", folder / "plain.jpg", "in blue", "-k", 20).out
    assert r"two\nlines.png" in table
    assert "🎨 painting.webp" in table


def test_a_sheet_never_overwrites_a_picture(shop, capfd, monkeypatch):
    from ipcir_tools.cli import main

    picture = sorted((shop.folder / "pictures").iterdir())[0]
    before = picture.read_bytes()
    home = shop.folder / "home"
    monkeypatch.setattr(
        "sys.argv", ["ipcir", "search", str(picture), "in blue", "--sheet", str(picture), "--home", str(home)]
    )
    with pytest.raises(SystemExit, match="2"):
        main.main()
    assert "is a picture of yours" in capfd.readouterr().err
    assert picture.read_bytes() == before
