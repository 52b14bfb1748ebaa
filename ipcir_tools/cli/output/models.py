"""The tables of ``ipcir models``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.console import out
from ipcir_tools.models.download_report import short_path
from ipcir_tools.text import byte_size, visible_line

if TYPE_CHECKING:
    from ipcir_tools.engine.verifier_cost import VerifierCost
    from ipcir_tools.models.loading import ListedProvider
    from ipcir_tools.models.local_models import LocalModel
    from ipcir_tools.models.number_type import NumberTypeTest
    from ipcir_tools.models.presets import ModelNames


def show_models(
    providers: Sequence[ListedProvider],
    presets: Sequence[ModelNames],
    here: Sequence[LocalModel],
    tests: Sequence[NumberTypeTest],
) -> None:
    """A line for each provider, for each model of a preset, for each that was downloaded, and for each number type that
    was chosen by a test."""
    table = _table("kind", "provider", "example", "from", "installed")
    for each in providers:
        installed = "yes" if each.installed else "no"
        table.add_row(*map(_text, (each.kind, each.provider, each.example, each.distribution, installed)))
    out.print(table)
    for each in providers:
        if not each.installed:
            line = f"{each.kind} {each.provider} needs {', '.join(each.missing)}"
            out.print(Text(visible_line(line), style="dim"), soft_wrap=True)
    out.print()
    table = _table("preset", "kind", "model")
    for preset in presets:
        named = {"encoder": preset.encoder, "captioner": preset.captioner, "image generator": preset.image_generator}
        for kind, name in named.items():
            table.add_row(*map(_text, (preset.models, kind, name or "-")))
    out.print(table)
    out.print()
    if here:
        show_local(here)
    else:
        line = "no model is downloaded yet: ipcir models --get fetches those of the gallery"
        out.print(Text(line, style="dim"), soft_wrap=True)
    if tests:
        out.print()
        _show_number_types(tests)


def _show_number_types(tests: Sequence[NumberTypeTest]) -> None:
    """What was measured here, and what follows from it for models whose number type is ``auto``."""
    table = _table("model", "dtype", "float32", "bfloat16", "mean cosine", "worst")
    for each in tests:
        speeds = (f"{speed:.1f}/s" for speed in (each.float32_per_s, each.bfloat16_per_s))
        table.add_row(*map(_text, (each.model, each.dtype, *speeds, f"{each.mean:.6f}", f"{each.worst:.6f}")))
    out.print(table)


def show_local(models: Sequence[LocalModel]) -> None:
    """A line for each model on this machine: its name, its size on disk and its folder."""
    table = _table("model", "size", "on this machine")
    for each in models:
        size = byte_size(each.size) if each.folder else "-"
        where = "needs no download" if each.folder is None else short_path(each.folder)
        table.add_row(*map(_text, (each.name, size, where if each.complete else f"interrupted: {where}")))
    out.print(table)


def show_cost(cost: VerifierCost) -> None:
    """What verification by the captioner costs, and what ``auto`` makes of it."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    decided = f"verifies {cost.amount} hits" if cost.amount else "is off: 10 hits take more than about a second"
    for name, value in {
        "captioner": cost.captioner,
        "runs on": f"{cost.device}, {cost.dtype}",
        "a picture": f"{cost.picture:.4f} s",
        "a text": f"{cost.text:.4f} s",
        "--verify 10": f"{cost.seconds(10):.2f} s for hits that are new, {10 * cost.text:.2f} s for known ones",
        "--verify auto": decided,
    }.items():
        table.add_row(name, _text(value))
    out.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for column in columns:
        wraps = column in ("example", "model", "on this machine")
        table.add_column(column, overflow="fold", no_wrap=not wraps)
    return table


def _text(value: str) -> Text:
    return Text(visible_line(value))
