"""``--show``: hits as pictures, in the way in which the terminal at the other end can draw them."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest
from PIL import Image

from ipcir_tools.cli.output.terminal_pictures import check_terminal
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.fakes import COLOURS, FakeEncoder
from ipcir_tools.settings import Settings

SIXEL, PLAIN = b"\x1b[?62;4;22c", b"\x1b[?62;22c"
"""What a terminal answers to the question what it is: 4 are sixels."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A gallery with one turn, which `ipcir show` shows without any model."""
    folder = tmp_path_factory.mktemp("shown")
    for name, colour in list(COLOURS.items())[:4]:
        Image.new("RGB", (64, 48), colour).save(folder / f"{name}.png")
    settings = Settings(home=folder / "home", encoder="open_clip:fake/colours", captioner="transformers:fake/colours")
    with Engine.open(settings) as engine:
        engine.components.encoder = FakeEncoder("open_clip:fake/colours")
        engine.index([folder])
        engine.find("red")
    return folder / "home"


def in_a_terminal(answer: bytes, *arguments: str) -> bytes:
    """What ``ipcir`` writes to a terminal of 100 by 50 cells that answers as ``answer``."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 800, 800))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-m", "ipcir_tools.cli.main", *arguments]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True) as run:
        os.close(its)
        written = b""
        while True:
            try:
                read = os.read(ours, 65_536)
            except OSError:  # the end, on Linux
                break
            if not read:
                break
            written += read
            if b"\x1b[c" in read:
                os.write(ours, answer)
    os.close(ours)
    assert run.returncode == 0, written
    return written


def test_half_blocks_in_the_colours_of_the_pictures(home):
    written = in_a_terminal(PLAIN, "show", "last", "--show", "--home", str(home))
    assert "▀".encode() in written
    assert b"\x1bP" not in written
    assert b"red.png" in written
    r, g, b = COLOURS["red"]
    assert f"38;2;{r};{g};{b}".encode() in written


def test_sixels_where_the_terminal_has_them(home):
    written = in_a_terminal(SIXEL, "show", "last", "--show", "--home", str(home))
    assert b"\x1bP" in written
    assert "▀".encode() not in written


def test_one_picture(home):
    assert "▀".encode() in in_a_terminal(PLAIN, "show", "1", "--show", "--home", str(home))


def test_no_terminal_is_told_the_way_out(capsys):
    with pytest.raises(InvalidRequestError, match=r"--sheet FILE\.png draws a file"):
        check_terminal()
