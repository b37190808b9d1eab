"""PSNR of presets on pairs of photos, at the photos' own size and through the whole Retoucher.

    python -m benchmarks.pairs ../shared/retouch_check -p retouch -p fivek [--out benchmarks/results]

DIR holds input/NAME and target/NAME. Per photo: 10 log10(255^2 / mean squared error) over
8-bit RGB; then the mean.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.machine import machine, preset_options, publish
from lptn_cli import Retoucher
from lptn_cli.codecs import decode
from lptn_cli.codecs.image import Pixels
from lptn_cli.training.evaluation import psnr


def main() -> None:
    options = preset_options(__doc__)
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
    publish(result, options.out, f"pairs-{options.folder.name}")


def _pixels(path: Path) -> Pixels:
    return decode(path.read_bytes()).pixels


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 2)


if __name__ == "__main__":
    main()
