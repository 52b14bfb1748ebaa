"""What happens in one run, and which promises must hold after it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from damage import KINDS
from whole_gallery import opened, settings

from chaos.children import Limits, Say, in_child, some_kill
from chaos.gallery import Place, Prepared, promise
from ipcir_tools.engine.upkeep import check_gallery
from ipcir_tools.store import database
from ipcir_tools.store.backups import back_up, restore
from ipcir_tools.store.working_copy import CATALOG

Scenario = Callable[[Place, Prepared], None]
SCENARIOS: dict[str, tuple[Scenario, int]] = {}
"""By name: what happens, and how often among the others."""


def scenario(weight: int) -> Callable[[Scenario], Scenario]:
    """Adds a function to the table."""

    def add(run: Scenario) -> Scenario:
        SCENARIOS[run.__name__.replace("_", " ")] = run, weight
        return run

    return add


def ends_with_all(place: Place, prepared: Prepared) -> None:
    """Nothing is damaged, and after the next index run all pictures are found as if nothing had happened."""
    place.check()
    place.index_again()
    promise(place.hits() == prepared.hits_of_all, "after the next index run searches find something else")


def stays(place: Place, prepared: Prepared) -> None:
    """Nothing is damaged, and searches find what they found before."""
    place.check()
    promise(place.hits() == prepared.hits, "searches find something else")


# --- kills


def indexing(place: Place, captions: bool) -> Callable[[Any, Say], Any]:
    """An index run that says how many files it has committed."""

    def work(engine: Any, say: Say) -> Any:
        def progress(what: str, done: int, _total: int) -> None:
            if what == "indexing":
                say(done)

        engine.components.settings = engine.settings.model_copy(update={"batch_size": 2})
        return engine.index([place.pictures], captions=captions, progress=progress)

    return work


@scenario(22)
def kill_index(place: Place, prepared: Prepared) -> None:
    place.draw_more()
    ended = place.child(indexing(place, captions=place.dice.random() < 0.5), some_kill(place.dice, 160, 0.6))
    promise(not ended.error, f"indexing ended in {ended.error}")
    done = max(ended.said, default=0)
    size = place.child(lambda engine, _: engine.catalog.size()).value
    promise(size >= 18 + min(done, 9), f"{done} pictures were committed, and the gallery has {size}")
    ends_with_all(place, prepared)


@scenario(12)
def kill_first_index(place: Place, prepared: Prepared) -> None:
    shutil.rmtree(place.home)
    place.draw_more()
    place.child(indexing(place, captions=True), some_kill(place.dice, 250, 0.8))
    if (place.home / CATALOG).exists():
        place.check()
    place.index_again()
    promise(place.hits() == prepared.hits_of_all, "after the next index run searches find something else")


def searching(engine: Any, say: Say) -> None:
    for n in range(40):
        say(engine.find(f"a red shirt number {n}").turn.id)


def refining(engine: Any, say: Say) -> None:
    turn = engine.turns(1)[0].id
    for n in range(40):
        turn = engine.refine(turn, f"with {n + 2} stripes").turn.id
        say(turn)


def by_mcp(engine: Any, say: Say) -> None:
    from mcp import Client

    from ipcir_tools.agents.mcp_server import build_server

    async def call() -> None:
        async with Client(build_server(engine)) as client:
            for n in range(20):
                found = await client.call_tool("find_images", {"text": f"a blue shirt {n}"})
                promise(not found.is_error, f"a tool answered {found.content}")
                say(found.structured_content["turn"])

    asyncio.run(call())


def kill(place: Place, prepared: Prepared, work: Callable[[Any, Say], None], limits: Limits) -> None:
    ended = place.child(work, limits)
    promise(not ended.error, f"it ended in {ended.error}")
    place.has_turns(ended.said)
    stays(place, prepared)


@scenario(14)
def kill_search(place: Place, prepared: Prepared) -> None:
    kill(place, prepared, searching, some_kill(place.dice, 120, 0.5))


@scenario(14)
def kill_refine(place: Place, prepared: Prepared) -> None:
    kill(place, prepared, refining, some_kill(place.dice, 160, 0.5))


@scenario(8)
def kill_mcp(place: Place, prepared: Prepared) -> None:
    kill(place, prepared, by_mcp, some_kill(place.dice, 70, 2.5))


@scenario(6)
def kill_chroma_index(place: Place, prepared: Prepared) -> None:
    limits = some_kill(place.dice, 60, 1.0)
    ended = place.child(lambda engine, _: engine.gallery.collection(), limits)
    promise(ended.killed or not ended.error or "pickle" in ended.error, f"it ended in {ended.error}")
    stays(place, prepared)


@scenario(8)
def kill_migration(place: Place, prepared: Prepared) -> None:
    with closing(sqlite3.connect(place.home / CATALOG)) as connection, connection:
        for table in ("pictures", "files", "folders", "features", "captions", "replies", "turns"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
        connection.execute("UPDATE meta SET value = '4' WHERE key = 'schema'")
    place.child(lambda engine, _: engine.catalog.size(), some_kill(place.dice, 120, 0.3))
    stays(place, prepared)


# --- damage


def damaged(place: Place, names: list[str]) -> None:
    for name in names:
        with suppress(sqlite3.Error, ValueError, AssertionError, TypeError):  # the second finds no row to damage
            KINDS[name].damage(place.home)


def _kinds() -> list[str]:
    return [name for name, each in KINDS.items() if "graph" not in name and " index" not in name]


@scenario(14)
def damage(place: Place, prepared: Prepared) -> None:
    damaged(place, place.dice.sample(_kinds(), place.dice.choice([1, 1, 2])))
    place.child(lambda engine, _: engine.find("a red shirt"))
    place.check(repair=True, may_be_wrong=())
    promise(place.hits() == prepared.hits, "after the repair searches find something else")


@scenario(8)
def kill_repair(place: Place, prepared: Prepared) -> None:
    damaged(place, [place.dice.choice(_kinds())])
    check = lambda _: check_gallery(settings(place.home), repair=True, open_engine=opened)  # noqa: E731
    in_child(check, some_kill(place.dice, 150, 0.8))
    place.check(repair=True, may_be_wrong=())
    promise(place.hits() == prepared.hits, "after the second repair searches find something else")


@scenario(8)
def kill_restore(place: Place, prepared: Prepared) -> None:
    file = place.root / "backup"
    file.unlink(missing_ok=True)
    in_child(lambda _: back_up(settings(place.home), file))
    turn = place.child(lambda engine, _: engine.find("after the backup").turn.id).value
    in_child(
        lambda _: restore(settings(place.home), file, replace=True), Limits(seconds=place.dice.uniform(0.001, 0.2))
    )
    stays(place, prepared)
    ended = place.child(lambda engine, _: engine.turn(turn).id)
    kept = list(place.home.glob(f"{CATALOG}.before-restore-*"))
    promise(ended.value == turn or kept, "neither the catalog before nor the backup is there")


# --- full disks


@contextmanager
def full_disk(place: Place) -> Iterator[Limits]:
    """A home on a small file system of its own, which is full but for some kilobytes; else a limit on files."""
    left = place.dice.choice([0, 20_000, 60_000, 200_000])
    size = sum(path.stat().st_size for path in place.home.rglob("*") if path.is_file())
    if os.geteuid() or subprocess.run(["mount", "--version"], capture_output=True, check=False).returncode:
        largest = max(path.stat().st_size for path in place.home.rglob("*") if path.is_file())
        yield Limits(file_bytes=largest + left)
        return
    aside = place.root / "aside"
    place.home.rename(aside)
    place.home.mkdir()
    options = f"size={size + 400_000}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place.home], check=False).returncode == 0
    try:
        shutil.copytree(aside, place.home, dirs_exist_ok=True)
        if mounted:
            free = os.statvfs(place.home)
            with (place.home / "filler").open("wb") as stream:
                stream.write(bytes(max(0, free.f_bavail * free.f_frsize - left)))
        yield Limits()
    finally:
        (place.home / "filler").unlink(missing_ok=True)
        shutil.rmtree(aside)
        shutil.copytree(place.home, aside)
        if mounted:
            subprocess.run(["umount", place.home], check=True)
        shutil.rmtree(place.home)
        aside.rename(place.home)


def typed(error: str) -> bool:
    """Whether a child's traceback ends in an error of the package."""
    return not error or error.strip().splitlines()[-1].startswith("ipcir_tools.errors.")


@scenario(10)
def full_disk_index(place: Place, prepared: Prepared) -> None:
    place.draw_more()
    with full_disk(place) as limits:
        ended = place.child(indexing(place, captions=True), limits)
        promise(typed(ended.error), f"indexing ended in {ended.error}")
    ends_with_all(place, prepared)


@scenario(10)
def full_disk_search(place: Place, prepared: Prepared) -> None:
    def search(engine: Any, say: Say) -> None:
        for n in range(6):
            found = engine.find(f"a green shirt {n}")
            promise(found.hits, "nothing is found")
            if not any("not stored" in text for text in found.warnings):
                say(found.turn.id)

    with full_disk(place) as limits:
        ended = place.child(search, limits)
        promise(typed(ended.error), f"a search ended in {ended.error}")
    place.has_turns(ended.said)
    stays(place, prepared)


# --- clocks and files


@scenario(10)
def clock_jumps(place: Place, prepared: Prepared) -> None:
    jumps = [place.dice.choice([-(10**6), -86_400, -3_600, -1, 1, 3_600, 10**8]) for _ in range(4)]

    def search(engine: Any, say: Say) -> None:
        turn = engine.turns(1)[0].id
        for jump in jumps:
            _set_clock(jump)
            turn = engine.refine(turn, "in green").turn.id
            say(turn)
            say(engine.find("a blue shirt").turn.id)
        promise(len(engine.catalog.path(turn)) >= len(jumps), "the path is cut")

    for path in place.dice.sample(sorted(place.home.rglob("*")), 2):
        moment = time.time() + place.dice.choice(jumps)
        os.utime(path, (moment, moment))
    ended = place.child(search)
    promise(not ended.error, f"it ended in {ended.error}")
    place.has_turns(ended.said)
    stays(place, prepared)
    place.draw_more()
    for path in place.pictures.glob("purple*"):
        os.utime(path, (jumps[0] % 10**9, jumps[1] % 10**9))
    ends_with_all(place, prepared)


def _set_clock(seconds: float) -> None:
    from ipcir_tools.engine import turn

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz or UTC) + timedelta(seconds=seconds)

    turn.datetime = Shifted  # type: ignore[misc]


@scenario(12)
def vanishing_files(place: Place, prepared: Prepared) -> None:
    place.draw_more()
    new = sorted(path for path in place.pictures.iterdir() if path.stem.split("-")[0] in ("purple", "brown", "grey"))
    plan = [(place.dice.choice(["delete", "move", "cut", "swap"]), path) for path in place.dice.sample(new, 5)]
    pause = place.dice.uniform(0, 0.02)

    def index(engine: Any, say: Say) -> Any:
        def change() -> None:
            for way, path in plan:
                time.sleep(pause)
                _change(way, path)

        changing = threading.Thread(target=change)
        changing.start()
        report = indexing(place, captions=True)(engine, say)
        changing.join()
        return report

    ended = place.child(index)
    promise(typed(ended.error), f"indexing ended in {ended.error}")
    place.check()
    place.draw_more()
    for path in place.pictures.glob("moved-*"):
        path.unlink()
    ends_with_all(place, prepared)


def _change(way: str, path: Path) -> None:
    if way == "delete":
        path.unlink()
    elif way == "move":
        path.rename(path.with_name(f"moved-{path.name}"))
    elif way == "cut":
        path.write_bytes(path.read_bytes()[:30])
    else:
        path.write_bytes(path.with_name("red-0.png").read_bytes())


@scenario(8)
def vanishing_index(place: Place, prepared: Prepared) -> None:
    """What is made from the catalog is deleted while it is used."""

    def search(engine: Any, say: Say) -> None:
        for n in range(6):
            if n == 2:
                shutil.rmtree(place.home / "index")
            promise(engine.find(f"a grey shirt {n}").hits, "nothing is found")

    ended = place.child(search)
    promise(not ended.error, f"a search ended in {ended.error}")
    place.check(repair=True)
    stays(place, prepared)


@scenario(8)
def two_writers(place: Place, prepared: Prepared) -> None:
    """Two index runs and a search at once, one run killed."""
    place.draw_more()
    limits = some_kill(place.dice, 160, 0.6)
    ends: list[Any] = []
    index = indexing(place, captions=True)
    works: list[tuple[Any, Limits]] = [(index, limits), (index, Limits()), (searching, Limits())]
    threads = [threading.Thread(target=lambda each=each: ends.append(place.child(*each))) for each in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ended in ends:
        promise(typed(ended.error), f"it ended in {ended.error}")
    place.has_turns([each for ended in ends for each in ended.said if isinstance(each, str)])
    ends_with_all(place, prepared)


@scenario(6)
def a_long_writer(place: Place, prepared: Prepared) -> None:
    """Another program holds the write lock: searches answer, and say that their turns are not stored."""
    with closing(sqlite3.connect(place.home / CATALOG, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")

        def search(engine: Any, say: Say) -> None:
            found = engine.find("a red shirt")
            promise(found.hits and any("not stored" in text for text in found.warnings), "it was not said")
            promise(engine.refine(found.turn.id, "in blue").hits, "it cannot be refined")

        def work(say: Say) -> None:
            database.SEARCH_SECONDS = 0.2
            with opened(settings(place.home)) as engine:
                search(engine, say)

        ended = in_child(work)
        connection.execute("ROLLBACK")
    promise(not ended.error, f"a search ended in {ended.error}")
    stays(place, prepared)
