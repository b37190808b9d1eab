"""What a look does to skin: a portrait as it is, and rendered flat like a camera's raw file.

    python -m benchmarks.skin -p retouch [--out benchmarks/results]

The portrait is scikit-image's astronaut (Eileen Collins, NASA, public domain), a well-lit studio photo. Hue
is the angle of a* and b* of CIELAB, in degrees, of the mean colour of the face; "to photo" the mean CIEDE2000
of the face against the portrait as it is.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.data import astronaut

from benchmarks.machine import machine, publish
from lptn_cli import Retoucher
from lptn_cli.training.reading import Pixels8, pixels_of, tensor
from lptn_cli.training.renderings import unedited

FACE = slice(70, 180), slice(180, 262)
RENDERINGS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-p", "--preset", action="append", required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    photo: Pixels8 = astronaut()  # type: ignore[no-untyped-call]
    generator = torch.Generator().manual_seed(0)
    flat = [pixels_of(unedited(tensor(photo[None]), generator)) for _ in range(RENDERINGS)]
    presets = {}
    for name in options.preset:
        look = Retoucher(name, "cpu")
        presets[name] = {
            "portrait": _against(photo, [np.asarray(look(photo), np.uint8)]),
            "flat, before": _against(photo, flat),
            "flat": _against(photo, [np.asarray(look(one), np.uint8) for one in flat]),
        }
    publish({"what": "a face", "machine": machine(), "presets": presets}, options.out, "skin")


def _against(photo: Pixels8, results: list[Pixels8]) -> dict[str, float]:
    """Means over results: how far the hue of the face turned, either way, and how far its colours moved."""
    wanted = rgb2lab(photo[FACE])
    faces = [rgb2lab(result[FACE]) for result in results]
    turned = [abs((_hue(face) - _hue(wanted) + 180) % 360 - 180) for face in faces]
    moved = [float(deltaE_ciede2000(face, wanted).mean()) for face in faces]  # type: ignore[no-untyped-call]
    return {"hue turned": round(float(np.mean(turned)), 1), "to photo": round(float(np.mean(moved)), 1)}


def _hue(lab: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return math.degrees(math.atan2(float(lab[..., 2].mean()), float(lab[..., 1].mean())))


if __name__ == "__main__":
    main()
