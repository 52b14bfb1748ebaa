"""Models for tests on Ray: found by name in every worker. Some pictures end the process that encodes them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.types import FloatArray

ENCODER, CAPTIONER = "python:ray_models:encoder", "python:ray_models:captioner"
FOLDER = "RAY_TESTS_FOLDER"
"""The variable that names the folder in which a worker notes that it was ended."""

POISON, ONCE, SLOW = (255, 0, 254), (254, 0, 255), (253, 0, 255)
"""The first pixel of a picture that ends its worker: each time, or the first time; of one that takes long."""


class MortalEncoder(FakeEncoder):
    """Is killed as the system kills what takes too much memory."""

    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        marks = {image.getpixel((0, 0)) for image in images}
        if SLOW in marks:
            time.sleep(0.2)
        if POISON in marks or (ONCE in marks and self._is_first()):
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._image_batch(images)

    def _is_first(self) -> bool:
        note = Path(os.environ[FOLDER]) / "killed"
        if note.exists():
            return False
        note.touch()
        return True


def encoder() -> MortalEncoder:
    return MortalEncoder(ENCODER)


def captioner() -> ScriptedCaptioner:
    return ScriptedCaptioner(id=CAPTIONER)
