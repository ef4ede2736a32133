"""The driver of this checkout over that of another one: candidates a second, and whether they propose the same.

Both run the job of driver.py in processes of their own, in turn; the ratio of each round is of its two neighbours. A
digest of all proposals, counts, thresholds and laps says whether results are the same.

    git worktree add --detach /tmp/other main
    OMP_NUM_THREADS=1 python benchmarks/driver_ratio.py /tmp/other --trials 3000 --rounds 3
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[1]
#: What each side runs: driver.py's job, timed from its first quarter to its end, and a digest of its cohorts' files.
SIDE = """
import hashlib, json, sys, time
from pathlib import Path
from tempfile import TemporaryDirectory
sys.path.insert(0, "benchmarks")
import torch
import driver
torch.set_num_threads(1)
with TemporaryDirectory() as folder:
    run = Path(folder) / "run"
    measured = driver.run_job(int(sys.argv[1]), run)
    digest = hashlib.sha256()
    for path in sorted(run.glob("cohorts/*.json")):
        data = json.loads(path.read_text())
        kept = {key: data[key] for key in ("proposals", "counts", "thresholds", "race") if key in data}
        digest.update(json.dumps(kept, sort_keys=True).encode())
first, last = measured[1], measured[-1]
rate = (last[0] - first[0]) / (last[1] - first[1])
print(json.dumps({"rate": rate, "digest": digest.hexdigest()[:16]}))
"""


def side(checkout: Path, trials: int) -> tuple[float, str]:
    """Candidates a second of processor time, and the digest of what was proposed."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SIDE, str(trials)]
    done = subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return found["rate"], found["digest"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout")
    parser.add_argument("--trials", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ratios: list[float] = []
    for number in range(given.rounds):
        order = (given.other, HERE) if number % 2 else (HERE, given.other)
        found = {checkout: side(checkout, given.trials) for checkout in order}
        (rate, digest), (other, as_other) = found[HERE], found[given.other]
        ratios.append(rate / other)
        same = "the same proposals" if digest == as_other else "OTHER proposals"
        print(f"{rate:.0f} over {other:.0f} candidates/s: {ratios[-1]:.2f}; {same}", flush=True)
    print(f"median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
