"""Stand-ins for the models, for tests: yours and ours. No weights, no network, the same on every run.

::

    encoder = FakeEncoder()
    squares = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    encoder.embed_texts(["a blue square"]) @ encoder.embed_images(squares).T       # blue is nearer

:class:`ModalityGapEncoder` gives any encoder the modality gap of published CLIPs; with the demo's it is an encoder by
name: ``ipcir eval wardrobe --models demo --encoder python:ipcir_tools.fakes:demo_with_gap``.
"""

from __future__ import annotations

from ipcir_tools.fakes.chat_models import PretendChatModel, ScriptedChatModel
from ipcir_tools.fakes.modality_gap import ModalityGapEncoder, demo_with_gap
from ipcir_tools.fakes.pictures import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name

__all__ = [
    "COLOURS",
    "FakeEncoder",
    "ModalityGapEncoder",
    "PretendChatModel",
    "ScriptedCaptioner",
    "ScriptedChatModel",
    "colour_name",
    "demo_with_gap",
]
