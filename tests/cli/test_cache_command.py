"""``ipcir cache``: what it shows of the kept replies, and what it deletes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration
from rich.console import Console

from ipcir_tools.cli import main
from ipcir_tools.cli.output import cache
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.langchain_cache import CatalogCache
from ipcir_tools.types import Reply

NASTY = "a [bold]blue[/] :smile: \x1b[31mshirt\x07\nwith größe \u202e"


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path) -> Run:
    """``ipcir cache`` over the home of this test, on a terminal that is ``width`` wide, with ``typed`` on its input."""

    def run(*arguments: str, typed: str = "", width: int = 140) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ipcir", "cache", *arguments, "--home", str(tmp_path / "home")])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        monkeypatch.setattr(cache, "out", Console(highlight=False, width=width))
        with pytest.raises(SystemExit) as ended:
            main.main()
        shown = capsys.readouterr()
        return Ended(int(ended.value.code or 0), shown.out, shown.err)

    return run


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


@pytest.fixture
def home(tmp_path) -> Path:
    """Six replies: three imaginations, two questions, and one that LangChain's cache keeps."""
    with Catalog.open(tmp_path / "home") as catalog:
        cost = {"calls": 2, "input_tokens": 1_000, "output_tokens": 234}
        made = {"kind": "imagine", "model": "openai:gpt-x", "prompt": "imagine.simple@1#01234567"}
        catalog.put_reply("aaaa" * 16, Reply(text=NASTY, created=days_ago(1), repairs=1, seconds=0.25, **made, **cost))
        catalog.put_reply("aabb" * 16, Reply(text="a red shirt", created=days_ago(40), **made, **cost))
        catalog.put_reply("bbbb" * 16, Reply(text="of long ago", kind="imagine"))
        catalog.put_reply("cccc" * 16, Reply(text="blue?", kind="ask", created=days_ago(3)))
        catalog.put_reply("dddd" * 16, Reply(text="red?", kind="ask", created=days_ago(50)))
        catalog.put_captions({"1": "a shirt", "2": "a hat"}, "blip")
        message = AIMessage("I look", tool_calls=[{"name": "find", "args": {"text": "hats"}, "id": "1"}])
        CatalogCache(catalog).update("prompt", "{'model': 'llama'}", [ChatGeneration(message=message)])
    return tmp_path / "home"


def kept(home: Path) -> set[str]:
    with Catalog.open(home) as catalog:
        return {key[:4] if reply.kind != "llm" else "llm" for key, reply in catalog.replies(limit=100)}


ALL = {"aaaa", "aabb", "bbbb", "cccc", "dddd", "llm"}


def rows(shown: str) -> list[list[str]]:
    return [line.split() for line in shown.splitlines()]


# --- what is kept


def test_the_table(run, home):
    status, shown, errors = run()
    assert (status, errors) == (0, "")
    head, *table, last = rows(shown)
    assert head == ["kind", "model", "replies", "bytes", "calls", "tokens", "oldest", "newest"]
    day = {n: days_ago(n)[:10] for n in (1, 3, 40, 50)}
    assert table[:3] == [
        ["ask", "-", "2", "9", "B", "-", "0", day[50], day[3]],
        ["imagine", "-", "1", "11", "B", "-", "0", "-", "-"],
        ["imagine", "openai:gpt-x", "2", str(len(NASTY.encode()) + 11), "B", "4", "2,468", day[40], day[1]],
    ]
    assert table[3][:3] == ["llm", "llama", "1"]
    assert " ".join(last) == "also stored: 0 features and 2 captions"


def test_the_columns_align_and_no_figure_is_cut_off(run, home):
    for width in (80, 140):
        lines = run(width=width).out.splitlines()[:-1]
        assert {len(line) for line in lines if line.strip()} <= {width, len(lines[0])}
        assert "…" not in "".join(lines)


def test_the_table_as_json(run, home):
    document = json.loads(run("--json").out)
    assert (document["features"], document["captions"]) == (0, 2)
    assert [(each["kind"], each["model"], each["replies"]) for each in document["replies"]] == [
        ("ask", "", 2),
        ("imagine", "", 1),
        ("imagine", "openai:gpt-x", 2),
        ("llm", "llama", 1),
    ]
    names = ["kind", "model", "replies", "bytes", "calls", "input_tokens", "output_tokens", "oldest", "newest"]
    assert all(list(each) == names for each in document["replies"])
    assert document["replies"][2]["calls"] == 4


def test_an_empty_home_says_so(run):
    assert "no replies are stored in" in run().out
    assert "--llm" in run("list").out
    assert run("clear").out == "there is nothing to delete\n"
    assert json.loads(run("--json").out) == {"replies": [], "features": 0, "captions": 0}
    assert json.loads(run("list", "--json").out) == {"replies": []}
    assert json.loads(run("clear", "--yes", "--json").out) == {"deleted": 0}


def test_the_list_is_newest_first(run, home):
    head, *listed = rows(run("list").out)
    assert head == ["key", "made", "kind", "model", "tokens", "reply"]
    assert [row[0][:4] for row in listed[1:]] == ["aaaa", "cccc", "aabb", "dddd", "bbbb"]
    assert " ".join(listed[0][3:]) == 'llm llama 0 I look find({"text": "hats"})'
    assert [row[0][:4] for row in rows(run("list", "--kind", "ask", "-n", "1").out)[1:]] == ["cccc"]
    assert run("list", "--kind", "rerank").out.startswith("no replies of kind rerank")


def test_the_list_has_one_line_for_each_on_a_narrow_terminal(run, home):
    lines = run("list", width=80).out.splitlines()
    assert len(lines) == 1 + len(ALL)
    assert all(len(line) <= 80 for line in lines)
    assert "aaaaaaaaaaaa" in lines[2]


def test_the_list_as_json(run, home):
    listed = json.loads(run("list", "--json", "--kind", "imagine").out)["replies"]
    assert [each["key"][:4] for each in listed] == ["aaaa", "aabb", "bbbb"]
    assert list(listed[0]) == ["key", *Reply.model_fields]
    assert listed[0]["text"] == NASTY


# --- one reply


def test_one_reply_whole(run, home):
    shown = run("show", "aaaa").out
    facts, _, text = shown.partition("\n\n")
    assert {line.split()[0]: line.split(maxsplit=1)[1] for line in facts.splitlines() if "made" not in line} == {
        "key": "aaaa" * 16,
        "kind": "imagine",
        "model": "openai:gpt-x",
        "prompt": "imagine.simple@1#01234567",
        "calls": "2, 1 of them to repair it",
        "took": "0.25 s",
        "tokens": "1,000 in, 234 out",
    }
    assert text == "a [bold]blue[/] :smile: \\x1b[31mshirt\\x07\nwith größe \\u202e\n"
    assert json.loads(run("show", "aaaa", "--json").out)["text"] == NASTY


def test_a_reply_of_which_little_is_known(run, home):
    facts = {row[0]: " ".join(row[1:]) for row in rows(run("show", "bbbb").out) if row}
    assert (facts["calls"], facts["made"], facts["prompt"]) == ("-", "not known", "-")


def test_a_reply_that_langchain_keeps_is_shown_as_its_content(run, home):
    [(key, _)] = Catalog.open(home).replies("llm")
    assert run("show", key).out.endswith('\n\nI look\nfind({"text": "hats"})\n')


def test_nothing_that_a_model_wrote_reaches_the_terminal_raw(run, home):
    evil = "\x1b]0;x\x07[red]"
    with Catalog.open(home) as catalog:
        catalog.put_reply("eeee" + evil, Reply(text=evil, kind=evil, model=evil, prompt=evil, created=evil * 3))
    for command in ((), ("list",), ("show", "eeee")):
        status, shown, _ = run(*command)
        assert status == 0
        assert "\\x1b" in shown
        assert "[red]" in shown
        assert not {"\x1b", "\x07"} & set(shown)


# --- deleting


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ((), set()),
        (("--kind", "ask"), {"aaaa", "aabb", "bbbb", "llm"}),
        (("--kind", "llm"), ALL - {"llm"}),
        (("--older", "30d"), ALL - {"aabb", "dddd"}),
        (("--older", "2d"), {"aaaa", "bbbb", "llm"}),
        (("--older", "6w", "--kind", "ask"), ALL - {"dddd"}),
        (("--older", "80h"), ALL - {"aabb", "dddd"}),
        (("--older", "2000m", "--kind", "imagine"), ALL - {"aabb"}),
        (("--kind", "rerank"), ALL),
        (("--model", "openai:gpt-x"), ALL - {"aaaa", "aabb"}),
        (("--model", "gpt-x", "--older", "2d"), ALL - {"aabb"}),
        (("--model", "llama", "--kind", "llm"), ALL - {"llm"}),
        (("--prompt", "imagine.simple"), ALL - {"aaaa", "aabb"}),
        (("--prompt", "imagine.simple@1"), ALL - {"aaaa", "aabb"}),
        (("--prompt", "imagine.simple@1#01234567"), ALL - {"aaaa", "aabb"}),
        (("--prompt", "imagine.simple", "--kind", "ask"), ALL),
    ],
)
def test_clearing(run, home, arguments, left):
    status, shown, errors = run("clear", *arguments, "--yes")
    deleted = len(ALL - left)
    expected = {0: "there is nothing to delete", 1: "1 reply deleted"}.get(deleted, f"{deleted} replies deleted")
    assert (status, shown, errors) == (0, expected + "\n", "")
    assert kept(home) == left
    assert json.loads(run("--json").out)["captions"] == 2


def test_it_asks_before_it_deletes(run, home):
    declined = run("clear", "--kind", "ask", "--older", "30d", typed="n\n")
    assert (declined.status, declined.out) == (1, "")
    assert f"Delete 1 reply of kind ask older than 30d from {home}? [y/N]" in declined.err
    assert "nothing was deleted" in declined.err
    assert kept(home) == ALL
    assert run("clear", "--kind", "ask", typed="y\n").out == "2 replies deleted\n"
    assert kept(home) == ALL - {"cccc", "dddd"}


def test_without_an_answer_nothing_is_deleted(run, home):
    status, _, errors = run("clear", typed="")
    assert status == 2
    assert "Nothing was deleted" in errors
    assert "--yes" in errors
    assert kept(home) == ALL


def test_one_reply_is_deleted_by_its_key_and_nothing_is_asked(run, home):
    assert run("clear", "aabb").out == "1 reply deleted\n"
    assert kept(home) == ALL - {"aabb"}
    assert json.loads(run("clear", "cccc" * 16, "--json").out) == {"deleted": 1}
    assert kept(home) == ALL - {"aabb", "cccc"}
    again = run("clear", "aabb")
    assert (again.status, again.out) == (2, "")
    assert "ipcir cache list" in again.err


def test_the_question_says_what_would_be_deleted(run, home):
    asked = run("clear", "--model", "gpt-x", "--prompt", "imagine.simple", typed="n\n").err
    assert "Delete 2 replies by gpt-x to the prompt imagine.simple from" in asked
    assert [row[0][:4] for row in rows(run("list", "--model", "gpt-x", "--prompt", "imagine.simple").out)[1:]] == [
        "aaaa",
        "aabb",
    ]


def test_a_part_of_a_models_name_is_not_its_name(run, home):
    with Catalog.open(home) as catalog:
        catalog.put_reply("ffff", Reply(text="x", kind="ask", model="openai:llama:8b"))
        catalog.put_reply("eeee", Reply(text="x", kind="ask", model="openai:100%_8b"))
    assert run("clear", "--model", "8b", "--yes").status == 2
    assert run("clear", "--model", "%", "--yes").status == 2
    assert run("clear", "--model", "llama:8b", "--yes").out == "1 reply deleted\n"
    assert run("clear", "--model", "100%_8b", "--yes").out == "1 reply deleted\n"


def test_deleting_as_json(run, home):
    assert run("clear", "--json", typed="y\n").status == 2
    assert kept(home) == ALL
    assert json.loads(run("clear", "--json", "--yes", "--kind", "ask").out) == {"deleted": 2}


# --- what makes no sense


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("clear", "--older", "soon"), "'soon'"),
        (("clear", "--older", "0d"), "30d"),
        (("clear", "--older", "-3d"), "'-3d'"),
        (("clear", "--older", "3"), "30d"),
        (("clear", "--older", "3y"), "30d"),
        (("clear", "--older", "٣d"), "30d"),
        (("clear", "--older", "999999w"), "30d"),
        (("clear", "--older", ""), "30d"),
        (("clear", "--kind", "imagin"), "imagine, ask, rerank, verify, llm"),
        (("clear", "--kind", ""), "imagine, ask, rerank, verify, llm"),
        (("list", "--kind", "IMAGINE"), "imagine, ask, rerank, verify, llm"),
        (("clear", "--model", "gpt-y"), "openai:gpt-x"),
        (("clear", "--prompt", "imagine.simpl"), "imagine.simple@1#01234567"),
        (("clear", "aabb", "--kind", "imagine"), "A key names one reply"),
        (("list", "-n", "0"), "-n"),
        (("list", "-n", "many"), "-n"),
        (("show", "aa"), "4+"),
        (("show", "aaaaab"), "ipcir cache list"),
        (("show", "\udcff\udcff\udcff\udcff"), "ipcir cache list"),
        (("--json", "list"), "behind the command"),
        (("tidy",), "tidy"),
    ],
)
def test_nonsense_is_refused_and_nothing_happens(run, home, arguments, named):
    status, shown, errors = run(*arguments, typed="y\n")
    assert (status, shown) == (2, "")
    assert named in " ".join(errors.replace("│", " ").split())
    assert "Traceback" not in errors
    assert kept(home) == ALL


def test_a_key_that_several_begin_with(run, home):
    with Catalog.open(home) as catalog:
        catalog.put_reply("aaaa" * 15 + "aaab", Reply(text="x", kind="ask"))
    status, _, errors = run("show", "aaaa")
    assert status == 2
    assert "Several replies begin with aaaa" in errors


def test_a_kind_of_another_package_is_accepted(run, home):
    with Catalog.open(home) as catalog:
        catalog.put_reply("ffff", Reply(text="x", kind="mine"))
    assert run("clear", "--kind", "mine", "--yes").out == "1 reply deleted\n"
