"""Contact sheets: a row a photo, the photo first and then each look, under a line of captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lptn_cli.codecs import decode
from lptn_cli.codecs.icc import to_srgb
from lptn_cli.finish import shrink
from lptn_cli.orientation import turn_upright

GAP = 12
CAPTION = 34
PAPER = (250, 249, 246)
INK = (40, 40, 40)


def thumbnail(path: Path, width: int, height: int) -> Image.Image:
    """The photo upright in sRGB, fitted into width x height."""
    photo = decode(path.read_bytes())
    small = shrink(photo.pixels, min(width, height))
    upright = to_srgb(turn_upright(small, photo.metadata.orientation), photo.metadata.icc)
    picture = Image.fromarray(np.rint(np.clip(upright, 0, 1) * 255).astype(np.uint8))
    picture.thumbnail((width, height), Image.Resampling.LANCZOS)
    return picture


def on_paper(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The picture in the middle of width x height of paper."""
    cell = Image.new("RGB", (width, height), PAPER)
    cell.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    return cell


def write_sheet(
    path: Path, captions: Sequence[str], rows: Sequence[Sequence[Path]], width: int = 640, height: int = 400
) -> None:
    """Write a PNG with one column for each caption and one row for each sequence of photos."""
    columns = len(captions)
    size = (columns * (width + GAP) + GAP, len(rows) * (height + GAP) + CAPTION + GAP)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(20)
    for column, caption in enumerate(captions):
        draw.text((GAP + column * (width + GAP), GAP // 2), caption, INK, font)
    for row, photos in enumerate(rows):
        for column, photo in enumerate(photos):
            place = (GAP + column * (width + GAP), CAPTION + row * (height + GAP))
            sheet.paste(on_paper(thumbnail(photo, width, height), width, height), place)
    sheet.save(path)
