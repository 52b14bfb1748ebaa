"""Features of drawn pictures, kept like those of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcir_tools.models.image_generator import digest

if TYPE_CHECKING:
    from ipcir_tools.models.image_generator import ImageGenerator


_DRAWN = 8
"""Descriptions whose references are opened at a time, for image generators that edit them."""


def _drawn_keys(image_generator: ImageGenerator, asked: tuple[str, str], n: int) -> list[str]:
    description, reference = asked
    return [drawn_key(image_generator.id, description, i, reference=reference) for i in range(n)]


def drawn_key(image_generator: str, description: str, picture: int = 0, *, seed: int = 0, reference: str = "") -> str:
    """The catalog's key of one drawn picture's feature.

    ``image_generator`` is the image generator's id, ``picture`` the place among the ``n`` of a description, so that
    more of them can join those that are there. ``reference`` is the reference's id where the image generator edits
    it.
    """
    return "drawn:" + digest([image_generator, description, picture, seed, reference])[:16]
