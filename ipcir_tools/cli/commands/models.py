"""``ipcir models``: the models that can be named, by kind and provider."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ipcir_tools.cli.options import AsJson, print_result


def models(as_json: AsJson = False) -> None:
    """List encoders, captioners, image generators and chat models by provider, and the presets of --models."""
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
