"""Odd pictures with changed bytes: a picture or a reason, whatever the bytes, and nothing stays taken.

Seeded, so that a run can be repeated; more with ``IPCIR_TEST_EXAMPLES``.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_pictures import odd_pictures

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.budget import _DECODERS, _FILES
from ipcir_tools.images.reading import decode
from ipcir_tools.settings import Settings

EXAMPLES = int(os.environ.get("IPCIR_TEST_EXAMPLES", "250"))
SMALL = [each.content() for each in odd_pictures() if not each.heavy and len(each.content()) < 100_000]
SETTINGS = Settings(max_pixels=1_000_000)

changes = st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=6)), max_size=6)


def changed(data: bytes, edits: list[tuple[int, bytes]], head: bool) -> bytes:
    """``data`` with bytes replaced: anywhere, or within its first 200, where its structure is."""
    made = bytearray(data)
    for place, value in edits:
        at = place % max(1, min(len(made), 200 if head else len(made)))
        made[at : at + len(value)] = value
    return bytes(made)


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(number=st.integers(0, len(SMALL) - 1), edits=changes, head=st.booleans(), keep=st.just(1.0) | st.floats(0, 1))
def test_any_bytes_give_a_picture_or_a_reason(number, edits, head, keep):
    data = changed(SMALL[number], edits, head)
    try:
        outcome = decode(data[: int(keep * len(data))], "a file", SETTINGS).pixels.mode
    except BadImageError as error:
        outcome = str(error)
    assert outcome.isprintable()
    assert 0 < len(outcome) < 160
    assert (_DECODERS.held, _FILES.held) == (0, 0)
