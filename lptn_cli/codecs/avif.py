"""AVIF: libavif reads through imagecodecs (8 bits; 10 and 12 become 16) and writes through Pillow (8 bits).

The turn that irot and imir say becomes `orientation`; it is written as EXIF and as irot/imir, which viewers
obey. IPTC, comments and density have no place in an AVIF and are lost.
"""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import AvifImagePlugin

from lptn_cli.errors import EncodeError, UnsupportedError

from .avif_boxes import Still, checked_still
from .damage import damaged
from .icc import of_primaries
from .image import EncodeOptions, Header, Image, Metadata
from .samples import joined, split, widened
from .second_pictures import note_of_boxes

_broken = partial(damaged, "AVIF")

_ORIENTATION = 0x0112
_SPEED = 8  # of 0..10: 6 takes twice as long for files half as large


class _Verbatim(PIL.Image.Exif):
    """Hands Pillow's encoder the block's own bytes; it would write the tags anew and lose maker notes."""

    def __init__(self, block: bytes, orientation: int) -> None:
        super().__init__()
        self.block = block
        self[_ORIENTATION] = orientation

    def __bool__(self) -> bool:
        return True

    def tobytes(self, offset: int = 8) -> bytes:
        return self.block


def read_header(data: bytes) -> Header:
    """The size before it is cropped. Raises DecodeError; UnsupportedError for image sequences and HDR."""
    width, height = _still(data).size
    return Header("avif", width, height)


def decode(data: bytes) -> Image:
    """Raises DecodeError, UnsupportedError."""
    still = _still(data)
    try:
        samples: NDArray[Any] = imagecodecs.avif_decode(data, index=0)
    except (imagecodecs.AvifError, ValueError, IndexError) as error:
        raise _broken(error) from None
    width, height = still.size
    if samples.shape[:2] != (height, width):
        raise _broken("two sizes")
    if samples.dtype == np.uint16:
        if still.depth not in (10, 12):
            raise _broken("two depths")
        samples = widened(samples, still.depth)
    pixels, alpha, grey = split(samples[still.crop])
    return Image(
        pixels=pixels,
        format="avif",
        alpha=alpha,
        grey=grey,
        subsampling=still.subsampling,
        metadata=_metadata(still),
        note=note_of_boxes(data),
    )


def encode(image: Image, options: EncodeOptions) -> bytes:
    """An 8-bit AVIF. Raises EncodeError."""
    subsampling = options.subsampling
    if subsampling == "auto":
        subsampling = image.subsampling or "444"
    colours = ":".join(subsampling)
    grey = image.grey and image.alpha is None
    if not AvifImagePlugin.SUPPORTED:
        raise EncodeError("this machine's Pillow writes no AVIF; try --format jpeg or png")
    metadata = image.metadata
    buffer = io.BytesIO()
    try:
        PIL.Image.fromarray(joined(image, grey=grey)).save(
            buffer,
            "AVIF",
            quality=options.quality,
            subsampling="4:0:0" if grey else colours,
            speed=_SPEED,
            icc_profile=metadata.icc or b"",
            exif=b"" if metadata.exif is None else _Verbatim(metadata.exif, metadata.orientation),
            xmp=metadata.xmp or b"",
        )
    except (ValueError, OSError, RuntimeError, SyntaxError) as error:
        raise EncodeError(f"the AVIF encoder failed ({error}); try --format jpeg or png") from None
    return buffer.getvalue()


def _metadata(still: Still) -> Metadata:
    """With a profile made where only numbers say that the colours are not those of sRGB."""
    metadata = still.metadata
    if metadata.icc is None:
        return replace(metadata, icc=of_primaries(still.coding[0]))
    return metadata


def _still(data: bytes) -> Still:
    if data[8:12] == b"avis":
        raise UnsupportedError("it is an animated AVIF; export one frame of it first")
    return checked_still(data, "AVIF")
