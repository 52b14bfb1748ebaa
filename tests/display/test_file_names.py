"""Names that tell files apart, as short as can be."""

from __future__ import annotations

from ipcir_tools.display.file_names import distinct_names, fitted_name


def test_a_name_of_its_own_stands_alone_and_others_take_the_folders_that_tell_them_apart():
    sources = ["/p/2019/DCIM/1.jpg", "/p/2020/DCIM/1.jpg", "/p/2020/DCIM/2.jpg", "/p/other/1.jpg"]
    assert list(distinct_names(sources).values()) == [
        "2019/DCIM/1.jpg", "2020/DCIM/1.jpg", "2.jpg", "other/1.jpg",
    ]  # fmt: skip


def test_one_path_within_another_has_its_whole_length():
    assert list(distinct_names(["/b/1.jpg", "/a/b/1.jpg"]).values()) == ["/b/1.jpg", "a/b/1.jpg"]
    assert list(distinct_names(["/b/1.jpg", "/b/1.jpg"])) == ["/b/1.jpg"]
    assert distinct_names(["data:0f3a"]) == {"data:0f3a": "data:0f3a"}


def test_a_long_name_loses_its_middle_and_keeps_what_tells_it_apart():
    assert fitted_name("2019/DCIM/100/1.jpg", 30) == "2019/DCIM/100/1.jpg"
    assert fitted_name("2019/DCIM/100/1.jpg", 12) == "2019/…/1.jpg"
    assert fitted_name("2019-summer-holiday.jpg", 12) == "2019…day.jpg"
    assert len(fitted_name("2019/DCIM/100/a very long name.jpg", 12)) == 12
