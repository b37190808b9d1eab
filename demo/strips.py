"""`make pictures`: the pictures of the README and the model cards, of rendered scenes before and after."""

from __future__ import annotations

import argparse
import io
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.scene_camera import as_raw
from demo.scenes import render
from demo.sheet import write_sheet
from lptn_cli import Retoucher

WIDTH, HEIGHT = 640, 400  # of a picture; looks are made at twice that
GAP = 8
QUALITY = 88

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Strip:
    """Two scenes with a look. raw: flat, as raw converters give them; first: the look they have before."""

    preset: str
    scenes: tuple[str, str]
    raw: bool = False
    first: str | None = None


STRIPS = {
    "before-after": Strip("retouch", ("lake", "meadow"), raw=True),
    "day-to-night": Strip("day-to-night", ("village", "skyline")),
    "night-to-day": Strip("night-to-day", ("skyline", "village"), first="day-to-night"),
    "summer-to-winter": Strip("summer-to-winter", ("meadow", "village")),
    "winter-to-summer": Strip("winter-to-summer", ("meadow", "village"), first="summer-to-winter"),
    "golden-hour": Strip("golden-hour", ("lake", "skyline")),
    "autumn": Strip("autumn", ("meadow", "village")),
}
LOOKS = ("day-to-night", "summer-to-winter", "autumn", "golden-hour")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    for name, strip in STRIPS.items():
        before = [_scene(scene, strip.raw, strip.first) for scene in strip.scenes]
        rows = [[photo, _retouched(photo, strip.preset)] for photo in before]
        _jpeg(_on_white(rows), options.out / f"{name}.jpg")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for scene in ("meadow", "village"):
            photo = _scene(scene)
            results = {"before": photo, **{name: _retouched(photo, name) for name in LOOKS}}
            paths.append([Path(folder, f"{scene}-{name}.jpg") for name in results])
            for path, result in zip(paths[-1], results.values(), strict=True):
                _jpeg(result, path)
        sheet = Path(folder, "looks.png")
        write_sheet(sheet, ["before", *LOOKS], paths, width=416, height=260)
        _jpeg(np.asarray(Image.open(sheet)), options.out / "looks.jpg")


@cache
def _look(preset: str) -> Retoucher:
    return Retoucher(preset, "cpu")


def _retouched(photo: Pixels, preset: str) -> Pixels:
    return np.asarray(_look(preset)(photo), np.uint8)


@cache
def _scene(name: str, raw: bool = False, first: str | None = None) -> Pixels:
    picture = render(name, 2 * WIDTH, 2 * HEIGHT)
    photo = np.rint(255 * (as_raw(picture, 1) if raw else picture)).astype(np.uint8)
    return _retouched(photo, first) if first else photo


def _on_white(rows: list[list[Pixels]]) -> Pixels:
    """Half as large, a row of each, with a gap between them."""
    sheet = np.full((len(rows) * (HEIGHT + GAP) - GAP, 2 * WIDTH + GAP, 3), 255, np.uint8)
    for n, row in enumerate(rows):
        for m, photo in enumerate(row):
            top, left = n * (HEIGHT + GAP), m * (WIDTH + GAP)
            small = Image.fromarray(photo).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
            sheet[top : top + HEIGHT, left : left + WIDTH] = np.asarray(small)
    return sheet


def _jpeg(pixels: Pixels, path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    path.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main()
