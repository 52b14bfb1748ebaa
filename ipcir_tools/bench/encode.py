"""Encoding pictures that are open: this package, open_clip as its README shows it, the bare forward pass, and the rate
at which this machine multiplies matrices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.bench.peers import OpenClipReadme
from ipcir_tools.bench.pictures import PHOTO, draw_pictures
from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.timing import Say, rates, rounded
from ipcir_tools.bench.weights import encoder_folder, local_name

if TYPE_CHECKING:
    import torch

    from ipcir_tools.models.encoder import Encoder

BATCH = 64
TERMS = 3_200
"""Rows of the matrix that is multiplied: as many as 64 pictures of 50 patches have."""


def package_encoder(folder: Path) -> Encoder:
    """The package's encoder of a folder, in the number type and on the device that it chooses."""
    from PIL import Image

    from ipcir_tools.models.loading import load_encoder
    from ipcir_tools.settings import Settings

    encoder = load_encoder(local_name(folder), settings=Settings())
    encoder.embed_images([Image.new("RGB", (8, 8))])  # loads the model: its number type is not known before
    return encoder


def measure(plan: Plan, say: Say) -> dict[str, Any]:
    """Pictures of 1024x768 per second, all of them open; the limits in the package's own number type and in float32."""
    from PIL import Image

    say("making weights and pictures")
    folder = encoder_folder(plan.encoder, plan.folder / "weights", plan.seed)
    paths = draw_pictures(plan.folder / "photos", min(BATCH, plan.pictures), PHOTO, plan.seed)
    encoder = package_encoder(folder)
    readme = OpenClipReadme(folder, encoder.device)
    half = OpenClipReadme(folder, encoder.device, "bf16")
    opened = [Image.open(path).convert("RGB") for path in paths]
    few = paths[: max(1, len(paths) // 4)]
    wide, narrow = readme.pixels(BATCH), half.pixels(BATCH)
    for warm in (lambda: encoder.embed_images(opened), lambda: readme.forward(wide), lambda: half.forward(narrow)):
        warm()
    found = rates(
        {
            "package": (lambda: encoder.embed_images(opened), len(opened)),
            "bare bfloat16": (lambda: half.forward(narrow), BATCH),
            "open_clip": (lambda: readme.encode_files(few), len(few)),
            "bare float32": (lambda: readme.forward(wide), BATCH),
        },
        plan.rounds,
        say,
    )
    say("matrix rate")
    operations = _operations(readme, wide[:1])
    gflops = {dtype: _matrix_gflops(dtype, encoder.device) for dtype in ("bfloat16", "float32")}
    return {
        "encoder": plan.encoder,
        "device": encoder.device,
        "dtype": encoder.dtype,
        "images_per_s": rounded(found["package"]),
        "open_clip_per_s": rounded(found["open_clip"]),
        "bare_bfloat16_per_s": rounded(found["bare bfloat16"]),
        "bare_float32_per_s": rounded(found["bare float32"]),
        "gflop_per_image": rounded(operations / 1e9),
        "matrix_gflops": {dtype: rounded(rate) for dtype, rate in gflops.items()},
        "matrix_limit_per_s": {dtype: rounded(rate * 1e9 / operations) for dtype, rate in gflops.items()},
    }


def _operations(peer: OpenClipReadme, pixels: torch.Tensor) -> float:
    """Floating-point operations of one picture, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        peer.model.encode_image(pixels)
    return float(counter.get_total_flops())


def _matrix_gflops(dtype: str, device: str) -> float:
    """10^9 operations per second of a product as the network's widest layers have it: the best of several."""
    import torch

    from ipcir_tools.bench.timing import seconds

    kind = torch.bfloat16 if dtype == "bfloat16" else torch.float32
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(TERMS, 768, generator=generator).to(device, kind)
    layer = torch.randn(768, 3_072, generator=generator).to(device, kind)

    def multiply() -> None:
        for _ in range(8):
            rows @ layer
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    multiply()
    return 8 * 2 * TERMS * 768 * 3_072 / min(seconds(multiply) for _ in range(7)) / 1e9
