"""PSNR, SSIM and CIEDE2000 of presets on pairs of photos, by `lptn evaluate`: at the photos' own size.

    python -m benchmarks.pairs ../shared/retouch_check -p retouch -p fivek [--out benchmarks/results]

DIR holds input/NAME and target/NAME.
"""

from __future__ import annotations

from benchmarks.machine import machine, preset_options, publish
from lptn_cli.training.evaluation import evaluate


def main() -> None:
    options = preset_options(__doc__)
    figures = {name: evaluate(name, [], options.folder, device="cpu")["pairs"] for name in options.preset}
    result = {
        "what": f"means on the pairs of {options.folder.name}",
        "machine": machine(),
        "presets": figures,
    }
    publish(result, options.out, f"pairs-{options.folder.name}")


if __name__ == "__main__":
    main()
