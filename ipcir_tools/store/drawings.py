"""Features of drawn pictures, kept like those of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcir_tools.models.image_generator import _digest

if TYPE_CHECKING:
    from ipcir_tools.models.image_generator import Drawer


_DRAWN = 8
"""Descriptions whose references are opened at a time, for drawers that edit them."""


def _drawn_keys(drawer: Drawer, asked: tuple[str, str], n: int) -> list[str]:
    description, reference = asked
    return [drawn_key(drawer.id, description, i, reference=reference) for i in range(n)]


def drawn_key(drawer: str, description: str, picture: int = 0, *, seed: int = 0, reference: str = "") -> str:
    """The catalog's key of one drawn picture's feature.

    ``drawer`` is the drawer's id, ``picture`` the place among the ``n`` of a description, so that more of them can
    join those that are there. ``reference`` is the reference's id where the drawer edits it.
    """
    return "drawn:" + _digest([drawer, description, picture, seed, reference])[:16]
