"""``ipcir models``: the models that can be named, by kind and provider; and what verification by a captioner costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipcir_tools.cli.options import AsJson, GalleryOptions, print_result, with_options

if TYPE_CHECKING:
    from ipcir_tools.engine.verifier_cost import VerifierCost


@with_options
def models(
    options: GalleryOptions,
    cost: Annotated[
        bool,
        typer.Option(
            "--cost", help="Measure what --verify costs with the captioner of the gallery, and what auto does."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List encoders, captioners, image generators and chat models by provider, and the presets of --models."""
    if cost:
        _cost(options, as_json)
    else:
        _providers(as_json)


def _providers(as_json: bool) -> None:
    from ipcir_tools.cli.output.models import show_models
    from ipcir_tools.models.loading import list_providers
    from ipcir_tools.models.presets import SETS

    providers = list_providers()

    def document() -> dict[str, Any]:
        return {
            "providers": [asdict(each) | {"installed": each.installed} for each in providers],
            "presets": [
                {"preset": each.models, "encoder": each.encoder, "captioner": each.captioner}
                | {"image_generator": each.image_generator}
                for each in SETS.values()
            ],
        }

    print_result(as_json, document, lambda: show_models(providers, list(SETS.values())))


def _cost(options: GalleryOptions, as_json: bool) -> None:
    """Measure anew, and keep it for the searches of this gallery."""
    from ipcir_tools.cli.output.console import progress_bars
    from ipcir_tools.cli.output.models import show_cost
    from ipcir_tools.engine.components import Components
    from ipcir_tools.store.catalog import Catalog

    settings = options.settings()
    with progress_bars() as progress, Catalog.open(settings.home.expanduser().absolute()) as catalog:
        progress("measuring", 0, 1)
        measured = Components(settings, catalog).verifier.cost(again=True)
    print_result(as_json, lambda: _cost_json(measured), lambda: show_cost(measured))


def _cost_json(cost: VerifierCost) -> dict[str, Any]:
    return {
        "captioner": cost.captioner,
        "device": cost.device,
        "dtype": cost.dtype,
        "seconds_per_picture": round(cost.picture, 5),
        "seconds_per_text": round(cost.text, 5),
        "seconds_to_verify_10": round(cost.seconds(10), 3),
        "auto": cost.amount,
    }
