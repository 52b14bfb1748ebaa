"""What is left out of a folder: whose pattern decides, and that a name is never read as a pattern by accident."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.errors import BadImageError, InvalidRequestError
from ipcir_tools.images.excluding import Patterns, Rules, check_patterns, pattern_for, read_ignore_file
from ipcir_tools.images.scanning import Scan


def rules(given: dict[str, list[str]], ignored: dict[str, list[str]] | None = None) -> Rules:
    made = [tuple(Patterns.of(*each) for each in some.items()) for some in (given, ignored or {})]
    return Rules(*made)


def test_the_users_patterns_come_before_ignore_files_and_inner_ones_before_outer_ones():
    both = rules({"/p": ["/a.png"]}, {"/p": ["*.png"], "/p/sub": ["!a.png", "!b.png"]})
    assert both.excludes("/p/c.png", is_folder=False)
    assert not both.excludes("/p/sub/b.png", is_folder=False)
    assert both.excludes("/p/a.png", is_folder=False), "given by the user"
    assert not both.excludes("/p/c.jpg", is_folder=False)


def test_a_pattern_for_folders_leaves_files_alone():
    only = rules({"/p": ["raw/"]})
    assert only.excludes("/p/deep/raw", is_folder=True)
    assert not only.excludes("/p/raw", is_folder=False)


def test_a_folder_that_is_named_is_taken_in_and_the_other_patterns_still_apply_in_it():
    named = rules({"/p": ["raw", "*.png"]}).except_for("/p/raw")
    assert not named.excludes("/p/raw/a.jpg", is_folder=False)
    assert named.excludes("/p/raw/a.png", is_folder=False)


@given(st.text(st.characters(exclude_characters="/\0\r\n", exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_the_pattern_for_a_name_matches_that_name_alone(name):
    if name.strip() in (".", ".."):
        return
    pattern = pattern_for(f"/p/{name}", "/p", is_folder=False)
    check_patterns([pattern])
    made = rules({"/p": [pattern]})
    assert made.excludes(f"/p/{name}", is_folder=False)
    for other in (f"/p/{name}x", f"/p/x{name}", f"/p/sub/{name}", "/p/other.png"):
        assert not made.excludes(other, is_folder=False)


@pytest.mark.parametrize("line", ["!", "\\", "[z-a]"])
def test_a_line_that_is_no_pattern(line):
    with pytest.raises(InvalidRequestError, match="is no pattern of what to leave out"):
        check_patterns(["*.png", line])


def test_an_ignore_file_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "folder", "nothing"):
        with pytest.raises(BadImageError, match="no regular file"):
            read_ignore_file(tmp_path / name)


def test_a_named_folder_below_one_that_is_left_out_is_found(tmp_path):
    for name in ("a.png", "raw/b.png", "raw/deep/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scan = Scan({str(tmp_path): ["raw/"], str(tmp_path / "raw" / "deep"): []})
    for root in (tmp_path, tmp_path / "raw" / "deep"):
        scan.add(root)
    assert [scan.source(text).name for text in scan.files] == ["a.png", "c.png"]
    assert scan.excluded_folders == 1
