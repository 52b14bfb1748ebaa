"""``ipcir models``: the models that can be named, by kind and provider; and what verification by a captioner costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipcir_tools.cli.options import AsJson, GalleryOptions, print_result, with_options
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.engine.verifier_cost import VerifierCost
    from ipcir_tools.models.local_models import LocalModel
    from ipcir_tools.settings import Settings


@with_options
def models(
    options: GalleryOptions,
    cost: Annotated[
        bool,
        typer.Option(
            "--cost", help="Measure what --verify costs with the captioner of the gallery, and what auto does."
        ),
    ] = False,
    get: Annotated[
        bool,
        typer.Option("--get", help="Download the encoder and captioner of the gallery, or NAMES, ahead of their use."),
    ] = False,
    names: Annotated[
        list[str] | None, typer.Argument(help="With --get: models by name, such as transformers:ORG/NAME.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List encoders, captioners, image generators and chat models by provider, the presets of --models, and the models
    that are on this machine already.
    """
    if names and not get:
        raise InvalidRequestError(f"To download {names[0]} write: ipcir models --get {names[0]}")
    if get:
        _get(options, names or [], as_json)
    elif cost:
        _cost(options, as_json)
    else:
        _providers(as_json)


def _providers(as_json: bool) -> None:
    from ipcir_tools.cli.output.models import show_models
    from ipcir_tools.models.loading import list_providers
    from ipcir_tools.models.local_models import list_local_models
    from ipcir_tools.models.number_type import kept_tests
    from ipcir_tools.models.presets import SETS

    providers, here, tests = list_providers(), list_local_models(), kept_tests()

    def document() -> dict[str, Any]:
        return {
            "providers": [asdict(each) | {"installed": each.installed} for each in providers],
            "presets": [
                {"preset": each.models, "encoder": each.encoder, "captioner": each.captioner}
                | {"image_generator": each.image_generator}
                for each in SETS.values()
            ],
            "on_this_machine": [_local_json(each) for each in here],
            "number_types": [asdict(each) | {"dtype": each.dtype} for each in tests],
        }

    print_result(as_json, document, lambda: show_models(providers, list(SETS.values()), here, tests))


def _get(options: GalleryOptions, names: Sequence[str], as_json: bool) -> None:
    """Download without loading: the models that are named, or those of the gallery."""
    from ipcir_tools.cli.output.console import report_downloads
    from ipcir_tools.cli.output.models import show_local
    from ipcir_tools.models.local_models import fetch_model

    settings = options.settings()
    with report_downloads(bars=not as_json):
        fetched = [fetch_model(name, settings) for name in dict.fromkeys(names or _gallery_models(settings))]
    print_result(as_json, lambda: {"models": [_local_json(each) for each in fetched]}, lambda: show_local(fetched))


def _gallery_models(settings: Settings) -> list[str]:
    from ipcir_tools.engine.components import Components
    from ipcir_tools.models.presets import chosen_models
    from ipcir_tools.store.catalog import Catalog

    if settings.catalog_url is None and not settings.home.expanduser().exists():
        chosen = chosen_models(settings, {})
    else:
        with Catalog.of(settings) as catalog:
            chosen = Components(settings, catalog).models
    return [chosen.encoder, chosen.captioner]


def _local_json(model: LocalModel) -> dict[str, Any]:
    return asdict(model) | {"folder": None if model.folder is None else str(model.folder)}


def _cost(options: GalleryOptions, as_json: bool) -> None:
    """Measure anew, and keep it for the searches of this gallery."""
    from ipcir_tools.cli.output.console import progress_bars
    from ipcir_tools.cli.output.models import show_cost
    from ipcir_tools.engine.components import Components
    from ipcir_tools.store.catalog import Catalog

    settings = options.settings()
    with progress_bars() as progress, Catalog.of(settings) as catalog:
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
