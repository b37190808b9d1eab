"""What a run shows of itself: held-back photos before and after, and curves of its losses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from lptn_cli.atomic import write_atomic
from lptn_cli.codecs import encode
from lptn_cli.codecs.image import EncodeOptions, Image, Pixels
from lptn_cli.finish import shrink
from lptn_cli.training.reading import Pixels8

PAPER = 250  # grey level between the photos
WIDTH, HEIGHT, MARGIN = 640, 160, 48  # of one curve, in SVG units
POINTS = 200  # a curve of more steps is averaged down to as many


def write_sheet(
    path: Path, pairs: Sequence[tuple[Pixels8, Pixels]], cell: int = 320, columns: int = 3
) -> None:
    """Write a PNG of before and after side by side, `columns` pairs a row."""
    rows = -(-len(pairs) // columns)
    sheet = np.full((rows * cell, columns * 2 * cell, 3), PAPER, np.uint8)
    for n, both in enumerate(pairs):
        top, left = n // columns * cell, n % columns * 2 * cell
        for side, pixels in enumerate(both):
            ratio = cell / max(pixels.shape[:2])
            small = np.rint(shrink(pixels, max(1, int(ratio * min(pixels.shape[:2])))) * 255).astype(np.uint8)
            height, width = small.shape[:2]
            sheet[top : top + height, left + side * cell : left + side * cell + width] = small
    write_atomic(path, encode(Image(sheet, "png"), EncodeOptions("png")), overwrite=True)


def write_curves(path: Path, log: Iterable[str]) -> None:
    """Write the loss and every measured figure over minutes as an SVG.

    log: the JSON lines of log.jsonl. A line that is cut off is passed over.
    """
    curves: dict[str, list[tuple[float, float]]] = {"loss": []}
    for line in log:
        try:
            step = json.loads(line)
        except json.JSONDecodeError:
            continue
        minutes = step["seconds"] / 60
        curves["loss"].append((minutes, step["loss"]))
        for name, value in step.get("measured", {}).items():
            curves.setdefault(name, []).append((minutes, value))
    drawn = [_curve(name, _averaged(points), n) for n, (name, points) in enumerate(curves.items()) if points]
    size = f'width="{WIDTH + 2 * MARGIN}" height="{len(drawn) * (HEIGHT + MARGIN) + MARGIN}"'
    style = 'font-family="sans-serif" font-size="12" fill="#333"'
    body = "\n".join(drawn)
    text = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{body}\n</svg>\n'
    write_atomic(path, text.encode(), overwrite=True)


def _averaged(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    groups = np.array_split(np.array(points), min(len(points), POINTS))
    return [(float(x), float(y)) for x, y in (group.mean(0) for group in groups)]


def _curve(name: str, points: list[tuple[float, float]], n: int) -> str:
    """One curve with its least and greatest value, the n-th from the top."""
    top = MARGIN + n * (HEIGHT + MARGIN)
    low, high = min(y for _, y in points), max(y for _, y in points)
    across, up = max(x for x, _ in points) or 1.0, (high - low) or 1.0
    places = " ".join(
        f"{MARGIN + WIDTH * x / across:.1f},{top + HEIGHT * (high - y) / up:.1f}" for x, y in points
    )
    return "\n".join(
        [
            f'<text x="{MARGIN}" y="{top - 8}">{escape(name)}: {points[-1][1]:.4g} '
            f"at {across:.1f} minutes ({low:.4g} to {high:.4g})</text>",
            f'<rect x="{MARGIN}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#ccc"/>',
            f'<polyline points="{places}" fill="none" stroke="#06c" stroke-width="1.5"/>',
        ]
    )
