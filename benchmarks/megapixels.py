"""Time of a look against the size of the photo, ours and the published way, with a plot; both in one run.

    python -m benchmarks.megapixels -p retouch -p fivek [--out benchmarks/results] [--plot docs/speed.png]

One rendered scene at every size, pixels in, pixels out; presets take turns, each figure is a median of seven.
In its turn a preset does the photo twice and the second time counts: memory and threads are as in a folder of
such photos, not as another preset left them.
Presets at full resolution stop at LARGEST_PUBLISHED megapixels, where they need gigabytes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import machine, publish
from demo.scenes import render
from lptn_cli import Retoucher
from lptn_cli.codecs.image import Pixels

MEGAPIXELS = (0.5, 1, 2, 4, 8.3, 12, 24, 50, 100)
LARGEST_PUBLISHED = 9
RUNS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-p", "--preset", action="append", required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    scene = np.rint(render("lake", 1920, 1080) * 255).astype(np.uint8)
    looks = [Retoucher(name, "cpu") for name in options.preset]
    seconds: dict[str, dict[str, float]] = {look.preset.name: {} for look in looks}
    for megapixels in MEGAPIXELS:
        height = round((megapixels * 1e6 * 9 / 16) ** 0.5)
        photo = np.asarray(cv2.resize(scene, (height * 16 // 9, height)), np.uint8)
        timed = [look for look in looks if look.preset.native_scale or megapixels <= LARGEST_PUBLISHED]
        spent: dict[str, list[float]] = {look.preset.name: [] for look in timed}
        for _ in range(RUNS):
            for look in timed:
                spent[look.preset.name].append(_seconds(look, photo))
        for name, times in spent.items():
            seconds[name][f"{megapixels:g}"] = round(statistics.median(times), 4)
    what = "median seconds of a look by megapixels, pixels in, pixels out"
    publish({"what": what, "machine": machine(), "seconds": seconds}, options.out, "megapixels")
    if options.plot:
        _plot(seconds, options.plot)


def _seconds(look: Retoucher, photo: Pixels) -> float:
    look(photo)
    started = time.perf_counter()
    look(photo)
    return time.perf_counter() - started


def _plot(seconds: dict[str, dict[str, float]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), dpi=120)
    for name, times in seconds.items():
        places: list[Any] = [float(megapixels) for megapixels in times]
        axes.loglog(places, list(times.values()), marker="o", label=name)
    axes.axhline(0.1, color="grey", linewidth=0.8, linestyle="dotted")
    axes.set(xlabel="megapixels", ylabel="seconds a photo, CPU")
    axes.grid(which="major", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
