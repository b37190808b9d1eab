"""Which file formats there are, by suffix; imports nothing, so that `--help` and a dry run stay quick."""

from __future__ import annotations

from typing import Literal

Format = Literal["jpeg", "png", "tiff", "webp", "avif"]  # read and written
Source = Literal[Format, "heic", "jxl", "raw"]  # read

_RAW = (
    ".dng .cr2 .cr3 .crw .nef .nrw .arw .sr2 .srf .raf .orf .rw2 .rwl .pef .srw .3fr .fff .iiq .mrw .x3f "
    ".erf .mef .mos .dcr .kdc .gpr"
)

SUFFIXES: dict[str, Source] = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".avif": "avif",
    ".heic": "heic",
    ".heif": "heic",
    ".hif": "heic",
    ".jxl": "jxl",
    **dict.fromkeys(_RAW.split(), "raw"),
}

EXTENSIONS: dict[Source, str] = {
    "jpeg": ".jpg",
    "png": ".png",
    "tiff": ".tif",
    "webp": ".webp",
    "avif": ".avif",
    "heic": ".heic",
    "jxl": ".jxl",
    "raw": ".dng",
}

# What a photo becomes unless something else is asked for. It is said by the input's suffix alone, so that
# outputs have their names before the first photo is decoded.
WRITTEN_AS: dict[Source, Format] = {
    "jpeg": "jpeg",
    "png": "png",
    "tiff": "tiff",
    "webp": "webp",
    "avif": "avif",
    "heic": "jpeg",
    "jxl": "jpeg",
    "raw": "tiff",
}

# Written without loss, and in 16 bits a channel where the photo has them; the others hold 8.
LOSSLESS: tuple[Format, ...] = ("png", "tiff")

OUTPUT_SUFFIXES: dict[str, Format] = {
    suffix: WRITTEN_AS[source] for suffix, source in SUFFIXES.items() if WRITTEN_AS[source] == source
}
