"""What a shell offers for an option's value when Tab is pressed; ``ipcir --install-completion`` sets it up."""

from __future__ import annotations


def composer_names(incomplete: str) -> list[str]:
    """The composers that begin with what was typed."""
    from ipcir_tools.composers import COMPOSERS

    return [name for name in COMPOSERS if name.startswith(incomplete)]


def preset_names(incomplete: str) -> list[str]:
    """The presets of ``--models`` that begin with what was typed."""
    from ipcir_tools.models.presets import SETS

    return [name for name in SETS if name.startswith(incomplete)]
