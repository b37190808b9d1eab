"""HEIC through libheif (pillow-heif, the extra `heic`): 8 bits; 10 and 12 become 16. It is read, not written.

libheif turns the picture as irot and imir say, so `orientation` is 1 here: the one format whose pixels come
upright. Depth maps, gain maps and live pictures are dropped. HEVC data has no checksum: damage that decodes
is not seen.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lptn_cli.errors import UnsupportedError

from . import exif
from .avif_boxes import Still, checked_still
from .damage import damaged
from .icc import of_primaries
from .image import Chroma, Header, Image
from .samples import split, unmultiplied, widened
from .second_pictures import note_of_boxes
from .xmp import without_orientation

_broken = partial(damaged, "HEIC")
_SUBSAMPLINGS: dict[int, Chroma] = {444: "444", 422: "422", 420: "420"}
_FAILURES = (ValueError, EOFError, SyntaxError, RuntimeError, OSError, LookupError)


def read_header(data: bytes) -> Header:
    """The size before libheif crops and turns. Raises DecodeError; UnsupportedError for sequences and HDR."""
    width, height = _still(data).size
    return Header("heic", width, height)


def decode(data: bytes) -> Image:
    """Raises DecodeError, UnsupportedError, which names the extra where it is missing."""
    still = _still(data)
    try:
        file = _pillow_heif().open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        picture = file[file.primary_index]
        samples: NDArray[Any] = np.array(picture)
    except _FAILURES as error:
        raise _broken(error) from None
    if samples.dtype == np.uint16:
        samples = widened(samples, picture.info["bit_depth"])
    if picture.premultiplied_alpha:
        samples = unmultiplied(samples if samples.ndim == 3 else samples[..., np.newaxis])
    pixels, alpha, grey = split(samples)
    block = still.metadata.exif
    if block and still.metadata.orientation != 1:
        block = exif.turned_upright(block, pixels.shape[1], pixels.shape[0])
    metadata = replace(  # libheif has turned the pixels
        still.metadata,
        orientation=1,
        exif=block,
        xmp=without_orientation(still.metadata.xmp) if still.metadata.xmp else None,
        icc=still.metadata.icc or of_primaries(still.coding[0]),
    )
    further = f"has {len(file)} pictures, only the main one is kept" if len(file) > 1 else ""
    return Image(
        pixels=pixels,
        format="heic",
        alpha=alpha,
        grey=grey,
        subsampling=_SUBSAMPLINGS.get(picture.info.get("chroma", 0)),
        metadata=metadata,
        note="; ".join(filter(None, (further, note_of_boxes(data)))),
    )


def _pillow_heif() -> ModuleType:
    try:
        import pillow_heif
    except ImportError:
        raise UnsupportedError(
            "a HEIC photo needs a library that is not there; pip install 'lptn[heic]'"
        ) from None
    return pillow_heif


def _still(data: bytes) -> Still:
    if data[8:12] in (b"hevc", b"hevx", b"msf1"):
        raise UnsupportedError("it is a sequence of pictures (HEICS); export one of them first")
    return checked_still(data, "HEIC")
