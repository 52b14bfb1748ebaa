"""Pictures that are decoded apart: the same as in a thread, ended in time, and nothing of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from odd_pictures.others import bmp
from picture_files import encoded, heif, photo
from PIL import Image

from ipcir_tools.errors import BadImageError
from ipcir_tools.images import costs, decoder_process
from ipcir_tools.images.budget import _DECODERS, _FILES
from ipcir_tools.images.decoder_process import DecoderProcesses
from ipcir_tools.images.reading import decode
from ipcir_tools.settings import Settings

SETTINGS = Settings()
PALETTE = bytes(1024)
SLOW = bmp(8, b"\1\1" * 12_000_000, colours=PALETTE, compression=1, width=8_000, height=8_000)
"""Twelve million runs of one pixel, each a step of a program: four seconds at least."""


@pytest.fixture
def processes(monkeypatch):
    own = DecoderProcesses()
    monkeypatch.setattr(decoder_process, "_processes", own)
    yield own
    own.end()


def refusal(data: bytes, settings: Settings = SETTINGS) -> str:
    with pytest.raises(BadImageError) as caught:
        decode(data, "test", settings)
    return str(caught.value)


def started(processes: DecoderProcesses) -> list[int]:
    return [each._process.pid for each in processes._idle]


@pytest.mark.parametrize("side", [None, 224])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_dear_picture_is_the_same_as_a_cheap_one(monkeypatch, processes, format, side):
    data = encoded(photo((1400, 1100)), format)
    here = decode(data, "test", SETTINGS, modified=1e9, side=side)
    monkeypatch.setattr(costs, "DEAR_BYTES", 0)
    apart = decode(data, "test", SETTINGS, modified=1e9, side=side)
    assert started(processes)
    assert apart.record == here.record
    assert np.array_equal(np.asarray(apart.pixels), np.asarray(here.pixels))


def test_one_process_serves_many_pictures_and_many_threads_share_a_few(processes):
    for _ in range(3):
        decode(heif(photo()), "test", SETTINGS)
    (only,) = started(processes)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: decode(heif(photo()), "test", SETTINGS), range(16)))
    assert only in started(processes)
    assert len(started(processes)) <= decoder_process.MOST


def test_a_picture_that_takes_too_long_is_ended_and_the_next_is_well(monkeypatch, processes):
    monkeypatch.setattr(decoder_process, "SECONDS", 1)
    assert refusal(SLOW) == "takes more than 1 seconds to decode"
    assert not started(processes)
    assert decode(heif(photo()), "test", SETTINGS).record.width == 160
    assert (_DECODERS.held, _FILES.held) == (0, 0)


def test_a_decoder_that_sleeps_is_ended_by_the_clock(monkeypatch, processes):
    monkeypatch.setattr(decoder_process, "WALL", 0.01)  # too little even to begin
    assert refusal(heif(photo())) == "takes more than 4 seconds to decode"
    monkeypatch.undo()
    assert decode(heif(photo()), "test", SETTINGS).record.width == 160


def test_a_decoder_that_crashes_is_a_bad_image(monkeypatch, processes):
    with ThreadPoolExecutor(1) as pool:
        decode(heif(photo()), "test", SETTINGS)
        # It may crash before it is looked at, which would have another one decode in its place.
        monkeypatch.setattr(decoder_process._Decoder, "is_there", lambda self: True)
        (pid,) = started(processes)
        broken = pool.submit(refusal, SLOW)
        while started(processes):
            time.sleep(0.01)
        os.kill(pid, signal.SIGSEGV)
        assert broken.result() == "cannot be decoded (its decoder crashed)"
    assert decode(heif(photo()), "test", SETTINGS).record.width == 160


def test_a_process_that_was_killed_or_has_ended_while_it_was_idle_is_replaced(monkeypatch, processes):
    decode(heif(photo()), "test", SETTINGS)
    (first,) = started(processes)
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert decode(heif(photo()), "test", SETTINGS).record.width == 160
    processes.end()
    monkeypatch.setattr(decoder_process, "IDLE", 0.2)
    decode(heif(photo()), "test", SETTINGS)
    (second,) = started(processes)
    os.waitid(os.P_PID, second, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(decoder_process._Decoder, "is_there", lambda self: True)  # it ends just when it is needed
    assert decode(heif(photo()), "test", SETTINGS).record.width == 160


def test_a_process_that_is_about_to_end_has_not_crashed(processes):
    """It was idle for long, and has closed its pipes when the next picture comes."""
    first = decoder_process._Decoder()
    first.end()
    ending = "import os, time; os.close(0); os.close(1); time.sleep(1)"
    first._process = subprocess.Popen([sys.executable, "-c", ending], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    first._input, first._output = first._process.stdin, first._process.stdout
    assert first._output.read() == b""
    processes._idle.append(first)
    assert decode(heif(photo((64, 48))), "test", SETTINGS).record.width == 64
    assert started(processes) != [first._process.pid]


def test_too_much_memory_is_refused_by_the_one_budget(processes):
    small = Settings(decode_memory=50_000_000)
    reason = refusal(heif(Image.new("RGB", (1600, 1600))), small)
    assert "of memory to be decoded, more than 36 MB (IPCIR_DECODE_MEMORY)" in reason
    assert started(processes)  # it is not the process that is at fault


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process writes to memory")
def test_a_decoder_that_takes_more_than_it_said_is_stopped(monkeypatch, processes):
    data = encoded(photo((5000, 4000)), "PNG", compress_level=1)
    monkeypatch.setattr(costs, "DEAR_BYTES", 0)
    program = "from ipcir_tools.images import costs\ncosts.MODE_BYTES.update(RGB=0)\ncosts.ROW_BYTES = 0\n"
    program += "from ipcir_tools.images import decoder_worker\ndecoder_worker.SPARE = -30_000_000\n"
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda a, **o: popen([*a[:-1], a[-1].replace("\n", "\n" + program, 1)], **o)
    )
    assert refusal(data) == "needs more memory than there is"


def test_a_copy_of_the_process_has_its_own_and_they_end_with_the_one_that_started_them(tmp_path):
    file = tmp_path / "a.heic"
    file.write_bytes(heif(photo()))
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from ipcir_tools.images import decoder_process\n"
        "from ipcir_tools.images.reading import load; from ipcir_tools.settings import Settings\n"
        "size = lambda: load(Path(sys.argv[1]), Settings()).record.width\n"
        "assert size() == 160\n"
        "child = os.fork()\n"
        "assert size() == 160\n"
        "if not child: sys.exit()\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert size() == 160\n"
        "print(*(each._process.pid for each in decoder_process._processes._idle), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (-signal.SIGKILL, "")
    for pid in map(int, ended.stdout.split()):
        for _ in range(600):
            if not is_running(pid):
                break
            time.sleep(0.05)
        assert not is_running(pid)


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie that its new parent has not noticed yet."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
