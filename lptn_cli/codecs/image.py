"""The values that codecs give and take: a decoded picture, what goes round it unchanged, how to write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .formats import Format as Format
from .formats import Source as Source

Chroma = Literal["444", "422", "420"]
Subsampling = Literal["auto", Chroma]
MetadataPolicy = Literal["keep", "no-gps", "none"]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Header:
    """What a file says of itself before any pixel is decoded; width and height in pixels as stored."""

    format: Source
    width: int
    height: int


@dataclass(frozen=True)
class Metadata:
    """What travels round the pixels, each part byte for byte as the file held it.

    exif: the TIFF structure, without the `Exif\\0\\0` prefix. xmp: the packet. icc: the whole profile, put
    together from its segments. iptc: the Photoshop image resource block (APP13 body after
    `Photoshop 3.0\\0`). comments: JPEG COM bodies. segments: for a JPEG, every (marker, body) to be spliced
    back verbatim and in order (APP1..APP15 but APP14, and COM; without MPF). chunks: for a PNG, every
    (type, body) to be spliced back: text, density, time, and what says the colour besides the profile.
    dpi: dots per inch across and down, from JFIF, pHYs or the TIFF tags; None where the file does not say.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    iptc: bytes | None = None
    comments: tuple[bytes, ...] = ()
    segments: tuple[tuple[int, bytes], ...] = ()
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    dpi: tuple[float, float] | None = None
    density: bytes | None = None  # of a JPEG: unit, across and down, the 5 bytes of its JFIF segment
    orientation: int = 1  # EXIF convention, 1 to 8; pixels are never rotated


@dataclass(frozen=True)
class Image:
    """A decoded picture, exactly as stored: never rotated, never converted to another colour space.

    pixels: (H, W, 3) uint8 or uint16, RGB, C-contiguous; a grey file gives three equal channels.
    alpha: (H, W) of the same dtype, or None.
    selection: the same, of a TIFF with a further channel that is not its transparency; only TIFF holds it.
    note: what of the file is not in here, worded to follow its name: "has 3 pages, only the first is kept".
    """

    pixels: Pixels
    format: Source
    alpha: Pixels | None = None
    grey: bool = False
    subsampling: Chroma | None = None  # of a JPEG, AVIF or HEIC in colour; None elsewhere
    metadata: Metadata = Metadata()
    note: str = ""
    selection: Pixels | None = None
    lossless: bool = False  # of a WebP, which may be either; False elsewhere

    @property
    def depth(self) -> Literal[8, 16]:
        return 16 if self.pixels.dtype == np.uint16 else 8


@dataclass(frozen=True)
class EncodeOptions:
    """How to write: quality 1..100 for lossy formats; depth "auto" keeps the picture's if the format can.

    subsampling: of JPEG and AVIF; "auto" is the picture's own, 444 where it has none. A lossy WebP is 420
    whatever is asked for, as the format has nothing else. A picture from a lossless WebP becomes a lossless
    WebP again, and quality has no meaning there; from any other format it becomes a lossy one.
    """

    format: Format
    quality: int = 95
    subsampling: Subsampling = "auto"
    depth: Literal["auto", 8, 16] = "auto"
    metadata: MetadataPolicy = "keep"
    editor: str = ""  # what the photo's history in XMP names as having changed it; "" says nothing there
