"""Contact sheets: what is where, and that nothing a user may do ends without a picture or one clear line."""

from __future__ import annotations

import pytest
from PIL import Image

from ipcir_tools.display.search_sheet import Strip, draw_sheet, save_sheet
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.images.contact_sheet import draw_numbered
from ipcir_tools.images.reading import image_id, read_pixels
from ipcir_tools.settings import Settings
from ipcir_tools.types import ComposedQuery, Hit, ImaginedTarget, NotedReference, SearchResult, Turn

SETTINGS = Settings()
RED, BLUE, GREEN_FRAME = (255, 0, 0), (0, 0, 255), (30, 140, 80)


@pytest.fixture
def pictures(tmp_path):
    for name, colour in (("red", RED), ("blue", BLUE)):
        Image.new("RGB", (64, 48), colour).save(tmp_path / f"{name}.png")
    return tmp_path


def strip(folder, hits=3, *, marked=(), modification="in blue", source="blue.png") -> Strip:
    turn = Turn(
        id="t1",
        query=ComposedQuery(reference="rrrr", modification=modification),
        reference_source=str(folder / "red.png"),
        imagined=ImaginedTarget(description="a blue picture", origin="rules"),
        hits=tuple(Hit(id=f"hit{i}", rank=i + 1, score=0.5, source=str(folder / source)) for i in range(hits)),
        created="2025-01-01T00:00:00+00:00",
    )
    return Strip(SearchResult(turn=turn), marked)


def count(sheet: Image.Image, colour: tuple[int, int, int]) -> int:
    """Pixels of exactly this colour."""
    return {value: n for n, value in sheet.getcolors(1 << 24)}.get(colour, 0)


def test_the_reference_is_there_once_and_each_hit_once(pictures):
    sheet = draw_sheet([strip(pictures, 3)], SETTINGS)
    assert count(sheet, BLUE) == 3 * count(sheet, RED) > 0


def test_several_references_stand_there_smaller_with_what_is_meant_of_each(pictures):
    one = strip(pictures, 0)
    others = tuple(NotedReference(id=f"o{i}", note="its long collar") for i in range(3))
    turn = one.result.turn
    several = turn.model_copy(
        update={
            "query": turn.query.model_copy(update={"others": others}),
            "other_sources": (str(pictures / "blue.png"),) * 3,
        }
    )
    sheet = draw_sheet([Strip(SearchResult(turn=several))], SETTINGS)
    assert count(sheet, BLUE) == 3 * count(sheet, RED) > 0
    assert sheet.width == draw_sheet([one], SETTINGS).width
    unnoted = several.query.model_copy(update={"others": tuple(NotedReference(id=each.id) for each in others)})
    plain = draw_sheet([Strip(SearchResult(turn=several.model_copy(update={"query": unnoted})))], SETTINGS)
    assert plain.size == sheet.size
    assert plain.tobytes() != sheet.tobytes(), "the notes are drawn"


def test_the_reference_stands_left_of_the_hits(pictures):
    sheet = draw_sheet([strip(pictures, 2)], SETTINGS)
    red = [x for x in range(sheet.width) if sheet.getpixel((x, 100)) == RED]
    blue = [x for x in range(sheet.width) if sheet.getpixel((x, 100)) == BLUE]
    assert max(red) < min(blue)


def test_marked_hits_are_framed(pictures):
    assert count(draw_sheet([strip(pictures)], SETTINGS), GREEN_FRAME) == 0
    one = count(draw_sheet([strip(pictures, marked={"hit1"})], SETTINGS), GREEN_FRAME)
    assert one > 1_000
    assert count(draw_sheet([strip(pictures, marked={"hit0", "hit1"})], SETTINGS), GREEN_FRAME) > 1.5 * one


def test_hits_break_into_lines_and_end_at_the_most(pictures):
    one, two = (draw_sheet([strip(pictures, n)], SETTINGS, columns=5) for n in (5, 15))
    assert two.width == one.width
    assert two.height > one.height
    assert count(draw_sheet([strip(pictures, 9)], SETTINGS, most=4), BLUE) == 4 * count(one, RED)


def test_searches_stand_one_below_the_other(pictures):
    single = draw_sheet([strip(pictures)], SETTINGS)
    assert draw_sheet([strip(pictures)] * 3, SETTINGS).size == (single.width, 3 * single.height)


def test_a_search_without_hits_still_shows_its_reference(pictures):
    assert count(draw_sheet([strip(pictures, 0)], SETTINGS), RED) > 0


def test_a_file_that_is_gone_or_broken_leaves_a_square_with_its_reason(pictures):
    (pictures / "broken.png").write_bytes(b"no picture")
    for source in ("gone.png", "broken.png"):
        sheet = draw_sheet([strip(pictures, 1, source=source)], SETTINGS)
        assert count(sheet, (236, 234, 230)) > 10_000
        assert count(sheet, RED) > 0


def test_pictures_by_id_stand_row_by_row_with_what_cannot_be_shown_in_its_place(pictures):
    red, blue = (read_pixels(str(pictures / f"{name}.png"), SETTINGS) for name in ("red", "blue"))
    sheet = draw_numbered({"a": red, "b": "the file is gone", "c": blue, "d": red}, columns=3)
    assert count(sheet, RED) == 2 * count(sheet, BLUE) > 0
    assert count(sheet, (236, 234, 230)) > 10_000
    places = {colour: where(sheet, colour) for colour in (RED, BLUE)}
    assert {(x * 3 // sheet.width, y * 2 // sheet.height) for x, y in places[RED]} == {(0, 0), (0, 1)}
    assert {(x * 3 // sheet.width, y * 2 // sheet.height) for x, y in places[BLUE]} == {(2, 0)}
    assert draw_numbered({"a": red}).width < draw_numbered({"a": red, "b": red}).width < sheet.width


def where(sheet: Image.Image, colour: tuple[int, int, int]) -> list[tuple[int, int]]:
    return [
        (x, y) for x in range(0, sheet.width, 5) for y in range(0, sheet.height, 5) if sheet.getpixel((x, y)) == colour
    ]


def test_a_picture_is_opened_only_if_it_is_still_the_one_that_is_meant(pictures):
    file = pictures / "red.png"
    id_ = image_id(file.read_bytes())
    assert read_pixels(str(file), SETTINGS, id_).size == (64, 48)
    assert read_pixels(str(file), SETTINGS, "0" * 16) == "the file holds another picture by now"
    assert read_pixels(str(pictures / "none.png"), SETTINGS, id_) == "does not exist"


def test_drawing_leaves_the_pictures_as_they_are(pictures):
    big = Image.new("RGB", (900, 600), RED)
    draw_numbered({"a": big})
    assert big.size == (900, 600)


@pytest.mark.parametrize(
    "text", ["x" * 2_000, "word " * 400, "猫が椅子の上で眠っている 🐈", "two\nlines\tand \x07 more"]
)
def test_any_wording_can_be_drawn(pictures, text):
    usual, drawn = draw_sheet([strip(pictures)], SETTINGS), draw_sheet([strip(pictures, modification=text)], SETTINGS)
    assert drawn.width == usual.width
    assert usual.height <= drawn.height < 2 * usual.height, "long words are cut, not drawn to the end"


@pytest.mark.parametrize(("name", "format"), [("sheet.png", "PNG"), ("new/folder/sheet.jpg", "JPEG")])
def test_the_sheet_is_written_as_its_name_ends(pictures, tmp_path, name, format):
    save_sheet([strip(pictures)], tmp_path / name, SETTINGS)
    with Image.open(tmp_path / name) as written:
        assert written.format == format


def test_the_home_folder_may_be_named_by_its_sign(pictures, home):
    save_sheet([strip(pictures)], type(home)("~/sheets/one.png"), SETTINGS)
    assert (home / "sheets" / "one.png").is_file()


@pytest.mark.parametrize("name", ["sheet.txt", "sheet", "red.png/sheet.png"])
def test_what_cannot_be_written_is_reported_in_one_line(pictures, name):
    with pytest.raises(
        InvalidRequestError, match=r"^The file .* cannot be written .* name a .png file in a folder of yours\.$"
    ) as caught:
        save_sheet([strip(pictures)], pictures / name, SETTINGS)
    assert "\n" not in str(caught.value)
