"""Files that a user named: checked first, and written whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.files import check_outputs, check_writable, output, replaced, write_bytes, write_text


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_text(path, "first")
    with replaced(path) as part:
        part.write_text("second")
        assert (path.read_text(), part.parent, part.suffix) == ("first", path.parent, ".html")
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def fail_half_way(path: Path) -> None:
    with replaced(path) as part:
        part.write_bytes(b"ha")
        raise RuntimeError


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_bytes(path, b"whole")
    with pytest.raises(RuntimeError):
        fail_half_way(path)
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    write_text(link, "text")
    assert link.is_symlink()
    assert target.read_text() == "text"


def test_what_is_no_regular_file_is_written_in_place() -> None:
    write_text(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b" / "report.html")
    (tmp_path / "there.html").write_text("kept")
    check_writable(tmp_path / "there.html")
    assert [file.name for file in tmp_path.iterdir()] == ["there.html"]
    assert (tmp_path / "there.html").read_text() == "kept"


@pytest.mark.parametrize("name", ["", "file/report.html", "null\0byte"])
def test_what_cannot_be_written_is_refused_with_advice(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / name
    with pytest.raises(InvalidRequestError, match=r"cannot be written .*: name another file\.$"):
        check_writable(path)
    with (
        pytest.raises(InvalidRequestError, match=r"cannot be written .*: name a \.png file\.$"),
        output(path, "name a .png file") as part,
    ):
        part.write_text("text")


def test_a_file_cannot_be_two_outputs(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="named for two outputs"):
        check_outputs(tmp_path / "a.html", None, tmp_path / "b" / ".." / "a.html")
