"""Verification of the first ten hits by a captioner of BLIP-base's size with random weights."""

from __future__ import annotations

import shutil
from functools import partial
from typing import Any

from ipcir_tools.bench.galleries import modifications
from ipcir_tools.bench.pictures import PHOTO, draw_pictures
from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.timing import Say, p50, rounded, seconds
from ipcir_tools.bench.weights import captioner_folder, encoder_folder, local_name

AMOUNT = 10
PICTURES = 64


def measure(plan: Plan, say: Say) -> dict[str, Any]:
    """Seconds of a search that verifies ten hits, the first time and when they were verified before, and without."""
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.settings import Settings

    say("making weights and pictures")
    weights = plan.folder / "weights"
    encoder = local_name(encoder_folder(plan.encoder, weights, plan.seed))
    captioner = f"transformers:{captioner_folder(weights, plan.seed)}"
    photos = draw_pictures(plan.folder / "photos", max(2 * AMOUNT, min(PICTURES, plan.pictures)), PHOTO, plan.seed)
    home = plan.folder / "verify"
    try:
        settings = Settings(home=home, encoder=encoder, captioner=captioner, duplicates=None)
        with Engine.open(settings) as engine:
            engine.index(sorted(photos))
            ids = engine.catalog.gallery_ids()[: plan.rounds + 1]
            say("captioning the references")
            engine.components.features.captions(ids)
        words = iter(modifications(len(ids), 4 * 10**6))
        found: dict[str, list[float]] = {}
        for number, id_ in enumerate(ids):
            say(f"round {number} of {plan.rounds}")
            with Engine.open(settings) as engine:  # one that has verified nothing yet
                text = next(words)
                for name, amount in (("without_s", "off"), ("verify_10_s", AMOUNT), ("verified_before_s", AMOUNT)):
                    took = seconds(partial(engine.search, id_, text, verify=amount))
                    found.setdefault(name, []).extend([took] if number else [])  # the first one warms up
        return {name: rounded(p50(values)) for name, values in found.items()} | {"captioner": "BLIP-base, random"}
    finally:
        shutil.rmtree(home, ignore_errors=True)
