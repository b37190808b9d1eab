"""What `--ray` costs: time per photo beside the same run without it, start-up, memory for a million paths.

    python -m benchmarks.cluster --out benchmarks/results [--photos ../shared/photos4k]

Per photo: from the outcome of photo WARM to that of the last, so start-up is left out; runs of the two kinds
take turns. Medians are compared, and, for a machine that others use, the best runs.
Start-up: from the command to its first outcome. Memory: peak resident set of a process that lists a million
photos of a bucket (simulated: folders of a thousand), plans them, starts Ray and makes every job.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, publish

RUNS = 5
FOLDER = 126  # photos
WARM = 14
MILLION = """
import resource, sys, time
from lptn_cli import batch, photos, storage
from lptn_cli.cluster import connected
from lptn_cli.destination import Destination
from lptn_cli.worker import anywhere

def entries(folder):
    if folder.name == "archive":
        return [storage.Entry(f"shoot-{n:04}", True, 0, 0) for n in range(1000)]
    first = 1000 * int(folder.name[-4:])
    return [storage.Entry(f"DSC_{first + n:07}.JPG", False, 5_000_000 + n, 10**18 + n) for n in range(1000)]

def mib():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

storage.entries, storage.is_folder = entries, lambda remote: True
batch.Manifest.peek = classmethod(lambda cls, folder: cls(folder, {}, None))
started = time.perf_counter()
before = mib()
out = Destination("s3://bucket/out", "retouch")
found = batch.find(["s3://bucket/archive"], files_from=None, null=False, recursive=True, include=(),
                   exclude=(), limit=None, destination=out)
listed, seconds = mib(), time.perf_counter() - started
jobs = batch.plan(found, out, "{dir}/{stem}{ext}", None)
planned, planning = mib(), time.perf_counter() - started - seconds
with connected("local"):
    for job in jobs:
        anywhere(job)
print([len(jobs), before, listed, planned, mib(), round(seconds, 1), round(planning, 1)])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--photos", type=Path, default=Path("../shared/photos4k"))
    options = parser.parse_args()
    sources = sorted(options.photos.glob("*.jpg"))
    if not sources:
        parser.error(f"no 4K JPEGs in {options.photos}; give --photos a folder of them")
    kinds: dict[str, list[str]] = {"plain": [], "ray": ["--ray=local"]}
    runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "in"
        folder.mkdir()
        for n in range(FOLDER):
            shutil.copy(sources[n % len(sources)], folder / f"{n:03}.jpg")
        for n in range(RUNS):
            for kind in sorted(kinds, reverse=bool(n % 2)):
                out = Path(scratch) / f"{kind}-{n}"
                runs[kind].append(_run([folder, "-o", out, *kinds[kind]]))
                shutil.rmtree(out)
    medians = {
        kind: {name: round(statistics.median(run[name] for run in each), 4) for name in each[0]}
        for kind, each in runs.items()
    }
    best = {kind: min(run["seconds_per_photo"] for run in each) for kind, each in runs.items()}
    publish(
        {
            "what": f"lptn retouch with and without --ray=local, {FOLDER} 4K JPEGs, disk to disk, on the CPU",
            "machine": machine(),
            "medians": medians,
            "best_seconds_per_photo": best,
            "overhead_per_photo_percent": {
                "of_medians": _more(*(medians[kind]["seconds_per_photo"] for kind in ("plain", "ray"))),
                "of_best": _more(best["plain"], best["ray"]),
            },
            "runs": runs,
            "million_paths": _million(),
        },
        options.out,
        "cluster",
    )


def _more(plain: float, ray: float) -> float:
    return round(100 * (ray / plain - 1), 1)


def _run(arguments: Sequence[object]) -> dict[str, float]:
    command = [sys.executable, "-m", "lptn_cli", "retouch", *map(str, arguments), "-d", "cpu", "--json", "-q"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    times = []
    for line in process.stdout or ():
        if json.loads(line)["event"] == "photo":
            times.append(time.perf_counter() - started)
    if process.wait() or len(times) != FOLDER:
        raise RuntimeError(f"{command} gave {len(times)} outcomes")
    per_photo = (times[-1] - times[WARM - 1]) / (FOLDER - WARM)
    ended = time.perf_counter() - started
    return {"seconds_per_photo": per_photo, "start_up_seconds": times[0], "seconds": ended}


def _million() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", MILLION], capture_output=True, text=True, check=True)
    photos, before, listed, planned, peak, listing, planning = json.loads(done.stdout)
    return {
        "photos": photos,
        "mib_before": before,
        "mib_listed": listed,
        "mib_planned": planned,
        "mib_peak_with_ray": peak,
        "seconds_listing_simulated": listing,
        "seconds_planning": planning,
    }


if __name__ == "__main__":
    main()
