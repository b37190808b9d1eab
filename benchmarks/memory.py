"""Memory of one `lptn retouch` over a thousand photos of many shapes: it should be flat.

    python -m benchmarks.memory [--photos 1000] [--out benchmarks/results]

Resident memory (VmRSS) of the process, sampled as photos are finished. Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import machine, publish
from lptn_cli.codecs import encode
from lptn_cli.codecs.image import EncodeOptions, Image

SHAPES = 100  # different ones, 0.8 to 3 megapixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "photos")
        folder.mkdir()
        _write_photos(folder, options.photos)
        command = [sys.executable, "-m", "lptn_cli", "retouch", str(folder), "-o", f"{scratch}/out"]
        command += ["--print", "-q"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            mib = [_resident(process.pid) for _ in process.stdout]
        if process.returncode or len(mib) < 10:
            raise SystemExit(f"lptn retouch ended with {process.returncode} after {len(mib)} photos")
    tenth = len(mib) // 10
    result = {
        "what": f"resident MiB of lptn retouch over {len(mib)} photos of {SHAPES} shapes",
        "machine": machine(),
        "mib_by_tenth": [round(max(mib[n * tenth : (n + 1) * tenth])) for n in range(10)],
    }
    publish(result, options.out, "memory")


def _write_photos(folder: Path, count: int) -> None:
    numbers = np.random.default_rng(0)
    made = []
    for _ in range(SHAPES):
        height, width = numbers.integers(900, 1750, 2)
        block = numbers.integers(0, 256, (height // 50 + 1, width // 50 + 1, 3)).astype(np.uint8)
        pixels = np.kron(block, np.ones((50, 50, 1), np.uint8))[:height, :width].copy()
        made.append(encode(Image(pixels, "jpeg"), EncodeOptions("jpeg")))
    for n in range(count):
        (folder / f"{n:05}.jpg").write_bytes(made[n % SHAPES])


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
