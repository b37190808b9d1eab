"""The main job from disk to disk: photos per minute of a folder of 4K JPEGs, peak memory of one photo.

    python -m benchmarks.batch --out benchmarks/results [--photos ../shared/photos4k]

Each figure is the median of several runs of the real command in a process of its own; memory is the process's
peak resident set (ru_maxrss), beside that of a run that only loads and translates a tiny photo.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import machine, publish
from demo.scenes import render
from lptn_cli.codecs import decode, encode
from lptn_cli.codecs.image import EncodeOptions, Image

RUNS = 3
FOLDER = 90  # photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--photos", type=Path, default=Path("../shared/photos4k"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        sources = _sources(options.photos, work)
        folder = work / "folder"
        folder.mkdir()
        for n in range(FOLDER):
            shutil.copy(sources[n % len(sources)], folder / f"{n:03}.jpg")
        tiny, large = work / "tiny.jpg", work / "large.jpg"
        _write_at(sources[0], tiny, 640, 480)
        _write_at(sources[0], large, 6000, 4000)
        seconds = [_run([folder, "-o", work / f"out-{n}"])[0] for n in range(RUNS)]
        one = [_run([sources[0], "-o", work / f"one-{n}.jpg"])[0] for n in range(RUNS)]
        tiny_mib = [_run([tiny, "-o", work / f"t{n}.jpg"])[1] for n in range(RUNS)]
        large_mib = [_run([large, "-o", work / f"l{n}.jpg"])[1] for n in range(RUNS)]
    median = statistics.median(seconds)
    result = {
        "what": f"lptn retouch, {FOLDER} JPEGs of {sources[0].parent.name}, disk to disk, start-up included",
        "machine": machine(),
        "folder_seconds": seconds,
        "photos_per_minute": round(60 * FOLDER / median, 1),
        "one_4k_photo_seconds_with_start_up": round(statistics.median(one), 2),
        "peak_mib_24_megapixels": round(statistics.median(large_mib)),
        "peak_mib_tiny_photo": round(statistics.median(tiny_mib)),
        "decoded_mib_24_megapixels": round(6000 * 4000 * 3 / 2**20),
    }
    publish(result, options.out, "batch")


def _sources(photos: Path, work: Path) -> list[Path]:
    """4K JPEGs: real ones where they are, else one rendered scene."""
    if photos.is_dir():
        return sorted(photos.glob("*.jpg"))
    path = work / "rendered" / "lake.jpg"
    path.parent.mkdir()
    pixels = np.rint(render("lake") * 255).astype(np.uint8)
    path.write_bytes(encode(Image(pixels=pixels, format="jpeg"), EncodeOptions(format="jpeg")))
    return [path]


def _write_at(source: Path, path: Path, width: int, height: int) -> None:
    pixels = cv2.resize(decode(source.read_bytes()).pixels, (width, height), interpolation=cv2.INTER_CUBIC)
    image = Image(pixels=np.asarray(pixels, np.uint8), format="jpeg", subsampling="420")
    path.write_bytes(encode(image, EncodeOptions(format="jpeg")))


def _run(arguments: Sequence[object]) -> tuple[float, float]:
    """Seconds and peak MiB of one `lptn retouch` in a fresh process."""
    code = (
        "import resource, sys\n"
        "from lptn_cli.cli import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, "retouch", *map(str, arguments), "-q", "-d", "cpu"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, int(done.stdout) / 1024


if __name__ == "__main__":
    main()
