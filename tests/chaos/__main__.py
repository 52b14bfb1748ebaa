"""``python -m tests.chaos --runs 200``: see the package."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent.parent
sys.path[:0] = [str(HERE), str(HERE / "store")]  # as pytest has them
os.environ.update({"IPCIR_DUPLICATES": "off", "IPCIR_VERIFY": "off", "OMP_NUM_THREADS": "1"})


def main() -> int:
    """Make the runs; the exit status is 1 where a promise was broken."""
    from chaos.runs import make_runs

    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="how many (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (0)")
    parser.add_argument("--only", type=int, help="the number of one run, to make it again")
    parser.add_argument("--kind", help="runs of scenarios whose name begins so")
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="ipcir-chaos-") as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder) / "cache")
        numbers = range(chosen.runs) if chosen.only is None else [chosen.only]
        broken = make_runs(Path(folder) / "gallery", numbers, chosen.seed, kind=chosen.kind, say=print)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
