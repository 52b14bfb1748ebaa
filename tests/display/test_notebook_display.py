"""How results and turns show themselves in a terminal and in a notebook."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

from IPython.core.formatters import DisplayFormatter
from PIL import Image

from ipcir_tools.display.notebook import SIDE, register, report_html, result_html, target_html, turn_html
from ipcir_tools.types import (
    ComposedQuery,
    Hit,
    ImaginedTarget,
    IndexReport,
    Judgement,
    NotedReference,
    SearchResult,
    Skip,
    Turn,
)

HOSTILE = "</div><script>alert('x')</script>\n\x1b[31m\u202ered"


def result_of(folder: Path, *, colours: tuple[str, ...] = ("red", "blue"), caption: str | None = None) -> SearchResult:
    hits = []
    for rank, colour in enumerate(colours, start=1):
        path = folder / f"{colour}.png"
        Image.new("RGB", (400, 200), colour).save(path)
        hits.append(Hit(id=f"{rank:016x}", rank=rank, score=1 / rank, source=str(path), caption=caption))
    turn = Turn(
        id="t1",
        query=ComposedQuery(reference="f" * 16, modification="in blue"),
        reference_source=str(folder / "gone.png"),
        caption=caption,
        imagined=ImaginedTarget(description="a blue dress", origin="rules"),
        hits=tuple(hits),
        created="2026-01-01T00:00:00+00:00",
    )
    return SearchResult(turn=turn, warnings=("the model slept",))


def pictures_in(html: str) -> list[Image.Image]:
    found = re.findall(r"src='data:image/jpeg;base64,([^']+)'", html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def test_a_terminal_shows_what_was_asked_and_one_line_a_hit(tmp_path: Path):
    lines = repr(result_of(tmp_path)).splitlines()
    assert lines[0] == f'turn t1: reference {"f" * 16}, "in blue"'
    assert lines[1] == "  imagined by rules: a blue dress"
    assert [line.split()[:3] for line in lines[2:4]] == [["1.", f"{1:016x}", "1.000"], ["2.", f"{2:016x}", "0.500"]]
    assert lines[2].endswith("red.png")
    assert lines[4] == "  warning: the model slept"
    assert str(result_of(tmp_path)) == repr(result_of(tmp_path))


def test_a_notebook_shows_the_pictures_in_their_order(tmp_path: Path):
    shown = pictures_in(result_html(result_of(tmp_path)))
    assert [picture.size for picture in shown] == [(SIDE, SIDE // 2)] * 2
    red, blue = (picture.convert("RGB").getpixel((40, 40)) for picture in shown)
    assert red[0] > 200 > red[2]
    assert blue[2] > 200 > blue[0]


def test_several_references_are_shown_with_what_is_meant_of_each(tmp_path: Path):
    result = result_of(tmp_path)
    query = result.turn.query.model_copy(update={"others": (NotedReference(id="e" * 16, note=HOSTILE),)})
    turn = result.turn.model_copy(update={"query": query, "other_sources": (str(tmp_path / "red.png"),)})
    html = turn_html(turn)
    assert len(pictures_in(html)) == 3
    assert html.count("<b>reference</b>") == 2
    assert "&lt;script" in html
    assert "<script" not in html
    assert repr(turn).splitlines()[0].startswith(f"turn t1: reference {'f' * 16}, reference {'e' * 16} (</div>")


def test_the_words_that_stay_come_and_go_are_told_apart(tmp_path: Path):
    imagined = ImaginedTarget(
        description="a blue dress", keep=("dress",), add=("blue",), remove=(HOSTILE,), origin="person"
    )
    html = turn_html(result_of(tmp_path).turn.model_copy(update={"imagined": imagined}))
    assert re.findall(r"class='chip (\w+)'", html) == ["keep", "add", "remove"]
    assert "edited by a person" in html
    assert re.findall(r"class='chip (\w+)'", target_html(imagined)) == ["keep", "add", "remove"]
    assert "<script" not in html


def test_an_index_run_is_a_sentence_with_what_was_skipped():
    report = IndexReport(
        seen=4,
        added=2,
        unchanged=1,
        moved=0,
        removed=0,
        skipped=(Skip(source="/x/bad.png", reason=HOSTILE),),
        space="s",
        seconds=1.25,
    )
    html = report_html(report)
    assert "<b>2 pictures added, 1 unchanged, 1 skipped</b>" in html
    assert "of 4 files, in 1.2 s" in html
    assert "bad.png: &lt;/div" in html


def test_a_verified_hit_says_so(tmp_path: Path):
    turn = result_of(tmp_path).turn
    hits = (turn.hits[0].model_copy(update={"verified": -3.2}), turn.hits[1])
    html = turn_html(turn.model_copy(update={"hits": hits}))
    assert html.count("verified") == html.count("1.000 verified -3.20 red.png") == 1


def test_what_cannot_be_opened_is_an_empty_box_with_its_name(tmp_path: Path):
    result = result_of(tmp_path)
    (tmp_path / "red.png").unlink()
    (tmp_path / "blue.png").write_bytes(b"no picture")
    html = result_html(result)
    assert not pictures_in(html)
    assert "red.png" in html
    assert "gone.png" in html


def test_texts_from_files_stay_texts(tmp_path: Path):
    result = result_of(tmp_path, caption=HOSTILE)
    judged = Judgement(edit=9, preservation=7.5, reason=HOSTILE)
    hit = result.turn.hits[0].model_copy(update={"judged": judged})
    html = turn_html(result.turn.model_copy(update={"hits": (hit,)}))
    assert "<script" not in html
    assert "edit 9, kept 7.5" in html
    for text in (html, repr(result)):
        assert not {"\x1b", "\u202e"} & set(text)
    assert len(repr(result).splitlines()) == 5


def test_a_long_list_is_cut_and_says_so(tmp_path: Path):
    turn = result_of(tmp_path).turn
    many = turn.model_copy(update={"hits": turn.hits * 15})
    assert "and 10 more" in repr(many)
    assert len(pictures_in(turn_html(many))) == 20


def test_no_hits_are_reported(tmp_path: Path):
    turn = result_of(tmp_path).turn.model_copy(update={"hits": ()})
    assert "no hits" in repr(turn)
    assert "no hits" in turn_html(turn)


def test_showing_is_no_part_of_the_data(tmp_path: Path):
    result = result_of(tmp_path)
    assert SearchResult.model_validate_json(result.model_dump_json()) == result


def test_ipython_shows_text_and_images(tmp_path: Path):
    formatter = DisplayFormatter()
    formatter.active_types = ["text/plain", "text/html"]
    register(formatter)
    for value, html in ((result := result_of(tmp_path), result_html), (result.turn, turn_html)):
        data, _ = formatter.format(value)
        assert data["text/plain"] == repr(value)
        assert data["text/html"] == html(value)
