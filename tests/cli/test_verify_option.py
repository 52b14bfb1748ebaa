"""``--verify``: read as it is typed, and shown as a column where hits were verified."""

from __future__ import annotations

import pytest
from colour_folder import run
from rich.console import Console

from ipcir_tools.cli.options import SearchFlags
from ipcir_tools.cli.output import results
from ipcir_tools.engine.validation import checked_query
from ipcir_tools.types import ComposedQuery, Hit, SearchResult, Turn


@pytest.mark.parametrize(("typed", "read"), [("auto", "auto"), ("off", 0), ("20", 20), ("llm:5", "llm:5")])
def test_it_is_read_as_it_is_typed(typed, read):
    assert checked_query("aaaa", "in blue", SearchFlags(verify=typed).options()).verify == read


def test_a_wrong_one_is_refused_in_one_line(monkeypatch, capsys, tmp_path):
    (tmp_path / "home").mkdir()
    code, out, err = run(monkeypatch, capsys, "mcp", "--verify", "sometimes", "--home", tmp_path / "home")
    assert (code != 0, out) == (True, "")
    assert "auto, off, a number of hits up to 100" in " ".join(err.split())


def test_the_table_has_a_column_only_where_hits_were_verified(monkeypatch, capsys):
    monkeypatch.setattr(results, "out", Console(highlight=False, width=160))
    hits = [Hit(id=f"{n:016x}", rank=n, score=0.5, source=f"{n}.png") for n in (1, 2)]

    def lines(*hits: Hit) -> list[str]:
        query = ComposedQuery(reference="aaaa", modification="in blue")
        turn = Turn(id="t1", query=query, hits=hits, created="2026-01-01T00:00:00+00:00")
        results.show_result(SearchResult(turn=turn))
        return capsys.readouterr().out.splitlines()

    assert "verified" not in "\n".join(lines(*hits))
    shown = lines(hits[0].model_copy(update={"verified": -2.5}), hits[1])
    assert shown[1].split() == ["rank", "score", "image", "text", "verified", "id", "picture"]
    assert shown[2].split() == ["1", "0.500", "-2.50", f"{1:016x}", "1.png"]
    results.show_hit(hits[0].model_copy(update={"verified": -2.5}))
    assert "verified -2.50" in capsys.readouterr().out
