"""Starting: importing the package, the command line, and a search in a new process by the default encoder.

The default encoder's weights are random ones of its size in a hub cache of the benchmark's own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from ipcir_tools.bench.galleries import MadeGallery, references
from ipcir_tools.bench.plan import RANDOM, Plan
from ipcir_tools.bench.process import FailedError, environment, fresh
from ipcir_tools.bench.timing import Say, p50, rounded, seconds
from ipcir_tools.bench.weights import WEIGHTS, encoder_folder
from ipcir_tools.models.presets import DEFAULT, SETS

REPOSITORY = "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K"
IMPORT = "import time; t = time.perf_counter(); import ipcir_tools; print(time.perf_counter() - t)"
WIDE_IMPORT = "import time; t = time.perf_counter(); from ipcir_tools import Engine; print(time.perf_counter() - t)"
COMMAND = ("-m", "ipcir_tools.cli.main")
SUFFIX = "-default"
N = 1_000


def measure(plan: Plan, say: Say) -> dict[str, Any]:
    """Seconds, medians; each time in a new process."""
    hub = _hub(plan)
    n = min(N, *plan.sizes)
    made = MadeGallery(n, plan.folder / f"gallery-{n}{SUFFIX}", SETS[DEFAULT].encoder)
    if not made.ready.is_file():
        say("making a gallery by the default encoder")
        fresh("galleries:make", say, {"HF_HOME": str(hub)}, plan=plan, n=n, encoder=made.encoder, suffix=SUFFIX)
    with made.open() as engine:
        picture = references(engine, 1, 5)[0]
    search = [*COMMAND, "search", picture, "in blue with long sleeves", "--home", str(made.home), "--verify", "off"]
    works = {
        "python_s": ["-c", "pass"],
        "help_s": [*COMMAND, "--help"],
        "cold_search_s": [*search, "--captioner", made.settings.captioner or "", "--json"],
    }
    found: dict[str, list[float]] = {name: [] for name in ("import_s", "import_engine_s", *works)}
    for number in range(1 + max(3, plan.rounds)):
        say(f"round {number}")
        times = {"import_s": float(_run(["-c", IMPORT], hub)), "import_engine_s": float(_run(["-c", WIDE_IMPORT], hub))}
        times |= {name: seconds(lambda: _run(arguments, hub)) for name, arguments in works.items()}  # noqa: B023
        for name, value in times.items():
            found[name] += [value] if number else []  # the first one fills the system's caches
    return {name: rounded(p50(values)) for name, values in found.items()} | {"n": n}


def _hub(plan: Plan) -> Path:
    """A hub cache that holds the default encoder."""
    weights = encoder_folder(RANDOM, plan.folder / "weights", plan.seed)
    repository = plan.folder / "hub" / "hub" / REPOSITORY
    snapshot = repository / "snapshots" / ("0" * 40)
    if not snapshot.exists():
        snapshot.mkdir(parents=True)
        (snapshot / WEIGHTS).hardlink_to(weights / WEIGHTS)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("0" * 40)
    return plan.folder / "hub"


def _run(arguments: list[str], hub: Path) -> str:
    """What the process prints. Raises FailedError."""
    done = subprocess.run(
        [sys.executable, *arguments], env=environment() | {"HF_HOME": str(hub)}, capture_output=True, text=True
    )
    if done.returncode:
        raise FailedError(f"{arguments[:3]}: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout
