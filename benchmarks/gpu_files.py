"""4K JPEGs from disk to disk: photos a second with JPEG on the GPU, and with the codecs of the CPU.

    python -m benchmarks.gpu_files [--device cpu] [--photos 200]

Part of `make gpu-check`. One process, the threads that `lptn retouch` takes, start-up left out: the median of
RUNS runs of each way in turn, after one that is not counted. Without nvImageCodec (`lptn[gpu]`), and on the
CPU, there is only the codecs' way. How near the GPU's pixels are to libjpeg-turbo's is measured beside it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine, publish
from lptn_cli import Retoucher, codecs
from lptn_cli.batch import MAX_WORKERS
from lptn_cli.codecs import jpeg_scans
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.cores import CORES
from lptn_cli.develop import Devices
from lptn_cli.discover import discover
from lptn_cli.manifest import Manifest
from lptn_cli.pipeline import retouch_all
from lptn_cli.plan import Job
from lptn_cli.report import Outcome, Report
from lptn_cli.settings import Settings
from lptn_cli.signals import Stop
from tests import codec_samples as samples

RUNS = 3
DIFFERENT = 8  # photos; the folder has each many times, as a decoder sees no difference
SHAPE = (2160, 3840)


class Timed(Report):
    """Keeps what became of every photo."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.outcomes: list[Outcome] = []

    def photo(self, outcome: Outcome) -> None:
        super().photo(outcome)
        self.outcomes.append(outcome)


class Counted(Retoucher):
    """A look that counts the JPEGs it did on the GPU from end to end."""

    jpegs = 0

    def retouch_jpeg(self, *given: Any, **asked: Any) -> Any:
        made = super().retouch_jpeg(*given, **asked)
        self.jpegs += made is not None  # threads may lose a count, never add one
        return made


def disk_to_disk(device: str, count: int) -> dict[str, Any]:
    """Photos a second of both ways, the median milliseconds of their steps, and the difference in pixels."""
    look = Counted("retouch", device)
    scans = look.scans
    ways = {"CPU codecs": None} | ({"JPEG on the GPU": scans} if scans else {})
    figures: dict[str, Any] = {"photos": count, "workers": min(CORES + 1, MAX_WORKERS)}
    with tempfile.TemporaryDirectory() as scratch:
        files = [_photo(seed) for seed in range(DIFFERENT)]
        folder = Path(scratch, "in")
        folder.mkdir()
        for n in range(count):
            Path(folder, f"{n:04}.jpg").write_bytes(files[n % DIFFERENT])
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for run in range(RUNS + 1):
            for way, codec in ways.items():
                look.scans, look.jpegs = codec, 0
                seconds, outcomes = _run(
                    look, folder, Path(scratch, f"out-{run}-{len(rates[way])}-{way[:3]}")
                )
                if run:
                    rates[way].append(round(count / seconds, 2))
                figures[way] = {
                    "photos_per_second": statistics.median(rates[way] or [0]),
                    "runs": rates[way],
                    "on_the_gpu": look.jpegs,
                    "median_ms": _medians(outcomes),
                }
    return figures | ({"decoded_against_libjpeg_turbo": _difference(scans, files)} if scans else {})


def _run(look: Retoucher, folder: Path, out: Path) -> tuple[float, list[Outcome]]:
    found = discover([folder])
    jobs = [Job(n, one, out / one.relative, None) for n, one in enumerate(found, 1)]
    report = Timed()
    started = time.perf_counter()
    with Manifest.open(out) as manifest:
        retouch_all(
            jobs, Devices([look], cores=1), Settings(look.preset, look.preset.strength), manifest, report,
            workers=min(CORES + 1, MAX_WORKERS), stop=Stop(),
        )  # fmt: skip
    spent = time.perf_counter() - started
    shutil.rmtree(out)
    if report.counts.written != len(jobs):
        raise SystemExit(f"{len(jobs) - report.counts.written} photos failed: {report.outcomes[0].message}")
    return spent, report.outcomes


def _medians(outcomes: list[Outcome]) -> dict[str, float]:
    return {step: statistics.median(one.ms.get(step, 0) for one in outcomes) for step in outcomes[0].ms}


def _difference(codec: Any, files: list[bytes]) -> dict[str, float]:
    """In levels of 255, of all values of all photos."""
    found = []
    for data in files:
        parts = jpeg_scans.apart(data, 10**9)
        decoded = codec.decode(parts.scans) if parts else None
        if decoded is None:
            raise SystemExit("the GPU did not decode a plain JPEG")
        found.append(np.abs(decoded.cpu().numpy().astype(int) - codecs.decode(data).pixels))
    levels = np.stack(found)
    return {
        "largest": int(levels.max()),
        "mean": round(float(levels.mean()), 4),
        "within_one": round(float((levels <= 1).mean()), 5),
    }


def _photo(seed: int) -> bytes:
    """A 4K JPEG as a camera writes it: soft shapes with grain, and all the metadata that the tests know."""
    numbers = np.random.default_rng(seed)
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.float32) / SHAPE[0]
    waves = numbers.uniform(2, 15, (3, 2))
    shapes = [np.sin(f * (x + 0.7 * y)) * np.cos(g * (y - 0.4 * x)) for f, g in waves]
    pixels = 120 + 60 * np.stack(shapes, axis=2) + numbers.normal(0, 6, (*SHAPE, 1))
    metadata = samples.full_metadata(1, exif=samples.exif_block(1), icc=None)
    image = Image(pixels.clip(0, 255).astype(np.uint8), "jpeg", subsampling="420", metadata=metadata)
    return codecs.encode(image, EncodeOptions("jpeg", quality=92))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result = {"machine": machine(), **disk_to_disk(options.device, options.photos)}
    publish(result, options.out, "gpu-files")


if __name__ == "__main__":
    main()
