"""How much of a dialogue, a reference image and a bad reply the chains put into their prompts."""

from __future__ import annotations

HISTORY_TURNS = 6
"""The last turns of a dialogue that a prompt shows."""
HISTORY_CHARS = 300
"""Characters of each text in these turns."""
NOTE_CHARS = 100
"""Characters of a note on a reference."""
REFERENCE_SIDE = 512
"""Pixels of the longer side of the reference image."""
QUOTED_REPLY_CHARS = 2_000
"""Characters of a bad reply that the model is shown in a repair request."""
