"""The same look at every size, and what a look costs: PSNR between the result, shrunk, and the result of the
shrunk photo; and seconds for one whole photo.

    python -m benchmarks.sizes ../shared/photos4k -p retouch -p fivek [--out benchmarks/results]

Both images are shrunk to a short side of 320 pixels by area average. Seconds: pixels in, pixels out, the
median over the photos of the median of three runs (presets at full resolution, which take seconds, run once).
"""

from __future__ import annotations

import statistics
import time

from benchmarks.machine import machine, preset_options, publish
from lptn_cli import Retoucher
from lptn_cli.codecs import decode
from lptn_cli.codecs.image import Pixels
from lptn_cli.training.evaluation import size_consistency
from lptn_cli.training.reading import Pixels8


def main() -> None:
    options = preset_options(__doc__)
    paths = sorted(options.folder.glob("*.jpg"))
    photos: list[Pixels8] = [decode(path.read_bytes()).pixels for path in paths]  # type: ignore[misc]
    figures = {}
    for name in options.preset:
        look = Retoucher(name, "cpu")
        look(photos[0][:512, :512].copy())  # compiled before it is timed
        agreement = [round(size_consistency(look, photo), 1) for photo in photos]
        seconds = statistics.median(_seconds(look, photo) for photo in photos)
        figures[look.preset.name] = {"psnr": agreement, "seconds": round(seconds, 3)}
    result = {
        "what": f"the {len(photos)} photos of {options.folder.name}",
        "sizes": [f"{photo.shape[1]}x{photo.shape[0]}" for photo in photos],
        "machine": machine(),
        "presets": figures,
    }
    publish(result, options.out, "sizes")


def _seconds(look: Retoucher, photo: Pixels) -> float:
    runs = 3 if look.preset.native_scale else 1
    spent = []
    for _ in range(runs):
        started = time.perf_counter()
        look(photo)
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
