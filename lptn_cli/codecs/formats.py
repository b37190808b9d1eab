"""Which file formats there are, by suffix; imports nothing, so that `--help` and a dry run stay quick."""

from __future__ import annotations

from typing import Literal

Format = Literal["jpeg", "png", "tiff", "webp", "avif"]

SUFFIXES: dict[str, Format] = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".avif": "avif",
}

EXTENSIONS: dict[Format, str] = {
    "jpeg": ".jpg",
    "png": ".png",
    "tiff": ".tif",
    "webp": ".webp",
    "avif": ".avif",
}
