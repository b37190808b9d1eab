"""PSNR of presets on pairs of photos, at the photos' own size and through the whole Retoucher.

    python -m benchmarks.pairs ../shared/retouch_check -p retouch -p fivek [--out benchmarks/results]

DIR holds input/NAME and target/NAME. Per photo: 10 log10(255^2 / mean squared error) over
8-bit RGB; then the mean.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from lptn_cli import Retoucher
from lptn_cli.codecs import decode
from lptn_cli.codecs.image import Pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-p", "--preset", action="append", required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    names: list[str] = sorted(path.name for path in Path(options.folder, "input").iterdir())
    pairs = [
        (_pixels(options.folder / "input" / name), _pixels(options.folder / "target" / name))
        for name in names
    ]
    figures = {"before": _mean([psnr(photo, target) for photo, target in pairs])}
    for name in options.preset:
        look = Retoucher(name, "cpu")
        figures[look.preset.name] = _mean([psnr(look(photo), target) for photo, target in pairs])
    result = {
        "what": f"mean PSNR in dB on {len(pairs)} pairs of {options.folder.name}",
        "machine": machine(),
        "psnr": figures,
    }
    print(json.dumps(result, indent=2))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / f"pairs-{options.folder.name}.json"
        path.write_text(json.dumps(result, indent=2) + "\n")


def _pixels(path: Path) -> Pixels:
    return decode(path.read_bytes()).pixels


def psnr(result: Pixels, target: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of two (H, W, 3) uint8 photos."""
    error = float(np.mean((result.astype(np.float64) - target) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 2)


if __name__ == "__main__":
    main()
