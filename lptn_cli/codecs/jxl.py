"""JPEG XL through libjxl (imagecodecs): 8 and 16 bits; floats and linear light become 16. Read, not written.

One that was made of a JPEG without loss becomes that JPEG again, with all that goes round it. There is no way
here to read a profile that is packed in the codestream, nor to write one: such files are refused, and lptn
writes no JPEG XL. sRGB, Display P3 and BT.2020 have no need of one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from lptn_cli.errors import UnsupportedError

from . import exif, jpeg
from .boxes import BoxError
from .damage import damaged
from .icc import HDR_CURVES, of_primaries
from .image import Header, Image, Metadata
from .jxl_header import Codestream, Colours, Parts, read_codestream, read_parts
from .samples import from_floats, from_linear, split, widened
from .second_pictures import note_of_boxes

_broken = partial(damaged, "JPEG XL")
_FAILURES = (imagecodecs.JpegxlError, ValueError, RuntimeError)

_PROFILES = {1: 1, 9: 9, 11: 12}  # of JPEG XL's primaries those of `icc`: sRGB, BT.2020, Display P3
_D65, _LINEAR, _SRGB_CURVE = 1, 8, 13


def read_header(data: bytes) -> Header:
    """Raises DecodeError; UnsupportedError for animations, HDR and colours that cannot be told."""
    _, codestream = _read(data)
    return Header("jxl", codestream.width, codestream.height)


def decode(data: bytes) -> Image:
    """Raises DecodeError, UnsupportedError."""
    parts, codestream = _read(data)
    try:
        if parts.from_jpeg:
            return _of_jpeg(bytes(imagecodecs.jpegxl_decode_jpeg(data, numthreads=1)), codestream)
        samples: NDArray[Any] = imagecodecs.jpegxl_decode(data, index=0, keeporientation=True)
    except _FAILURES as error:
        raise _broken(error) from None
    if samples.shape[:2] != (codestream.height, codestream.width) or samples.ndim > 3:
        raise _broken("two sizes")
    floats = ""
    if samples.dtype.kind == "f":
        samples, floats = from_floats(samples)
    elif codestream.bits not in (8, 16):  # libjxl leaves them as they are stored
        samples = widened(samples, codestream.bits)
    if samples.dtype not in (np.uint8, np.uint16) or (samples.ndim == 3 and samples.shape[2] > 4):
        raise UnsupportedError("it is a JPEG XL of rare samples; export it as PNG or TIFF first")
    pixels, alpha, grey = split(samples)
    if codestream.colours.transfer == _LINEAR:
        pixels = from_linear(pixels)
        alpha = widened(alpha, 8) if alpha is not None and alpha.dtype == np.uint8 else alpha
    metadata = Metadata(
        exif=None if parts.exif is None else exif.bare(parts.exif),
        xmp=parts.xmp,
        icc=of_primaries(_PROFILES[codestream.colours.primaries]),
        orientation=codestream.orientation,
    )
    note = "; ".join(filter(None, (floats, note_of_boxes(data))))
    return Image(pixels, "jxl", alpha=alpha, grey=grey, metadata=metadata, note=note)


def _of_jpeg(data: bytes, codestream: Codestream) -> Image:
    header = jpeg.read_header(data)
    if (header.width, header.height) != (codestream.width, codestream.height):
        raise _broken("two sizes")
    return replace(jpeg.decode(data), format="jxl")


def _read(data: bytes) -> tuple[Parts, Codestream]:
    try:
        parts = read_parts(data)
        codestream = read_codestream(parts.codestream)
    except BoxError as error:
        raise _broken(error) from None
    if codestream.animated:
        raise UnsupportedError("it is an animated JPEG XL; export one frame of it first")
    if not parts.from_jpeg:
        _check(codestream.colours)
    return parts, codestream


def _check(colours: Colours) -> None:
    if colours.transfer in HDR_CURVES:
        raise UnsupportedError("it is an HDR JPEG XL; export it as SDR first")
    if colours.icc:
        raise UnsupportedError("it is a JPEG XL whose profile cannot be read; export it as PNG or TIFF first")
    known = colours.white == _D65 and colours.transfer in (_LINEAR, _SRGB_CURVE)
    if not known or colours.primaries not in _PROFILES:
        raise UnsupportedError("it is a JPEG XL in rare colours; export it in sRGB or as PNG or TIFF first")
