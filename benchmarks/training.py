"""Seconds of a training step of eight photos of 256 x 256 pixels, for every way to learn and pyramid.

    python -m benchmarks.training [--device cuda] [--out benchmarks/results]

The ways are stepped in turn, STEPS times after one warm-up; figures are medians. The photos are noise: what
they show does not change the time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import machine, publish
from lptn_cli.network import LPTN
from lptn_cli.training import batches
from lptn_cli.training.data import GroupData, PairData
from lptn_cli.training.guides import GUIDES
from lptn_cli.training.loop import Objective, Trainer, near_identity
from lptn_cli.training.pairs import PairObjective
from lptn_cli.training.published import PublishedObjective
from lptn_cli.training.reading import Pair
from lptn_cli.training.run import OWN, RECOLOURING
from lptn_cli.training.unpaired import UnpairedObjective

SIDE = 256
STEPS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    device = torch.device(options.device)
    batches.CROP = 1.0  # no smaller windows
    trainers = {
        f"{way}, {levels} levels": Trainer(
            near_identity(
                LPTN(num_high=levels, variant=OWN if way == "pairs" else RECOLOURING, context=True)
            ),
            objective,
            device,
        )
        for way, objective in _objectives(device).items()
        for levels in (3, 4)
    }
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for _ in range(STEPS + 1):
        for name, trainer in trainers.items():
            started = time.perf_counter()
            trainer.one_step(0.5)
            seconds[name].append(time.perf_counter() - started)
    result: dict[str, object] = {
        "what": "median seconds of a training step of eight 256-px photos",
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "seconds": {name: round(statistics.median(times[1:]), 3) for name, times in seconds.items()},
    }
    if device.type == "cuda":
        result["gpu"] = torch.cuda.get_device_name(device)
    publish(result, options.out, "training" if device.type == "cpu" else f"training-{device.type}")


def _objectives(device: torch.device) -> dict[str, Objective]:
    numbers = np.random.default_rng(0)
    photos = [numbers.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(8)]
    groups = GroupData(photos, photos, photos[:1], [])
    pairs = [Pair(str(n), photo, photo) for n, photo in enumerate(photos)]
    return {
        "pairs": PairObjective(PairData(pairs, pairs, pairs, pairs, pairs, []), device),
        "guided": UnpairedObjective(groups, device, GUIDES["night"]),
        "unpaired": UnpairedObjective(groups, device),
        "published losses": PublishedObjective(groups, device),
    }


if __name__ == "__main__":
    main()
