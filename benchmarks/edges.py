"""Halos, colour fringes and noise at 100 %: what a look does beside strong edges and in shadows.

    python -m benchmarks.edges ../shared/photos4k -p day-to-night -p fivek [--out benchmarks/results]

Where a photo is even over REACH pixels, as skies are, a result should be too, also beside a roof. Halo: how
much more the result's luminance changes over that way than the photo's, in levels of 255, on even ways that
end within REACH pixels of a strong edge (over EDGE levels within 4 pixels). Fringe: the same for colour, the
channel that differs most from luminance. The mean and the 99th percentile of all such ways, across and down.
Noise: the standard deviation of the finest detail of luminance where a photo is dark and even, before and
after, in levels.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine, preset_options, publish
from lptn_cli import Retoucher
from lptn_cli.codecs import decode
from lptn_cli.luma import luma

REACH = 24  # pixels: 2160 rows are 9 to a pixel of the native scale, 72 to one of the low-frequency component
EDGE = 60
EVEN = 6  # levels, of luminance
DARK = 40  # levels

Floats = NDArray[np.float32]


def main() -> None:
    options = preset_options(__doc__)
    photos = [decode(path.read_bytes()).pixels for path in sorted(options.folder.glob("*.jpg"))]
    figures = {}
    for name in options.preset:
        look = Retoucher(name, "cpu")
        ways: list[list[Floats]] = []
        noise = []
        for photo in photos:
            before, after = (image.astype(np.float32) for image in (photo, look(photo)))
            ways += [_added(before, after, axis) for axis in (0, 1)]
            noise += [_noise(before, after)]
        halo, fringe = (np.concatenate(some) for some in zip(*ways, strict=True))
        figures[look.preset.name] = {
            "halo": _mean_and_p99(halo),
            "fringe": _mean_and_p99(fringe),
            "noise": [round(float(level), 2) for level in np.nanmean(noise, axis=0)],
        }
    result = {
        "what": f"the {len(photos)} photos of {options.folder.name} at full size",
        "machine": machine(),
        "presets": figures,
    }
    publish(result, options.out, "edges")


def _added(before: Floats, after: Floats, axis: int) -> list[Floats]:
    """Change of luminance and of colour over REACH pixels along the axis that the photo doesn't have."""
    if axis == 0:
        before, after = before.transpose(1, 0, 2), after.transpose(1, 0, 2)
    light = np.ascontiguousarray(luma(before)[..., 0])
    way = np.ones((1, REACH + 1), np.uint8)
    even = cv2.dilate(light, way) - cv2.erode(light, way) < EVEN  # around the middle of the way
    steep = np.zeros(light.shape, np.uint8)
    steep[:, 2:-2] = np.abs(light[:, 4:] - light[:, :-4]) > EDGE
    half = REACH // 2
    near = cv2.dilate(steep, np.ones((1, 2 * (REACH + half) + 1), np.uint8)) > 0
    chosen = (even & near)[:, half:-half]
    return [
        _change(result, chosen) - _change(photo, chosen)
        for photo, result in zip(_parts(before), _parts(after), strict=True)
    ]


def _parts(image: Floats) -> Iterator[Floats]:
    """Luminance, and colour as what each channel has over it."""
    light = luma(image)
    yield light
    yield image - light


def _change(part: Floats, chosen: NDArray[np.bool_]) -> Floats:
    change: Floats = np.abs(part[:, REACH:] - part[:, :-REACH]).max(axis=2)[chosen]
    return change


def _noise(before: Floats, after: Floats) -> list[float]:
    light = np.ascontiguousarray(luma(before)[..., 0])
    base = cv2.blur(light, (9, 9))
    spread = np.sqrt(np.maximum(cv2.blur(light * light, (9, 9)) - base * base, 0))
    chosen = (base < DARK) & (spread < EVEN / 2)
    details = (image - cv2.GaussianBlur(image, (0, 0), 1.5) for image in (light, luma(after)[..., 0]))
    return [float(detail[chosen].std()) if chosen.any() else float("nan") for detail in details]


def _mean_and_p99(values: Floats) -> dict[str, float]:
    return {
        "mean": round(float(values.mean()), 2),
        "p99": round(float(np.percentile(values, 99)), 1),
    }


if __name__ == "__main__":
    main()
