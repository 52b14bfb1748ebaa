"""A collection that changes: what owners of photographs do to folders, through the command line."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from ipcir_tools.cli import main
from ipcir_tools.cli.commands import collection as commands
from ipcir_tools.cli.output import collection as output
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.watching import WatchBatch, WatchOptions, watch
from ipcir_tools.errors import CatalogError, InvalidRequestError, NotFoundError
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.models import loading
from ipcir_tools.settings import Settings

ENCODER = "open_clip:fake/colours"


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        assert self.status == 0, self.err
        return json.loads(self.out)


def draw(file: Path, number: int) -> Path:
    """A picture unlike those of other numbers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (number % 256, number // 256, 99)).save(file, "PNG")
    return file


@pytest.fixture
def encoder() -> FakeEncoder:
    """The encoder of every command: it counts what it encodes."""
    return FakeEncoder(ENCODER)


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """The folder ``photos`` with two trips of three pictures, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        draw(tmp_path / "photos" / ("rome" if number < 3 else "oslo") / f"IMG_{number}.png", number)
    return tmp_path / "photos"


@pytest.fixture
def ipcir(monkeypatch, capfd, tmp_path, encoder):
    """The command line in this process, with fakes for the models and a gallery of its own."""
    monkeypatch.setattr(loading, "load_encoder", lambda name, **_: encoder)
    monkeypatch.setattr(loading, "load_captioner", lambda name, **_: ScriptedCaptioner(id="transformers:fake/colours"))
    monkeypatch.setenv("IPCIR_ENCODER", ENCODER)
    monkeypatch.setenv("IPCIR_CAPTIONER", "transformers:fake/colours")
    monkeypatch.setenv("IPCIR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ipcir", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        return Ended(int(ended.value.code or 0), *capfd.readouterr())

    return run


def listed(ipcir) -> dict[str, tuple[int, bool]]:
    """Pictures of each folder, and whether it is gone."""
    return {
        Path(each["path"]).name: (each["pictures"], each["gone"]) for each in ipcir("folders", "--json").json["folders"]
    }


# --- removing


def test_a_folder_that_was_deleted_is_taken_out_by_name(ipcir, photos):
    ipcir("index", "photos/rome", "photos/oslo")
    shutil.rmtree(photos / "rome")
    refused = ipcir("index", "photos/rome")
    assert (refused.status, len(refused.err.splitlines())) == (2, 1)
    assert "is gone, and the gallery has 3 pictures from it" in refused.err
    assert "`ipcir remove photos/rome`" in refused.err
    assert listed(ipcir) == {"oslo": (3, False), "rome": (3, True)}

    removed = ipcir("remove", "photos/rome", "--json").json
    assert (removed["files"], removed["pictures"], removed["kept_out"]) == (3, 3, [])
    assert listed(ipcir) == {"oslo": (3, False)}
    assert "rome" not in ipcir("find", "red", "--json").out


def test_at_a_terminal_indexing_what_is_gone_asks_whether_to_forget_it(ipcir, photos, monkeypatch):
    ipcir("index", "photos/rome", "photos/oslo")
    shutil.rmtree(photos / "rome")
    monkeypatch.setattr(commands, "_is_terminal", lambda: True)
    asked: list[str] = []
    monkeypatch.setattr(output, "ask", lambda question: asked.append(question) or len(asked) > 1)
    assert ipcir("index", "photos/rome").status == 2
    assert ipcir("index", "photos/rome", "--json").status == 2, "a program is never asked"
    assert ipcir("index", "photos/rome", "photos/oslo").status == 0
    assert len(asked) == 2
    assert listed(ipcir) == {"oslo": (3, False)}


def test_what_is_removed_and_still_there_stays_out_until_it_is_named(ipcir, photos, encoder):
    ipcir("index", "photos")
    removed = ipcir("remove", "photos/rome", "photos/oslo/IMG_3.png")
    assert "4 pictures removed" in removed.out
    assert f"{photos} leaves it out from now on" in removed.out
    assert "/oslo/IMG_3.png" in removed.out
    report = ipcir("index", "photos", "--json").json
    assert (report["added"], report["excluded_folders"], report["excluded_files"]) == (0, 1, 1)

    assert ipcir("index", "photos/rome", "--json").json["added"] == 3
    assert ipcir("index", "--json").json["removed"] == 0
    assert ipcir("folders", "--json").json["pictures"] == 5
    assert encoder.images_encoded == 6, "features stay, so nothing is encoded again"


def test_a_picture_is_removed_by_its_id_or_the_beginning_of_it(ipcir, photos):
    shutil.copy(photos / "rome" / "IMG_0.png", photos / "oslo" / "copy.png")
    ipcir("index", "photos")
    hit = ipcir("find", "red", "-k", "1", "--json").json["hits"][0]["id"]
    removed = ipcir("remove", hit[:8], "--json").json
    assert (removed["removed"], removed["pictures"]) == ([hit], 1)
    assert hit not in ipcir("find", "red", "--json").out
    assert len(removed["kept_out"]) == removed["files"]


def test_an_unknown_name_changes_nothing_and_names_what_is_near(ipcir, photos):
    ipcir("index", "photos/rome", "photos/oslo")
    refused = ipcir("remove", "photos/oslo", "photos/roma")
    assert refused.status == 2
    assert "has nothing from photos/roma" in refused.err
    assert str(photos / "rome") in refused.err
    assert ipcir("folders", "--json").json["pictures"] == 6


def test_indexing_without_a_name_goes_over_all_known_folders_and_names_those_that_are_gone(ipcir, photos):
    assert "name the folder" in ipcir("index").err
    ipcir("index", "photos/rome", "photos/oslo")
    (photos / "rome").rename(photos / "away")
    draw(photos / "oslo" / "new.png", 9)
    ended = ipcir("index")
    assert "1 added" in ended.out
    assert f"{photos / 'rome'} is gone: its 3 pictures stay" in ended.out


def test_the_empty_place_of_a_drive_empties_no_gallery(ipcir, photos):
    ipcir("index", "photos")
    photos.rename(photos.with_name("drive"))
    photos.mkdir()
    report = ipcir("index", "photos", "--json").json
    assert report["missing"] == [{"path": str(photos), "empty": True, "pictures": 6}]
    assert report["removed"] == 0
    assert "has no picture in it now: its 6 pictures stay" in ipcir("index", "photos").out
    assert ipcir("remove", "photos", "--json").json["pictures"] == 6


@pytest.mark.parametrize(
    "stray", [".DS_Store", "Thumbs.db", "notes.txt", "System Volume Information/x.png", ".a/b.png"]
)
def test_stray_files_at_the_place_of_a_drive_are_no_pictures(ipcir, photos, stray):
    ipcir("index", "photos")
    photos.rename(photos.with_name("drive"))
    (photos / stray).parent.mkdir(parents=True)
    (photos / stray).write_text("left by another program")
    report = ipcir("index", "--json").json
    assert report["missing"] == [{"path": str(photos), "empty": True, "pictures": 6}]
    assert report["removed"] == 0
    assert ipcir("folders", "--json").json["pictures"] == 6


def test_one_picture_stays_and_what_moved_away_is_not_said_to_stay(ipcir, photos):
    ipcir("index", "photos/rome", "photos/oslo")
    (photos / "rome" / "IMG_0.png").rename(photos / "oslo" / "IMG_0.png")
    (photos / "rome" / "IMG_1.png").rename(photos / "oslo" / "IMG_1.png")
    (photos / "rome" / "IMG_2.png").unlink()
    ended = ipcir("index")
    assert "2 moved" in ended.out
    assert "has no picture in it now: its 1 picture stays; `ipcir remove` forgets it" in ended.out


def test_a_file_that_cannot_be_read_for_a_moment_stays_and_a_spoiled_one_leaves(ipcir, photos, monkeypatch):
    ipcir("index", "photos")
    locked, spoiled = photos / "rome" / "IMG_0.png", photos / "rome" / "IMG_1.png"
    open_ = os.open

    def refuse(path, *rest, **more):
        folder = more.get("dir_fd")  # files are opened name by name
        if Path(path if folder is None else Path(f"/proc/self/fd/{folder}").resolve() / path) == locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    os.utime(locked, (1, 1))
    spoiled.write_bytes(b"no picture any more")
    report = ipcir("index", "photos", "--json").json
    reasons = {Path(skip["source"]).name: skip["reason"] for skip in report["skipped"]}
    assert reasons["IMG_0.png"] == "cannot be read (Permission denied)"
    assert (set(reasons), report["removed"]) == ({"IMG_0.png", "IMG_1.png"}, 1)
    assert ipcir("index", "photos", "--force", "--json").json["removed"] == 0


def test_an_empty_name_is_refused_everywhere(ipcir, photos, monkeypatch, engine):
    ipcir("index", "photos")
    commands = (["remove", ""], ["index", ""], ["index", " "], ["watch", ""], ["find", "red", "--in", ""])
    for command in (*commands, ["folders", "--home", ""]):
        refused = ipcir(*command)
        assert (refused.status, len(refused.err.splitlines())) == (2, 1), command
        assert "name of a file or folder is empty" in refused.err
    for call in (engine.index, engine.remove, lambda paths: watch(engine, paths)):
        with pytest.raises(InvalidRequestError, match="is empty"):
            call([""])
    assert ipcir("folders", "--json").json["pictures"] == 6


def test_a_folder_that_cannot_be_read_is_one_line(ipcir, photos, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode, **_: not str(path).endswith("photos"))
    for command in (["index", "photos"], ["watch", "photos"], ["folders", "--home", "photos"]):
        refused = ipcir(*command)
        assert (refused.status, len(refused.err.splitlines())) == (2, 1), refused.err
        assert "photos cannot be read" in refused.err


@pytest.mark.parametrize(
    "command", [["folders"], ["turns"], ["show", "last"], ["export", "last", "--to", "x"], ["find", "red"]]
)
def test_a_home_that_is_not_there_is_said_and_not_made(ipcir, photos, command):
    for home in ("typo", "photos"):
        ended = ipcir(*command, "--home", home)
        assert (ended.status, len(ended.err.splitlines())) == (2, 1)
        assert f"There is no gallery in {photos.parent / home}" in ended.err
    assert not Path("typo").exists()
    assert sorted(each.name for each in photos.iterdir()) == ["oslo", "rome"]
    assert ipcir("index", "photos", "--home", "typo", "--json").json["added"] == 6


def test_show_last_shows_the_last_turn(ipcir, photos):
    ipcir("index", "photos")
    turn = ipcir("find", "red", "--json").json["turn"]
    for name in (["last"], ["turn", "last"], [turn]):
        assert ipcir("show", *name, "--json").json["turn"] == turn


def test_a_refused_removal_changes_nothing(ipcir, photos, engine):
    engine.index([photos])
    engine.catalog.read_only = photos
    with pytest.raises(CatalogError, match="cannot be written"):
        engine.remove([photos / "rome"])
    assert [folder.exclude for folder in engine.folders()] == [()]


def test_what_is_hidden_is_counted(ipcir, photos):
    draw(photos / ".private" / "a.png", 80)
    draw(photos / ".thumbnails" / "b.png", 81)
    draw(photos / ".c.png", 82)
    (photos / "._IMG_0.png").write_bytes(b"not a picture")
    (photos / ".DS_Store").write_bytes(b"not a picture")
    report = ipcir("index", "photos", "--json").json
    assert (report["seen"], report["hidden_files"], report["hidden_folders"]) == (6, 1, 1)
    assert "hidden, passed over: 1 file, 1 folder" in ipcir("index", "photos").out


# --- excluding


@pytest.mark.parametrize("name", ["@eaDir", "#recycle", "$RECYCLE.BIN", ".thumbnails", "__MACOSX", "Fotos.lrdata"])
def test_what_other_programs_keep_beside_pictures_is_left_out(ipcir, photos, name, monkeypatch):
    draw(photos / "rome" / name / "thumb.png", 20)
    assert ipcir("index", "photos", "--json").json["added"] == 6
    monkeypatch.setenv("IPCIR_DEFAULT_EXCLUDES", "false")
    assert ipcir("index", "photos", "--json").json["added"] == (not name.startswith("."))


def test_patterns_are_kept_with_their_folder(ipcir, photos):
    assert ipcir("index", "photos", "--exclude", "rome/", "--exclude", "*_3.png", "--json").json["added"] == 2
    again = ipcir("index", "photos")
    assert "left out by patterns: 1 file, 1 folder" in again.out
    assert "rome/ *_3.png" in ipcir("folders").out
    assert ipcir("index", "photos", "--exclude", "", "--json").json["added"] == 4
    assert ipcir("index", "photos", "--exclude", "*.png", "--json").json["removed"] == 6
    refused = ipcir("index", "photos", "--exclude", "!")
    assert refused.status == 2
    assert "'!' is no pattern" in refused.err


def test_an_ignore_file_applies_below_its_folder_and_an_inner_one_has_the_last_word(ipcir, photos):
    ipcir("index", "photos")
    (photos / ".ipcirignore").write_text("# private\nIMG_*\n")
    (photos / "oslo" / ".ipcirignore").write_bytes(b"\xef\xbb\xbf!IMG_4.png\r\n")
    report = ipcir("index", "photos", "--json").json
    assert (report["unchanged"], report["removed"], report["excluded_files"]) == (1, 5, 5)
    assert ipcir("index", "photos/rome", "--json").json["seen"] == 0, "it applies to what is named below it, too"


@pytest.mark.parametrize("content", [b"\0\0binary", b"*.png\n" * 50_000])
def test_an_ignore_file_that_cannot_be_used_is_named_and_its_folder_left_as_it_is(ipcir, photos, content):
    ipcir("index", "photos")
    (photos / "rome" / ".ipcirignore").write_bytes(content)
    draw(photos / "rome" / "new.png", 30)
    (photos / "oslo" / ".ipcirignore").write_text("!\n*_3.png\n")
    report = ipcir("index", "photos", "--json").json
    assert {Path(skip["source"]).parent.name for skip in report["skipped"]} == {"rome", "oslo"}
    assert (report["seen"], report["unchanged"], report["added"], report["removed"]) == (4, 2, 0, 1)


def test_linked_folders_and_unknown_suffixes_are_counted(ipcir, photos):
    (photos / "link").symlink_to("rome")
    for name in ("a.txt", "b.TXT", "c.mp4", "noname"):
        (photos / name).write_text("no picture")
    ended = ipcir("index", "photos")
    assert "linked folders passed over: 1" in ended.out
    assert "other suffixes: 2 .txt, 1 .mp4, 1 without one" in ended.out
    draw(photos / "scan", 40)
    assert ipcir("index", "photos/scan", "--json").json["added"] == 1, "a picture that is named itself is read"
    assert ipcir("index", "photos", "--json").json["removed"] == 0


# --- reading again


def test_force_reads_all_again_and_encodes_only_what_is_new(ipcir, photos, encoder, monkeypatch):
    ipcir("index", "photos")
    report = ipcir("index", "photos", "--force", "--json").json
    assert (report["unchanged"], encoder.images_encoded) == (6, 6)


def test_another_picture_of_the_same_size_and_time_is_seen(ipcir, photos):
    ipcir("index", "photos")
    file = photos / "rome" / "IMG_0.png"
    before = file.stat()
    draw(file, 50)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    report = ipcir("index", "photos", "--json").json
    assert (report["added"], report["removed"]) == (1, 1)


# --- watching


class Watched:
    """A watcher in a thread of its own, and its batches so far."""

    def __init__(self, engine: Engine, *folders: Path) -> None:
        self.batches: list[WatchBatch] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(engine, folders))
        self.thread.start()

    def _run(self, engine: Engine, folders: tuple[Path, ...]) -> None:
        for batch in watch(engine, folders, WatchOptions(), stop=self.stop):
            self.batches.append(batch)

    def next(self, n: int) -> WatchBatch:
        """The ``n``-th batch, counted from 0."""
        for _ in range(600):
            if len(self.batches) > n:
                return self.batches[n]
            time.sleep(0.05)
        raise AssertionError(f"no batch {n}: {self.batches}")

    def close(self) -> None:
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def engine(tmp_path, encoder):
    with Engine.open(Settings(home=tmp_path / "home", encoder=ENCODER)) as engine:
        engine.components.encoder = encoder
        yield engine


def test_a_watched_folder_is_kept_in_step_and_a_move_costs_no_encode(engine, photos, encoder):
    watched = Watched(engine, photos)
    try:
        assert watched.next(0).report.added == 6
        draw(photos / "new.png", 60)
        assert watched.next(1).report.added == 1
        (photos / "new.png").rename(photos / "rome" / "moved.png")
        assert watched.next(2).report.moved == 1
        draw(photos / "@eaDir" / "thumb.png", 61)
        (photos / "rome" / "notes.txt").write_text("no picture")
        (photos / "rome" / "moved.png").unlink()
        assert watched.next(3).report.removed == 1
        assert encoder.images_encoded == 7
    finally:
        watched.close()


def test_what_an_ignore_file_takes_in_again_is_watched(engine, photos):
    (photos / ".ipcirignore").write_text("!@eaDir/\n")
    draw(photos / "@eaDir" / "first.png", 62)
    watched = Watched(engine, photos)
    try:
        assert watched.next(0).report.added == 7
        draw(photos / "@eaDir" / "second.png", 63)
        assert watched.next(1).report.added == 1
    finally:
        watched.close()


def test_a_folder_that_was_named_is_watched_inside_one_that_leaves_it_out(engine, photos):
    engine.index([photos / "rome"])
    watched = Watched(engine, photos)
    watched.close()
    engine.index([photos], exclude=["rome/"])
    watched = Watched(engine, photos)
    try:
        watched.next(0)
        draw(photos / "rome" / "new.png", 64)
        assert watched.next(1).report.added == 1
    finally:
        watched.close()


def test_a_watched_folder_that_vanishes_is_waited_for(engine, photos):
    watched = Watched(engine, photos)
    try:
        watched.next(0)
        photos.rename(photos.with_name("away"))
        assert watched.next(1).waiting_for == (str(photos),)
        assert engine.catalog.size() == 6
        draw(photos.with_name("away") / "new.png", 70)
        photos.with_name("away").rename(photos)
        back = watched.next(2)
        assert (back.waiting_for, back.report.added, back.report.removed) == ((), 1, 0)
    finally:
        watched.close()


def test_a_folder_to_watch_that_never_was_is_refused(engine, photos):
    with pytest.raises(NotFoundError, match="does not exist"):
        watch(engine, [photos / "nowhere"])


def test_ctrl_c_ends_watching_with_a_summary(ipcir, photos, monkeypatch):
    def interrupted(*_, **__):
        yield WatchBatch(report=None, waiting_for=("/mnt/usb",))
        raise KeyboardInterrupt

    monkeypatch.setattr("ipcir_tools.engine.watching.watch", interrupted)
    ended = ipcir("watch", "photos", "--json")
    assert ended.status == 0
    first, last = map(json.loads, ended.out.splitlines())
    assert first["waiting_for"] == ["/mnt/usb"]
    assert last["ended"] == {"batches": 1, "added": 0, "moved": 0, "removed": 0}
    assert "/mnt/usb is gone" in ipcir("watch", "photos").out


# --- programs


def test_programs_get_typed_values_and_one_line_for_a_wrong_argument(engine, photos):
    engine.index([photos], exclude=["rome"])
    (folder,) = engine.folders()
    assert (folder.path, folder.exclude, folder.pictures, folder.files) == (str(photos), ("rome",), 3, 3)
    assert folder.seen
    with pytest.raises(InvalidRequestError, match="takes a list"):
        engine.remove(str(photos))
    with pytest.raises(NotFoundError):
        engine.remove([photos / "rome"])
